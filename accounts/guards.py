"""Permissions of pages: closed by default, declared on the view, read by `manage.py urlmap` and the access tests.

A view without one of these answers nobody but a test failure: tests/test_access.py walks the URL tree.
"""

import functools
from collections.abc import Callable
from typing import Any

from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponse

ANYONE = "anyone"
BY_LINK = "link"

View = Callable[..., HttpResponse]


def for_role(*roles: str) -> Callable[[View], View]:
    """Only people of these roles; to anybody else who is logged in the page does not exist (404).

    Log-in is asked for by LoginRequiredMiddleware, the second factor of staff by StaffSecondFactor.
    """

    def decorate(view: View) -> View:
        @functools.wraps(view)
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            if getattr(request.user, "role", "") not in roles:
                raise Http404
            return view(request, *args, **kwargs)

        guarded.allowed_roles = roles  # type: ignore[attr-defined]
        return guarded

    return decorate


def public(view: View) -> View:
    """Anybody may open this page, logged in or not."""
    opened = login_not_required(view)
    opened.allowed_roles = (ANYONE,)  # type: ignore[attr-defined]
    return opened


def by_link(view: View) -> View:
    """Whoever holds the secret in the address; the view itself checks it and answers 404 for a wrong one."""
    opened = login_not_required(view)
    opened.allowed_roles = (BY_LINK,)  # type: ignore[attr-defined]
    return opened
