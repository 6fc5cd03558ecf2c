"""Words about messages, for staff."""

CHANNEL_WORDS = {"sms": "text", "voice": "call", "email": "mail", "screen": "on screen"}

# Beat ticks every ten seconds; ten missed ticks are no hiccup.
SILENT_TOO_LONG_S = 120


def lane_silent(seconds: float | None) -> str:
    """What staff read when reminders do not go; empty when all is well."""
    if seconds is None:
        return "No worker has run yet: reminders and mail are kept, and go when one runs."
    if seconds > SILENT_TOO_LONG_S:
        return f"No worker has run for {int(seconds // 60)} minutes: reminders and mail are kept, and go when one runs."
    return ""
