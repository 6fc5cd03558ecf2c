"""The ordinary lane's settings (promises 7.6), each with its reason, and a schedule that forgets no task."""

import ast
import inspect
import re
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

from config.celery import app
from notify.actions.dispatch import ORDINARY_LEASE, SLOW_SEND_BUDGET_S
from notify.gateways import email_gateway, push_gateway, twilio_gateway
from notify.tasks import TICK_BUDGET_S
from notify.wording import TASK_WORDS

ROOT = Path(settings.BASE_DIR)


@pytest.fixture(autouse=True)
def _tasks_are_found() -> None:
    app.loader.import_default_modules()


def our_tasks() -> list[str]:
    app.loader.import_default_modules()
    return sorted(name for name in app.tasks if not name.startswith(("celery.", "tests.")))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TASK_TIME_LIMIT", 120),
        ("TASK_SOFT_TIME_LIMIT", 100),
        ("TASK_ACKS_LATE", True),
        ("TASK_REJECT_ON_WORKER_LOST", True),
        ("WORKER_PREFETCH_MULTIPLIER", 1),
        ("WORKER_DIRECT", True),
        ("WORKER_ENABLE_SOFT_SHUTDOWN_ON_IDLE", True),
        ("BROKER_CONNECTION_RETRY_ON_STARTUP", True),
        ("WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS", True),
        ("WORKER_MAX_TASKS_PER_CHILD", 500),
        ("TIMEZONE", "UTC"),
        ("TASK_SERIALIZER", "json"),
        ("ACCEPT_CONTENT", ["json"]),
        ("TASK_IGNORE_RESULT", True),
    ],
)
def test_each_setting_is_the_promised_one_and_the_worker_really_has_it(name: str, value: Any) -> None:
    assert getattr(settings, f"CELERY_{name}") == value
    assert app.conf[name.lower()] == value


def test_a_killed_workers_task_comes_back_in_minutes_and_never_runs_twice_at_once() -> None:
    """The broker gives a task again after the visibility timeout: longer than the longest task, far shorter than the hour that is usual."""
    source = (ROOT / "config" / "settings.py").read_text()
    with_redis = source[
        source.index("CELERY_BROKER_TRANSPORT_OPTIONS: dict") : source.index("_spool = BASE_DIR")
    ]
    values = dict(re.findall(r'"(\w+)": ([^,\n]+),', with_redis))
    assert (
        settings.CELERY_TASK_SOFT_TIME_LIMIT
        < settings.CELERY_TASK_TIME_LIMIT
        < int(values["visibility_timeout"])
        <= 300
    )
    assert values["socket_timeout"] == "30" and values["health_check_interval"] == "25"
    assert values["socket_keepalive"] == values["retry_on_timeout"] == "True"
    assert "30" in source[source.index("CELERY_WORKER_SOFT_SHUTDOWN_TIMEOUT") :].splitlines()[0]


def test_a_tick_under_a_slow_vendor_ends_before_the_soft_limit_cuts_it_off() -> None:
    """A batch that begins at the end of a tick, its whole budget and one more vendor that does not answer."""
    slowest = max(email_gateway.TIMEOUT_S, push_gateway.TIMEOUT_S, twilio_gateway.TIMEOUT_S)
    assert TICK_BUDGET_S + SLOW_SEND_BUDGET_S + slowest < settings.CELERY_TASK_SOFT_TIME_LIMIT
    assert SLOW_SEND_BUDGET_S + slowest < ORDINARY_LEASE.total_seconds()


def test_each_setting_has_its_reason_beside_it() -> None:
    lines = (ROOT / "config" / "settings.py").read_text().splitlines()
    names = [i for i, line in enumerate(lines) if re.match(r"\s*CELERY_[A-Z_]+(:| =)", line)]
    assert len(names) >= 18
    for i in names:
        above = i - 1
        # A group of settings shares the reason above it.
        while re.match(r"\s*(CELERY_|_spool|else:|if REDIS_URL)", lines[above]) or lines[above].startswith(
            ("}", "    }")
        ):
            above -= 1
        assert (
            lines[above].lstrip().startswith(("#", '"', "}"))
            or above in names
            or lines[above].startswith("    ")
        ), lines[i]


@pytest.mark.parametrize("name", our_tasks())
def test_each_task_is_driven_by_the_schedule(name: str) -> None:
    """A sweep that nobody calls notices nothing: PR-03."""
    assert name in {entry["task"] for entry in settings.CELERY_BEAT_SCHEDULE.values()}
    # What it is when it fails each time and stands on somebody's list.
    assert name in TASK_WORDS


def test_the_schedule_names_only_tasks_that_exist_and_no_tick_outlives_the_next_ones() -> None:
    for name, entry in settings.CELERY_BEAT_SCHEDULE.items():
        assert entry["task"] in our_tasks(), name
        assert isinstance(entry["schedule"], float), f"{name}: no wall clock, no zone"
        assert entry["options"]["expires"] >= entry["schedule"], name


@pytest.mark.parametrize("name", our_tasks())
def test_no_task_is_given_anything_about_anybody(name: str) -> None:
    """PR-14: what is due is found in PostgreSQL, so nothing stands in Redis."""
    assert list(inspect.signature(app.tasks[name].run).parameters) == []


def test_nothing_waits_in_the_broker() -> None:
    """Due times are rows: no eta, no countdown, and no `delay` that a roll-back would not undo."""
    found = []
    for path in ROOT.glob("*/**/*.py"):
        if path.relative_to(ROOT).parts[0] in ("tests", "bench", "var") or path.relative_to(ROOT).parts[
            0
        ].startswith("."):
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
                continue
            asks = {keyword.arg for keyword in node.keywords}
            if node.func.attr in ("delay", "delay_on_commit") or (
                node.func.attr == "apply_async" and asks & {"eta", "countdown"}
            ):
                found.append(f"{path.relative_to(ROOT)}:{node.lineno}")
    assert found == []
