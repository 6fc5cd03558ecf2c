"""Whether an escalation table can be used: read before it is proposed and before it is approved, never while somebody waits. Pure."""

from collections.abc import Mapping
from typing import Any

from safety.rules import ladder_of

# PR-07: no approved table is slower than this for what is urgent.
URGENT_AT_MOST_S = {
    "repage_seconds": 60,
    "next_level_seconds": 300,
    "next_level_in_session_seconds": 180,
    "everyone_seconds": 600,
    "repage_everyone_seconds": 300,
}
LADDERS = ("urgent", "soon", "routine", "drill")


def table_troubles(table: Any, *, needed: frozenset[str]) -> list[str]:
    """Sentences about what the pager could not read, or what is slower than promised. `needed`: the triggers that the code raises."""
    ladders = table.get("ladders") if isinstance(table, Mapping) else None
    rows = table.get("triggers") if isinstance(table, Mapping) else None
    if not isinstance(ladders, Mapping) or not isinstance(rows, list):
        return ["The escalation table needs its ladders and its triggers."]
    found = [
        f"The ladder “{name}” is missing or cannot be read."
        for name in LADDERS
        if not _climbs(ladders.get(name))
    ]
    given = ladders.get("urgent")
    urgent: Mapping[str, Any] = given if isinstance(given, Mapping) else {}
    found += [
        f"The urgent ladder: {name} is at most {most} (PR-07)."
        for name, most in URGENT_AT_MOST_S.items()
        if not isinstance(urgent.get(name), int | float) or not 0 < urgent[name] <= most
    ]
    if urgent.get("first_page") != "at_once":
        found.append("The urgent ladder pages at once (PR-07).")
    known = {str(row.get("id")) for row in rows if isinstance(row, Mapping)}
    found += [f"The row of {id} is missing." for id in sorted(needed - known)]
    return found + [
        f"The row of {row.get('id') if isinstance(row, Mapping) else row} cannot be read."
        for row in rows
        if not _readable(row, ladders)
    ]


def _climbs(ladder: Any) -> bool:
    """Does every rung of it come to a number of seconds?"""
    try:
        made = [
            ladder_of(ladder, acknowledge_minutes=5, in_session=in_session, severity=severity)
            for in_session in (False, True)
            for severity in (1, 4)
        ]
        return all(
            seconds >= 0
            for one in made
            for seconds in (
                one.first_page_s,
                one.repage_s,
                one.next_level_s,
                one.everyone_s,
                one.repage_everyone_s,
            )
        ) and all(one.repage_s > 0 and one.repage_everyone_s > 0 for one in made)
    except (AttributeError, KeyError, TypeError):
        return False


def _readable(row: Any, ladders: Mapping[str, Any]) -> bool:
    try:
        return (
            row["ladder"] in ladders
            and row["acknowledge_minutes"] > 0
            and 1 <= row["severity"] <= row["worst_severity"] <= 4
            and all(minutes > 0 for minutes in row.get("contact_minutes_by_severity", {}).values())
            and bool(row["episode"])
            and isinstance(row["also_page"], list)
            and isinstance(row["id"], str)
            and {"hold", "automatic_action", "human", "trigger"} <= set(row)
        )
    except (AttributeError, KeyError, TypeError):
        return False
