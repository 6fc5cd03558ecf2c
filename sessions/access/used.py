"""What was taken of a medicine, for the checks of an order and of a parcel."""

from typing import Any

from sessions import states
from sessions.access.facts import units_taken
from sessions.models import Course, DoseRelease, DosingSession

STILL_OPEN = (states.SCHEDULED, states.PREPARING, states.MISSED)


def medicine_used(*, order: Any) -> dict[str, Any]:
    """Hook `medicine.used`: units of this product that were taken, doses released under this order, the dose taken last in this
    form (micrograms, None before the first), and the numbers of sessions of the open course that no order can be for any more;
    and whether the course of this order was stopped."""
    last = (
        DoseRelease.objects.filter(
            patient_id=order.patient_id, session__dose_at__isnull=False, order__form=order.form
        )
        .order_by("-session__dose_at")
        .first()
    )
    over = DosingSession.objects.filter(
        patient_id=order.patient_id, course__state__in=states.COURSE_OPEN
    ).exclude(state__in=STILL_OPEN)
    return {
        "units_taken": units_taken(order),
        "doses_released": DoseRelease.objects.filter(order_id=order.pk).count(),
        "last_dose_ug": last.dose_ug if last else None,
        "sessions_over": frozenset(over.values_list("number", flat=True)),
        "care_ended": Course.objects.filter(order_id=order.pk, state=states.STOPPED).exists(),
    }
