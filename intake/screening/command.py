"""The command line of `manage.py screen`.

Here rather than in the Django command, so that manage.py can run it without loading a single app: screening a
table needs no settings and no database, and starts ten times sooner without them.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from typing import NoReturn, TextIO

from intake.rules import Stage
from intake.rules.facts import STATES
from intake.screening.plan import TableError
from intake.screening.table import screen_file


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument("file", metavar="FILE.csv", help="the table: a header line, then one person a row")
    parser.add_argument("--out", metavar="FILE.csv", required=True, help="where the results go")
    parser.add_argument(
        "--stage",
        choices=[stage.value for stage in Stage],
        default=Stage.INTAKE.value,
        help="which facts and rules apply (default: intake)",
    )
    parser.add_argument(
        "--states", metavar="CA,NY", help="states with a licensed prescriber (default: every state)"
    )
    parser.add_argument("--strict", action="store_true", help="exit with 1 when a row could not be read")


def run(
    file: str,
    *,
    out: str,
    stage: str,
    states: str | None,
    strict: bool,
    say: Callable[[str], object],
    warn: Callable[[str], object],
) -> None:
    """Screen `file` into `out`. `say` and `warn` take one line each. Raises TableError with a sentence."""
    codes = None if not states else states.replace(",", " ").upper().split()
    if codes and (unknown := sorted(set(codes) - STATES)):
        raise TableError(f"--states: no such state: {', '.join(unknown)}.")
    try:
        report = screen_file(
            file,
            out,
            stage=stage,
            states=codes,
            on_bad=lambda bad: warn(f"line {bad.line}: {bad.sentence}"),
        )
    except OSError as error:
        raise TableError(f"{error.filename or file}: {error.strerror}.") from None
    say(f"{report.written} rows screened into {out}, {len(report.bad)} left out.")
    if report.bad and strict:
        raise TableError(f"{len(report.bad)} rows could not be read.")


class _Raising(argparse.ArgumentParser):
    """Leaves usage errors to Django's own parser, which words them as for every other command."""

    def error(self, message: str) -> NoReturn:
        raise argparse.ArgumentError(None, message)


def main(arguments: Sequence[str]) -> int | None:
    """The command without Django. None: these arguments are Django's own, let it take over."""
    parser = _Raising(add_help=False, exit_on_error=False)
    add_arguments(parser)
    try:
        options, others = parser.parse_known_args(arguments)
    except argparse.ArgumentError:
        return None
    if others:
        return None
    try:
        run(**vars(options), say=_to(sys.stdout), warn=_to(sys.stderr))
    except TableError as error:
        _to(sys.stderr)(f"CommandError: {error}")
        return 1
    return 0


def _to(stream: TextIO) -> Callable[[str], object]:
    return lambda line: stream.write(f"{line}\n")
