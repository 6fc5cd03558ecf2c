"""The commands of the runner, and the one place where trouble becomes a sentence and an exit code."""

from __future__ import annotations

import argparse
import signal
from collections.abc import Sequence

from runner.say import Trouble, complain, sentence_for


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python3 -m runner", description="Set up and run Hearthside on this machine."
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    up = commands.add_parser(
        "up", help="set up and run everything at http://127.0.0.1:8000 (PORT= changes it)"
    )
    up.add_argument(
        "--with-parent", action="store_true", help="stop when the process that started this is gone"
    )
    commands.add_parser("down", help="stop what `up` started, from another terminal")
    commands.add_parser("venv", help="make the virtual environment or bring it up to the lock")
    commands.add_parser(
        "check", help="format, lint, types, import contracts, migrations, deployment settings"
    )
    commands.add_parser("lock", help="resolve pyproject.toml into requirements/*.txt")
    for name, text in (
        ("test", "the whole test suite on servers of its own (ARGS= goes to pytest)"),
        ("bench", "the benchmark suite on servers of its own"),
        ("faults", "the whole fault suite: real processes killed at 200 random instants, and a ledger"),
        ("services", "run a command with a throw-away PostgreSQL and Redis"),
    ):
        commands.add_parser(name, help=text).add_argument("rest", nargs=argparse.REMAINDER, metavar="-- ...")
    return parser


def _dispatch(arguments: argparse.Namespace) -> int:
    # Imported late: `services` must work where the rest has nothing to do yet, and each start stays quick.
    command = arguments.command
    rest = list(getattr(arguments, "rest", []))
    rest = rest[1:] if rest[:1] == ["--"] else rest
    if command in ("up", "down"):
        from runner import up

        return up.up(with_parent=arguments.with_parent) if command == "up" else up.down()
    if command == "venv":
        from runner import venv

        venv.ensure()
        return 0
    if command == "services":
        from runner.services import services

        return services(rest)
    from runner import suite

    if command == "test":
        return suite.test(rest)
    if command == "bench":
        return suite.bench(rest)
    if command == "faults":
        return suite.faults(rest)
    return suite.check() if command == "check" else suite.lock()


def run(words: Sequence[str]) -> int:
    """Run one command."""
    arguments = _parser().parse_args(words)
    try:
        return _dispatch(arguments)
    except Trouble as trouble:
        complain(str(trouble))
        return 1
    except OSError as error:
        sentence = sentence_for(error)
        if sentence is None:
            raise
        complain(sentence)
        return 1
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
