"""`make test` and `make check`: each starts from nothing and says what failed."""

from __future__ import annotations

import os
import secrets
import shlex
import subprocess
import time
from collections.abc import Mapping, Sequence

from runner import chromium, relay, venv
from runner.paths import PYTHON, ROOT, check_disk, make_folders
from runner.say import Trouble, say
from runner.services import demo_secrets, run_with, throw_away

# What a deployment sets; the values are made up, `check --deploy` looks at settings and speaks to no server.
PRODUCTION_LIKE = {
    "HEARTHSIDE_ENV": "production",
    "SITE_URL": "https://care.example.org",
    "ALLOWED_HOSTS": "care.example.org",
    "BEHIND_PROXY": "1",
    "EMAIL_URL": "smtp+tls://user:password@mail.example.org:587",
    "DATABASE_URL": "postgres://hearthside:password@db.example.org/hearthside",
    "REDIS_URL": "redis://redis.example.org:6379/0",
    "PAGER_DEADMAN_URL": "https://deadman.example.org/practice",
    "PAGER_DAILY_DRILL": "1",
}


# Longer than a quarter of an hour, nobody runs it.
FAULTS_PROMISED_S = 900


def test(arguments: Sequence[str]) -> int:
    """The whole suite, or what ARGS names, on servers of its own."""
    make_folders()
    check_disk()
    venv.ensure()
    browser = chromium.ensure()
    relay.ensure()
    extra = {
        "PYTHONPATH": str(ROOT),
        "PATH": f"{PYTHON.parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
    }
    if browser:
        extra["HEARTHSIDE_CHROMIUM"] = browser
    words = [*shlex.split(os.environ.get("ARGS", "")), *arguments]
    if not any(word.startswith(("-n", "--numprocesses")) for word in words):
        words = ["-n", str(_workers()), *words]
    with throw_away() as pair:
        environment = {**demo_secrets(), **extra, "REDIS_URL": "", **pair.environment()}
        return run_with([str(PYTHON), "-m", "pytest", *words], environment)


def _workers() -> int:
    """One more than there are cores: tests with a browser or a killed process wait for much of their time."""
    return max(2, min(4, len(os.sched_getaffinity(0)) + 1 if hasattr(os, "sched_getaffinity") else 2))


def check() -> int:
    """Everything that can be said without running the product; all of it is done, then the failures are named."""
    make_folders()
    venv.ensure()
    failed: list[str] = []
    with throw_away(with_redis=False) as pair:
        usual = {
            **os.environ,
            **demo_secrets(),
            "PYTHONPATH": str(ROOT),
            **pair.environment(),
            "REDIS_URL": "",
        }
        production = {**usual, **PRODUCTION_LIKE}
        for title, command, environment in _steps(usual, production):
            if not _step(title, command, environment):
                failed.append(title)
    if failed:
        raise Trouble(f"Not in order: {', '.join(failed)}.")
    say("Everything is in order.")
    return 0


def _steps(
    usual: Mapping[str, str], production: Mapping[str, str]
) -> list[tuple[str, list[str], Mapping[str, str]]]:
    python = str(PYTHON)
    manage = [python, "manage.py"]
    steps: list[tuple[str, list[str], Mapping[str, str]]] = [
        ("format", [python, "-m", "ruff", "format", "--check", "."], usual),
        ("lint", [python, "-m", "ruff", "check", "."], usual),
        ("types", [python, "-m", "mypy", *_packages()], usual),
        ("import contracts", [str(PYTHON.parent / "lint-imports"), "--no-cache"], usual),
        ("migrations in step", [*manage, "makemigrations", "--check", "--dry-run"], usual),
        (
            "deployment settings",
            [*manage, "check", "--deploy", "--fail-level", "WARNING"],
            production,
        ),
    ]
    for command in ("states_docs", "hazards_docs"):
        if any(ROOT.glob(f"*/management/commands/{command}.py")):
            steps.append((f"{command} up to date", [*manage, command, "--check"], usual))
    return steps


def _packages() -> list[str]:
    """Our own packages: every folder at the root that holds Python, tests and benchmarks apart."""
    found = sorted(
        folder.parent.name for folder in ROOT.glob("*/__init__.py") if folder.parent.name != "tests"
    )
    return [name for name in found if not name.startswith(".")]


def _step(title: str, command: Sequence[str], environment: Mapping[str, str]) -> bool:
    began = time.monotonic()
    done = subprocess.run(
        list(command), cwd=ROOT, env=dict(environment), capture_output=True, text=True, check=False
    )
    took = time.monotonic() - began
    well = done.returncode == 0
    say(f"{'ok  ' if well else 'FAIL'}  {title}  ({took:.1f} s)")
    if not well:
        for line in (done.stdout + done.stderr).rstrip().splitlines()[-200:]:
            say(f"      {line}")
    return well


def bench(arguments: Sequence[str]) -> int:
    """The benchmark suite, on servers that write to disk as those of `make up` do: anything else would flatter."""
    make_folders()
    check_disk()
    venv.ensure()
    words = [*shlex.split(os.environ.get("ARGS", "")), *arguments]
    with throw_away(durable=True) as pair:
        environment = {**demo_secrets(), "PYTHONPATH": str(ROOT), "REDIS_URL": "", **pair.environment()}
        return run_with([str(PYTHON), "-m", "bench", *words], environment)


def faults(arguments: Sequence[str]) -> int:
    """The whole fault suite, on servers of its own that it kills. FAULTS_SEED repeats a run, FAULTS_KILLS says how many kills.

    The storm takes most of it and waits most of the time, so the other tests run beside it, on servers of their own.
    """
    make_folders()
    check_disk()
    venv.ensure()
    words = [*shlex.split(os.environ.get("ARGS", "")), *arguments] or ["tests/faults"]
    if not any(word.startswith(("-n", "--numprocesses")) for word in words):
        words = ["-n", "2", "-v", *words]
    seed = os.environ.get("FAULTS_SEED") or str(secrets.randbelow(1_000_000))
    report = ROOT / "var" / "faults" / "report"
    report.unlink(missing_ok=True)
    environment = {
        **demo_secrets(),
        "PYTHONPATH": str(ROOT),
        "PATH": f"{PYTHON.parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
        "HEARTHSIDE_FAULTS": "1",
        "FAULTS_SEED": seed,
        "REDIS_URL": "",
    }
    began = time.monotonic()
    say(f"FAULTS_SEED={seed} repeats this storm")
    code = run_with([str(PYTHON), "-m", "pytest", "-p", "no:cacheprovider", *words], environment)
    if report.exists():
        # The storm runs in a process whose own words nobody sees.
        say(report.read_text().rstrip())
    code, sentence = in_time(code, time.monotonic() - began)
    say(sentence)
    return code


def in_time(code: int, took_s: float) -> tuple[int, str]:
    """How the fault suite ends, with a sentence: longer than promised is a failure, also where every test went well."""
    sentence = f"The fault suite took {took_s:.0f} s"
    if took_s <= FAULTS_PROMISED_S:
        return code, sentence
    return code or 1, f"{sentence}, and {FAULTS_PROMISED_S} s at most are promised."


def lock() -> int:
    """Resolve pyproject.toml anew and write the two lock files, hashed and naming no host."""
    venv.ensure()
    for name, extra in (("base", []), ("dev", ["--group", "dev"])):
        target = f"requirements/{name}.txt"
        command = [str(PYTHON), "-m", "uv", "pip", "compile", "--quiet", "--universal", "--generate-hashes"]
        command += ["--python-version", "3.11", "--no-emit-index-url", "pyproject.toml", *extra, "-o", target]
        environment = {**os.environ, "UV_CUSTOM_COMPILE_COMMAND": "make lock"}
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise Trouble(f"{target} could not be resolved: {(done.stderr.strip().splitlines() or [''])[-1]}")
        say(f"Wrote {target}")
    return 0
