"""The server that is measured: the very command of `make up`, on its own port, with the bare views beside the product's."""

import contextlib
import datetime as dt
import os
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings
from django.contrib.auth.hashers import make_password

from accounts import actions as people
from accounts.models import DeaRegistration, Licence, Patient, Role, User
from accounts.step_up import METHODS_KEY
from common import clock, protocol


@dataclass
class Practice:
    """Who sends the requests."""

    patient: User
    psychiatrist: User
    token: str
    cookie: str
    port: int = 0


def _session_cookie(user: User) -> str:
    from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
    from django.contrib.sessions.backends.db import SessionStore

    session = SessionStore()
    session[SESSION_KEY] = str(user.pk)
    session[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[0]
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    session[METHODS_KEY] = [{"method": "mfa", "type": "totp", "at": clock.wall_time_s()}]
    session.create()
    return f"{settings.SESSION_COOKIE_NAME}={session.session_key}"


def a_practice() -> Practice:
    """Two administrators, an approved protocol, a psychiatrist in California, a patient with a device."""
    at = clock.now()

    def person(role: str, name: str) -> User:
        return User.objects.create(
            email=f"{name}@bench.example", full_name=name.title(), role=role, is_staff=role == "administrator", password=make_password(None),
            time_zone="America/Los_Angeles", phone="+14155550199",
        )  # fmt: skip

    ann, ben = person(Role.ADMINISTRATOR, "ann"), person(Role.ADMINISTRATOR, "ben")
    protocol.approve(
        protocol.propose(version="bench", data=protocol.from_files(), by=ann, at=at), by=ben, at=at
    )
    dana, alice = person(Role.PSYCHIATRIST, "dana"), person(Role.PATIENT, "alice")
    later = at.date() + dt.timedelta(days=400)
    Licence.objects.create(psychiatrist=dana, state="CA", number="CA-1", expires_on=later)
    DeaRegistration.objects.create(psychiatrist=dana, state="CA", number="FR1234567", expires_on=later)
    patient = people.register_patient(alice, by=alice, at=at)
    Patient.objects.filter(pk=patient.pk).update(date_of_birth=dt.date(1988, 4, 2), state="CA", sex="female")
    _, token = people.issue_device_token(
        alice, label="cuff", scopes=["readings:write", "readings:read"], by=alice, at=at
    )
    return Practice(patient=alice, psychiatrist=dana, token=token, cookie=_session_cookie(dana))


@contextlib.contextmanager
def serving(root: Path, **changes: str) -> Iterator[int]:
    """The web process of `make up`, waiting at a free port until the block ends; `changes` to its environment."""
    from runner.ports import any_free
    from runner.up import commands

    port = any_free()
    command = commands("127.0.0.1", port, 0, workers=2)["web"]
    log = (root / "var" / "bench-server.log").open("wb")
    server = subprocess.Popen(
        command, cwd=root, env={**os.environ, **changes}, stdout=log, stderr=subprocess.STDOUT
    )
    try:
        # A machine that does much else besides takes minutes to start a server.
        for _ in range(2_400):
            with (
                contextlib.suppress(OSError),
                urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=2) as answer,
            ):
                if answer.status == 200:
                    break
            time.sleep(0.1)
        else:
            raise RuntimeError("the server did not come up")
        yield port
    finally:
        server.terminate()
        server.wait(timeout=10)
