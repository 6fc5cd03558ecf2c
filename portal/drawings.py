"""Docs drawn from the code: what goes stale in prose is generated, and a check fails when it was not.

docs/states/ from the state tables, docs/hazards.md from the ids that tests name, docs/protocol.md from the data files.
"""

import json
import re
from pathlib import Path
from typing import Any

from django.conf import settings

from billing.states import INVOICE_MOVES, PAYMENT_MOVES, REFUND_MOVES
from coaching.states import THREAD_MOVES
from common.protocol import SOURCES
from common.states import Moves, diagram
from consults.states import APPOINTMENT_MOVES
from intake.states import MOVES as INTAKE_MOVES
from safety.states import MOVES as ALERT_MOVES
from sessions.states import COURSE_MOVES, SESSION_MOVES

ROOT = Path(settings.BASE_DIR)
STATES: dict[str, tuple[str, Moves]] = {
    "intake": ("An intake", INTAKE_MOVES),
    "appointment": ("An appointment", APPOINTMENT_MOVES),
    "course": ("A course", COURSE_MOVES),
    "session": ("A session", SESSION_MOVES),
    "alert": ("An alert", ALERT_MOVES),
    "message_thread": ("A conversation", THREAD_MOVES),
    "invoice": ("An invoice", INVOICE_MOVES),
    "payment": ("A payment", PAYMENT_MOVES),
    "refund": ("A refund", REFUND_MOVES),
}

# The promises and hazards of the product, in a few words each. Which of them a test holds is read from the tests.
IDS: dict[str, dict[str, str]] = json.loads((Path(__file__).parent / "data" / "promises.json").read_text())
NAMED = re.compile(r"\b(PR|HZ)-(\d\d)\b|(?<![a-z])(pr|hz)_(\d\d)(?=_)")
TEST = re.compile(r"^(?:async )?def (test_\w+)|^    def (test_\w+)", re.MULTILINE)


def states() -> dict[Path, str]:
    """docs/states/*.md"""
    return {
        ROOT / "docs" / "states" / f"{name}.md": diagram(title, moves)
        for name, (title, moves) in STATES.items()
    }


def _ids(text: str) -> list[str]:
    """The ids that a text names, as PR-08 or, in a test's name, pr_08."""
    return sorted({f"{(upper or lower).upper()}-{a or b}" for upper, a, lower, b in NAMED.findall(text)})


def tests_by_id() -> dict[str, list[str]]:
    """For each id the tests that name it: in their own name, their docstring or comments, or their module's first lines."""
    found: dict[str, list[str]] = {}
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        text = path.read_text()
        where = path.relative_to(ROOT)
        starts = [(match.start(), match.group(1) or match.group(2)) for match in TEST.finditer(text)]
        head = text[: starts[0][0]] if starts else text
        for id in _ids(head.split('"""')[1] if head.count('"""') >= 2 else ""):
            found.setdefault(id, []).append(f"{where} (the whole file)")
        for index, (start, name) in enumerate(starts):
            end = starts[index + 1][0] if index + 1 < len(starts) else len(text)
            for id in _ids(text[start:end]):
                found.setdefault(id, []).append(f"{where}::{name}")
    return found


def hazards() -> dict[Path, str]:
    """docs/hazards.md: every promise and hazard with the tests that hold it, and plainly those that wait for their feature."""
    held = tests_by_id()
    lines = [
        "# Promises and hazards, and the tests that hold them",
        "",
        "Drawn from the ids that tests name, by `manage.py hazards_docs`. A test holds an id when its name, docstring or body says so.",
        "What no test names yet is listed as waiting, with what it waits for; `portal/data/promises.json` says which those are, and a test",
        "fails when an id that is not on that list has no test.",
        "",
        "| id | what | tests |",
        "|---|---|---|",
    ]
    for id, about in IDS.items():
        tests = held.get(id, [])
        shown = "<br>".join(f"`{test}`" for test in tests[:6]) + (
            f"<br>and {len(tests) - 6} more" if len(tests) > 6 else ""
        )
        if "lacks" in about:
            shown += f"<br>not held by a test: {about['lacks']}"
        lines.append(f"| {id} | {about['what']} | {shown or 'waiting: ' + about.get('waits_for', '')} |")
    return {ROOT / "docs" / "hazards.md": "\n".join(lines) + "\n"}


def _rows(value: Any, path: str = "") -> list[tuple[str, str]]:
    """Every number and word of a part of the protocol, by its place."""
    if isinstance(value, dict):
        return [row for key, inner in value.items() for row in _rows(inner, f"{path}.{key}" if path else key)]
    if isinstance(value, list) and any(isinstance(item, (dict, list)) for item in value):
        rows = []
        for index, item in enumerate(value):
            name = item.get("id") or item.get("code") or str(index) if isinstance(item, dict) else str(index)
            rows += _rows(item, f"{path}[{name}]")
        return rows
    return [(path, json.dumps(value, ensure_ascii=False) if not isinstance(value, str) else value)]


def protocol() -> dict[Path, str]:
    """docs/protocol.md: every number and sentence of the shipped proposal, with its place and its file."""
    lines = [
        "# The protocol as shipped",
        "",
        "Every threshold, window and sentence that decides something, drawn from the data files by `manage.py states_docs`. It is a proposal",
        "until a medical director approves it: an administrator proposes a version, another approves it, enrolment pins it, and running",
        "courses keep theirs. `source` names the entry of the evidence list; GK marks general knowledge that needs a look before use.",
        "",
    ]
    for part, file in SOURCES.items():
        data = json.loads((ROOT / file).read_text())
        lines += [f"## {part}", "", f"`{file}`", "", "| place | value |", "|---|---|"]
        lines += [
            f"| {path} | {text.replace('|', '/').replace(chr(10), ' ')} |" for path, text in _rows(data)
        ]
        lines.append("")
    return {ROOT / "docs" / "protocol.md": "\n".join(lines)}


def stale(pages: dict[Path, str]) -> list[Path]:
    """Which of these pages are not as the code would draw them."""
    return [path for path, text in pages.items() if not path.exists() or path.read_text() != text]


def write(pages: dict[Path, str]) -> None:
    for path, text in pages.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
