"""Headers of every answer, and the pages of last resort."""

from collections.abc import Callable

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render


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


def not_found(request: HttpRequest, exception: Http404 | None = None) -> HttpResponse:
    """One answer for what does not exist and for what is not this person's to see."""
    return render(request, "public/404.html", status=404)


def server_error(request: HttpRequest) -> HttpResponse:
    return render(request, "public/500.html", status=500)


def permission_denied(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    return render(request, "public/403.html", status=403)
