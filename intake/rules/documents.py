"""The texts people sign: read from data, hashed exactly as shipped, cut into blocks for a page. Standard library only."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).resolve().parent.parent / "data" / "consent"
DOCUMENTS = ("treatment-consent", "safety-agreement")

Runs = tuple[tuple[bool, str], ...]


@dataclass(frozen=True, slots=True)
class Block:
    """A heading, a paragraph or a list; `runs` are (bold, text)."""

    kind: str
    items: tuple[Runs, ...]


@dataclass(frozen=True, slots=True)
class Document:
    """One text in one version. The hash is over every byte people are shown, the points to tick included."""

    document: str
    version: str
    title: str
    acknowledge: Mapping[str, str]
    body: str
    sha256: str
    blocks: tuple[Block, ...]


def read_document(text: str) -> Document:
    """A document from its Markdown with front matter. ValueError when a part is missing."""
    parts = re.fullmatch(r"---\n(.*?)\n---\n(.*)", text, re.DOTALL)
    if parts is None:
        raise ValueError("a consent text begins with its front matter")
    head: dict[str, str] = {}
    acknowledge: dict[str, str] = {}
    for line in parts[1].split("\n"):
        name, _, value = line.strip().partition(": ")
        if line.startswith("  "):
            acknowledge[name] = value
        else:
            head[name] = value
    if not acknowledge or not all(head.get(name) for name in ("document", "version", "title")):
        raise ValueError("a consent text needs document, version, title and points to acknowledge")
    return Document(
        document=head["document"],
        version=head["version"],
        title=head["title"],
        acknowledge=acknowledge,
        body=text,
        sha256=hashlib.sha256(text.encode()).hexdigest(),
        blocks=tuple(_blocks(parts[2])),
    )


def blocks_of(body: str) -> tuple[Block, ...]:
    """The blocks of a stored text, for showing exactly what was signed."""
    return read_document(body).blocks


def _blocks(markdown: str) -> list[Block]:
    found = []
    for chunk in re.split(r"\n\s*\n", markdown.strip()):
        lines = chunk.split("\n")
        if lines[0].startswith("## "):
            found.append(Block("h2", (_runs(lines[0][3:]),)))
        elif lines[0].startswith("# "):
            found.append(Block("h1", (_runs(lines[0][2:]),)))
        elif lines[0].startswith("- "):
            found.append(Block("ul", tuple(_runs(line[2:]) for line in lines if line.startswith("- "))))
        else:
            found.append(Block("p", (_runs(" ".join(lines)),)))
    return found


def _runs(text: str) -> Runs:
    return tuple((index % 2 == 1, part) for index, part in enumerate(text.split("**")) if part)


@cache
def document(name: str) -> Document:
    """The version in force of one of DOCUMENTS; KeyError for any other name."""
    if name not in DOCUMENTS:
        raise KeyError(name)
    return read_document((FOLDER / f"{name}.md").read_text(encoding="utf-8"))
