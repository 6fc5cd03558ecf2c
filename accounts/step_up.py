"""Signing, releasing, exporting and changing roles need a second factor given within the last five minutes (PR-11)."""

from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from common import clock
from common.errors import StepUpNeeded

MFA_METHOD = "mfa"
METHODS_KEY = "account_authentication_methods"  # where allauth keeps what this session has proved


def _newest_second_factor_at(request: Any) -> float | None:
    """Unix time of the newest second factor of this session, as allauth recorded it."""
    stamps = [m.get("at", 0.0) for m in request.session.get(METHODS_KEY, []) if m.get("method") == MFA_METHOD]
    return max(stamps) if stamps else None


def has_second_factor(request: Any) -> bool:
    """Has this log-in proved a second factor at all?"""
    return _newest_second_factor_at(request) is not None


def is_fresh(request: Any) -> bool:
    """Was a second factor given within the last five minutes? (A patient has none to give and signs with a password.)"""
    newest = _newest_second_factor_at(request)
    if newest is None:
        return False
    # allauth stamps with the machine's clock, so the test clock's offset must not age it.
    return clock.wall_time_s() - newest <= settings.ACCOUNT_REAUTHENTICATION_TIMEOUT


def stepped_up_at(request: Any, *, at: datetime) -> datetime | None:
    """When the newest second factor was given, told on the product's clock: `at` less its age on the machine's."""
    newest = _newest_second_factor_at(request)
    return None if newest is None else at - timedelta(seconds=max(0.0, clock.wall_time_s() - newest))


def require_step_up(request: Any) -> None:
    """Raise StepUpNeeded unless a second factor is fresh; pages are then sent to give it and come back."""
    if not is_fresh(request):
        raise StepUpNeeded("Confirm it is you with your second factor, then do this again.")


def step_up_redirect(request: HttpRequest) -> HttpResponse:
    """To the second-factor page and back to the page this came from; what was typed is kept by the browser's own history."""
    back = (
        request.get_full_path()
        if request.method == "GET"
        else (request.META.get("HTTP_REFERER") or reverse("home"))
    )
    return HttpResponseRedirect(
        f"{reverse('mfa_reauthenticate')}?{urlencode({'next': _own_path(request, back)})}"
    )


def _own_path(request: HttpRequest, address: str) -> str:
    from urllib.parse import urlsplit

    parts = urlsplit(address)
    if parts.netloc and parts.netloc != request.get_host():
        return reverse("home")
    return parts.path + (f"?{parts.query}" if parts.query else "")


def second_factor_was_shown(request: HttpRequest, user: Any, authenticator: Any, **kwargs: Any) -> None:
    """Setting up a factor needs a code or a touch of it: this session counts as having given it."""
    if authenticator.type == authenticator.Type.RECOVERY_CODES:
        return
    from allauth.account.internal.flows.login import record_authentication

    record_authentication(
        request, user, method=MFA_METHOD, id=authenticator.pk, type=authenticator.type, reauthenticated=True
    )


def logged_in_just_now(request: Any) -> bool:
    """Was the password given within the last five minutes, in this session?"""
    stamps = [m.get("at", 0.0) for m in request.session.get(METHODS_KEY, []) if m.get("method") == "password"]
    return bool(stamps) and clock.wall_time_s() - max(stamps) <= settings.ACCOUNT_REAUTHENTICATION_TIMEOUT
