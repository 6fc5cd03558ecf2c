"""What a person sees of a page: its heading, its words, its links and its forms. Read from HTML by the standard library."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser

VOID = frozenset(
    ("area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr")
)
SILENT = frozenset(("script", "style", "template", "head"))
BLOCKS = frozenset(
    (
        "p",
        "div",
        "li",
        "ul",
        "ol",
        "dl",
        "dt",
        "dd",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "tr",
        "td",
        "th",
        "table",
        "section",
        "article",
        "header",
        "footer",
        "main",
        "nav",
        "form",
        "label",
        "legend",
        "fieldset",
        "button",
        "option",
        "br",
        "summary",
        "details",
    )
)
BLANKS = re.compile(r"\s+")


class NotThere(Exception):
    """The page has not what the step asks for; says which page and what it has instead."""


def tidy(text: str) -> str:
    """Words with single blanks between them."""
    return BLANKS.sub(" ", text).strip()


@dataclass
class Control:
    """One control of a form, with the words beside it."""

    name: str
    kind: str
    value: str = ""
    checked: bool = False
    required: bool = False
    options: list[tuple[str, str]] = field(default_factory=list)
    words: str = ""


@dataclass
class Form:
    """A form as a browser would send it."""

    action: str
    method: str
    controls: list[Control] = field(default_factory=list)
    words: str = ""

    def names(self) -> list[str]:
        """The names of its controls, each once."""
        return list(
            dict.fromkeys(
                control.name for control in self.controls if control.name and control.kind != "submit"
            )
        )

    def of(self, name: str) -> list[Control]:
        """All controls of that name."""
        return [control for control in self.controls if control.name == name]

    def choices(self, name: str) -> list[tuple[str, str]]:
        """What can be chosen under a name, as (value, words)."""
        found: list[tuple[str, str]] = []
        for control in self.of(name):
            found += control.options if control.kind == "select" else [(control.value, control.words)]
        return found

    def buttons(self) -> list[Control]:
        """What sends it."""
        return [control for control in self.controls if control.kind == "submit"]

    def filled(self, values: dict[str, object], button: str = "") -> list[tuple[str, str]]:
        """The pairs that go over the wire when somebody answers `values` and leaves the rest as it is.

        Raises NotThere for a name or a choice that the form does not offer.
        """
        for name, value in values.items():
            self._is_offered(name, value)
        pairs: list[tuple[str, str]] = []
        for control in self.controls:
            if control.kind == "submit" or not control.name:
                continue
            pairs += self._pairs_of(control, values)
        pressed = (
            next((b for b in self.buttons() if button.lower() in b.words.lower()), None) if button else None
        )
        if button and pressed is None:
            raise NotThere(f"no button “{button}”; there are {[b.words for b in self.buttons()]}")
        pressed = pressed or next(iter(self.buttons()), None)
        if pressed is not None and pressed.name:
            pairs.append((pressed.name, pressed.value))
        return pairs

    def _is_offered(self, name: str, value: object) -> None:
        controls = self.of(name)
        if not controls:
            raise NotThere(f"no field “{name}”; there are {self.names()}")
        if controls[0].kind in ("radio", "select", "checkbox") and not isinstance(value, bool):
            offered = [option for option, _ in self.choices(name)]
            wanted = [str(one) for one in value] if isinstance(value, list | tuple) else [str(value)]
            if any(one not in offered for one in wanted):
                raise NotThere(f"“{name}” does not offer {wanted}; it offers {offered}")

    @staticmethod
    def _pairs_of(control: Control, values: dict[str, object]) -> list[tuple[str, str]]:
        name = control.name
        if name not in values:
            if control.kind in ("radio", "checkbox"):
                return [(name, control.value)] if control.checked else []
            return [(name, control.value)]
        value = values[name]
        if isinstance(value, bool):
            return [(name, control.value or "on")] if value else []
        wanted = [str(one) for one in value] if isinstance(value, list | tuple) else [str(value)]
        if control.kind in ("radio", "checkbox"):
            return [(name, control.value)] if control.value in wanted else []
        return [(name, one) for one in wanted]


class _Reader(HTMLParser):
    """Collects words, links and forms in one pass."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.words: list[str] = []
        self.links: list[tuple[str, str]] = []
        self.forms: list[Form] = []
        self.by_id: dict[str, Form] = {}
        self.headings: list[str] = []
        self.title = ""
        self._open: list[str] = []
        self._form: Form | None = None
        self._catch: list[tuple[str, list[str]]] = []
        self._link: str | None = None
        self._select: Control | None = None
        self._label: tuple[list[str], list[Control]] | None = None
        self._text_area: Control | None = None
        self.label_for: dict[str, str] = {}
        self.ids: dict[str, Control] = {}
        self._for = ""

    def _control(self, given: dict[str, str | None], kind: str) -> Control:
        control = Control(
            name=given.get("name") or "", kind=kind, value=given.get("value") or ("on" if kind in ("radio", "checkbox") else ""),
            checked="checked" in given, required="required" in given,
        )  # fmt: skip
        form = self.by_id.get(given["form"] or "") if "form" in given else self._form
        if form is not None and "disabled" not in given:
            form.controls.append(control)
        if given.get("id"):
            self.ids[given["id"] or ""] = control
        if self._label is not None:
            self._label[1].append(control)
        return control

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag not in VOID:
            self._open.append(tag)
        if tag in BLOCKS:
            self.words.append(" ")
        match tag:
            case "form":
                self._form = Form(given.get("action") or "", (given.get("method") or "get").lower())
                self.forms.append(self._form)
                if given.get("id"):
                    self.by_id[given["id"] or ""] = self._form
            case "a":
                self._link = given.get("href") or ""
                self._catch.append(("a", []))
            case "h1" | "h2" | "h3" | "title" | "option" | "legend":
                self._catch.append((tag, []))
                if tag == "option" and self._select is not None:
                    self._select.options.append((given.get("value") or "", ""))
                    if "selected" in given:
                        self._select.value = given.get("value") or ""
            case "label":
                self._label = ([], [])
                self._for = given.get("for") or ""
            case "input":
                kind = (given.get("type") or "text").lower()
                if kind in ("submit", "button", "image", "reset"):
                    if kind == "submit":
                        self._control(given, "submit").words = given.get("value") or ""
                elif kind != "file":
                    self._control(given, kind if kind in ("radio", "checkbox", "hidden") else "text")
            case "select":
                self._select = self._control(given, "select")
            case "textarea":
                self._text_area = self._control(given, "text")
                self._catch.append(("textarea", []))
            case "button":
                if (given.get("type") or "submit") == "submit":
                    self._catch.append(("button", []))
                    self._pressed = self._control(given, "submit")
                else:
                    self._catch.append(("idle", []))

    def handle_endtag(self, tag: str) -> None:
        if tag in self._open:
            while self._open and self._open.pop() != tag:
                pass
        if tag in BLOCKS:
            self.words.append(" ")
        if tag == "form":
            self._form = None
        if tag == "label" and self._label is not None:
            words = tidy("".join(self._label[0]))
            for control in self._label[1]:
                control.words = control.words or words
            if self._for:
                self.label_for[self._for] = words
            self._label = None
        if tag == "select":
            if self._select is not None and not self._select.value and self._select.options:
                self._select.value = self._select.options[0][0]
            self._select = None
        wanted = {"button": ("button", "idle")}.get(tag, (tag,))
        if self._catch and self._catch[-1][0] in wanted:
            kind, pieces = self._catch.pop()
            self._caught(kind, "".join(pieces))

    def _caught(self, kind: str, raw: str) -> None:
        words = tidy(raw)
        if kind == "a":
            self.links.append((words, self._link or ""))
        elif kind in ("h1", "h2", "h3"):
            self.headings.append(words)
        elif kind == "title":
            self.title = words
        elif kind == "textarea" and self._text_area is not None:
            self._text_area.value = raw.removeprefix("\n")
        elif kind == "button":
            self._pressed.words = words
        elif kind == "option" and self._select is not None and self._select.options:
            value, _ = self._select.options.pop()
            self._select.options.append((value, words))

    def handle_data(self, data: str) -> None:
        for _, pieces in self._catch:
            pieces.append(data)
        if self._label is not None:
            self._label[0].append(data)
        if not SILENT.intersection(self._open):
            self.words.append(data)
            if self._form is not None:
                self._form.words += data


class Page:
    """One answer of the site."""

    def __init__(self, path: str, status: int, html: str) -> None:
        self.path, self.status, self.html = path, status, html
        reader = _Reader()
        reader.feed(html)
        reader.close()
        for id_, words in reader.label_for.items():
            if id_ in reader.ids:
                reader.ids[id_].words = words
        self.title = reader.title
        self.headings = reader.headings
        self.heading = reader.headings[0] if reader.headings else reader.title
        self.words = tidy("".join(reader.words))
        self.links = reader.links
        self.forms = reader.forms

    def says(self, *sentences: str) -> bool:
        """Does it say all of these, whatever the case?"""
        low = self.words.lower()
        return all(sentence.lower() in low for sentence in sentences)

    def must_say(self, *sentences: str) -> None:
        """Raise NotThere with the page's own words unless it says all of these."""
        for sentence in sentences:
            if not self.says(sentence):
                raise NotThere(
                    f"{self.path} ({self.status}) does not say “{sentence}”. It says: {self.words[:1500]}"
                )

    def must_not_say(self, *sentences: str) -> None:
        """Raise NotThere when it says any of these."""
        for sentence in sentences:
            if self.says(sentence):
                raise NotThere(f"{self.path} says “{sentence}”")

    def link(self, words: str = "", *, to: str = "") -> str:
        """The address of the first link with these words, or that leads there. Raises NotThere."""
        found = (
            self.links_to(to) if to else [href for text, href in self.links if words.lower() in text.lower()]
        )
        if not found:
            raise NotThere(f"{self.path} has no link “{words or to}”; it has {self.links[:60]}")
        return found[0]

    def links_to(self, part: str) -> list[str]:
        """Addresses of all links that hold `part`, in order."""
        return [href for _, href in self.links if part in href]

    def matching_forms(self, *, has: Iterable[str] = (), to: str = "", button: str = "") -> Iterator[Form]:
        """Forms with these fields, that go there, with such a button."""
        for form in self.forms:
            if to and to not in (form.action or self.path):
                continue
            if any(name not in form.names() for name in has):
                continue
            if button and not any(button.lower() in b.words.lower() for b in form.buttons()):
                continue
            yield form

    def form(self, *, has: Iterable[str] = (), to: str = "", button: str = "") -> Form:
        """The first such form. Raises NotThere and says which forms there are."""
        has = list(has)
        for form in self.matching_forms(has=has, to=to, button=button):
            return form
        there = [(f.action, f.names(), [b.words for b in f.buttons()]) for f in self.forms]
        raise NotThere(
            f"{self.path} ({self.status}, “{self.heading}”) has no form with {has} {to} {button}; it has {there}"
        )
