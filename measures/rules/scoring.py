"""Totals, severity bands and the answers that call for action whatever the total."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from measures.rules.instruments import AnswersError, Cluster, Instrument, Item, instrument


@dataclass(frozen=True, slots=True)
class Flag:
    """An answer that calls for action, and the trigger of the escalation table it belongs to."""

    item: str
    value: int
    trigger: str


@dataclass(frozen=True, slots=True)
class Score:
    """A scored questionnaire."""

    instrument: str
    version: str
    total: int
    band: str
    flags: tuple[Flag, ...] = ()


def score(of: Instrument, answers: Mapping[str, int]) -> Score:
    """Add up the answers. Raises AnswersError naming every item that is missing or out of range.

    Answers to flagged items can be asked for even when the total cannot: see `flags_in`.
    """
    known = {item.code for item in of.items}
    missing = tuple(item.code for item in of.items if item.scored and answers.get(item.code) is None)
    invalid = tuple(code for code in answers if code not in known) + tuple(
        item.code
        for item in of.items
        if answers.get(item.code) is not None and not _is_choice(item, answers[item.code])
    )
    if missing or invalid:
        raise AnswersError(missing=missing, invalid=invalid)
    total = sum(answers[item.code] for item in of.scored_items)
    return Score(of.code, of.version, total, severity(of, total), flags_in(of, answers))


def _is_choice(item: Item, value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value in item.values


def severity(of: Instrument, total: int) -> str:
    """The code of the band a total lies in."""
    for one in of.bands:
        if one.low <= total <= one.high:
            return one.code
    raise ValueError(f"{total} is not a total of {of.title}")


def flags_in(of: Instrument, answers: Mapping[str, int]) -> tuple[Flag, ...]:
    """The answers that call for action. Works on half-filled questionnaires too: help must not wait for item 7."""
    return tuple(
        Flag(row.code, answers[row.code], row.trigger)
        for row in of.flag_items
        if _is_choice(of.item(row.code), answers.get(row.code)) and answers[row.code] >= row.positive_from
    )


@dataclass(frozen=True, slots=True)
class ClusterCount:
    """How many items of a group are endorsed, and whether that is as many as the group needs."""

    cluster: Cluster
    endorsed: int

    @property
    def is_met(self) -> bool:
        """Never a diagnosis: that is a psychiatrist's, after an interview."""
        return self.endorsed >= self.cluster.needed


def cluster_counts(of: Instrument, answers: Mapping[str, int]) -> tuple[ClusterCount, ...]:
    """The groups of an instrument with what was endorsed in each; empty for an instrument without groups.

    PCL-5: an item of 2 or more counts; B and C need one, D and E two (National Center for PTSD).
    """
    return tuple(
        ClusterCount(one, sum(answers.get(code, 0) >= one.endorsed_from for code in one.items))
        for one in of.clusters
    )


def audit_c_positive(total: int, sex: str | None, of: Instrument | None = None) -> bool:
    """Whether an AUDIT-C total is positive for this sex; the lower cut-off where the sex is not known."""
    cut_offs = (of or instrument("audit_c")).positive_from
    return total >= cut_offs.get(sex or "", min(cut_offs.values()))
