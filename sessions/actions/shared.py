"""What several verbs share: locking, alarms with their hold, and telling a person something."""

from datetime import datetime, timedelta
from typing import Any

from django.conf import settings

from accounts.models import Patient, User
from common.errors import NotVisible
from notify.actions import promise
from safety.access import trigger_of
from safety.actions import place_hold, raise_alert
from safety.models import Alert
from sessions import states
from sessions.models import Course, DosingSession, SitterLink


def lock_patient(patient_id: Any) -> Patient:
    """The first lock of every verb here; then order, then session. One order for all, so none waits for another forever.

    Without the key, so that an alert or a hold about this patient, which only points at the row, is written meanwhile.
    """
    return (
        Patient.objects.select_for_update(of=("self",), no_key=True).select_related("user").get(pk=patient_id)
    )


def lock_session(session: DosingSession) -> DosingSession:
    """Lock patient and session, and read both as they are now."""
    lock_patient(session.patient_id)
    locked = (
        DosingSession.objects.select_for_update(of=("self",))
        .select_related("patient__user", "course__order", "course__protocol", "sitter")
        .filter(pk=session.pk)
        .first()
    )
    if locked is None:
        raise NotVisible("There is no such page.")
    return locked


def alarm(
    session: DosingSession,
    trigger: str,
    *,
    source: Any,
    by: Any,
    at: datetime,
    codes: tuple[str, ...] = (),
    severity: int | None = None,
) -> Alert:
    """Call somebody, and hold the course when the trigger's row says so."""
    row = trigger_of(trigger, at=at)
    alert = raise_alert(
        patient=session.patient,
        trigger=trigger,
        source=source,
        at=at,
        by=by,
        detail_codes=codes,
        in_session=session.state in states.ACTIVE,
        severity=severity,
    )
    if row["hold"]:
        place_hold(session.patient, reason_code=row["hold"], at=at, by=by, alert=alert)
    return alert


def tell(
    person: User,
    kind: str,
    *,
    about: Any,
    patient: Patient,
    due_at: datetime,
    at: datetime,
    path: str,
    when: datetime | str = "",
    expires_after: timedelta | None = None,
    key: str = "",
    quiet: bool = True,
) -> None:
    """Promise a message by text where there is a phone, else by mail. No clinical word is in it, only a link."""
    promise(
        kind,
        to=person,
        channel="sms" if person.phone else "email",
        context={
            "link": f"{settings.SITE_URL}{path}",
            "when": when,
            "first_name": (person.full_name or "").split(" ")[0],
        },
        due_at=due_at,
        at=at,
        about=about,
        patient=patient,
        expires_at=due_at + expires_after if expires_after else None,
        dedupe_key=key or None,
        respect_quiet_hours=quiet,
        fallbacks=("email",) if person.phone else (),
    )


def stay_together(session: DosingSession, *, at: datetime, key: str, sitter: bool = True) -> None:
    """X16: both are told at once to stay together; the words name nothing else. Twice for one cause is once."""
    tell(
        session.patient.user, "stay_together", about=session, patient=session.patient, due_at=at, at=at,
        path=f"/sessions/{session.pk}/", expires_after=timedelta(hours=2), key=f"stay:{key}", quiet=False,
    )  # fmt: skip
    link = (
        SitterLink.objects.filter(session=session, revoked_at__isnull=True).select_related("sitter").first()
        if sitter
        else None
    )
    if link is not None:
        promise(
            "stay_together_sitter", to=link.sitter.phone, channel="sms", due_at=at, at=at, about=session, patient=session.patient,
            expires_at=at + timedelta(hours=2), dedupe_key=f"stay:{key}:sitter", respect_quiet_hours=False,
        )  # fmt: skip


def hold_course(course: Course, *, by: Any, at: datetime, reason: str) -> None:
    """Put the whole course on hold; already held stays so."""
    from common.states import move

    course.refresh_from_db(fields=["state"])
    if course.state == states.ACTIVE_COURSE:
        move(course, states.ON_HOLD, moves=states.COURSE_MOVES, by=by, at=at, reasons=[reason])
