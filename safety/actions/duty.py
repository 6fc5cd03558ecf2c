"""Nobody stops working here while they are on call: their shifts and alerts go to a named colleague first, or it is refused."""

from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.db import transaction

from accounts.models import Role, User
from common import audit, states
from common.errors import Conflict
from safety.actions import escalation
from safety.actions.handover import move_alerts, pass_on_shifts
from safety.models import Alert
from safety.roster_access import ON_CALL_ROLES, shifts_to_come, words_of
from safety.states import MOVES


def on_duty_ends(
    *,
    person: User,
    active_after: bool,
    role_after: str,
    by: User,
    at: datetime,
    phone_after: str | None = None,
    licensed_until: date | None = None,
    successor: User | None = None,
) -> None:
    """Hook `duty.ends`: an account closes, a role changes, a number goes, or a licence will end before a shift does.

    With a `successor` the shifts and live alerts are theirs in this transaction. Without one, shifts to come refuse it
    (Conflict, code `on_call`), and alerts this person has taken are open again and page (HZ-25).
    """
    with transaction.atomic():
        held = list(shifts_to_come(person, at=at).select_for_update())
        stays = active_after and role_after in ON_CALL_ROLES and (phone_after is None or phone_after)
        affected = [
            shift
            for shift in held
            if not stays
            or (
                shift.level == 1
                and (
                    role_after != Role.PSYCHIATRIST
                    or (licensed_until is not None and licensed_until < shift.ends_at.astimezone(UTC).date())
                )
            )
        ]
        if affected and successor is None:
            first = affected[0]
            count = "one shift" if len(affected) == 1 else f"{len(affected)} shifts"
            when = words_of(
                max(first.starts_at, at), ZoneInfo(by.time_zone if isinstance(by, User) else "UTC")
            )
            raise Conflict(
                f"{person} is on call: {count} to come, the first from {when}. "
                "Name who takes over, or take the shifts off the roster first.",
                code="on_call",
            )
        if affected and successor is not None:
            pass_on_shifts(person, to=successor, by=by, at=at)
        if not active_after or role_after not in ON_CALL_ROLES:
            if successor is not None:
                move_alerts(person, successor, by=by, at=at)
            else:
                reopen_alerts_of(person, by=by, at=at)


def reopen_alerts_of(person: User, *, by: Any, at: datetime) -> int:
    """What somebody had taken who is no longer here belongs to nobody: it is open again and pages from the start."""
    count = 0
    held = Alert.objects.select_for_update(of=("self",)).filter(acknowledged_by=person, state="acknowledged")
    for alert in held:
        states.move(
            alert, "open", moves=MOVES, by=by, at=at, reasons=["its_holder_left"], escalating_since_at=at,
            got_worse_at=None, acknowledged_by=None, acknowledged_at=None,
        )  # fmt: skip
        audit.record("alert.reopened", by=by, at=at, about=alert, patient_id=alert.patient_id)
        escalation.begin(alert, at=at)
        count += 1
    return count
