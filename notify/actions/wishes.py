"""What a person wants and does not want to get, and when."""

from collections.abc import Iterable
from datetime import datetime, time
from typing import Any

from django.db import transaction

from accounts.models import User
from common import audit
from common.errors import Invalid
from notify.access import catalogue, offered_channels
from notify.actions.promises import quiet_hours_of
from notify.models import MessagePreference, OutboxMessage, State
from notify.rules import LEAST_OPEN_HOURS, next_allowed, quiet_hours_leave_enough


def kinds_for(user: User) -> list[dict[str, Any]]:
    """The messages that come to people like this one, in the catalogue's order."""
    who = "staff" if user.is_member_of_staff else "patient"
    return [kind for kind in catalogue() if who in kind.get("audience", ())]


def set_wishes(
    user: User, *, quiet_from: time, quiet_until: time, muted: Iterable[str], by: User, at: datetime
) -> MessagePreference:
    """Keep a person's wishes; what waits for them is moved to their new daytime. Raises Invalid with a sentence for each field.

    Security, crisis and the checks after a session are not theirs to turn off, whatever the form said.
    """
    fields = {}
    if not quiet_hours_leave_enough(quiet_from, quiet_until):
        fields["quiet_until"] = f"Leave at least {LEAST_OPEN_HOURS} hours of the day for messages."
    wanted_off = set(muted)
    kept = []
    for kind in kinds_for(user):
        keys = [f"{kind['kind']}:{channel}" for channel in offered_channels(kind)]
        rule = kind.get("may_turn_off", "none")
        if rule == "none":
            # The device's notice comes beside the message and may be turned off by itself.
            keys = [key for key in keys if key.endswith(":push")]
        if rule == "all_but_one" and all(key in wanted_off for key in keys):
            fields[kind["kind"]] = f"“{kind['label']}” tells you how to prepare: keep at least one way."
        kept += [key for key in keys if key in wanted_off]
    if fields:
        raise Invalid("Please look at this again.", fields=fields)
    with transaction.atomic():
        row, _ = MessagePreference.objects.update_or_create(
            user=user, defaults={"quiet_from": quiet_from, "quiet_until": quiet_until, "muted": kept, "updated_at": at}
        )  # fmt: skip
        _move_to_their_day(user, at=at)
        audit.record(
            "wishes.changed", by=by, at=at, about=user, patient_id=user.pk if user.role == "patient" else None,
            detail={"muted": kept},
        )  # fmt: skip
    return row


def zone_changed(*, person: User, by: Any, at: datetime) -> None:
    """Hook `person.zone_changed`: the morning that messages wait for is another one now."""
    _move_to_their_day(person, at=at)


def _move_to_their_day(user: User, *, at: datetime) -> None:
    """What waits is due by its cause, moved only by the quiet hours of now: "not yet" under the old ones is not for ever."""
    quiet = quiet_hours_of(User.objects.select_related("message_preference").get(pk=user.pk))
    rows = OutboxMessage.objects.select_for_update().filter(
        recipient=user, state=State.SCHEDULED, lane="ordinary", respect_quiet_hours=True, attempts=0
    )
    moved = []
    for row in rows:
        due_at = next_allowed(max(row.wanted_at, at), user.time_zone, **quiet)
        if due_at != row.due_at:
            row.due_at = due_at
            moved.append(row)
    OutboxMessage.objects.bulk_update(moved, ["due_at"])
