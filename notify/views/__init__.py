"""Pages and doors of messages: the outbox, what got stuck, a person's own wishes, and Twilio's calls."""

from notify.views.twilio import from_twilio, twiml

__all__ = ["from_twilio", "twiml"]
