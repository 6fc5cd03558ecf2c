"""Words about messages, for staff."""

CHANNEL_WORDS = {"sms": "text", "voice": "call", "email": "mail", "screen": "on screen"}
