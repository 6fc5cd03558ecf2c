"""The personas, once for all tests: a patient, her psychiatrist, her coach, strangers in each role, two administrators."""

import contextlib
import datetime as dt
import gc
import os
from collections.abc import Callable, Iterator
from typing import Any

import hypothesis
import pytest
from django.conf import settings
from django.db import connection, transaction
from django.test import Client, TransactionTestCase

from accounts import actions as people
from accounts.models import CareTeam, DeaRegistration, Licence, Patient, Role, User
from accounts.step_up import METHODS_KEY
from common import clock, protocol
from common.models import ProtocolVersion

# Playwright's own event loop runs in this thread, and Django would take it for asynchronous code.
os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"

# How long one example takes on a busy machine says nothing about what it shows.
hypothesis.settings.register_profile("hearthside", deadline=None)
hypothesis.settings.load_profile("hearthside")

PASSWORD = "correct horse battery staple"
# Argon2 on every persona of every test would cost more than the tests do.
FAST_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
_password_hash: list[str] = []


def pytest_collection_finish() -> None:
    """What is loaded by now stays loaded: looking through it for garbage again and again took a twelfth of the tests' time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 20, 100)


# Written by Django after each migration, and no test's own.
KEPT_TABLES = {"django_migrations", "django_content_type", "auth_permission", "django_site"}


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """A test that commits is cleaned up by deleting what it wrote.

    Django would TRUNCATE two hundred tables and write every permission anew, which takes longer than most such tests.
    """
    with django_db_blocker.unblock():
        tables = sorted(set(connection.introspection.table_names()) - KEPT_TABLES)
        connection.close()
    written = " UNION ALL ".join(
        f"SELECT '{table}' WHERE EXISTS (SELECT FROM \"{table}\")" for table in tables
    )

    def delete_what_was_written(_: TransactionTestCase) -> None:
        with transaction.atomic(), connection.cursor() as cursor:
            # As the audit trail's own triggers, and those of foreign keys, are to refuse and to check nothing here.
            cursor.execute("SET LOCAL session_replication_role = replica")
            cursor.execute(written)
            for (table,) in cursor.fetchall():
                cursor.execute(f'DELETE FROM "{table}"')

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(TransactionTestCase, "_fixture_teardown", delete_what_was_written)
        yield


@pytest.fixture(autouse=True)
def _quick_passwords(settings: Any) -> None:
    settings.PASSWORD_HASHERS = FAST_HASHERS
    # Else each client of a test reads every static file again before its first request.
    settings.WHITENOISE_AUTOREFRESH = True
    # No test sees what the lane was in the one before.
    settings.LANE_LOOK_SECONDS = 0


def a_person(role: str, name: str, zone: str = "America/Los_Angeles", **fields: Any) -> User:
    """Somebody of a role, with the password of all personas and a verified e-mail address."""
    from allauth.account.models import EmailAddress

    email = f"{name.split()[0].lower()}@example.test"
    user = User.objects.create_user(
        email,
        PASSWORD,
        full_name=name,
        role=role,
        time_zone=zone,
        is_staff=role == Role.ADMINISTRATOR,
        **fields,
    )
    EmailAddress.objects.create(user=user, email=email, verified=True, primary=True)
    return user


def a_patient(name: str, *, state: str = "CA", born_on: dt.date = dt.date(1988, 4, 2), **fields: Any) -> User:
    user = a_person(Role.PATIENT, name, phone="+14155550111", **fields)
    patient = people.register_patient(user, by=user, at=dt.datetime(2026, 11, 1, tzinfo=dt.UTC))
    Patient.objects.filter(pk=patient.pk).update(date_of_birth=born_on, state=state, sex="female")
    return user


def a_psychiatrist(name: str, *states: str, expires_on: dt.date = dt.date(2028, 12, 31)) -> User:
    user = a_person(Role.PSYCHIATRIST, name, phone="+14155550122")
    for index, state in enumerate(states):
        Licence.objects.create(
            psychiatrist=user, state=state, number=f"{state}-{1000 + index}", expires_on=expires_on
        )
        DeaRegistration.objects.create(
            psychiatrist=user, state=state, number=f"FR{1234560 + index}", expires_on=expires_on
        )
    return user


@pytest.fixture
def at() -> dt.datetime:
    """A Monday morning in California: 2026-11-23 09:00 PST."""
    return dt.datetime(2026, 11, 23, 17, 0, tzinfo=dt.UTC)


@pytest.fixture
def dana(db: None) -> User:
    """Her psychiatrist, licensed in California and New York."""
    return a_psychiatrist("Dana Reyes", "CA", "NY")


@pytest.fixture
def cole(db: None) -> User:
    """Her coach."""
    return a_person(Role.COACH, "Cole Okafor", phone="+14155550133")


@pytest.fixture
def alice(dana: User, cole: User) -> User:
    """The patient: in California, cared for by Dana and Cole."""
    user = a_patient("Alice Lindqvist")
    CareTeam.objects.filter(pk=user.pk).update(psychiatrist=dana, coach=cole)
    return user


@pytest.fixture
def stranger_patient(db: None) -> User:
    """Bob, another patient, of nobody's here."""
    return a_patient("Bob Tanaka")


@pytest.fixture
def other_psychiatrist(db: None) -> User:
    """Priya, licensed in Texas only, not assigned."""
    return a_psychiatrist("Priya Raman", "TX")


@pytest.fixture
def other_coach(db: None) -> User:
    return a_person(Role.COACH, "Otto Brandt")


@pytest.fixture
def admin_ann(db: None) -> User:
    return a_person(Role.ADMINISTRATOR, "Ann Whitfield", phone="+14155550144", is_superuser=True)


@pytest.fixture
def admin_ben(db: None) -> User:
    return a_person(Role.ADMINISTRATOR, "Ben Castillo", phone="+14155550155", is_superuser=True)


@pytest.fixture
def protocol_version(admin_ann: User, admin_ben: User) -> ProtocolVersion:
    """The shipped protocol, proposed by one administrator and approved by the other."""
    then = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    draft = protocol.propose(version="test-1", data=protocol.from_files(), by=admin_ann, at=then)
    return protocol.approve(draft, by=admin_ben, at=then)


@pytest.fixture
def clock_at() -> Callable[[dt.datetime], contextlib.AbstractContextManager[None]]:
    """`with clock_at(instant):` freezes Python's and SQL's clock."""
    return clock.frozen


def log_in(client: Client, user: User, *, second_factor: bool | None = None) -> Client:
    """Log in without the form; staff have given their second factor just now unless told otherwise."""
    client.force_login(user, backend="allauth.account.auth_backends.AuthenticationBackend")
    if second_factor if second_factor is not None else user.is_member_of_staff:
        session = client.session
        session[METHODS_KEY] = [{"method": "mfa", "type": "totp", "at": clock.wall_time_s()}]
        session.save()
    return client


@pytest.fixture
def client_for() -> Iterator[Callable[..., Client]]:
    """`client_for(user)`: a browser logged in as them; `client_for(dana, second_factor=False)` for one that is not yet."""
    yield lambda user, **kwargs: log_in(Client(), user, **kwargs)


@pytest.fixture
def api_for() -> Callable[..., Any]:
    """`api_for(user)`: DRF's client logged in as them (no CSRF check); `api_for(None)`: a stranger."""
    from rest_framework.test import APIClient

    def made(user: User | None) -> Any:
        client = APIClient()
        return client if user is None else log_in(client, user)

    return made


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """One Chromium for each worker: two Playwrights cannot run in one thread. None found is a failure in CI, never a skip."""
    from playwright.sync_api import sync_playwright

    from tests.browsers import ARGUMENTS, browser_path

    path = browser_path()
    if not path:
        sentence = "No Chromium was found: install it, or name it in HEARTHSIDE_CHROMIUM."
        if os.environ.get("CI", "").lower() in ("1", "true", "yes"):
            pytest.fail(sentence)
        pytest.skip(sentence)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def query_budget(django_assert_max_num_queries: Any) -> Any:
    """`with query_budget(12):` as the page's own promise."""
    return django_assert_max_num_queries


assert settings.configured
