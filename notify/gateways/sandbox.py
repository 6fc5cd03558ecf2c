"""A vendor that needs no keys: it accepts everything and writes it into its own books, shown on the outbox page.

Outside production it can also be told to misbehave, so that the fault tests meet real trouble at a known point:
HEARTHSIDE_SANDBOX_FAIL="sms,voice" refuses these channels, HEARTHSIDE_SANDBOX_DIE="after-accept" kills the sender with
SIGKILL right after the vendor has taken the message.
"""

import os
import signal
import uuid
from collections.abc import Sequence

from django.conf import settings

from notify.gateways.base import Envelope, Gateway, Receipt, Refused, Result
from notify.models import SandboxDelivery


def _told(name: str) -> str:
    return "" if settings.PRODUCTION else os.environ.get(name, "")


class SandboxGateway(Gateway):
    """Accepts into `SandboxDelivery`; like a real vendor it does not notice when it is asked twice."""

    name = "sandbox"
    instant = True

    def __init__(self, channel: str) -> None:
        self.channel = channel

    def send(self, envelope: Envelope) -> Receipt:
        (result,) = self.send_many([envelope])
        if isinstance(result, Receipt):
            return result
        raise result

    def send_many(self, envelopes: Sequence[Envelope]) -> list[Result]:
        if self.channel in _told("HEARTHSIDE_SANDBOX_FAIL").split(","):
            return [Refused("sandbox was told to refuse") for _ in envelopes]
        rows = [
            SandboxDelivery(
                reference=e.reference,
                provider_id=f"SB{uuid.uuid4().hex}",
                channel=e.channel,
                to_address=e.to,
                subject=e.subject,
                body=e.body,
                accepted_at=e.at,
            )
            for e in envelopes
        ]
        SandboxDelivery.objects.bulk_create(rows)
        if _told("HEARTHSIDE_SANDBOX_DIE") == "after-accept" and envelopes:
            os.kill(os.getpid(), signal.SIGKILL)
        return [Receipt(row.provider_id, "delivered") for row in rows]

    def find(self, envelope: Envelope) -> Receipt | None:
        row = SandboxDelivery.objects.filter(reference=envelope.reference).order_by("id").first()
        return Receipt(row.provider_id, "delivered") if row else None


class ScreenGateway(Gateway):
    """The on-screen notice: the alert list and its banner show it, so there is nothing to carry."""

    name = "screen"
    instant = True

    def send(self, envelope: Envelope) -> Receipt:
        return Receipt(f"screen-{envelope.reference.hex}")

    def find(self, envelope: Envelope) -> Receipt | None:
        return self.send(envelope)


class SinkGateway(Gateway):
    """Swallows everything; for measuring our own part of a dispatch."""

    name = "sink"
    instant = True

    def send(self, envelope: Envelope) -> Receipt:
        return Receipt(f"sink-{envelope.reference.hex}")

    def find(self, envelope: Envelope) -> Receipt | None:
        return None
