"""The people of the demo practice: who they are, how they log in, and the marker that a leak would carry."""

import base64
import datetime as dt
import random
from dataclasses import dataclass, field
from typing import Any

from allauth.account.models import EmailAddress
from allauth.mfa.adapter import get_adapter
from allauth.mfa.models import Authenticator
from django.contrib.auth.hashers import make_password

from accounts import actions as people
from accounts.models import DeaRegistration, Licence, Patient, Role, User
from portal.demo.names import FIRST_NAMES, LAST_NAMES, PLACES, STREETS

PASSWORD = "hearthside demo only"  # noqa: S105
# Nobody sits for themselves: who sits beside a patient has an area code that no patient has.
AREA_CODES = ("415", "512", "303", "718")
SITTER_PHONE, CONTACT_PHONE = "+16285550177", "+16285550112"


@dataclass
class Cast:
    """One run of the seed: its dice, its clock, who has been made, and every canary handed out."""

    rng: random.Random
    now: dt.datetime
    canaries_wanted: bool = False
    canaries: dict[str, str] = field(default_factory=dict)
    staff: list[User] = field(default_factory=list)
    patients: list[tuple[User, str]] = field(default_factory=list)
    totp: dict[str, str] = field(default_factory=dict)
    password_hash: str = ""
    seed: int = 0

    def words(self, place: str, text: str) -> str:
        """Words for a field that holds what people say; with canaries, each carries a marker of its own."""
        if not self.canaries_wanted:
            return text
        marker = f"CANARY{self.seed}X{len(self.canaries):05d}"
        self.canaries[marker] = place
        return f"{text} {marker}"

    def staff_of(self, role: str) -> list[User]:
        return [person for person in self.staff if person.role == role]


def add_person(cast: Cast, *, role: str, full_name: str, email: str, zone: str, phone: str = "") -> User:
    """Somebody who can log in with the demo password; staff also with a TOTP code from their secret."""
    cast.password_hash = cast.password_hash or make_password(PASSWORD)
    user = User(
        email=email, full_name=full_name, role=role, time_zone=zone, phone=phone,
        is_staff=role == Role.ADMINISTRATOR, is_superuser=role == Role.ADMINISTRATOR,
    )  # fmt: skip
    user.password = cast.password_hash
    user.save(force_insert=True)
    EmailAddress.objects.create(user=user, email=email, verified=True, primary=True)
    if role != Role.PATIENT:
        secret = base64.b32encode(cast.rng.randbytes(20)).decode()
        Authenticator.objects.create(
            user=user, type=Authenticator.Type.TOTP, data={"secret": get_adapter().encrypt(secret)}
        )
        cast.totp[email] = secret
        cast.staff.append(user)
    return user


def add_psychiatrist(cast: Cast, full_name: str, email: str, zone: str, phone: str, states: str) -> User:
    """A psychiatrist with a licence and a DEA registration in each of these states, in force for two years."""
    user = add_person(cast, role=Role.PSYCHIATRIST, full_name=full_name, email=email, zone=zone, phone=phone)
    ends = cast.now.date() + dt.timedelta(days=730)
    for state in states.split():
        Licence.objects.create(
            psychiatrist=user,
            state=state,
            number=f"{state}{cast.rng.randrange(10**5, 10**6)}",
            expires_on=ends,
        )
        number = f"F{full_name.split()[-1][0]}{cast.rng.randrange(10**6, 10**7)}"
        DeaRegistration.objects.create(psychiatrist=user, state=state, number=number, expires_on=ends)
    return user


def add_patient(cast: Cast, index: int, *, joined_at: dt.datetime) -> User:
    """A made-up adult in a state where somebody is licensed."""
    rng = cast.rng
    first, last = rng.choice(FIRST_NAMES), rng.choice(LAST_NAMES)
    state, city, zone = PLACES[index % len(PLACES)]
    full_name = cast.words("User.full_name", f"{first} {last}")
    user = add_person(
        cast, role=Role.PATIENT, full_name=full_name, email=f"{first}.{last}.{index}@patients.example".lower(), zone=zone,
        phone=f"+1{rng.choice(AREA_CODES)}555{rng.randrange(100, 200):04d}",
    )  # fmt: skip
    patient = people.register_patient(user, by=user, at=joined_at)
    born_on = dt.date(cast.now.year - rng.randrange(22, 62), rng.randrange(1, 13), rng.randrange(1, 28))
    Patient.objects.filter(pk=patient.pk).update(
        date_of_birth=born_on, state=state, sex=rng.choice(["female", "male"])
    )
    user.refresh_from_db()
    user.address_words = cast.words(  # type: ignore[attr-defined]
        "Patient.address", f"{rng.randrange(2, 980)} {rng.choice(STREETS)} Street, {city}, {state}"
    )
    user.contact_words = cast.words("Patient.emergency_contact_name", f"{rng.choice(FIRST_NAMES)} {last}")  # type: ignore[attr-defined]
    return user


def log_ins(cast: Cast) -> list[dict[str, Any]]:
    """How each person logs in."""
    rows = [
        {
            "id": str(p.pk),
            "role": p.role,
            "email": p.email,
            "password": PASSWORD,
            "totp_secret": cast.totp.get(p.email, ""),
        }
        for p in cast.staff
    ]
    rows += [
        {
            "id": str(p.pk),
            "role": p.role,
            "email": p.email,
            "password": PASSWORD,
            "totp_secret": "",
            "stage": stage,
        }
        for p, stage in cast.patients
    ]
    return rows
