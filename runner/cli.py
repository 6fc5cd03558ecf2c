"""The commands of the runner, and the one place where trouble becomes a sentence and an exit code."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Sequence

from runner.say import Trouble, complain, sentence_for


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python3 -m runner", description="Set up and run Hearthside on this machine."
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    services = commands.add_parser("services", help="run a command with a throw-away PostgreSQL and Redis")
    services.add_argument("rest", nargs=argparse.REMAINDER, metavar="-- CMD")
    return parser


def _dispatch(arguments: argparse.Namespace) -> int:
    if arguments.command == "services":
        from runner.services import services

        return services(arguments.rest[1:] if arguments.rest[:1] == ["--"] else arguments.rest)
    raise AssertionError(arguments.command)


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


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
