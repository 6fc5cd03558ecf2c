"""The made-up practice: every state of the course, the same from the same seed, and its private words stay inside."""

import io
import json
from random import Random
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction

from accounts.models import User
from common import clock
from portal.demo.cast import AREA_CODES, CONTACT_PHONE, SITTER_PHONE, Cast, add_patient
from portal.demo.stories import STORIES

pytestmark = pytest.mark.django_db


def seeded(**options: Any) -> dict[str, Any]:
    out = io.StringIO()
    call_command("seed", "--json", stdout=out, **options)
    return json.loads(out.getvalue())


def test_every_story_is_told_and_its_private_words_are_in_no_message_trail_or_clear_column() -> None:
    """PR-14: canaries in names, addresses, notes, journals; none in what leaves, in the audit trail or unencrypted beside a name."""
    told = seeded(random_seed=3, patients=len(STORIES), canaries=True)
    patients = [row for row in told["people"] if row["role"] == "patient"]
    assert {row["stage"] for row in patients} == set(STORIES)
    assert all(row["totp_secret"] for row in told["people"] if row["role"] != "patient")
    places = set(told["canaries"].values())
    assert {
        "User.full_name",
        "Patient.address",
        "JournalEntry.body",
        "VisitNote.history",
        "Order.directions",
    } <= places

    from notify.actions import dispatch_due
    from notify.models import SandboxDelivery

    while dispatch_due(at=clock.now()).claimed:
        pass
    sent = [(d.to_address, d.subject, d.body) for d in SandboxDelivery.objects.all()]
    assert sent
    private = {
        marker for marker, place in told["canaries"].items() if place not in ("User.full_name", "Sitter.name")
    }
    assert [
        message for message in sent for marker in private if any(marker in part for part in message)
    ] == []

    # Every text column of every table, as somebody with the disk in hand would read it: only the name of a person is in the clear.
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'public' "
            "AND data_type IN ('text', 'character varying', 'jsonb')"
        )
        readable = set()
        for table, column in cursor.fetchall():
            cursor.execute(f'SELECT count(*) FROM "{table}" WHERE "{column}"::text LIKE %s', ["%CANARY3X%"])
            if cursor.fetchone()[0]:
                readable.add(f"{table}.{column}")
    assert readable <= {"accounts_user.full_name", "accounts_userevent.full_name"}


def test_the_same_seed_makes_the_same_people() -> None:
    tellings = []
    for seed in (9, 9, 10):
        point = transaction.savepoint()
        told = seeded(random_seed=seed, patients=2)
        tellings.append([(row["id"], row["email"], row["totp_secret"]) for row in told["people"]])
        transaction.savepoint_rollback(point)
    assert tellings[0] == tellings[1]
    assert tellings[0] != tellings[2]


def test_no_throw_of_the_dice_makes_a_patient_their_own_sitter() -> None:
    """A sitter's link never goes to the patient's own phone, so a shared number ends the whole demo practice."""
    for phone in (SITTER_PHONE, CONTACT_PHONE):
        assert not phone.startswith(tuple(f"+1{code}" for code in AREA_CODES))
    cast = Cast(rng=Random(1), now=clock.now())
    numbers = {add_patient(cast, index, joined_at=cast.now).phone for index in range(60)}
    assert len(numbers) > 30
    assert numbers.isdisjoint({SITTER_PHONE, CONTACT_PHONE})


def test_a_practice_that_has_people_is_left_alone(alice: User) -> None:
    with pytest.raises(CommandError, match="already are people"):
        call_command("seed")
    call_command("seed", "--demo")
    assert User.objects.count() == 3


def test_production_stays_free_of_made_up_people(settings: Any) -> None:
    settings.PRODUCTION = True
    with pytest.raises(CommandError, match="production"):
        call_command("seed")
