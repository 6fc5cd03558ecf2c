"""The engine of `manage.py screen`: a table of answers in, one row of results each out. Reads no clock and no database.

It runs the very predicates that `evaluate` runs, only fewer times. Columns that no rule reads together cannot
influence each other, so the table is split into groups of columns, and each group's part of the result is kept
for the next row with the same cells. A test compares thousands of random rows with `evaluate` row by row.
"""

from intake.screening.plan import (
    PHQ9_COLUMNS,
    PHQ9_RESULTS,
    PRESSURE_COLUMNS,
    PRESSURE_RESULTS,
    RowError,
    Screener,
    TableError,
)
from intake.screening.table import BadRow, ScreenReport, screen_file, screen_rows

__all__ = [
    "PHQ9_COLUMNS",
    "PHQ9_RESULTS",
    "PRESSURE_COLUMNS",
    "PRESSURE_RESULTS",
    "BadRow",
    "RowError",
    "ScreenReport",
    "Screener",
    "TableError",
    "screen_file",
    "screen_rows",
]
