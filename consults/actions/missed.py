"""A visit one of the two did not come to.

Nobody came: the patient hears of it kindly and finds another time, and somebody of the practice asks after them. No clinician
came: they are told once more, and the practice owns it.
"""

from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import transaction
from django.urls import reverse

from accounts.models import Role
from consults.models import Appointment
from notify.actions import cancel_for, promise
from safety.access import owner_for
from safety.actions import open_task, settle_tasks_about
from video.access import waiting_in_vain
from video.actions import tell_clinician

ABOUT = "consults.missed_visit"


def after_a_missed_visit(row: Appointment, *, by: Any, at: datetime) -> None:
    """Within the transaction that says how a visit ended. Whoever came after all is told nothing, and nobody asks."""
    if row.state != "no_show":
        cancel_for(row, at=at, why="the visit took place", kinds=("visit_missed",))
        settle_tasks_about(
            kind="visit_missed",
            about_type=ABOUT,
            about_id=row.pk,
            outcome="The visit took place",
            by=by,
            at=at,
        )
        return
    her = row.patient.user
    for channel in ("email", "sms") if her.phone else ("email",):
        promise(
            "visit_missed",
            to=her,
            channel=channel,
            context={
                "when_words": row.starts_at,
                "link": f"{settings.SITE_URL}{reverse('consults:appointment', args=[row.pk])}",
            },
            due_at=at,
            at=at,
            about=row,
            patient=row.patient,
            dedupe_key=f"visit_missed:{row.pk}:{channel}",
        )
    open_task(
        kind="visit_missed",
        owner=owner_for(role=Role.COACH, patient=row.patient, at=at),
        patient=row.patient,
        about_type=ABOUT,
        about_id=row.pk,
        detail=f"{row.get_visit_type_display()} with {row.clinician}",
        by=by,
        at=at,
    )


def notice_who_waits_in_vain(*, at: datetime) -> int:
    """Ten minutes after their turn with no clinician in the room: the clinician is told once more, an administrator reads it first."""
    found = waiting_in_vain(at=at)
    for seat, visit in found:
        with transaction.atomic():
            tell_clinician(seat, again=True, at=at)
            open_task(
                kind="visit_unattended",
                owner=owner_for(role=Role.ADMINISTRATOR, patient=seat.room.patient, at=at),
                due_at=at,
                patient=seat.room.patient,
                about_type="video.room",
                about_id=seat.room_id,
                detail=f"{visit.with_words} has not come to the room. Call {visit.with_words}, then whoever waits.",
                by="system:sweep",
                at=at,
            )
    return len(found)
