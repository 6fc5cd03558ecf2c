"""From a table to its results: row by row, however long it is."""

from __future__ import annotations

import csv
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from intake.rules import Stage, Thresholds
from intake.screening.plan import RowError, Screener, TableError, quoted
from vitals.rules import BpLimits


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that was left out, by the line of the file it starts on."""

    line: int
    sentence: str


@dataclass(frozen=True, slots=True)
class ScreenReport:
    """What became of a table."""

    written: int
    bad: tuple[BadRow, ...]


def screen_rows(source: TextIO, screener_of: Callable[[list[str]], Screener]) -> Iterator[str | BadRow]:
    """The header line, then for each row of the table its line of results or why it was left out."""
    reader = csv.reader(source)
    try:
        header = next(reader, None)
    except csv.Error as error:
        raise TableError(f"The header line cannot be read: {error}.") from None
    if header is None:
        raise TableError("The file is empty.")
    screener = screener_of(header)
    line = screener.line
    yield ",".join(quoted(name) for name in screener.header)
    while True:
        starts_on = reader.line_num + 1
        try:
            for row in reader:
                if row:
                    yield line(row)
                starts_on = reader.line_num + 1
            return
        except (RowError, csv.Error) as error:
            yield BadRow(starts_on, str(error))


def screen_file(
    src_path: str | Path,
    dst_path: str | Path,
    *,
    stage: Stage | str = Stage.INTAKE,
    states: Collection[str] | None = None,
    thresholds: Thresholds | None = None,
    limits: BpLimits | None = None,
    on_bad: Callable[[BadRow], object] | None = None,
) -> ScreenReport:
    """Screen a CSV file into another. Rows that cannot be read are reported and left out; the rest are done."""
    src, dst = Path(src_path), Path(dst_path)
    if dst.exists() and src.exists() and dst.samefile(src):
        raise TableError("The results would overwrite the table itself; choose another file.")

    def screener_of(header: list[str]) -> Screener:
        return Screener(header, stage=stage, states=states, thresholds=thresholds, limits=limits)

    bad: list[BadRow] = []
    written = -1
    # Undecodable bytes travel through: they matter only where a rule reads the cell.
    with src.open(newline="", encoding="utf-8-sig", errors="surrogateescape") as source:
        results = screen_rows(source, screener_of)
        first = next(results)
        with dst.open("w", newline="", encoding="utf-8", errors="surrogateescape") as target:
            target.write(f"{first}\n")
            written = 0
            lines: list[str] = []
            for result in results:
                if isinstance(result, str):
                    lines.append(result)
                    if len(lines) == 1000:
                        target.write("\n".join(lines) + "\n")
                        written += len(lines)
                        lines.clear()
                else:
                    bad.append(result)
                    if on_bad is not None:
                        on_bad(result)
            if lines:
                target.write("\n".join(lines) + "\n")
                written += len(lines)
    return ScreenReport(written, tuple(bad))
