"""The pages that anyone may read, and the pages that say that something went wrong."""

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.views.decorators.csrf import requires_csrf_token

from accounts.guards import public
from portal.gallery import sample
from portal.prices import programme_price


@public
def home(request: HttpRequest) -> HttpResponse:
    """The front page."""
    return render(request, "public/home.html")


@public
def how_it_works(request: HttpRequest) -> HttpResponse:
    """The course from the first question to the twelve-month follow-up."""
    return render(request, "public/how_it_works.html")


@public
def evidence(request: HttpRequest) -> HttpResponse:
    """What studies found, for how many people, by which design, and what went wrong for some."""
    return render(request, "public/evidence.html")


@public
def pricing(request: HttpRequest) -> HttpResponse:
    """The price in total first."""
    return render(request, "public/pricing.html", {"price": programme_price()})


@public
def help_now(request: HttpRequest) -> HttpResponse:
    """988, 911, the practice, and what to do until somebody answers."""
    return render(request, "public/help.html")


@public
def privacy(request: HttpRequest) -> HttpResponse:
    """What is kept, who reads it, what never leaves."""
    return render(request, "public/privacy.html")


@public
def components(request: HttpRequest) -> HttpResponse:
    """Every component in every state, on one page."""
    return render(request, "components/gallery.html", sample())


@requires_csrf_token
@public
def permission_denied(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """403, with a way on."""
    return render(request, "public/403.html", status=403)


@requires_csrf_token
@public
def page_not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """404: also the answer for what exists but is not this person's to see."""
    return render(request, "public/404.html", status=404)


def server_error(request: HttpRequest) -> HttpResponse:
    """500. Rendered without context processors: whatever failed must not fail again here; help still shows."""
    if request.path.startswith("/api/"):
        return JsonResponse(
            {"code": "error", "detail": "Something went wrong on our side.", "fields": {}}, status=500
        )
    page = render_to_string("public/500.html", {"practice": settings.PRACTICE})
    return HttpResponse(page, status=500)
