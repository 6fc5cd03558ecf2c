"""Words about messages: for staff, and the few that every message shares."""

from datetime import datetime
from zoneinfo import ZoneInfo

from common.wording import lasted

DEFAULT_LANGUAGE = "en"

CHANNEL_WORDS = {
    "sms": "text",
    "voice": "call",
    "email": "mail",
    "screen": "on screen",
    "push": "notice on a device",
}

# What a lock screen may show: that there is something, never what.
PUSH_WORDS = {
    "en": "You have a message from your care team.",
    "es": "Tiene un mensaje de su equipo de atención.",
}

STAFF_PUSH_WORDS = {"en": "Something new is on your list.", "es": "Hay algo nuevo en su lista."}

# Beat ticks every ten seconds; ten missed ticks are no hiccup.
SILENT_TOO_LONG_S = 120

_SPANISH_DAYS = ("lunes", "martes", "miércoles", "jueves", "viernes", "sábado", "domingo")
_SPANISH_MONTHS = (
    "enero", "febrero", "marzo", "abril", "mayo", "junio", "julio", "agosto", "septiembre", "octubre", "noviembre", "diciembre",
)  # fmt: skip


def when_words(instant: datetime, zone: str, language: str) -> str:
    """'Tuesday, November 24 at 10:00 am PST', 'el martes 24 de noviembre a las 10:00 am (PST)': where the person lives."""
    local = instant.astimezone(ZoneInfo(zone))
    time = local.strftime("%I:%M %p").lstrip("0").lower()
    if language == "es":
        article = "a la" if local.hour in (1, 13) else "a las"
        return (
            f"el {_SPANISH_DAYS[local.weekday()]} {local.day} de {_SPANISH_MONTHS[local.month - 1]} "
            f"{article} {time} ({local.tzname()})"
        )
    return f"{local.strftime('%A, %B')} {local.day} at {time} {local.tzname()}"


CANCEL_QUESTION = (
    "They texted CANCEL: ask what they meant, the appointment or the messages. Nothing was cancelled. "
    "Some carriers block our texts after this word."
)

# Task names as people read them; a new task shows its own name.
TASK_WORDS = {
    "notify.tasks.dispatch_due": "Sending what is due",
    "sessions.tasks.sweep_overdue": "Noticing what is late on a session day",
    "consults.tasks.release_holds": "Letting go of times that were kept and not booked",
    "consults.tasks.sweep_parcels": "Noticing parcels that are late or uncounted",
    "consults.tasks.close_visits": "Ending video rooms, and noticing who waits in vain or did not come",
    "billing.tasks.sweep": "Refunds and the payment provider's reports",
    "safety.tasks.check_coverage": "Looking for gaps in the on-call roster",
    "coaching.tasks.sweep": "Check-ins kept in step with sessions",
    "common.tasks.sweep": "Forgetting form numbers and files that nobody needs",
    "intake.tasks.ask_for_new_signatures": "Asking for new signatures",
    "intake.tasks.dry_runs": "Trying a change of the rules on past intakes",
    "intake.tasks.unserved_states": "Looking for states in which people wait and nobody may prescribe",
    "outcomes.tasks.sweep": "Questionnaires that are due",
    "safety.tasks.digests": "The daily mail about late work",
}


def lane_silent(seconds: float | None) -> str:
    """What staff read when reminders do not go; empty when all is well."""
    if seconds is None:
        return "No worker has run yet: reminders and mail are kept, and go when one runs."
    if seconds > SILENT_TOO_LONG_S:
        return f"No worker has run for {lasted(seconds)}: reminders and mail are kept, and go when one runs."
    return ""
