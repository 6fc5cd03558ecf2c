"""For the type checker alone: `request.user` is one of our people.

`LoginRequiredMiddleware` and DRF's closed default let nobody else into a view; the few that are `@public` ask `is_authenticated` first,
and tests/test_access.py walks every route as a stranger. Without this, each use of `request.user` would need a cast.
"""

from collections.abc import Callable

from mypy.plugin import AttributeContext, Plugin
from mypy.types import Instance, Type, UnionType, get_proper_type

REQUESTS = ("django.http.request.HttpRequest.user", "rest_framework.request.Request.user")


def without_strangers(context: AttributeContext) -> Type:
    """The same type, less AnonymousUser."""
    found = get_proper_type(context.default_attr_type)
    if not isinstance(found, UnionType):
        return found
    people = [
        item
        for item in found.items
        if not (isinstance(known := get_proper_type(item), Instance) and known.type.name == "AnonymousUser")
    ]
    return UnionType.make_union(people)


class People(Plugin):
    """Asked before django-stubs' own plugin, which knows both kinds of user."""

    def get_attribute_hook(self, fullname: str) -> Callable[[AttributeContext], Type] | None:
        return without_strangers if fullname.endswith(REQUESTS) else None


def plugin(version: str) -> type[Plugin]:
    """What mypy calls."""
    return People
