"""The people of a storm, and of them those whose visits are cancelled just before a reminder falls due: what the vendors may take then."""

import datetime as dt
import json
import subprocess
import sys
from typing import Any

from tests.faults.conftest import ROOT, World
from tests.faults.ledger import Intent, taken_back


def practice_of(world: World, *words: float) -> dict[str, Any]:
    """Make the people of a storm, by the product's own code in a process of its own."""
    made = subprocess.run(
        [sys.executable, "-m", "tests.faults.people", *map(str, words)], env=world.environment, cwd=ROOT,
        stdout=subprocess.PIPE, stderr=world.log, check=True,
    )  # fmt: skip
    practice: dict[str, Any] = json.loads(made.stdout)
    return practice


# How the vendors' journal tells a reminder of the day before from what else a visit sends.
REMINDER_WORDS = {"sms": "your appointment is on", "email": "Tomorrow: your appointment"}


def leavers_intents(
    practice: dict[str, Any], lines: list[dict[str, Any]], taken: list[dict[str, Any]]
) -> list[Intent]:
    """The reminders of visits that were cancelled, or not, just before these fell due: by the vendors' own books."""
    told = {line["key"]: line["at_s"] for line in lines if line["what"] == "told"}
    meant = {line["visit"]: line for line in lines if line["what"] == "meant" and line["kind"] == "cancelled"}
    found = []
    for person in practice["leavers"]:
        wish = meant.get(person["visit"])
        for channel, to in person["to"].items():
            copies = [one for one in taken if one["to"] == to and REMINDER_WORDS[channel] in one["words"]]
            intent = Intent(
                f"{person['visit']} {channel}", "leaver", "R", due_at_s=person["due_at_s"],
                one_extra=channel != "sms", taken_at_s=[instant(one["at"]) for one in copies],
                story=[str(person), *(str(line) for line in lines if wish and line.get("key") == wish["key"]), *map(str, copies)],
            )  # fmt: skip
            found.append(
                taken_back(
                    intent,
                    meant_at_s=wish["at_s"] if wish else None,
                    told_at_s=told.get(wish["key"]) if wish else None,
                )
            )
    return found


def instant(text: str) -> float:
    """The second of an instant in the journal."""
    return dt.datetime.fromisoformat(text).timestamp()
