"""People: closed by default, a second factor for staff, licences that must be in force, identity that stays."""

import datetime as dt
from typing import Any

import pytest
from django.db import connection
from django.db.utils import IntegrityError
from django.test import Client

from accounts import actions as people
from accounts.access import licensed_states, patients_visible_to, states_with_prescriber, visible_patient
from accounts.models import DeaRegistration, Licence, Patient, User
from common.errors import Conflict, Invalid, NotPermitted, NotVisible
from common.models import AuditEntry

DAY = dt.date(2026, 11, 23)


def test_a_patient_sees_only_herself(alice: User, stranger_patient: User) -> None:
    assert [p.pk for p in patients_visible_to(alice)] == [alice.pk]
    with pytest.raises(NotVisible):
        visible_patient(alice, stranger_patient.pk)


def test_clinicians_see_the_patients_assigned_to_them(
    alice: User,
    stranger_patient: User,
    dana: User,
    cole: User,
    other_psychiatrist: User,
    other_coach: User,
    admin_ann: User,
) -> None:
    """TM-16: an administrator has no chart by default."""
    for person, expected in (
        (dana, [alice.pk]),
        (cole, [alice.pk]),
        (other_psychiatrist, []),
        (other_coach, []),
        (admin_ann, []),
    ):
        assert [p.pk for p in patients_visible_to(person)] == expected


@pytest.mark.parametrize(("days", "licensed"), [(-1, False), (0, True), (1, True)])
def test_a_licence_counts_through_its_last_day(dana: User, days: int, licensed: bool) -> None:
    Licence.objects.filter(psychiatrist=dana, state="CA").update(expires_on=DAY + dt.timedelta(days=days))
    assert ("CA" in licensed_states(dana, DAY)) is licensed


@pytest.mark.parametrize(("days", "registered"), [(-1, False), (0, True)])
def test_a_licence_without_a_dea_registration_in_the_same_state_does_not_count(
    dana: User, days: int, registered: bool
) -> None:
    DeaRegistration.objects.filter(psychiatrist=dana, state="CA").update(
        expires_on=DAY + dt.timedelta(days=days)
    )
    assert ("CA" in licensed_states(dana, DAY)) is registered
    assert "NY" in licensed_states(dana, DAY)


def test_somebody_who_left_prescribes_nowhere(dana: User) -> None:
    assert states_with_prescriber(DAY) == {"CA", "NY"}
    User.objects.filter(pk=dana.pk).update(is_active=False)
    assert states_with_prescriber(DAY) == frozenset()


def test_a_verified_birth_date_stays(alice: User, dana: User, at: dt.datetime) -> None:
    """HZ-12."""
    patient = Patient.objects.get(pk=alice.pk)
    people.verify_identity(patient, date_of_birth=dt.date(1988, 4, 2), by=dana, at=at)
    with pytest.raises(Conflict):
        people.update_patient(patient, by=alice, at=at, date_of_birth=dt.date(1970, 1, 1))
    with pytest.raises(Conflict):
        people.verify_identity(patient, date_of_birth=dt.date(1988, 4, 3), by=dana, at=at)


@pytest.mark.parametrize(
    ("born_on", "adult"), [(dt.date(2008, 11, 24), False), (dt.date(2008, 11, 23), True)]
)
def test_nobody_under_eighteen_is_verified(
    alice: User, dana: User, at: dt.datetime, born_on: dt.date, adult: bool
) -> None:
    """HZ-12, HZ-26: eighteen on the day is old enough, a day short is not."""
    patient = Patient.objects.get(pk=alice.pk)
    if adult:
        assert (
            people.verify_identity(patient, date_of_birth=born_on, by=dana, at=at).identity_verified_by_id
            == dana.pk
        )
    else:
        with pytest.raises(Invalid):
            people.verify_identity(patient, date_of_birth=born_on, by=dana, at=at)


def test_a_coach_verifies_nobody(alice: User, cole: User, at: dt.datetime) -> None:
    with pytest.raises(NotPermitted):
        people.verify_identity(
            Patient.objects.get(pk=alice.pk), date_of_birth=dt.date(1988, 4, 2), by=cole, at=at
        )


def test_only_administrators_open_the_admin(dana: User) -> None:
    with pytest.raises(IntegrityError):
        User.objects.filter(pk=dana.pk).update(is_staff=True)


def test_reading_a_chart_leaves_a_trace(alice: User, dana: User, at: dt.datetime) -> None:
    """PR-12."""
    people.open_chart(Patient.objects.get(pk=alice.pk), by=dana, at=at)
    entry = AuditEntry.objects.get(action="chart.opened")
    assert (entry.actor, entry.patient_id) == (f"user:{dana.pk}", alice.pk)


@pytest.mark.parametrize("path", ["/home/", "/queue/", "/alerts/", "/admin/"])
def test_staff_without_a_second_factor_are_sent_to_set_one_up(client_for: Any, dana: User, path: str) -> None:
    """PR-11."""
    answer = client_for(dana, second_factor=False).get(path)
    assert answer.status_code == 302 and answer["Location"].startswith("/accounts/second-step/")


def test_the_api_refuses_staff_without_a_second_factor(client_for: Any, dana: User) -> None:
    """PR-11."""
    answer = client_for(dana, second_factor=False).get("/api/v1/alerts/")
    assert (answer.status_code, answer.json()["code"]) == (403, "second_factor_needed")


@pytest.mark.parametrize(
    ("minutes", "role", "stays"),
    [(14, "dana", True), (16, "dana", False), (29, "alice", True), (31, "alice", False)],
)
def test_an_idle_log_in_ends(
    client_for: Any, request: Any, alice: User, dana: User, minutes: int, role: str, stays: bool
) -> None:
    """PR-10."""
    client = client_for(request.getfixturevalue(role))
    client.get("/help/")
    session = client.session
    session["seen_at_s"] -= minutes * 60
    session.save()
    assert (client.get("/home/").status_code == 200) is stays


def test_a_log_in_ends_after_twelve_hours_however_busy(client_for: Any, alice: User) -> None:
    """PR-10."""
    client = client_for(alice)
    client.get("/help/")
    session = client.session
    session["started_at_s"] -= 12 * 3600 + 60
    session.save()
    assert client.get("/home/").status_code == 302


def test_a_device_token_opens_what_its_scopes_name_and_nothing_else(
    alice: User, at: dt.datetime, api_for: Any, clock_at: Any
) -> None:
    with clock_at(at):
        token, plain = people.issue_device_token(
            alice, label="cuff", scopes=["readings:read"], by=alice, at=at
        )
        client = api_for(None)
        header = {"HTTP_AUTHORIZATION": f"Token {plain}"}
        assert client.get("/api/v1/readings/", **header).status_code == 200
        assert client.get("/api/v1/check-ins/", **header).status_code == 403
        people.revoke_device_token(token, by=alice, at=at)
        assert client.get("/api/v1/readings/", **header).status_code == 401


def test_only_the_digest_of_a_token_is_kept(alice: User, at: dt.datetime) -> None:
    token, plain = people.issue_device_token(alice, label="cuff", scopes=[], by=alice, at=at)
    assert plain not in repr(token.__dict__)


@pytest.mark.django_db
def test_a_stranger_is_sent_to_the_log_in(client: Client) -> None:
    answer = client.get("/home/")
    assert answer.status_code == 302 and answer["Location"].startswith("/accounts/login/")


def test_tries_and_used_codes_are_counted_in_postgresql_and_forgotten_when_they_no_longer_count(
    alice: User, client: Client, settings: Any
) -> None:
    """PR-16, PR-18: for all hosts alike; a Redis that is flushed, full or down gives nobody ten more tries."""
    from common.tasks import sweep

    client.post("/accounts/login/", {"login": alice.email, "password": "wrong password here"})
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM common_cache WHERE cache_key LIKE '%%login_failed%%'")
        assert cursor.fetchone()[0] >= 1
        assert sweep()["cache"] == 0
        cursor.execute("UPDATE common_cache SET expires = now() - interval '1 second'")
        assert sweep()["cache"] >= 1


def test_the_eleventh_wrong_password_in_a_quarter_of_an_hour_is_not_even_tried(
    alice: User, client: Client, settings: Any
) -> None:
    """PR-16: per account; a stranger's tries cannot log out somebody who is in."""
    from django.core.cache import cache

    cache.clear()
    for _ in range(10):
        client.post("/accounts/login/", {"login": alice.email, "password": "wrong password here"})
    answer = client.post(
        "/accounts/login/", {"login": alice.email, "password": "correct horse battery staple"}
    )
    assert "_auth_user_id" not in client.session
    assert b"Too many" in answer.content or answer.status_code == 429
    cache.clear()
