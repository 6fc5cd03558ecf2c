"""Headers of every answer, and the pages of last resort."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse, JsonResponse
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
        if (user is not None and user.is_authenticated) or request.path.startswith(
            ("/s/", "/api/", "/accounts/", "/introduction/", "/assessment/")
        ):
            response.headers["Cache-Control"] = "no-store, private"
        return response


def _last_resort(request: HttpRequest, status: int, code: str, detail: str) -> HttpResponse:
    """The API answers in its one shape, everybody else gets a page."""
    if request.path.startswith("/api/"):
        return JsonResponse({"code": code, "detail": detail, "fields": {}}, status=status)
    return render(request, f"public/{status}.html", status=status)


def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """One answer for what does not exist and for what is not this person's to see."""
    return _last_resort(request, 404, "not_found", "There is nothing here.")


def permission_denied(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    return _last_resort(request, 403, "permission_denied", "You may not do this.")
