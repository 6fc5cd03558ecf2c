"""How the API knows who is calling: a device's token, or the browser's session."""

import hashlib
from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework import authentication, exceptions
from rest_framework.request import Request

from accounts.models import DeviceToken
from common import clock

PREFIX = "Token "


def digest_of(plain: str) -> str:
    """What is kept of a token. Tokens are 256 random bits, so one round of SHA-256 is enough."""
    return hashlib.sha256(plain.encode()).hexdigest()


class DeviceTokenAuthentication(authentication.BaseAuthentication):
    """`Authorization: Token <plain>`; one query. The token row is `request.auth`, its scopes are checked by RoleDeclared."""

    def authenticate(self, request: Request) -> tuple[Any, DeviceToken] | None:
        header = request.META.get("HTTP_AUTHORIZATION", "")
        if not header.startswith(PREFIX):
            return None
        token = (
            DeviceToken.objects.select_related("user").filter(digest=digest_of(header[len(PREFIX) :])).first()
        )
        at = clock.now()
        if (
            token is None
            or token.revoked_at is not None
            or token.expires_at <= at
            or not token.user.is_active
        ):
            raise exceptions.AuthenticationFailed("This token is not known or no longer valid.")
        return token.user, token

    def authenticate_header(self, request: Request) -> str:
        return "Token"


class BrowserSessionAuthentication(authentication.SessionAuthentication):
    """The browser's session, with its CSRF check; says 401, not 403, to a stranger."""

    def authenticate_header(self, request: Request) -> str:
        return "Session"


class DeviceTokenScheme(OpenApiAuthenticationExtension):
    target_class = "accounts.authentication.DeviceTokenAuthentication"
    name = "deviceToken"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {"type": "apiKey", "in": "header", "name": "Authorization", "description": "Token <key>"}


class BrowserSessionScheme(OpenApiAuthenticationExtension):
    target_class = "accounts.authentication.BrowserSessionAuthentication"
    name = "browserSession"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        from django.conf import settings

        return {"type": "apiKey", "in": "cookie", "name": settings.SESSION_COOKIE_NAME}
