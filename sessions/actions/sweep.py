"""What nobody did in time. Called every half minute by beat; rows decide what is late, so nothing depends on a browser (HZ-10)."""

import logging
from collections import Counter
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction

from accounts.models import Patient
from common import audit
from common import states as common_states
from notify.actions import promise
from sessions import states
from sessions.access.facts import timeline_for
from sessions.actions.shared import alarm, lock_patient, lock_session, stay_together, tell
from sessions.models import Checkpoint, DosingSession, SitterLink

log = logging.getLogger("sessions")

MINUTE = timedelta(minutes=1)
# A row that cannot be worked off is tried again after this, so that those behind it have their turn.
AGAIN_AFTER = timedelta(minutes=2)
# Beat calls each half minute; two turns missed, and the pager takes what is late.
LEFT_BY_THE_SWEEP = timedelta(seconds=60)
BEAT = "system:sweep"


def sweep(*, at: datetime, limit: int = 100) -> Counter[str]:
    """Take one batch of everything that is late, each in its own transaction; answers what was done."""
    done = late_checkpoints(at=at, limit=limit)
    done.update(_end_music(at=at, limit=limit))
    done.update(_missed(at=at, limit=limit))
    done.update(_close(at=at, limit=limit))
    return done


def watch_late(*, at: datetime) -> Counter[str]:
    """Hook `lane.watch`: what the sweep should have taken and did not, by the pager, which needs neither beat nor worker nor Redis.

    A missing reading is found by nobody else, so it must not hang on the ordinary lane (HZ-10).
    """
    return late_checkpoints(at=at, left_for=LEFT_BY_THE_SWEEP, limit=20)


def late_checkpoints(*, at: datetime, limit: int, left_for: timedelta = timedelta()) -> Counter[str]:
    """Climb the ladder of every checkpoint whose time came at least `left_for` ago; answers what was done.

    Two at once share the rows (SKIP LOCKED), and each step of a ladder is taken once.
    """
    done: Counter[str] = Counter()
    due = list(
        Checkpoint.objects.filter(
            next_ladder_at__lte=at - left_for, done_at__isnull=True, cancelled_at__isnull=True
        )
        .order_by("next_ladder_at")
        .values_list("pk", flat=True)[:limit]
    )
    for pk in due:
        try:
            with transaction.atomic():
                # Patient first, then the row: the order of every verb of a session, so that neither waits for the other. A
                # patient whom a verb holds just now has their turn with the next tick.
                if not _lock_patient_of(pk):
                    continue
                row = (
                    Checkpoint.objects.select_for_update(skip_locked=True, of=("self",))
                    .select_related("session__patient__user", "session__course__protocol")
                    .filter(pk=pk, next_ladder_at__lte=at, done_at__isnull=True, cancelled_at__isnull=True)
                    .first()
                )
                if row is not None:
                    done[_late(row, at=at)] += 1
        except Exception:  # one poisoned row must not hold up the others (HZ-10)
            log.exception(
                "a late row could not be worked off", extra={"event": "poison", "object_id": str(pk)}
            )
            try:
                _poisoned(pk, at=at)
            except Exception:
                # Not even the alarm could be raised: the pager's own trouble says so, and the rows behind it have their turn.
                log.exception("a late row raises no alarm", extra={"event": "poison", "object_id": str(pk)})
                _let_it_rest(pk, at=at)
            done["poisoned"] += 1
    return done


def _lock_patient_of(pk: Any) -> bool:
    """Take the lock of this checkpoint's patient; False when somebody else has it."""
    patient_id = Checkpoint.objects.filter(pk=pk).values_list("session__patient_id", flat=True).first()
    return (
        Patient.objects.select_for_update(skip_locked=True, of=("self",), no_key=True)
        .filter(pk=patient_id)
        .first()
        is not None
    )


def _let_it_rest(pk: Any, *, at: datetime) -> None:
    """Tried again in two minutes, in a transaction of its own."""
    Checkpoint.objects.filter(pk=pk).update(next_ladder_at=at + AGAIN_AFTER)


def _poisoned(pk: Any, *, at: datetime) -> None:
    """Somebody is told all the same; the messages to patient and sitter are what could not be made."""
    with transaction.atomic():
        lock_patient(Checkpoint.objects.values_list("session__patient_id", flat=True).get(pk=pk))
        Checkpoint.objects.filter(pk=pk).update(next_ladder_at=at + AGAIN_AFTER)
        row = Checkpoint.objects.select_related("session__patient").get(pk=pk)
        alarm(row.session, "X19", source=row, by=BEAT, at=at, codes=(f"{row.kind}_late",))


def _late(row: Checkpoint, *, at: datetime) -> str:
    """The next step of the ladder for one late row."""
    session = row.session
    step = row.ladder_step + 1
    timeline = timeline_for(session)
    if row.kind == Checkpoint.Kind.FOLLOW_UP:
        _tell_patient(session, "follow_up_late" if step == 1 else "", at=at, key=f"late:{row.pk}:{step}")
        if step >= 2:
            alarm(session, "X19", source=row, by=BEAT, at=at, codes=("no_contact_after_session",), severity=2)
        next_at = at + timedelta(hours=12) if step < 2 else None
    elif row.kind == Checkpoint.Kind.SITTER:
        _tell_sitter(session, "sitter_check_late", at=at, key=f"late:{row.pk}:{step}")
        stay_together(session, at=at, key=str(row.pk), sitter=False)
        # Each one that is missed is a sign of its own, so it pages afresh though somebody has taken the one before.
        alarm(session, "X16", source=row, by=BEAT, at=at, codes=(f"sitter_check_missed:minute {row.minute}",))
        next_at = None
    elif row.kind == Checkpoint.Kind.RELEASE:
        alarm(session, "X19", source=row, by=BEAT, at=at, codes=("not_closed_by_rule",))
        next_at = None
    else:
        ladder = timeline.missing_ladder_minutes
        minutes = ladder[min(step, len(ladder)) - 1]
        if step == 1:
            _tell_patient(session, "reading_late", at=at, key=f"late:{row.pk}:patient")
            _tell_sitter(session, "reading_late_sitter", at=at, key=f"late:{row.pk}:sitter")
        # Each further step is a worse sign of the same episode, so it pages afresh.
        alarm(session, "X19", source=row, by=BEAT, at=at, codes=(f"{row.kind}_missing_{minutes}_min",))
        next_at = row.due_at + ladder[step] * MINUTE if step < len(ladder) else None
    Checkpoint.objects.filter(pk=row.pk).update(ladder_step=step, next_ladder_at=next_at)
    audit.record(
        "checkpoint.late", by=BEAT, at=at, about=row, patient_id=session.patient_id,
        detail={"kind": row.kind, "minute": row.minute, "step": step},
    )  # fmt: skip
    return f"late_{row.kind}"


def _tell_patient(session: DosingSession, kind: str, *, at: datetime, key: str) -> None:
    if kind:
        tell(
            session.patient.user, kind, about=session, patient=session.patient, due_at=at, at=at,
            path=f"/sessions/{session.pk}/", expires_after=timedelta(hours=12), key=key, quiet=kind == "follow_up_late",
        )  # fmt: skip


def _tell_sitter(session: DosingSession, kind: str, *, at: datetime, key: str) -> None:
    """By text to the sitter's phone; their page's own address is not kept in readable form, so the message names the link sent before."""
    link = (
        SitterLink.objects.filter(session=session, revoked_at__isnull=True).select_related("sitter").first()
    )
    if link is not None:
        promise(
            kind, to=link.sitter.phone, channel="sms", context={"link": settings.SITE_URL}, due_at=at, at=at, about=session,
            patient=session.patient, expires_at=at + timedelta(hours=2), dedupe_key=key, respect_quiet_hours=False,
        )  # fmt: skip


def _end_music(*, at: datetime, limit: int) -> dict[str, int]:
    """The music's hour is over and nobody said so: the watch goes on without it."""
    count = 0
    for session in DosingSession.objects.filter(state=states.DOSING).select_related("course__protocol")[
        :limit
    ]:
        minutes = timeline_for(session).music_minutes
        if session.dose_at is not None and at >= session.dose_at + (minutes + 5) * MINUTE:
            with transaction.atomic():
                locked = lock_session(session)
                if locked.state == states.DOSING:
                    common_states.move(
                        locked,
                        states.OBSERVING,
                        moves=states.SESSION_MOVES,
                        by=BEAT,
                        at=at,
                        music_ended_at=at,
                    )
                    count += 1
    return {"music_ended": count} if count else {}


def _missed(*, at: datetime, limit: int) -> dict[str, int]:
    """A session whose day went by unopened is missed; one left open overnight is put back first."""
    count = 0
    late = DosingSession.objects.filter(
        state__in=[states.SCHEDULED, states.PREPARING],
        scheduled_at__lt=at - timedelta(hours=6),
        course__state__in=states.COURSE_OPEN,
    ).select_related("course__protocol")[:limit]
    for session in late:
        after = timedelta(hours=timeline_for(session).missed_after_hours)
        if at < session.scheduled_at + after:
            continue
        with transaction.atomic():
            locked = lock_session(session)
            if locked.state == states.PREPARING:
                common_states.move(
                    locked,
                    states.SCHEDULED,
                    moves=states.SESSION_MOVES,
                    by=BEAT,
                    at=at,
                    reasons=["left_open"],
                )
            if locked.state == states.SCHEDULED:
                common_states.move(locked, states.MISSED, moves=states.SESSION_MOVES, by=BEAT, at=at)
                audit.record("session.missed", by=BEAT, at=at, about=locked, patient_id=locked.patient_id)
                count += 1
    return {"missed": count} if count else {}


def _close(*, at: datetime, limit: int) -> dict[str, int]:
    """Without an answer the morning after, the session is closed some days later; the missing answer stays visible."""
    count = 0
    for session in DosingSession.objects.filter(state=states.RELEASED).select_related("course__protocol")[
        :limit
    ]:
        until = timedelta(hours=timeline_for(session).follow_up_closes_after_hours)
        if session.released_at is None or at < session.released_at + until:
            continue
        with transaction.atomic():
            locked = lock_session(session)
            if locked.state == states.RELEASED:
                common_states.move(
                    locked,
                    states.CLOSED,
                    moves=states.SESSION_MOVES,
                    by=BEAT,
                    at=at,
                    reasons=["no_follow_up"],
                    closed_at=at,
                )
                Checkpoint.objects.filter(session=locked, done_at__isnull=True).update(
                    cancelled_at=at, next_ladder_at=None
                )
                count += 1
    return {"closed": count} if count else {}
