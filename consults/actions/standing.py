"""What an order rests on is looked at again whenever something of it leaves: what no longer holds stops it, in the open."""

from collections.abc import Collection
from datetime import datetime
from typing import Any

from accounts.models import User
from common import audit
from common.errors import Conflict
from consults import wording
from consults.models import HandOver, Order, PharmacyStatus
from safety.actions import open_task, settle_tasks_about

STOPPED = "order.stopped"
CARE_ENDED = "order.care_ended"
DOES_NOT_STAND = "does_not_stand"


def stop(
    order: Order, *, way: str, reasons: Collection[str], by: User, at: datetime, stays: bool = False
) -> None:
    """Keep that something was stopped and why. An order that did not leave is on its prescriber's list by its status; one that
    `stays` where it is at the pharmacy, by a task."""
    kept = HandOver.objects.create(
        order=order, way=way, status=PharmacyStatus.BLOCKED, reasons=sorted(reasons), at=at, by=by
    )
    if stays:
        open_task(
            kind=STOPPED, owner=order.prescriber, patient=order.patient, about_type="consults.order", about_id=order.pk,
            detail=words(reasons), by=by, at=at,
        )  # fmt: skip
    else:
        Order.objects.filter(pk=order.pk).update(
            pharmacy_status=PharmacyStatus.BLOCKED, pharmacy_updated_at=at
        )
    audit.record(
        "order.stopped", by=by, at=at, about=order, patient_id=order.patient_id,
        detail={"way": way, "reasons": kept.reasons},
    )  # fmt: skip


def goes_on(order: Order, why: str, *, by: Any, at: datetime) -> None:
    """What stopped it is settled: it left, or it is over."""
    for kind in (STOPPED, CARE_ENDED):
        settle_tasks_about(
            kind=kind, about_type="consults.order", about_id=order.pk, outcome=why, by=by, at=at
        )


def ask_to_revoke(order: Order, *, by: Any, at: datetime) -> None:
    """The care that an order in force is for was stopped: its prescriber revokes it, and calls it back where the pharmacy has it."""
    if order.is_in_force:
        open_task(
            kind=CARE_ENDED, owner=order.prescriber, patient=order.patient, about_type="consults.order", about_id=order.pk,
            detail=order.get_pharmacy_status_display(), by=by, at=at,
        )  # fmt: skip


def words(reasons: Collection[str]) -> str:
    """Each reason as a sentence."""
    return " ".join(wording.sentences(frozenset(map(str, reasons)), wording.STOPPED))


def refused(reasons: Collection[str]) -> Conflict:
    """The refusal, after it was kept: whoever answers a page with it must not undo the keeping."""
    return Conflict(f"Nothing left. {words(reasons)} It is on its prescriber’s list.", code=DOES_NOT_STAND)
