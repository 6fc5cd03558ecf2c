"""Walks the URLconf: one row a route, with who may call it as the view itself declares."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from django.urls import URLPattern, URLResolver, get_resolver

from accounts.permissions import roles_for

PAGE_METHODS = ("GET", "POST")
# Views that libraries bring: who may call them is theirs to check, and tests/test_access.py tries each.
LIBRARY_ROLES = {
    "allauth.account": ("anyone",),
    "allauth.mfa": ("patient", "psychiatrist", "coach", "administrator"),
    "django.contrib.admin": ("administrator",),
    "unfold": ("administrator",),
    "drf_spectacular": ("anyone",),
}


@dataclass(frozen=True)
class Route:
    name: str
    path: str
    methods: tuple[str, ...]
    kind: str  # page | api | webhook | public | static
    roles: dict[str, tuple[str, ...]]  # by method

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def _walk(patterns: Any, prefix: str, namespace: str) -> Iterator[tuple[str, str, Any]]:
    for entry in patterns:
        if isinstance(entry, URLResolver):
            inner = f"{namespace}{entry.namespace}:" if entry.namespace else namespace
            yield from _walk(entry.url_patterns, prefix + str(entry.pattern), inner)
        elif isinstance(entry, URLPattern):
            yield f"{namespace}{entry.name or ''}", prefix + str(entry.pattern), entry.callback


def _library_roles(module: str) -> tuple[str, ...]:
    for start, roles in LIBRARY_ROLES.items():
        if module.startswith(start):
            return roles
    return ()


def _of(name: str, path: str, view: Any) -> Route:
    path = "/" + path.replace("^", "").replace("\\Z", "").replace("$", "")
    cls = getattr(view, "cls", None) or getattr(view, "view_class", None)
    module = (cls or view).__module__
    if cls is not None and hasattr(cls, "allowed_roles"):
        actions = getattr(view, "actions", None)
        methods = tuple(
            m.upper()
            for m in (actions or [m for m in cls.http_method_names if hasattr(cls, m)])
            if m != "options"
        )
        roles = {method: roles_for(cls, method) for method in methods}
    else:
        methods = tuple(getattr(view, "allowed_methods", PAGE_METHODS))
        declared = tuple(getattr(view, "allowed_roles", ())) or _library_roles(module)
        if path.startswith("/admin/"):
            declared = ("administrator",)
        roles = dict.fromkeys(methods, declared)
    everybody = {role for each in roles.values() for role in each}
    kind = (
        "webhook"
        if path.startswith("/webhooks/")
        else "api"
        if path.startswith(("/api/", "/fhir/"))
        else "static"
        if path.startswith("/static/")
        else "public"
        if "anyone" in everybody
        else "page"
    )
    return Route(name=name, path=path, methods=methods, kind=kind, roles=roles)


def every_route() -> list[Route]:
    """All routes, in the order of the URLconf."""
    return [_of(name, path, view) for name, path, view in _walk(get_resolver().url_patterns, "", "")]
