"""How allauth behaves here: addresses from SITE_URL (never from the request), a chart for everybody who signs up."""

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.mfa.adapter import DefaultMFAAdapter
from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse

from accounts.actions import register_patient
from accounts.step_up import logged_in_just_now
from common import clock


class AccountAdapter(DefaultAccountAdapter):
    def save_user(self, request: HttpRequest, user: Any, form: Any, commit: bool = True) -> Any:
        user = super().save_user(request, user, form, commit=commit)
        if commit:
            register_patient(user, by=user, at=clock.now())
        return user

    def get_email_confirmation_url(self, request: HttpRequest, emailconfirmation: Any) -> str:
        return settings.SITE_URL + reverse("account_confirm_email", args=[emailconfirmation.key])

    def get_reset_password_from_key_url(self, key: str) -> str:
        return settings.SITE_URL + reverse(
            "account_reset_password_from_key", kwargs={"uidb36": "UID", "key": "KEY"}
        ).replace("UID-KEY", key)

    def get_login_redirect_url(self, request: HttpRequest) -> str:
        return "/home/"

    def is_reauthentication_required(self, *, app: str, **kwargs: Any) -> bool:
        """Somebody who logged in a moment ago and has no second factor yet sets it up without giving the password again."""
        from allauth.mfa.utils import is_mfa_enabled

        request = self.request
        if (
            app == "allauth.mfa"
            and request is not None
            and not is_mfa_enabled(request.user)
            and logged_in_just_now(request)
        ):
            return False
        return bool(super().is_reauthentication_required(app=app, **kwargs))


class MfaAdapter(DefaultMFAAdapter):
    """Staff keep at least one factor: removing the last one is refused."""

    def can_delete_authenticator(self, authenticator: Any) -> bool:
        user = authenticator.user
        if (
            getattr(user, "is_member_of_staff", False)
            and authenticator.type != authenticator.Type.RECOVERY_CODES
        ):
            others = user.authenticator_set.exclude(pk=authenticator.pk).exclude(
                type=authenticator.Type.RECOVERY_CODES
            )
            return bool(others.exists())
        return True

    def encrypt(self, text: str) -> str:
        from common.encryption import encrypt

        return encrypt(text, context="mfa")

    def decrypt(self, encrypted_text: str) -> str:
        from common.encryption import decrypt

        return decrypt(encrypted_text, context="mfa")
