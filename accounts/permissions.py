"""Permissions of the API: a view says who may call each method, or nobody may."""

from typing import Any

from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from accounts.guards import ANYONE


def roles_for(view: Any, method: str) -> tuple[str, ...]:
    """The roles a view declares for a method: `allowed_roles` is a tuple for all methods or a dict by method."""
    declared: Any = getattr(view, "allowed_roles", ())
    if isinstance(declared, dict):
        declared = declared.get(method, declared.get("GET", ()) if method in ("HEAD", "OPTIONS") else ())
    return tuple(declared)


class RoleDeclared(BasePermission):
    """Closed by default. `allowed_roles` names who; `token_scopes` names which scope a device token needs per method."""

    def has_permission(self, request: Request, view: Any) -> bool:
        method = request.method or ""
        roles = roles_for(view, method)
        if ANYONE in roles:
            return True
        user = request.user
        if not (user and user.is_authenticated and user.role in roles):
            return False
        if request.auth is not None:
            return getattr(view, "token_scopes", {}).get(method) in getattr(request.auth, "scopes", ())
        return True


class SchemaReaders(BasePermission):
    """The description of the API: anybody in the demo, staff in production."""

    def has_permission(self, request: Request, view: Any) -> bool:
        from django.conf import settings

        return not settings.PRODUCTION or bool(
            request.user.is_authenticated and request.user.is_member_of_staff
        )
