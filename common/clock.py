"""The only place that reads a clock. Edges call `now()` once and pass `at=` down.

With HEARTHSIDE_TEST_CLOCK=1 (never in production) `manage.py clock --advance 7d` moves every process: Python reads the
offset from a small file, SQL from a row through `hearthside_now()`, so that both agree.
"""

import contextlib
import time as _time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from django.conf import settings

_frozen_at: datetime | None = None
_cached: tuple[int, float] = (0, 0.0)


def _offset_seconds() -> float:
    global _cached
    if not settings.TEST_CLOCK:
        return 0.0
    try:
        stamp = settings.TEST_CLOCK_FILE.stat().st_mtime_ns
    except OSError:
        return 0.0
    if stamp != _cached[0]:
        _cached = (stamp, float(settings.TEST_CLOCK_FILE.read_text() or 0))
    return _cached[1]


def now() -> datetime:
    """This instant, in UTC."""
    if _frozen_at is not None:
        return _frozen_at
    current = datetime.now(UTC)
    return current + timedelta(seconds=_offset_seconds()) if settings.TEST_CLOCK else current


def database_now() -> datetime:
    """This instant by the database's clock, the one that all hosts share: for whatever claims rows and holds leases."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT hearthside_now()")
        at: datetime = cursor.fetchone()[0]
        return at


def monotonic_s() -> float:
    """Seconds that only ever rise, for measuring how long something took."""
    return _time.monotonic()


def sleep(seconds: float) -> None:
    """Wait; here so that loops have one place to wait in."""
    _time.sleep(seconds)


def local_date(at: datetime, zone: str) -> date:
    """The calendar day that `at` is in the IANA zone `zone`."""
    return at.astimezone(ZoneInfo(zone)).date()


def age_years(born_on: date, on: date) -> int:
    """Whole years of age on a day."""
    return on.year - born_on.year - ((on.month, on.day) < (born_on.month, born_on.day))


@contextlib.contextmanager
def frozen(at: datetime) -> Iterator[None]:
    """Tests and the demo practice only: `now()` answers `at`, in Python and in SQL, until the block ends.

    Inside a transaction nobody else sees SQL's clock moved.
    """
    global _frozen_at
    from common.models import ClockOffset

    previous = _frozen_at
    _frozen_at = at
    ClockOffset.set_seconds((at - datetime.now(UTC)).total_seconds())
    try:
        yield
    finally:
        _frozen_at = previous
        ClockOffset.set_seconds(
            (previous - datetime.now(UTC)).total_seconds() if previous else _offset_seconds()
        )


def wall_time_s() -> float:
    """The machine's own Unix time, unmoved by the test clock: to compare with stamps that a library made."""
    return _time.time()
