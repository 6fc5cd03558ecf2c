"""The bridge for pages that libraries bring as Django templates: they wear the Jinja2 layout and the same form macros."""

from typing import Any

from django import template
from django.template import Node, NodeList, engines
from django.template.base import Parser, Token
from django.template.context import Context
from django.utils.safestring import SafeString, mark_safe

register = template.Library()
PARTS = "_hearthside_parts"


class PartNode(Node):
    """What a child template wrote into one place of the page."""

    def __init__(self, name: str, nodelist: NodeList) -> None:
        self.name = name
        self.nodelist = nodelist

    def render(self, context: Context) -> SafeString:
        context[PARTS][self.name] = mark_safe(self.nodelist.render(context).strip())  # noqa: S308  (rendered, escaped)
        return mark_safe("")


class PageNode(Node):
    """Collects the parts, then renders them inside components/layout_django.html."""

    def __init__(self, nodelist: NodeList) -> None:
        self.nodelist = nodelist

    def render(self, context: Context) -> SafeString:
        parts: dict[str, Any] = {"title": "", "content": "", "next_step": "", "head": "", "scripts": ""}
        with context.push(**{PARTS: parts}):
            self.nodelist.render(context)
        page = engines["jinja2"].get_template("components/layout_django.html")
        form = context.get("form")
        parts["form"] = form if hasattr(form, "errors") else None
        return mark_safe(page.render(parts, context.get("request")))  # noqa: S308


@register.tag
def page(parser: Parser, token: Token) -> PageNode:
    """{% page %}{% part title %}…{% endpart %}…{% endpage %}"""
    nodelist = parser.parse(("endpage",))
    parser.delete_first_token()
    return PageNode(nodelist)


@register.tag
def part(parser: Parser, token: Token) -> PartNode:
    """{% part NAME %}…{% endpart %}: title, content, next_step, head or scripts."""
    _, name = token.split_contents()
    nodelist = parser.parse(("endpart",))
    parser.delete_first_token()
    return PartNode(name, nodelist)


@register.simple_tag
def form_fields(form: Any) -> SafeString:
    """The fields of a form, by the macro that our own pages use."""
    macros = engines["jinja2"].env.get_template("components/forms.html").module  # type: ignore[attr-defined]
    return mark_safe(macros.form_fields(form))  # noqa: S308  (the macro escapes)


@register.simple_tag(takes_context=True)
def staff_urgent(context: Context) -> SafeString:
    """A lane that stands still and the reader's open alerts, as on every page of the staff."""
    urgent = engines["jinja2"].get_template("components/urgent.html")
    return mark_safe(urgent.render({}, context.get("request")))  # noqa: S308  (the template escapes)
