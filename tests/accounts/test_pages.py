"""Pages about oneself: what is kept is what can be rung, reached and used."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from accounts.forms import STATE_NAMES, PhoneField, zone_choices
from accounts.models import STATES, Patient, User
from common import hooks

pytestmark = pytest.mark.django_db
Browser = Callable[..., Client]
GOOD = {
    "full_name": "Alice Lindqvist",
    "phone": "(415) 555-0111",
    "time_zone": "America/Los_Angeles",
    "state": "CA",
    "address": "12 Pine Street, Oakland, CA 94607",
    "emergency_contact_name": "Maja Lindqvist",
    "emergency_contact_phone": "+1 415 555 0119",
}


def send(browser: Client, changes: dict[str, str]) -> Any:
    intent = re.search(r'name="intent" value="([^"]+)"', browser.get("/profile/").content.decode())
    assert intent
    return browser.post("/profile/", GOOD | changes | {"intent": intent.group(1)})


def test_details_are_kept_with_numbers_in_e164(client_for: Browser, alice: User) -> None:
    assert send(client_for(alice), {}).status_code == 302
    patient = Patient.objects.select_related("user").get(pk=alice.pk)
    assert (patient.user.phone, patient.emergency_contact_phone) == ("+14155550111", "+14155550119")
    assert patient.address == GOOD["address"]


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("phone", "555-1234", "whole number"),
        ("phone", "+1 415 555 01", "whole number"),
        ("time_zone", "America/Atlantis", "valid choice"),
        ("time_zone", "US/Pacific; DROP", "valid choice"),
        ("state", "PR", "valid choice"),
        ("state", "", "required"),
        ("emergency_contact_phone", "(415) 555-0111", "your own number"),
    ],
)
def test_what_cannot_be_used_is_refused_beside_its_field(
    client_for: Browser, alice: User, field: str, value: str, words: str
) -> None:
    response = send(client_for(alice), {field: value})
    assert response.status_code == 422 and words in response.content.decode()
    assert Patient.objects.get(pk=alice.pk).emergency_contact_name == ""


def test_a_move_to_another_state_is_told_to_the_apps_that_must_look_again(
    client_for: Browser, alice: User, monkeypatch: Any
) -> None:
    """HZ-12: changed facts re-open the question."""
    told: list[str] = []
    monkeypatch.setitem(
        hooks._hooks, "patient.facts_changed", [lambda patient, by, at: told.append(patient.state)]
    )
    browser = client_for(alice)
    send(browser, {})
    assert told == []
    send(browser, {"state": "NY"})
    assert told == ["NY"]


def test_staff_have_a_profile_without_a_chart(client_for: Browser, dana: User) -> None:
    browser = client_for(dana)
    page = browser.get("/profile/").content.decode()
    assert "emergency" not in page.split("<main", 1)[1].split("</main>")[0].lower()
    assert browser.get("/profile/security/").status_code == 200


def test_every_state_has_a_name_and_every_zone_exists() -> None:
    assert list(STATE_NAMES) == STATES
    assert (STATE_NAMES["DC"], STATE_NAMES["WY"], STATE_NAMES["NM"]) == (
        "District of Columbia",
        "Wyoming",
        "New Mexico",
    )
    from zoneinfo import ZoneInfo

    for _, zones in zone_choices():
        for name, _label in zones:
            ZoneInfo(name)


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("4155550111", "+14155550111"),
        ("+44 20 7946 0018", "+442079460018"),
        ("1 (415) 555-0111", "+14155550111"),
    ],
)
def test_a_number_is_read_as_people_write_it(written: str, kept: str) -> None:
    assert PhoneField().clean(written) == kept


def test_somebody_with_a_second_step_is_not_asked_to_choose_one_again(client: Client, alice: User) -> None:
    from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret

    from tests.conftest import log_in

    browser = log_in(client, alice)
    assert browser.get("/accounts/second-step/").status_code == 200
    TOTP.activate(alice, generate_totp_secret())
    assert browser.get("/accounts/second-step/")["Location"] == "/profile/security/"
