"""The numbers that people sign off, as one record: loaded from the apps' data files, approved in the database, pinned by enrolment."""

import copy
import json
import uuid
from datetime import datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import transaction

from common import audit, hooks
from common.errors import Conflict, Invalid, NotPermitted
from common.models import ProtocolVersion

# Where each part of a protocol version comes from. Lower apps may not import higher ones, but may read their files.
SOURCES = {
    "eligibility": "intake/data/eligibility.json",
    "consent": "intake/data/consent/index.json",
    "bp": "vitals/data/bp_bands.json",
    "gate": "sessions/data/gate.json",
    "timeline": "sessions/data/timeline.json",
    "dosing": "consults/data/dosing.json",
    "states": "consults/data/state_rules.json",
    "escalations": "safety/data/escalations.json",
    "outcomes": "measures/data/outcomes.json",
    "suicide_risk": "measures/data/suicide_risk.json",
    "check_ins": "coaching/data/check_ins.json",
    "messaging": "coaching/data/messaging.json",
    "timepoints": "outcomes/data/timepoints.json",
}


# The same thing said in two parts: a working day of the messages is a working day of the alerts.
SAID_TWICE = (
    (("messaging", "staffed", "weekdays"), ("escalations", "working_day", "weekdays")),
    (("messaging", "staffed", "until_hour"), ("escalations", "working_day", "until_hour")),
)


def _at(data: Any, path: tuple[str, ...]) -> Any:
    for name in path:
        data = data.get(name) if isinstance(data, dict) else None
    return data


def disagreements(data: dict[str, Any]) -> list[str]:
    """Numbers that stand in two parts of a document and differ; a part that a document does not have says nothing."""
    return [
        f"{'.'.join(one)} is {_at(data, one)}, {'.'.join(other)} is {_at(data, other)}"
        for one, other in SAID_TWICE
        if None not in (_at(data, one), _at(data, other)) and _at(data, one) != _at(data, other)
    ]


# Rules whose numbers meet: where one ends, the next begins. (end, begin, how far the begin may lie past the end).
_PRESSURE = "above the first and below the second a blood pressure would meet no rule"
MEETING = (
    (("E28", "controlled_below_systolic_mmhg"), ("E29", "raised_from_systolic_mmhg"), 0, _PRESSURE),
    (("E28", "controlled_below_diastolic_mmhg"), ("E29", "raised_from_diastolic_mmhg"), 0, _PRESSURE),
    (("E29", "raised_below_systolic_mmhg"), ("E30", "uncontrolled_from_systolic_mmhg"), 0, _PRESSURE),
    (("E29", "raised_below_diastolic_mmhg"), ("E30", "uncontrolled_from_diastolic_mmhg"), 0, _PRESSURE),
    (
        ("E53", "dast10_moderate_to"),
        ("E52", "dast10_high_from"),
        1,
        "a score between them would meet no rule",
    ),
)


def holes(data: dict[str, Any]) -> list[str]:
    """Sentences about rules between which nothing would be found any more; an overlap only finds twice and is none."""
    rows = _at(data, ("eligibility", "rules"))
    rules = {row.get("id"): row for row in rows if isinstance(row, dict)} if isinstance(rows, list) else {}
    found = []
    for (lower, end), (upper, begin), step, words in MEETING:
        ends, begins = (_at(rules, (id, "thresholds", name)) for id, name in ((lower, end), (upper, begin)))
        if isinstance(ends, int | float) and isinstance(begins, int | float) and begins > ends + step:
            found.append(
                f"{lower} ends at {ends:g} and {upper} begins only at {begins:g}: {words}. "
                f"Move {lower} up to it first, or {upper} down."
            )
    return found


def troubles(data: dict[str, Any]) -> list[str]:
    """Sentences: holes between rules, and what the apps that read a part say of it. A part that is not there says nothing."""
    return [
        *holes(data),
        *(sentence for found in hooks.run("protocol.read", data=data) for sentence in found),
    ]


def _refuse_troubles(data: dict[str, Any]) -> None:
    if found := troubles(data):
        raise Invalid(" ".join(found), fields={"thresholds": " ".join(found)})


def from_files(base: Path | None = None) -> dict[str, Any]:
    """The proposal that ships with the code; a file that does not exist yet is left out."""
    base = base or settings.BASE_DIR
    return {
        part: json.loads((base / path).read_text())
        for part, path in SOURCES.items()
        if (base / path).exists()
    }


# Approved versions by key and instant of approval: 85 KB each that never change (the trigger `approved_protocol_numbers_stay`), so
# that not every page has them sent and read again. Which version is in force is asked each time.
_kept: dict[tuple[uuid.UUID, datetime | None], ProtocolVersion] = {}
KEPT_VERSIONS = 8


def current(*, at: datetime) -> ProtocolVersion:
    """The newest approved version in force at `at`. Raises Conflict when nobody has approved one yet."""
    found = (
        ProtocolVersion.objects.filter(state="approved", effective_from__lte=at)
        .order_by("-effective_from", "-approved_at")
        .values_list("pk", "approved_at", "effective_from")
        .first()
    )
    if found is None:
        raise Conflict(
            "No protocol version is approved yet. A second administrator must approve one.",
            code="no_protocol",
        )
    pk, approved_at, effective_from = found
    version = copy.copy(_kept.get((pk, approved_at)) or _keep(ProtocolVersion.objects.get(pk=pk)))
    version.effective_from = effective_from
    return version


def _keep(version: ProtocolVersion) -> ProtocolVersion:
    while len(_kept) >= KEPT_VERSIONS:
        _kept.pop(next(iter(_kept)), None)
    _kept[version.pk, version.approved_at] = version
    return version


def propose(*, version: str, data: dict[str, Any], by: Any, at: datetime, note: str = "") -> ProtocolVersion:
    """A draft that somebody else may approve. Raises Invalid where two of its parts contradict each other, and for a part that its
    app could not read: that is found out now, and not while somebody waits for help."""
    if found := disagreements(data):
        raise Invalid(
            f"Two parts of this version contradict each other: {'; '.join(found)}.",
            fields={"data": "The two must say the same."},
        )
    _refuse_troubles(data)
    with transaction.atomic():
        draft = ProtocolVersion.objects.create(
            version=version, data=data, proposed_by=by, proposed_at=at, note=note
        )
        audit.record("protocol.proposed", by=by, at=at, about=draft)
    return draft


def approve(
    draft: ProtocolVersion, *, by: Any, at: datetime, effective_from: datetime | None = None
) -> ProtocolVersion:
    """Put a draft in force. The proposer cannot approve; running courses keep the version they were enrolled under.

    Raises Invalid for a draft whose rules leave a hole between them, or of which a part cannot be read, Conflict for one that was
    made before the version in force: it would undo, unsaid, what that one changed.
    """
    if draft.proposed_by_id == by.pk:
        raise NotPermitted(
            "Somebody other than the proposer must approve a protocol.", code="second_person_needed"
        )
    _refuse_troubles(draft.data)
    with transaction.atomic():
        # Two drafts signed at once: the second waits here, and then sees the first.
        known = list(ProtocolVersion.objects.select_for_update().order_by("pk").defer("data"))
        since = [
            one.version
            for one in known
            if one.approved_at
            and one.effective_from
            and max(one.approved_at, one.effective_from) > draft.proposed_at
        ]
        if since:
            raise Conflict(
                f"{', '.join(since)} came into force after this draft was made, which would undo it. "
                "Propose the change anew, from the version in force.",
                code="draft_outdated",
            )
        changed = ProtocolVersion.objects.filter(pk=draft.pk, state="draft").update(
            state="approved", approved_by=by, approved_at=at, effective_from=effective_from or at
        )
        if not changed:
            raise Conflict("This version is no longer a draft.")
        draft.refresh_from_db()
        audit.record("protocol.approved", by=by, at=at, about=draft)
        _keep(copy.copy(draft))
    return draft
