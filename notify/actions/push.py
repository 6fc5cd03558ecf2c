"""Browsers that may be told that a message waits: kept, told beside the message itself, forgotten when they are gone."""

import json
import uuid
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from accounts.models import User
from common import audit
from common.encryption import lookup_digest
from common.errors import Invalid, NotVisible
from notify.access import catalogue_by_kind, offered_channels
from notify.gateways.push_hosts import host_is_allowed
from notify.models import OutboxMessage, PushSubscription
from notify.rules import wants

# Later than this a notice on a device would only puzzle.
WORTH_HOURS = 12
MOST_DEVICES = 5
MOST_CHARACTERS = {"endpoint": 1000, "p256dh": 100, "auth": 40}


def keep_device(
    user: User, *, endpoint: str, p256dh: str, auth: str, label: str, at: datetime
) -> PushSubscription:
    """Remember a browser. Raises Invalid for an address that is no push service's (it would be asked from our own network)."""
    given = {"endpoint": endpoint, "p256dh": p256dh, "auth": auth}
    if any(not value or len(value) > MOST_CHARACTERS[name] for name, value in given.items()):
        raise Invalid("This browser did not say how it can be reached. Reload the page and try again.")
    if not host_is_allowed(endpoint):
        raise Invalid("This browser's push service is not one that we know, so notices stay off.")
    with transaction.atomic():
        User.objects.select_for_update().get(pk=user.pk)
        # A shared browser belongs to whoever asked last: the former person's notices must not appear on it.
        PushSubscription.objects.filter(endpoint_digest=lookup_digest(endpoint)).delete()
        row = PushSubscription.objects.create(
            user=user, endpoint_digest=lookup_digest(endpoint), label=" ".join(label.split())[:60], created_at=at, **given
        )  # fmt: skip
        kept = list(
            PushSubscription.objects.filter(user=user).order_by("-created_at").values_list("pk", flat=True)
        )
        PushSubscription.objects.filter(pk__in=kept[MOST_DEVICES:]).delete()
        audit.record("device.added", by=user, at=at, about=row)
    return row


def forget_device(user: User, device_id: uuid.UUID, *, by: User, at: datetime) -> None:
    """The person takes a browser back. Raises NotVisible for anybody else's."""
    with transaction.atomic():
        row = PushSubscription.objects.filter(user=user, pk=device_id).first()
        if row is None:
            raise NotVisible("There is no such device.")
        audit.record("device.removed", by=by, at=at, about=row)
        row.delete()


def forget_devices(rows: Iterable[OutboxMessage], *, at: datetime) -> None:
    """Push services say that these browsers are no more."""
    ids = [row.context.get("device") for row in rows]
    if ids:
        PushSubscription.objects.filter(pk__in=ids).delete()


def devices_of(people: Iterable[Any]) -> dict[Any, list[PushSubscription]]:
    """The browsers of these people."""
    found: dict[Any, list[PushSubscription]] = {}
    for row in PushSubscription.objects.filter(user__in=list(people)):
        found.setdefault(row.user_id, []).append(row)
    return found


def notices_for(
    row: OutboxMessage, person: User, devices: Sequence[PushSubscription], *, at: datetime
) -> list[OutboxMessage]:
    """One notice for each browser of this person, beside the message itself; once, whatever is sent again or goes two ways."""
    entry = catalogue_by_kind().get(row.kind, {})
    wish = getattr(person, "message_preference", None)
    muted = wish.muted if wish else []
    if not entry.get("push") or not wants(
        row.kind, "push", may_turn_off=_as_a_way(entry), channels=offered_channels(entry), muted=muted
    ):
        return []
    about = f"{row.about_type}:{row.about_id}" if row.about_id else str(row.pk)
    expires_at = min(filter(None, (row.expires_at, at + timedelta(hours=WORTH_HOURS))))
    return [
        OutboxMessage(
            lane="ordinary", kind=row.kind, recipient=person, channel="push", template=row.template,
            context={"device": str(device.pk), "staff": person.is_member_of_staff},
            wanted_at=row.wanted_at, due_at=at, expires_at=expires_at, respect_quiet_hours=row.respect_quiet_hours,
            dedupe_key=f"push:{lookup_digest(f'{row.kind}|{about}|{row.wanted_at.isoformat()}|{device.pk}')[:40]}",
            about_type=row.about_type, about_id=row.about_id, patient_id=row.patient_id, created_at=at,
        )
        for device in devices
    ]  # fmt: skip


def _as_a_way(entry: dict[str, Any]) -> str:
    """A device's notice comes beside another message, so it may be turned off even where the message itself may not."""
    return "all" if entry.get("may_turn_off") == "none" else str(entry.get("may_turn_off", "all"))


def address_of(device: PushSubscription) -> str:
    """The subscription as the gateway takes it."""
    return json.dumps({"endpoint": device.endpoint, "keys": {"p256dh": device.p256dh, "auth": device.auth}})
