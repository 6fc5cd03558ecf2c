"""What every request must pass: session limits (PR-10), the second factor of staff (PR-11), DomainErrors as pages."""

from collections.abc import Callable
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.auth import logout
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import render
from django.urls import reverse

from accounts.step_up import has_second_factor, step_up_redirect
from common import clock
from common.errors import StepUpNeeded
from common.locks import as_refusal, is_lock_trouble

Next = Callable[[HttpRequest], HttpResponse]
STARTED, SEEN = "started_at_s", "seen_at_s"
# What a page asks by itself, whether or not anybody sits in front of it.
ASKED_BY_ITSELF = ("/staff/now/",)


class SessionLimits:
    """15 minutes idle for staff, 30 for patients, 12 hours in all; the server decides, never a flag from the page.

    A patient in an active dosing session is not logged out by idling: `keep_alive_until_s` is set by the session room's own
    view (HZ-16), on the server.
    """

    def __init__(self, get_response: Next) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        user = request.user if settings.SESSION_COOKIE_NAME in request.COOKIES else None
        if user is not None and user.is_authenticated:
            now_s = clock.wall_time_s()
            started = request.session.get(STARTED)
            seen = request.session.get(SEEN)
            idle_limit = 60 * (
                settings.STAFF_IDLE_MINUTES if user.is_member_of_staff else settings.PATIENT_IDLE_MINUTES
            )
            kept_alive = request.session.get("keep_alive_until_s", 0) > now_s
            if not kept_alive and (
                (seen is not None and now_s - seen > idle_limit)
                or (started is not None and now_s - started > settings.SESSION_ABSOLUTE_HOURS * 3600)
            ):
                logout(request)
            else:
                # A write each half minute at most: the session row is not a hot row.
                if started is None:
                    request.session[STARTED] = now_s
                if seen is None or (now_s - seen > 30 and request.path not in ASKED_BY_ITSELF):
                    request.session[SEEN] = now_s
        return self.get_response(request)


class StaffSecondFactor:
    """Staff can do nothing before a second factor: those without one are sent to set it up, those with one to give it."""

    OPEN_PREFIXES = ("/accounts/", "/static/", "/livez", "/readyz", "/help/")

    def __init__(self, get_response: Next) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if settings.SESSION_COOKIE_NAME in request.COOKIES and not request.path.startswith(
            self.OPEN_PREFIXES
        ):
            user = request.user
            if user.is_authenticated and user.is_member_of_staff and not has_second_factor(request):
                if request.path.startswith("/api/"):
                    return JsonResponse(
                        {
                            "code": "second_factor_needed",
                            "detail": "Log in with your second factor first.",
                            "fields": {},
                        },
                        status=403,
                    )
                from allauth.mfa.utils import is_mfa_enabled

                name = "mfa_reauthenticate" if is_mfa_enabled(user) else "accounts:second_step"
                return HttpResponseRedirect(f"{reverse(name)}?next=/home/")
        return self.get_response(request)


class DomainErrors:
    """Page -> a notice with 403, 404, 409 or 422 and a way back; nothing typed is repeated, nobody's data is in it."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        refusal = as_refusal(error)
        if refusal is None or request.path.startswith("/api/"):
            return None
        if isinstance(refusal, StepUpNeeded):
            return step_up_redirect(request)
        if refusal.status == 404:
            return render(request, "public/404.html", status=404)
        context = {"code": refusal.code, "detail": refusal.detail, "fields": refusal.fields}
        context |= {"back_url": _back(request)}
        response = render(request, "public/refused.html", context, status=refusal.status)
        if is_lock_trouble(error):
            response.headers["Retry-After"] = "1"  # A page that keeps a draft by itself tries again.
        return response


def _back(request: HttpRequest) -> str:
    """The page the person came from, when it is ours; else their home."""
    referer = urlsplit(request.META.get("HTTP_REFERER", ""))
    if referer.netloc == request.get_host() and referer.path.startswith("/"):
        return referer.path
    return reverse("home")
