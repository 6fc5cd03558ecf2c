"""The texts people sign: composed from data for one version and one state, hashed exactly as shown. Standard library only.

A version is a folder of data: a base text for each document, and for some states a part of their own. Which version is in force
is said by the protocol version, so a new wording needs two people like any number does.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parent.parent / "data" / "consent"
DOCUMENTS = ("treatment-consent", "safety-agreement")

Runs = tuple[tuple[bool, str], ...]


@dataclass(frozen=True, slots=True)
class Block:
    """A heading, a paragraph, a list, or a point to tick (`code`); `runs` are (bold, text)."""

    kind: str
    items: tuple[Runs, ...]
    code: str = ""

    @property
    def text(self) -> str:
        """The words alone, an item a line."""
        return "\n".join("".join(part for _, part in runs) for runs in self.items)


@dataclass(frozen=True, slots=True)
class Document:
    """One text in one version for one state. The hash is over every byte people are shown, the points to tick included."""

    document: str
    version: str
    title: str
    state: str
    acknowledge: Mapping[str, str]
    body: str
    sha256: str
    blocks: tuple[Block, ...]


def read_document(text: str) -> Document:
    """A document from its Markdown with front matter. ValueError when a part is missing."""
    parts = re.fullmatch(r"---\n(.*?)\n---\n(.*)", text, re.DOTALL)
    if parts is None:
        raise ValueError("a consent text begins with its front matter")
    head = dict(line.split(": ", 1) for line in parts[1].split("\n") if ": " in line)
    blocks = tuple(_blocks(parts[2]))
    points = [block for block in blocks if block.kind == "tick"]
    if not points or not all(head.get(name) for name in ("document", "version", "title")):
        raise ValueError("a consent text needs document, version, title and points to acknowledge")
    acknowledge = {block.code: block.text for block in points}
    if len(acknowledge) != len(points):
        raise ValueError("a point to acknowledge stands twice")
    return Document(
        document=head["document"],
        version=head["version"],
        title=head["title"],
        state=head.get("state", ""),
        acknowledge=acknowledge,
        body=text,
        sha256=hashlib.sha256(text.encode()).hexdigest(),
        blocks=blocks,
    )


def blocks_of(body: str) -> tuple[Block, ...]:
    """The blocks of a stored text, for showing exactly what was signed."""
    return read_document(body).blocks


_TICK = re.compile(r"- \[ \] (\w+): (.+)")


def _blocks(markdown: str) -> list[Block]:
    found = []
    for chunk in re.split(r"\n\s*\n", markdown.strip()):
        lines = chunk.split("\n")
        if lines[0].startswith("## "):
            found.append(Block("h2", (_runs(lines[0][3:]),)))
        elif lines[0].startswith("# "):
            found.append(Block("h1", (_runs(lines[0][2:]),)))
        elif lines[0].startswith("- [ ] "):
            for line in lines:
                tick = _TICK.fullmatch(line)
                if tick is None:
                    raise ValueError("a point to acknowledge has a code and a sentence")
                found.append(Block("tick", (_runs(tick[2]),), tick[1]))
        elif lines[0].startswith("- "):
            found.append(Block("ul", tuple(_runs(line[2:]) for line in lines if line.startswith("- "))))
        else:
            found.append(Block("p", (_runs(" ".join(lines)),)))
    return found


def _runs(text: str) -> Runs:
    return tuple((index % 2 == 1, part) for index, part in enumerate(text.split("**")) if part)


@cache
def index() -> Mapping[str, Any]:
    """The shipped proposal: version, states, and which states have a part of their own."""
    found: dict[str, Any] = json.loads((FOLDER / "index.json").read_text(encoding="utf-8"))
    return found


def shipped_version() -> str:
    """The version that ships with the code; in force where no protocol version names one."""
    return str(index()["version"])


def state_has_text(state: str) -> bool:
    """Whether there is a text to sign for that USPS code. Unknown means: no consent is possible."""
    return state in index()["states"]


def compose(base: str, *, state: str, name: str, part: str = "") -> str:
    """The whole text for one state: the base, then the state's own section. The state is in it, so each state's hash differs."""
    head, body = base.split("\n---\n", 1)
    ending = [
        f"## In {name}",
        f"This text holds for care while you are in {name}. In another state you are asked to sign again.",
    ]
    if part.strip():
        ending.append(part.strip())
    return f"{head}\nstate: {state}\n---\n{body.rstrip()}\n\n" + "\n\n".join(ending) + "\n"


@cache
def document(name: str, state: str, version: str = "") -> Document:
    """One of DOCUMENTS for a state, in a version (the shipped one if none is named).

    Raises KeyError for an unknown name, version or state: nothing can be signed there.
    """
    if name not in DOCUMENTS or not state_has_text(state):
        raise KeyError(name if name not in DOCUMENTS else state)
    folder = FOLDER / (version or shipped_version())
    if not re.fullmatch(r"[\w.-]+", folder.name) or not folder.is_dir():
        raise KeyError(version)
    part = folder / "states" / f"{state}.{name}.md"
    return read_document(
        compose(
            (folder / f"{name}.md").read_text(encoding="utf-8"),
            state=state,
            name=index()["states"][state],
            part=part.read_text(encoding="utf-8") if part.exists() else "",
        )
    )
