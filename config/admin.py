"""The administration as a part of the product: the same log-in, second factor and step-up as every staff page."""

from collections.abc import Callable
from functools import update_wrapper
from typing import Any
from urllib.parse import urlencode

from django.contrib.admin.apps import AdminConfig
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import SimpleTemplateResponse
from django.urls import reverse
from django.utils import timezone
from unfold.sites import UnfoldAdminSite

# The library's pages need inline handlers (Alpine); everything still comes from our own host and goes nowhere else.
POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; font-src 'self'; connect-src 'self'; object-src 'none'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'"
)


class HearthsideAdminSite(UnfoldAdminSite):
    """Administrators only; to anybody else who is logged in it does not exist (404). Changes need a fresh second factor."""

    site_title = "Hearthside administration"
    site_header = "Hearthside"
    index_title = "Administration"
    enable_nav_sidebar = True

    def has_permission(self, request: HttpRequest) -> bool:
        from accounts.step_up import has_second_factor

        user = request.user
        return bool(
            user.is_authenticated
            and user.is_active
            and getattr(user, "role", "") == "administrator"
            and has_second_factor(request)
        )

    def admin_view(
        self, view: Callable[..., HttpResponse], cacheable: bool = False
    ) -> Callable[..., HttpResponse]:
        """Wrap every page: who, step-up before a change, and the pages' own content security policy."""
        inner = super().admin_view(view, cacheable)

        def wrapped(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            from accounts.step_up import require_step_up

            if request.user.is_authenticated and getattr(request.user, "role", "") != "administrator":
                raise Http404
            if request.method not in ("GET", "HEAD", "OPTIONS") and self.has_permission(request):
                require_step_up(request)
            # Times in the reader's own zone: the page is rendered here, because the zone ends with this block.
            with timezone.override(getattr(request.user, "time_zone", "UTC")):
                response = inner(request, *args, **kwargs)
                if isinstance(response, SimpleTemplateResponse):
                    response.render()
            response.headers.setdefault("Content-Security-Policy", POLICY)
            response.headers["Cache-Control"] = "no-store, private"
            return response

        return update_wrapper(wrapped, view)

    def login(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        """There is one log-in page in this house; for people of other roles not even the way to it."""
        if request.user.is_authenticated and getattr(request.user, "role", "") != "administrator":
            raise Http404
        target = request.GET.get("next") or request.get_full_path()
        if not target.startswith("/") or target.startswith(("//", "/\\", self._login_path())):
            target = reverse("admin:index")
        return HttpResponseRedirect(f"{reverse('account_login')}?{urlencode({'next': target})}")

    def _login_path(self) -> str:
        return reverse("admin:login", current_app=self.name)

    def logout(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        return HttpResponseRedirect(reverse("account_logout"))

    def password_change(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        return HttpResponseRedirect(reverse("account_change_password"))


class HearthsideAdminConfig(AdminConfig):
    """`django.contrib.admin` with our site as the default."""

    default_site = "config.admin.HearthsideAdminSite"
