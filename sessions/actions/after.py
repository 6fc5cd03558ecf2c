"""The day after, and a person's own words."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.db import transaction

from accounts.models import Patient
from common import audit
from common import states as common_states
from common.errors import Conflict, Invalid, NotVisible
from notify.actions import cancel_for
from safety.models import Alert
from sessions import states
from sessions.actions.shared import alarm, lock_session
from sessions.actions.watch import GRAVER
from sessions.models import Checkpoint, DosingSession, FollowUp, JournalEntry

# What may linger, and the row of the escalation table that it is.
EFFECTS: dict[str, str] = {
    "nausea": "X13",
    "headache": "X13",
    "low_mood": "X13",
    "dizzy": "X11",
    "seeing_things": "X06",
    "no_need_for_sleep": "X06",
    "blood_in_urine": "X08",
    "burning_urine": "X09",
    "throat": "X10",
    "fell": "X11",
    "fainted": "X12",
}
LONGEST_ENTRY = 20_000


def record_follow_up(
    session: DosingSession,
    *,
    slept: bool,
    mood_0_10: int,
    suicidal_thoughts: bool,
    by: Any,
    at: datetime,
    effects: Iterable[str] = (),
    note: str = "",
) -> tuple[FollowUp, tuple[Alert, ...]]:
    """The morning after. Sleep unlocks driving; thoughts of suicide call somebody in this same transaction."""
    felt = sorted(set(effects))
    if set(felt) - set(EFFECTS) or not 0 <= mood_0_10 <= 10:
        raise Invalid("Please look at this again.", fields={"mood_0_10": "Choose 0 to 10."})
    with transaction.atomic():
        session = lock_session(session)
        if session.released_at is None or FollowUp.objects.filter(session=session).exists():
            raise Conflict("This is done already, or the session is still going on.", code="step_over")
        follow_up = FollowUp.objects.create(
            session=session, answered_at=at, answered_by=audit.actor_name(by), slept=slept, mood_0_10=mood_0_10,
            effects=felt, suicidal_thoughts=suicidal_thoughts, note=note.strip(),
        )  # fmt: skip
        if slept:
            DosingSession.objects.filter(pk=session.pk).update(slept_at=at)
            session.slept_at = at
        Checkpoint.objects.filter(
            session=session, kind=Checkpoint.Kind.FOLLOW_UP, done_at__isnull=True
        ).update(done_at=at, done_by=audit.actor_name(by), next_ladder_at=None)
        cancel_for(session, kinds=["follow_up_due", "follow_up_late"], at=at, why="answered")
        if session.state == states.RELEASED:
            common_states.move(session, states.CLOSED, moves=states.SESSION_MOVES, by=by, at=at, closed_at=at)
        audit.record(
            "follow_up.answered",
            by=by,
            at=at,
            about=follow_up,
            patient_id=session.patient_id,
            detail={"effects": felt},
        )
        alerts = []
        if suicidal_thoughts:
            alerts.append(
                alarm(session, "X03", source=follow_up, by=by, at=at, codes=("follow_up",), severity=3)
            )
        for trigger in sorted({EFFECTS[code] for code in felt}):
            codes = tuple(code for code in felt if EFFECTS[code] == trigger)
            graver = max((GRAVER[code] for code in codes if code in GRAVER), default=None)
            alerts.append(
                alarm(session, trigger, source=follow_up, by=by, at=at, codes=codes, severity=graver)
            )
    return follow_up, tuple(alerts)


def write_entry(
    patient: Patient,
    *,
    body: str,
    by: Any,
    at: datetime,
    session: DosingSession | None = None,
    share: bool = False,
) -> JournalEntry:
    """Keep an entry. It is the patient's own: private unless she shares this one."""
    text = body.strip()
    if not text:
        raise Invalid(
            "There is nothing here yet.", fields={"body": "Write a few words, or leave it for later."}
        )
    if len(text) > LONGEST_ENTRY:
        raise Invalid(
            "This entry is too long.", fields={"body": f"Up to {LONGEST_ENTRY} characters fit in one entry."}
        )
    with transaction.atomic():
        entry = JournalEntry.objects.create(
            patient=patient, session=session, body=text, written_at=at, shared_at=at if share else None
        )
        audit.record(
            "journal.written", by=by, at=at, about=entry, patient_id=patient.pk, detail={"shared": share}
        )
    return entry


def _own(patient: Patient, entry_id: Any) -> JournalEntry:
    entry = JournalEntry.objects.select_for_update().filter(pk=entry_id, patient=patient).first()
    if entry is None:
        raise NotVisible("There is no such page.")
    return entry


def share_entry(patient: Patient, *, entry_id: Any, by: Any, at: datetime) -> JournalEntry:
    """Let the care team read this one entry."""
    with transaction.atomic():
        entry = _own(patient, entry_id)
        entry.shared_at = at
        entry.save(update_fields=["shared_at"])
        audit.record("journal.shared", by=by, at=at, about=entry, patient_id=patient.pk)
    return entry


def unshare_entry(patient: Patient, *, entry_id: Any, by: Any, at: datetime) -> JournalEntry:
    """Take an entry back: nobody else reads it from now on."""
    with transaction.atomic():
        entry = _own(patient, entry_id)
        entry.shared_at = None
        entry.save(update_fields=["shared_at"])
        audit.record("journal.unshared", by=by, at=at, about=entry, patient_id=patient.pk)
    return entry
