"""Between taking an alert and closing it: somebody talks with the person, or somebody else takes it over."""

from datetime import datetime

from django.db import transaction

from accounts.models import User
from common import audit, states
from common.errors import Conflict, NotPermitted
from notify.actions import cancel_for
from safety.access import CLINICAL_ROLES, alerts_visible_to
from safety.actions.escalation import next_look
from safety.models import Alert
from safety.states import MOVES


def record_contact(alert: Alert, *, by: User, at: datetime) -> Alert:
    """A named person has talked with whom it concerns: the contact clock stops, the alert stays open to be closed.

    Raises NotPermitted for somebody who may not see it or is no clinician, Conflict before anybody took it and after its close.
    """
    _may_act(alert, by)
    with transaction.atomic():
        current = Alert.objects.select_for_update(of=("self",)).get(pk=alert.pk)
        if current.state != "acknowledged":
            raise Conflict("Take it first." if current.state == "open" else "This is already closed.")
        if current.reached_at is not None:
            return current
        current.reached_at, current.reached_by = at, by
        current.next_page_at = next_look(current, taken_at=at, at=at)
        current.save(update_fields=["reached_at", "reached_by", "next_page_at"])
        audit.record("alert.reached", by=by, at=at, about=current, patient_id=current.patient_id)
        cancel_for(current, kinds=["crisis_page"], at=at, why="somebody has talked with them")
    return current


def take_over(alert: Alert, *, holder: str, by: User, at: datetime) -> Alert:
    """A taken alert becomes somebody else's, who says so; `holder` is whom they read as having it. Compare-and-set.

    Raises NotPermitted for somebody who may not see it, Conflict (naming the person) when it has changed hands meanwhile.
    """
    _may_act(alert, by)
    with transaction.atomic():
        current = (
            Alert.objects.select_for_update(of=("self",)).select_related("acknowledged_by").get(pk=alert.pk)
        )
        if current.state != "acknowledged":
            raise Conflict(
                "Nobody has it just now. Take it." if current.state == "open" else "This is already closed."
            )
        if current.acknowledged_by_id == by.pk:
            return current
        if str(current.acknowledged_by_id) != holder:
            raise Conflict(f"{current.acknowledged_by} has taken this a moment ago.", code="already_taken")
        states.move(
            current, "acknowledged", moves=MOVES, by=by, at=at, reasons=["taken_over"], acknowledged_by=by, acknowledged_at=at,
            next_page_at=next_look(current, taken_at=at, at=at),
        )  # fmt: skip
        audit.record(
            "alert.taken_over", by=by, at=at, about=current, patient_id=current.patient_id, detail={"from": holder}
        )  # fmt: skip
        cancel_for(current, kinds=["crisis_page"], at=at, why="taken over by somebody")
    return current


def _may_act(alert: Alert, by: User) -> None:
    if not isinstance(by, User) or not alerts_visible_to(by).filter(pk=alert.pk).exists():
        raise NotPermitted("Only somebody who was paged, or who cares for this person, can do this.")
    if alert.patient_id is not None and by.role not in CLINICAL_ROLES:
        raise NotPermitted("A clinician talks with the person.")
