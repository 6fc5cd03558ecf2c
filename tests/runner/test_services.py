"""Throw-away servers: real ones, breakable and mendable, and nothing of them stays."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import psycopg2
import pytest
import redis

from runner import processes, services
from runner.paths import ROOT
from runner.services import throw_away

pytestmark = pytest.mark.fault


def one_value(url: str, question: str) -> object:
    connection = psycopg2.connect(url)
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute(question)
            return cursor.fetchone()[0]
    finally:
        connection.close()


def test_a_pair_answers_survives_being_killed_and_is_gone_afterwards() -> None:
    with throw_away() as pair:
        url = pair.environment()["DATABASE_URL"]
        connection = psycopg2.connect(url)
        with connection, connection.cursor() as cursor:
            cursor.execute("CREATE EXTENSION btree_gist")
            cursor.execute("CREATE TABLE kept (n int)")
            cursor.execute("INSERT INTO kept VALUES (41)")
        connection.close()
        pair.postgres_child.send_signal(signal.SIGINT)
        pair.restart_postgres()
        assert one_value(url, "SELECT n + 1 FROM kept") == 42
        assert pair.redis_child is not None
        pair.redis_child.kill()
        pair.restart_redis()
        assert redis.from_url(pair.environment()["REDIS_URL"]).ping()
        home, mark = pair.home, pair.mark
    assert not home.exists()
    assert processes.marked(mark) == []


def test_the_applications_role_is_no_superuser_as_in_production() -> None:
    with throw_away(with_redis=False) as pair:
        assert (
            one_value(
                pair.environment()["DATABASE_URL"],
                "SELECT rolsuper FROM pg_roles WHERE rolname = current_user",
            )
            is False
        )


def test_the_command_sees_the_servers_and_its_exit_code_is_ours() -> None:
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "runner",
            "services",
            "--",
            "sh",
            "-c",
            'echo "$DATABASE_URL|$REDIS_URL|$FIELD_KEYS"; exit 7',
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 7, done.stderr
    database, cache, keys = done.stdout.strip().split("|")
    assert (
        database.startswith("postgres://hearthside:")
        and cache.startswith("redis://")
        and keys.startswith("k1:")
    )


def test_what_a_killed_owner_left_is_swept_by_the_next(tmp_path: Path) -> None:
    left = tmp_path / f"{services.PREFIX}left"
    left.mkdir()
    orphan = subprocess.Popen(["sleep", "60"], env={processes.MARK: left.name}, start_new_session=True)
    processes.wait_until(lambda: bool(processes.marked(left.name)) or not processes.LINUX, seconds=2)
    # The number of a living process with another start time: the owner died and its number went to somebody else.
    (left / "owner").write_text(f"{orphan.pid}\nanother time\n")
    services.sweep(tmp_path)
    assert not left.exists()
    assert orphan.wait(timeout=5) in (-signal.SIGINT, -signal.SIGTERM)


def test_a_pair_whose_owner_lives_is_left_alone(tmp_path: Path) -> None:
    mine = tmp_path / f"{services.PREFIX}mine"
    mine.mkdir()
    processes.write_pid_file(mine / "owner", os.getpid())
    services.sweep(tmp_path)
    assert mine.exists()
