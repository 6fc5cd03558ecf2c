"""Alerts as pages and over the API: who sees which, who takes one, how it ends."""

import re
import uuid
from datetime import datetime, timedelta
from typing import Any

import pytest
from twilio.request_validator import RequestValidator

from accounts.models import User
from common.encryption import lookup_digest
from common.models import AuditEntry
from notify.models import OptOut
from safety.actions import acknowledge, place_hold
from safety.models import Alert, OnCallShift, SafetyHold
from tests.safety.builders import a_shift, an_alert


@pytest.fixture(autouse=True)
def _then(clock_at: Any, at: datetime, db: None) -> Any:
    with clock_at(at):
        yield


def post(client: Any, path: str, **form: str) -> Any:
    return client.post(path, {"intent": str(uuid.uuid4()), **form})


def test_a_psychiatrist_takes_and_closes_an_alert(
    client_for: Any, alice: User, dana: User, at: datetime
) -> None:
    alert = an_alert(alice, at)
    client = client_for(dana)
    listed = client.get("/alerts/").content.decode()
    assert "Alice Lindqvist" in listed and "Nobody is first on call now" in listed
    page = client.get(f"/alerts/{alert.pk}/").content.decode()
    assert alice.phone in page and "I am taking this" in page
    assert post(client, f"/alerts/{alert.pk}/acknowledge/").status_code == 302
    alert.refresh_from_db()
    assert (alert.state, alert.acknowledged_by) == ("acknowledged", dana)
    refused = post(client, f"/alerts/{alert.pk}/close/", disposition="", note="")
    assert refused.status_code == 422
    assert "Choose what came of it." in refused.content.decode()
    assert (
        post(
            client, f"/alerts/{alert.pk}/close/", disposition="contacted_safe", note="Spoke with her."
        ).status_code
        == 302
    )
    alert.refresh_from_db()
    assert alert.state == "closed"
    assert "Spoke with her." in client.get(f"/alerts/{alert.pk}/").content.decode()
    assert "Alice Lindqvist" in client.get("/alerts/?show=closed").content.decode()


def test_opening_an_alert_leaves_a_trace(client_for: Any, alice: User, dana: User, at: datetime) -> None:
    """PR-12"""
    alert = an_alert(alice, at)
    client_for(dana).get(f"/alerts/{alert.pk}/")
    assert (
        AuditEntry.objects.filter(action="alert.opened", patient_id=alice.pk, actor=f"user:{dana.pk}").count()
        == 1
    )


def test_the_second_person_reads_who_was_faster(
    client_for: Any, alice: User, dana: User, cole: User, at: datetime
) -> None:
    alert = an_alert(alice, at)
    acknowledge(alert, by=cole, at=at)
    answer = post(client_for(dana), f"/alerts/{alert.pk}/acknowledge/")
    assert answer.status_code == 409
    assert "Cole Okafor has already taken this." in answer.content.decode()


@pytest.mark.parametrize("who", ["other_psychiatrist", "other_coach", "admin_ann"])
def test_an_alert_of_somebody_elses_patient_does_not_exist(
    who: str, request: Any, client_for: Any, alice: User, at: datetime
) -> None:
    """PR-02"""
    alert = an_alert(alice, at, trigger="X13")
    client = client_for(request.getfixturevalue(who))
    assert client.get(f"/alerts/{alert.pk}/").status_code == 404
    assert "Lindqvist" not in client.get("/alerts/").content.decode()
    answer = post(client, f"/alerts/{alert.pk}/acknowledge/")
    assert answer.status_code == 404 and "Lindqvist" not in answer.content.decode()
    alert.refresh_from_db()
    assert alert.state == "open"


def test_a_patient_has_no_alert_pages(client_for: Any, alice: User, at: datetime) -> None:
    alert = an_alert(alice, at)
    client = client_for(alice)
    assert client.get("/alerts/").status_code == 404
    assert client.get(f"/alerts/{alert.pk}/").status_code == 404


def test_whoever_was_paged_sees_that_alert_and_no_other(
    client_for: Any, alice: User, stranger_patient: User, other_psychiatrist: User, dana: User, at: datetime
) -> None:
    shift = a_shift(other_psychiatrist, at)
    paged = an_alert(alice, at)
    OnCallShift.objects.filter(pk=shift.pk).update(removed_at=at)
    a_shift(dana, at)
    other = an_alert(stranger_patient, at)
    client = client_for(other_psychiatrist)
    assert client.get(f"/alerts/{paged.pk}/").status_code == 200
    assert client.get(f"/alerts/{other.pk}/").status_code == 404


def test_a_psychiatrist_clears_a_hold_after_the_alert_behind_it(
    client_for: Any, alice: User, dana: User, at: datetime
) -> None:
    alert = an_alert(alice, at)
    hold = place_hold(alice.patient, reason_code="suicide_risk", at=at, by=alice, alert=alert)
    client = client_for(dana)
    post(client, f"/alerts/{alert.pk}/acknowledge/")
    assert post(client, f"/alerts/holds/{hold.pk}/clear/", note="Talked it through.").status_code == 409
    post(client, f"/alerts/{alert.pk}/close/", disposition="contacted_plan_made", note="Plan renewed.")
    assert "Clear the hold" in client.get(f"/alerts/{alert.pk}/").content.decode()
    assert post(client, f"/alerts/holds/{hold.pk}/clear/", note=" ").status_code == 422
    assert post(client, f"/alerts/holds/{hold.pk}/clear/", note="Talked it through.").status_code == 302
    assert SafetyHold.objects.get().cleared_by == dana


def test_an_administrator_fills_the_roster(
    client_for: Any, admin_ann: User, dana: User, at: datetime
) -> None:
    client = client_for(admin_ann)
    assert "Nobody is on call in parts" in client.get("/alerts/roster/").content.decode()
    form = {
        "person": str(dana.pk),
        "level": "1",
        "starts_at": "2026-11-23T08:00",
        "ends_at": "2026-11-27T08:00",
    }
    assert post(client, "/alerts/roster/", **form).status_code == 302
    shift = OnCallShift.objects.get()
    # Ann's clock is Pacific time.
    assert (shift.starts_at.hour, shift.level) == (16, 1)
    taken = post(client, "/alerts/roster/", **form)
    assert taken.status_code == 422 and "already holds this level" in taken.content.decode()
    assert post(client, f"/alerts/roster/{shift.pk}/remove/").status_code == 302
    assert post(client, f"/alerts/roster/{shift.pk}/remove/").status_code == 409


def test_a_wall_clock_time_that_the_clock_change_skips_is_refused(
    client_for: Any, admin_ann: User, dana: User
) -> None:
    """HZ-11"""
    form = {
        "person": str(dana.pk),
        "level": "1",
        "starts_at": "2027-03-14T02:30",
        "ends_at": "2027-03-14T08:00",
    }
    assert post(client_for(admin_ann), "/alerts/roster/", **form).status_code == 422


def test_clinicians_read_the_roster_and_cannot_change_it(client_for: Any, dana: User, cole: User) -> None:
    client = client_for(dana)
    page = client.get("/alerts/roster/").content.decode()
    assert "Add the shift" not in page
    form = {
        "person": str(dana.pk),
        "level": "1",
        "starts_at": "2026-11-23T08:00",
        "ends_at": "2026-11-27T08:00",
    }
    assert post(client, "/alerts/roster/", **form).status_code == 403
    assert not OnCallShift.objects.exists()


def test_the_banner_is_red_for_staff_when_no_pager_runs_and_never_for_patients(
    client_for: Any, dana: User, alice: User, at: datetime
) -> None:
    """HZ-09"""
    from notify.actions import beat

    client = client_for(dana)
    assert "no pager is running" in client.get("/alerts/").content.decode()
    beat("pager:test", lane="crisis", at=at - timedelta(seconds=30))
    assert "Act now: Pages" not in client.get("/alerts/").content.decode()
    beat("pager:test", lane="crisis", at=at - timedelta(seconds=31))
    assert "Pages have not been sent for 31 seconds" in client.get("/alerts/").content.decode()
    assert "Pages have" not in client_for(alice).get("/help/").content.decode()


def test_a_page_that_waits_too_long_is_a_red_banner_though_the_pager_lives(
    client_for: Any, alice: User, dana: User, at: datetime
) -> None:
    from notify.actions import beat

    an_alert(alice, at - timedelta(seconds=45))
    beat("pager:test", lane="crisis", at=at)
    assert "waiting to be sent" in client_for(dana).get("/alerts/").content.decode()


def test_the_list_costs_the_same_for_many_alerts_as_for_one(
    client_for: Any, alice: User, dana: User, at: datetime, query_budget: Any
) -> None:
    for n in range(20):
        an_alert(alice, at, trigger="X13", episode=f"e{n}")
    client = client_for(dana)
    client.get("/alerts/")
    with query_budget(14):
        client.get("/alerts/")


def test_whoever_takes_an_alert_reads_that_texts_do_not_reach_the_person(
    client_for: Any, alice: User, dana: User, at: datetime
) -> None:
    """HZ-23"""
    alert = an_alert(alice, at)
    client = client_for(dana)
    assert "answered STOP" not in client.get(f"/alerts/{alert.pk}/").content.decode()
    OptOut.objects.create(number_digest=lookup_digest(alice.phone), number=alice.phone, since_at=at)
    assert "answered STOP" in client.get(f"/alerts/{alert.pk}/").content.decode()


# --- API ---


def test_the_api_lists_takes_and_closes(api_for: Any, alice: User, dana: User, at: datetime) -> None:
    alert = an_alert(alice, at)
    api = api_for(dana)
    (row,) = api.get("/api/v1/alerts/").json()["results"]
    assert (row["id"], row["state"], row["severity"]) == (str(alert.pk), "open", 4)
    taken = api.post(f"/api/v1/alerts/{alert.pk}/acknowledge/", {})
    assert (taken.status_code, taken.json()["acknowledged_by"]) == (200, "Dana Reyes")
    bad = api.post(f"/api/v1/alerts/{alert.pk}/close/", {"disposition": "nonsense", "note": "x"})
    assert bad.status_code == 400 and set(bad.json()["fields"]) == {"disposition", "note"}
    done = api.post(
        f"/api/v1/alerts/{alert.pk}/close/", {"disposition": "contacted_safe", "note": "Spoke with her."}
    )
    assert done.json()["state"] == "closed"
    assert api.get("/api/v1/alerts/").json()["results"] == []
    assert len(api.get("/api/v1/alerts/?state=closed").json()["results"]) == 1


def test_a_replayed_acknowledgement_gets_the_first_answer(
    api_for: Any, alice: User, dana: User, at: datetime
) -> None:
    """PR-09"""
    alert = an_alert(alice, at)
    api = api_for(dana)
    key = {"HTTP_IDEMPOTENCY_KEY": "take-it-once"}
    first = api.post(f"/api/v1/alerts/{alert.pk}/acknowledge/", {}, **key)
    again = api.post(f"/api/v1/alerts/{alert.pk}/acknowledge/", {}, **key)
    assert first.json() == again.json() and again["Idempotent-Replay"] == "true"
    assert AuditEntry.objects.filter(action="alert.acknowledged").count() == 1


@pytest.mark.parametrize(
    ("who", "status"), [(None, 403), ("alice", 403), ("other_psychiatrist", 404), ("other_coach", 404)]
)
def test_the_api_is_closed_to_others(
    who: str | None, status: int, request: Any, api_for: Any, alice: User, at: datetime
) -> None:
    """PR-02"""
    alert = an_alert(alice, at, trigger="X13")
    api = api_for(request.getfixturevalue(who) if who else None)
    assert api.post(f"/api/v1/alerts/{alert.pk}/acknowledge/", {}).status_code in (status, 401)
    assert Alert.objects.get().state == "open"


# --- the key pressed on a call ---


def press(client: Any, settings: Any, alert: Alert, person: User, digit: str) -> Any:
    settings.TWILIO_AUTH_TOKEN = "token"
    path, form = (
        f"/webhooks/twilio/answer/{alert.pk}/{person.pk}/{alert.round_key}/",
        {"Digits": digit, "CallSid": "CA1"},
    )
    signature = RequestValidator("token").compute_signature(settings.SITE_URL + path, form)
    return client.post(path, form, headers={"X-Twilio-Signature": signature})


def test_pressing_1_takes_the_alert_in_the_name_of_whoever_was_called(
    client: Any, settings: Any, alice: User, dana: User, at: datetime
) -> None:
    a_shift(dana, at)
    alert = an_alert(alice, at)
    assert "Nothing was changed" in press(client, settings, alert, dana, "5").content.decode()
    assert "You have taken it" in press(client, settings, alert, dana, "1").content.decode()
    alert.refresh_from_db()
    assert alert.acknowledged_by == dana


def test_nobody_takes_an_alert_by_phone_who_was_not_called(
    client: Any, settings: Any, alice: User, dana: User, other_coach: User, at: datetime
) -> None:
    a_shift(dana, at)
    alert = an_alert(alice, at)
    assert "This is over" in press(client, settings, alert, other_coach, "1").content.decode()
    path = f"/webhooks/twilio/answer/{alert.pk}/{dana.pk}/{alert.round_key}/"
    assert client.post(path, {"Digits": "1"}).status_code == 403
    alert.refresh_from_db()
    assert alert.state == "open"


def test_every_alert_form_carries_its_number(client_for: Any, alice: User, dana: User, at: datetime) -> None:
    alert = an_alert(alice, at)
    page = client_for(dana).get(f"/alerts/{alert.pk}/").content.decode()
    forms = re.findall(r"<form.*?</form>", page, re.S)
    assert all(
        'name="intent"' in form and "csrfmiddlewaretoken" in form for form in forms if 'method="post"' in form
    )
    assert client_for(dana).post(f"/alerts/{alert.pk}/acknowledge/", {}).status_code == 422
