"""A real server, a real browser and a clock that both the server's threads and SQL read."""

import base64
import datetime as dt
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser

from accounts.models import User
from common import clock
from common.models import ClockOffset
from tests.journeys.walker import PHONE, Walker, new_walker


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents and "browser_of" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.browser)


class JourneyClock:
    """The test clock of `manage.py clock`: the server's threads, this test and SQL see the same moving instant."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.seconds = 0.0

    def stands_at(self, at: dt.datetime) -> None:
        """Set the clock to an instant; it goes on from there."""
        self._set(self.seconds + (at - clock.now()).total_seconds())

    def goes_on(self, **how_far: float) -> None:
        """Let time pass: `goes_on(minutes=40)`."""
        self._set(self.seconds + dt.timedelta(**how_far).total_seconds())

    def _set(self, seconds: float) -> None:
        fresh = self.path.with_suffix(".new")
        fresh.write_text(str(seconds))
        fresh.replace(self.path)
        self.seconds = seconds
        ClockOffset.set_seconds(seconds)


@pytest.fixture
def the_clock(
    transactional_db: None, settings: Any, tmp_path: Path, at: dt.datetime
) -> Iterator[JourneyClock]:
    """Monday, November 23, 2026, nine in the morning in California, and moving."""
    settings.TEST_CLOCK, settings.TEST_CLOCK_FILE = True, tmp_path / "clock"
    moved = JourneyClock(settings.TEST_CLOCK_FILE)
    moved._set((at - clock.now()).total_seconds())
    yield moved
    ClockOffset.set_seconds(0)


@pytest.fixture
def site(live_server: Any, settings: Any, the_clock: JourneyClock) -> str:
    """The address of the running site."""
    settings.SITE_URL = live_server.url
    settings.CSRF_TRUSTED_ORIGINS = [live_server.url]
    # pytest-django puts a backend of its own there.
    settings.EMAIL_BACKEND = "notify.mail.OutboxBackend"
    return str(live_server.url)


@pytest.fixture
def browser_of(chromium: Browser, site: str) -> Iterator[Callable[..., Walker]]:
    """`browser_of("Alice", user=alice, phone=True)`: a browser of their own."""
    walkers: list[Walker] = []

    def made(name: str, *, phone: bool = False, **options: Any) -> Walker:
        if phone:
            options.setdefault("viewport", PHONE)
        walkers.append(new_walker(chromium, site, name, **options))
        return walkers[-1]

    yield made
    for walker in walkers:
        walker.context.close()
    found = [f"{walker.name}: {one}" for walker in walkers for one in (*walker.trouble, *walker.barriers)]
    assert not found, "\n".join(found)


TOTP_SECRET = base64.b32encode(b"a secret of twenty b").decode()


@pytest.fixture
def with_authenticator() -> Callable[[User], str]:
    """Give somebody of the staff an authenticator app; answers its secret."""

    def given(user: User) -> str:
        from allauth.mfa.adapter import get_adapter
        from allauth.mfa.models import Authenticator

        Authenticator.objects.create(
            user=user, type=Authenticator.Type.TOTP, data={"secret": get_adapter().encrypt(TOTP_SECRET)}
        )
        return TOTP_SECRET

    return given
