"""What the coach's part remembers: calls and daily answers, and the messages between a patient and the care team."""

from coaching.models.check_ins import CHECK_IN_KINDS, CheckIn
from coaching.models.messages import Message, MessageDraft, MessageFile, MessageRead, MessageThread

__all__ = [
    "CHECK_IN_KINDS",
    "CheckIn",
    "Message",
    "MessageDraft",
    "MessageFile",
    "MessageRead",
    "MessageThread",
]
