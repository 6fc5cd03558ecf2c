"""Small middlewares: headers of every answer, and the one place where a page's DomainError becomes a page."""

from collections.abc import Callable

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse

from common.errors import DomainError, StepUpNeeded


class ResponseHeaders:
    """Nothing about a person is kept by a cache; camera and microphone are off but where a page asks for them."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        response.headers.setdefault("Permissions-Policy", "camera=(), microphone=(), geolocation=()")
        response.headers.setdefault("X-Content-Type-Options", "nosniff")
        user = getattr(request, "_cached_user", None)
        if (user is not None and user.is_authenticated) or request.path.startswith(("/s/", "/api/", "/accounts/")):
            response.headers["Cache-Control"] = "no-store, private"
        return response


class DomainErrors:
    """Page -> a notice with 403, 404, 409 or 422 and a way back; nothing typed is repeated, nobody's data is in it."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        if not isinstance(error, DomainError) or request.path.startswith("/api/"):
            return None
        if isinstance(error, StepUpNeeded):
            from accounts.step_up import step_up_redirect

            return step_up_redirect(request)
        if error.status == 404:
            return render(request, "public/404.html", status=404)
        return render(
            request,
            "public/refused.html",
            {"code": error.code, "detail": error.detail, "fields": error.fields, "back_url": _back(request)},
            status=error.status,
        )


def _back(request: HttpRequest) -> str:
    """The page the person came from, when it is ours; else their home."""
    from urllib.parse import urlsplit

    referer = urlsplit(request.META.get("HTTP_REFERER", ""))
    if referer.netloc == request.get_host() and referer.path.startswith("/"):
        return referer.path
    return reverse("home")


def not_found(request: HttpRequest, exception: Http404 | None = None) -> HttpResponse:
    """One answer for what does not exist and for what is not this person's to see."""
    return render(request, "public/404.html", status=404)


def server_error(request: HttpRequest) -> HttpResponse:
    return render(request, "public/500.html", status=500)


def permission_denied(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    return render(request, "public/403.html", status=403)
