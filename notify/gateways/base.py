"""The one small interface behind which every outside messenger sits."""

import logging
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

log = logging.getLogger("notify")


@dataclass(frozen=True)
class Envelope:
    """One message ready to leave: already worded, already addressed."""

    reference: uuid.UUID
    channel: str
    to: str
    subject: str
    body: str
    since_at: datetime
    at: datetime
    extra: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Receipt:
    """The vendor took it, and this is its name for it."""

    provider_id: str
    status: str = ""


class Refused(Exception):
    """The vendor certainly did not take it. `permanent`: trying again would not help (a number that does not exist)."""

    def __init__(
        self, why: str, *, permanent: bool = False, opted_out: bool = False, gone: bool = False
    ) -> None:
        super().__init__(why)
        self.why = why
        self.permanent = permanent
        # The carrier holds this number for one that said STOP (it may have heard CANCEL, which we read differently).
        self.opted_out = opted_out
        # The address is no more (a browser that was reset): it need not be kept.
        self.gone = gone


class InDoubt(Exception):
    """We cannot know whether the vendor took it (no answer in time). It must be asked before anything is sent again."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


Result = Receipt | Refused | InDoubt


class Gateway:
    """Sends envelopes. `instant` adapters answer without a network, so their results may be written down in bulk."""

    name = "gateway"
    instant = False
    # Whether `find` can tell: a vendor that cannot be asked gets one further copy of what is in doubt, and no third.
    can_be_asked = True

    def send(self, envelope: Envelope) -> Receipt:
        """Hand one message over. Raises Refused or InDoubt."""
        raise NotImplementedError

    def find(self, envelope: Envelope) -> Receipt | None:
        """Did the vendor take this message already? Asked before a message in doubt goes again."""
        raise NotImplementedError

    def send_many(self, envelopes: Sequence[Envelope]) -> list[Result]:
        """Results in the order of the envelopes."""
        results: list[Result] = []
        for envelope in envelopes:
            try:
                results.append(self.send(envelope))
            except (Refused, InDoubt) as outcome:
                results.append(outcome)
            except (
                Exception
            ) as error:  # a vendor's answer that nobody foresaw holds up no other message, and loses none
                log.exception("a vendor answered what nobody foresaw", extra={"event": "vendor_unforeseen"})
                results.append(InDoubt(f"unforeseen: {type(error).__name__}"))
        return results
