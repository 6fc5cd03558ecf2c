"""`manage.py write_escalations`: docs/escalations.md from safety/data/escalations.json; a test fails when it is stale."""

import json
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser

DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
SEVERITY = {1: "S1", 2: "S2", 3: "S3", 4: "S4"}


def minutes_words(minutes: int) -> str:
    if minutes < 60:
        return f"{minutes} min"
    return f"{minutes // 60} h" if minutes < 2880 else f"{minutes // 1440} days"


def clock_words(row: dict[str, Any]) -> str:
    """The clock of a row: by when somebody has it and, where the protocol wants a talk by a time, by when that was."""
    contact = f", contact {minutes_words(row['contact_minutes'])}" if row.get("contact_minutes") else ""
    for severity, minutes in row.get("contact_minutes_by_severity", {}).items():
        contact += f" ({minutes_words(minutes)} at S{severity})"
    if "acknowledge_by" in row:
        return row["acknowledge_by"].replace("_", " ") + contact
    return minutes_words(row["acknowledge_minutes"]) + contact


def table() -> str:
    """The page, whole."""
    data = json.loads((settings.BASE_DIR / "safety" / "data" / "escalations.json").read_text())
    urgent = data["ladders"]["urgent"]
    slower = urgent["repage_everyone_backoff"]
    waits = ", ".join(str(seconds // 60) for seconds in slower["seconds"])
    working = data["working_day"]
    rows = data["triggers"]
    lines = [
        "# Who is called, when, by which trigger",
        "",
        "Written by `manage.py write_escalations` from `safety/data/escalations.json`; do not edit by hand. The same table is a part of",
        "every protocol version, so two people approve a change of it.",
        "",
        f"**Urgent**: paged at once, again each {urgent['repage_seconds']} s; the second on call after "
        f"{urgent['next_level_seconds'] // 60} min ({urgent['next_level_in_session_seconds'] // 60} min during a session); everyone after "
        f"{urgent['everyone_seconds'] // 60} min and each {urgent['repage_everyone_seconds'] // 60} min from then on. "
        f"Below S{slower['below_severity']} and outside a session those last rounds come after {waits} min, and each {slower['seconds'][-1] // 60} min for good.",
        "**Soon**: paged at once; the next level when the clock is over, everyone at twice the clock. **Routine**: a quiet mail to the care",
        "team at once; the person on call when the clock is over. Nothing closes by itself. Taken is not done: whoever took it hears again",
        f"each {data['unclosed_after_acknowledgement_minutes']} min until it is closed; past a contact clock both levels on call hear of it, then everyone, until",
        "somebody has talked with the person.",
        "",
        f"A working day is {DAYS[min(working['weekdays'])]} to {DAYS[max(working['weekdays'])]} without the holidays of the roster, and ends at {working['until_hour']}:00 in the practice's own zone.",
        "",
        "| id | trigger | from | severity | done by itself | for a person | clock | pace | wired |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        worst = f" to {SEVERITY[row['worst_severity']]}" if row["worst_severity"] != row["severity"] else ""
        wired = "yes" if row["wired"] else f"waits for {row['waits_for']}"
        cells = [
            row["id"], row["trigger"], ", ".join(row["sources"]), SEVERITY[row["severity"]] + worst, row["automatic_action"], row["human"],
            clock_words(row), row["ladder"], wired,
        ]  # fmt: skip
        lines.append("| " + " | ".join(cell or "-" for cell in cells) + " |")
    waiting = [row["id"] for row in rows if not row["wired"]]
    lines += ["", f"Waiting for their source: {', '.join(waiting) or 'none'}.", ""]
    return "\n".join(lines)


class Command(BaseCommand):
    help = "Write docs/escalations.md from the escalation table."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--check", action="store_true", help="fail when the page is stale instead of writing it"
        )

    def handle(self, *args: Any, check: bool, **options: Any) -> None:
        path = settings.BASE_DIR / "docs" / "escalations.md"
        if check:
            if not path.exists() or path.read_text() != table():
                raise SystemExit("docs/escalations.md is stale: run `manage.py write_escalations`.")
            return
        path.write_text(table())
