"""Questionnaires as data: their words, codes, licences and bands."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

INSTRUMENTS = ("phq9", "gad7", "audit_c", "pcl5", "bladder", "use")
# Asked only where the practice has turned the pathway on.
OF_PTSD_PATHWAY = ("pcl5",)


@dataclass(frozen=True, slots=True)
class AnswerChoice:
    """One possible answer."""

    text: str
    value: int
    loinc: str = ""


@dataclass(frozen=True, slots=True)
class Item:
    """One question of an instrument, in its published words."""

    code: str
    loinc: str
    text: str
    answers: tuple[AnswerChoice, ...]
    scored: bool = True
    required: bool = True

    @property
    def values(self) -> frozenset[int]:
        """The values that an answer may have."""
        return frozenset(choice.value for choice in self.answers)


@dataclass(frozen=True, slots=True)
class SeverityBand:
    """A range of totals, both ends included."""

    code: str
    label: str
    low: int
    high: int


@dataclass(frozen=True, slots=True)
class Cluster:
    """Items that belong together, and how many of them must be endorsed for the group to count."""

    code: str
    label: str
    items: tuple[str, ...]
    needed: int
    endorsed_from: int


@dataclass(frozen=True, slots=True)
class FlagItem:
    """An item whose answer calls for action whatever the total."""

    code: str
    positive_from: int
    trigger: str


@dataclass(frozen=True, slots=True)
class Instrument:
    """A questionnaire: its words, its codes, its licence and how it is scored."""

    code: str
    title: str
    version: str
    loinc_panel: str
    loinc_total: str
    licence_status: str
    licence_text: str
    stem: str
    items: tuple[Item, ...]
    bands: tuple[SeverityBand, ...]
    flag_items: tuple[FlagItem, ...]
    total_max: int
    positive_from: Mapping[str, int]
    clusters: tuple[Cluster, ...] = ()

    @property
    def scored_items(self) -> tuple[Item, ...]:
        """The items that add up to the total."""
        return tuple(item for item in self.items if item.scored)

    def item(self, code: str) -> Item:
        """The item with this code."""
        return next(item for item in self.items if item.code == code)


class AnswersError(ValueError):
    """Answers that cannot be scored. `missing` and `invalid` name items; the sentence is for people."""

    def __init__(self, *, missing: tuple[str, ...] = (), invalid: tuple[str, ...] = ()) -> None:
        self.missing = missing
        self.invalid = invalid
        parts = []
        if missing:
            parts.append(f"Please answer: {', '.join(missing)}.")
        if invalid:
            parts.append(f"These answers are not among the choices: {', '.join(invalid)}.")
        super().__init__(" ".join(parts))


def instrument_from_data(data: Mapping[str, Any]) -> Instrument:
    """Read an instrument document, and refuse one whose bands leave a gap or overlap."""

    def choices(rows: list[dict[str, Any]]) -> tuple[AnswerChoice, ...]:
        return tuple(AnswerChoice(row["text"], row["value"], row.get("loinc", "")) for row in rows)

    items = tuple(
        Item(
            code=row["code"],
            loinc=row["loinc"],
            text=row["text"],
            answers=choices(row.get("answers") or data["answers"]),
            scored=row["scored"],
            required=row.get("required", True),
        )
        for row in data["items"]
    )
    bands = tuple(SeverityBand(row["code"], row["label"], row["from"], row["to"]) for row in data["bands"])
    covered = [total for one in bands for total in range(one.low, one.high + 1)]
    if covered != list(range(data["total_min"], data["total_max"] + 1)):
        raise ValueError(f"the bands of {data['code']} do not cover every total exactly once")
    return Instrument(
        code=data["code"],
        title=data["title"],
        version=data["version"],
        loinc_panel=data["loinc_panel"],
        loinc_total=data["loinc_total"],
        licence_status=data["licence"]["status"],
        licence_text=data["licence"]["text"],
        stem=data["stem"],
        items=items,
        bands=bands,
        flag_items=tuple(
            FlagItem(row["code"], row["positive_from"], row["trigger"]) for row in data["flag_items"]
        ),
        total_max=data["total_max"],
        positive_from=MappingProxyType(dict(data.get("positive_from", {}))),
        clusters=_clusters(data, {item.code for item in items}),
    )


def _clusters(data: Mapping[str, Any], known: set[str]) -> tuple[Cluster, ...]:
    """The groups of items; refuses a group that names an item which does not exist, and an item in two groups."""
    of = data.get("clusters")
    if of is None:
        return ()
    named = [code for row in of["groups"] for code in row["items"]]
    if not set(named) <= known or len(named) != len(set(named)):
        raise ValueError(f"the clusters of {data['code']} do not fit its items")
    return tuple(
        Cluster(row["code"], row["label"], tuple(row["items"]), row["needed"], of["endorsed_from"])
        for row in of["groups"]
    )


def load_data(name: str) -> Mapping[str, Any]:
    """One of the documents that ship with the product, by file name without its ending."""
    path = Path(__file__).resolve().parent.parent / "data" / f"{name}.json"
    document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return MappingProxyType(document)


@cache
def instrument(code: str) -> Instrument:
    """An instrument that ships with the product, by its code."""
    if code not in INSTRUMENTS:
        raise KeyError(code)
    return instrument_from_data(load_data(code))
