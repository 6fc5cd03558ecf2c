"""The verbs of the outbox. Anything that leaves the house is first promised here, in the transaction of its cause."""

from notify.actions.batches import Dispatched
from notify.actions.dispatch import dispatch_crisis, dispatch_due, resolve_expired
from notify.actions.promises import (
    beat,
    cancel_for,
    cancel_promised,
    mark_reply_handled,
    nudge,
    promise,
    try_again,
)
from notify.actions.rendering import Rendered, render_message, template_exists

__all__ = [
    "Dispatched",
    "Rendered",
    "beat",
    "cancel_for",
    "cancel_promised",
    "dispatch_crisis",
    "dispatch_due",
    "mark_reply_handled",
    "nudge",
    "promise",
    "render_message",
    "resolve_expired",
    "template_exists",
    "try_again",
]
