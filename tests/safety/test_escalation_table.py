"""Protocol section 9 is data: whole, sensible, told truthfully in docs/escalations.md."""

import re
from pathlib import Path

import pytest
from django.conf import settings

from safety.access import shipped
from safety.management.commands.write_escalations import table
from safety.rules import ladder_of
from safety.wording import HOLD_WORDS_FOR_STAFF

BASE = Path(settings.BASE_DIR)
ROWS = {row["id"]: row for row in shipped()["triggers"]}
UPPER_APPS = (
    "vitals",
    "measures",
    "intake",
    "consults",
    "sessions",
    "outcomes",
    "coaching",
    "billing",
    "portal",
)


def test_all_23_triggers_are_there() -> None:
    assert [i for i in ROWS if i.startswith("X")] == [f"X{n:02d}" for n in range(1, 24)]


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_a_trigger_names_its_source_its_human_and_its_clock(row: dict) -> None:
    assert row["sources"] and row["human"] and row["trigger"]
    assert 1 <= row["severity"] <= row["worst_severity"] <= 4
    assert row["acknowledge_minutes"] > 0
    assert row["hold"] is None or row["hold"] in HOLD_WORDS_FOR_STAFF
    assert set(row["also_page"]) <= {"psychiatrist", "coach", "compliance"}
    ladder = ladder_of(
        shipped()["ladders"][row["ladder"]],
        acknowledge_minutes=row["acknowledge_minutes"],
        in_session=False,
        severity=row["severity"],
    )
    assert ladder.first_page_s <= ladder.next_level_s < ladder.everyone_s


def test_an_emergency_is_never_routine() -> None:
    for row in ROWS.values():
        if row["severity"] == 4:
            assert row["ladder"] == "urgent"


@pytest.mark.parametrize(
    "row", [r for i, r in ROWS.items() if i.startswith("X")], ids=[i for i in ROWS if i.startswith("X")]
)
def test_wired_means_that_some_app_raises_it(row: dict) -> None:
    """The table may not claim a wire that is not there, nor hide one that is."""
    name = re.compile(rf"[\"']{row['id']}[\"']")
    files = [
        p
        for app in UPPER_APPS
        for kind in ("py", "json")
        for p in (BASE / app).rglob(f"*.{kind}")
        if "migrations" not in p.parts
    ]
    # What happens to the medicine itself is reported to safety's own action (X15, X22).
    files += (BASE / "safety" / "actions").rglob("*.py")
    assert files
    used = any(name.search(path.read_text()) for path in files)
    assert row["wired"] == used
    assert used or row["waits_for"]


def test_the_page_of_the_table_is_fresh() -> None:
    assert (BASE / "docs" / "escalations.md").read_text() == table(), "run manage.py write_escalations"
