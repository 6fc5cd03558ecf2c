"""What a practice also knows: a holiday, a shift offered to a colleague, lost medicine, a message that got stuck."""

import datetime as dt

from accounts.models import Patient, Role
from common import clock
from notify.actions import promise
from notify.actions.letters import bury_messages
from notify.models import OutboxMessage
from portal.demo.cast import Cast
from safety import actions as safety
from safety.models import OnCallShift

HOUR = dt.timedelta(hours=1)


def show(cast: Cast) -> None:
    """After the stories, because it happens to people in them."""
    _roster(cast)
    finished = next((user for user, stage in cast.patients if stage == "finished"), None)
    if finished is not None:
        patient = Patient.objects.select_related("user", "care_team__psychiatrist").get(pk=finished.pk)
        _lost_medicine(cast, patient)
        _stuck(cast, patient)


def _roster(cast: Cast) -> None:
    at = cast.now - 5 * HOUR
    ann = cast.staff_of(Role.ADMINISTRATOR)[0]
    day = cast.now.date() + dt.timedelta(days=12)
    with clock.frozen(at):
        safety.add_holiday(day=day, name="Office closed", by=ann, at=at)
        coming = OnCallShift.objects.filter(level=1, starts_at__gt=cast.now, removed_at__isnull=True)
        shift = coming.select_related("person").order_by("starts_at").first()
        if shift is not None:
            taker = next(p for p in cast.staff_of(Role.PSYCHIATRIST) if p.pk != shift.person_id)
            safety.offer_handover(
                shift, taker=taker, by=shift.person, at=at, starts_at=shift.starts_at + 24 * HOUR,
                ends_at=shift.starts_at + 48 * HOUR,
            )  # fmt: skip


def _lost_medicine(cast: Cast, patient: Patient) -> None:
    """Told by the patient, answered by the psychiatrist; the next parcel still waits for the talk."""
    at = cast.now - 26 * HOUR
    with clock.frozen(at):
        words = cast.words("AdverseEvent.description", "Two tablets fell down the drain.")
        told = safety.report_incident(
            patient=patient, kind="lost", by=patient.user, at=at, units_missing=2, description=words
        )
    helper = patient.care_team.psychiatrist
    if helper is not None:
        later = at + HOUR
        with clock.frozen(later):
            safety.acknowledge(told.alert, by=helper, at=later)
            safety.close(
                told.alert, by=helper, at=later + HOUR / 2, disposition="clinical_review_done",
                note=cast.words("Alert.note", "Called. Count checked with the photo; nobody else took any."),
            )  # fmt: skip


def _stuck(cast: Cast, patient: Patient) -> None:
    """A mail whose address is refused: nothing tries it any more, its owner does."""
    at = cast.now - 3 * HOUR
    message = promise(
        "ready-made", to=patient.user, channel="email", due_at=at, at=at, patient=patient, respect_quiet_hours=False,
        context={"subject": "A note from your care team", "body": "Sign in to read it."},
    )  # fmt: skip
    OutboxMessage.objects.filter(pk=message.pk).update(
        state="failed", attempts=6, last_error="the address was refused"
    )
    message.attempts = 6
    bury_messages([(message, "the address was refused")], at=at)
