"""The intake pages as a patient uses them: saved at each step, resumable, nothing overwritten, help at once."""

import re
import uuid

import pytest

from intake.models import Consent, Intake, Medicine
from intake.rules.documents import DOCUMENTS, document
from intake.rules.steps import intake_steps
from measures.models import InstrumentResponse
from safety.models import Alert, SafetyHold
from tests.intake.builders import GAD7, PHQ9, SAFE, a_draft, a_submitted_intake, plain_answers

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("protocol_version")]


def send(client, address, data=None, *, intent=None):
    return client.post(address, {"intent": intent or str(uuid.uuid4()), **(data or {})})


@pytest.fixture
def frozen(clock_at, at):
    with clock_at(at):
        yield at


@pytest.fixture
def browser(client_for, alice, frozen):
    client = client_for(alice)
    send(client, "/intake/begin/")
    return client


def intake_of(user) -> Intake:
    return Intake.objects.get(patient_id=user.pk)


def test_a_patient_walks_every_step_and_sends(browser, alice, clock_at, at):
    from datetime import timedelta

    for step in intake_steps():
        if step.is_form:
            page = browser.get(f"/intake/{step.id}/")
            assert page.status_code == 200, step.id
            version = re.search(r'name="version" value="(\d+)"', page.content.decode())
            answers = plain_answers(step.id)
            response = send(
                browser, f"/intake/{step.id}/", answers | {"version": version[1] if version else 0}
            )
            assert response.status_code == 302, (step.id, response.content.decode()[-3000:])
    send(browser, "/intake/medicines/", {"name": "Zoloft 50 mg", "dose_text": "one a day"})
    assert send(browser, "/intake/medicines/done/").status_code == 302
    assert send(browser, "/intake/identity/", {"how": "visit"}).status_code == 302
    send(browser, "/intake/blood-pressure/", {"systolic_mmhg": 118, "diastolic_mmhg": 76, "pulse_bpm": 70})
    with clock_at(at + timedelta(minutes=2)):
        send(
            browser, "/intake/blood-pressure/", {"systolic_mmhg": 120, "diastolic_mmhg": 78, "pulse_bpm": 71}
        )
        for name in DOCUMENTS:
            text = document(name, "CA")
            assert text.title.split()[0] in browser.get(f"/intake/consent/{name}/").content.decode()
            ticked = dict.fromkeys(text.acknowledge, "on")
            response = send(
                browser,
                f"/intake/consent/{name}/",
                {**ticked, "signed_name": "alice lindqvist", "sha256": text.sha256},
            )
            assert response.status_code == 302
        assert "Everything is answered" in browser.get("/intake/").content.decode()
        assert send(browser, "/intake/send/").status_code == 302
        assert "We have your intake" in browser.get("/intake/").content.decode()
        assert "one a day" in browser.get("/intake/answers/").content.decode()
    intake = intake_of(alice)
    assert (intake.state, intake.care_state, intake.reasons) == ("submitted", "CA", ["E66"])
    assert Consent.objects.count() == 2
    assert str(intake.patient.weight_kg) == "68.0" and str(intake.patient.height_cm) == "167.6"


def test_what_was_saved_on_one_device_is_there_on_another(browser, client_for, alice):
    send(browser, "/intake/home/", {"home_safe": "yes", "later": "yes", "version": 0})
    page = client_for(alice).get("/intake/home/").content.decode()
    assert 'value="yes" id="id_home_safe_0" checked' in page
    assert "Begun" in browser.get("/intake/").content.decode()


def test_a_stale_tab_gets_409_with_what_was_typed_and_nothing_is_lost(browser, alice):
    """HZ-20."""
    answers = plain_answers("home")
    send(browser, "/intake/home/", answers | {"version": 0})
    response = send(
        browser, "/intake/home/", answers | {"home_safe": "no", "home_notes": "typed here", "version": 0}
    )
    text = response.content.decode()
    assert response.status_code == 409
    # The note clashes with nothing and is saved: the page is made from the second version now.
    assert "typed here" in text and "saved somewhere else" in text and 'name="version" value="2"' in text
    assert intake_of(alice).answers["home"]["data"]["home_safe"] == "yes"


def test_a_replayed_form_has_one_effect(browser):
    """PR-09."""
    intent = str(uuid.uuid4())
    for _ in range(3):
        assert send(browser, "/intake/medicines/", {"name": "Prozac"}, intent=intent).status_code == 302
    assert Medicine.objects.count() == 1


@pytest.mark.parametrize(("item9", "help_now"), [(0, False), (1, True), (3, True)])
def test_item_nine_is_answered_with_help_an_alert_and_a_hold_in_one_transaction(
    browser, alice, item9, help_now
):
    """PR-06 and HZ-08: the same response shows 988, 911 and our number; somebody is paged; dosing is held."""
    response = send(browser, "/intake/phq9/", PHQ9 | {"phq9_9": item9})
    assert (response.status_code == 200) is help_now
    assert Alert.objects.filter(patient_id=alice.pk, trigger="X03").exists() is help_now
    assert SafetyHold.objects.filter(patient_id=alice.pk, reason_code="suicide_risk").exists() is help_now
    assert InstrumentResponse.objects.get().item9 == item9
    if help_now:
        body = response.content.decode().split("<main")[1]
        assert "tel:988" in body and "tel:911" in body and "(555) 010-0199" in body
        assert "What happens n" in body


@pytest.mark.parametrize(
    ("answers", "trigger"),
    [
        ({"cssrs_q2": "yes", "cssrs_q3": "no", "cssrs_q4": "yes", "cssrs_q5": "no"}, "X02"),
        ({"cssrs_q1": "yes"}, "X03"),
        ({"cssrs_q6_life": "yes", "cssrs_q6_3mo": "yes"}, "X02"),
        ({"cssrs_q1": "unsure"}, "X03"),
    ],
)
def test_a_suicide_risk_answer_alerts_by_its_level(browser, alice, answers, trigger):
    """HZ-08."""
    response = send(browser, "/intake/safety/", SAFE | answers)
    assert response.status_code == 200 and "tel:988" in response.content.decode().split("<main")[1]
    assert Alert.objects.get(patient_id=alice.pk).trigger == trigger


def test_a_positive_item_nine_in_a_half_filled_form_is_not_lost(browser, alice):
    """HZ-08: the other eight can wait, this one cannot."""
    response = send(browser, "/intake/phq9/", {"phq9_9": 2})
    text = response.content.decode()
    assert response.status_code == 422 and "tel:988" in text.split("<main")[1]
    assert Alert.objects.filter(patient_id=alice.pk).count() == 1
    kept = InstrumentResponse.objects.get()
    assert (kept.item9, kept.total) == (2, None)


def test_a_later_answer_adds_and_never_clears(browser, alice):
    """HZ-27."""
    send(browser, "/intake/phq9/", PHQ9 | {"phq9_9": 2})
    send(browser, "/intake/phq9/", PHQ9 | {"phq9_9": 0})
    assert (
        list(InstrumentResponse.objects.order_by("completed_at", "id").values_list("item9", flat=True)).count(
            2
        )
        == 1
    )
    assert SafetyHold.objects.filter(patient_id=alice.pk, cleared_at__isnull=True).count() == 1
    from common import protocol
    from intake.access import facts_of

    intake = intake_of(alice)
    when = intake.created_at
    assert facts_of(intake, at=when, version=protocol.current(at=when))["phq9_item9"] == "2"


def test_a_safety_answer_from_a_tab_left_open_counts_after_sending(client_for, alice, at, clock_at):
    """HZ-08."""
    from datetime import timedelta

    a_submitted_intake(alice, at)
    with clock_at(at + timedelta(hours=1)):
        response = send(client_for(alice), "/intake/safety/", SAFE | {"cssrs_q1": "yes"})
    assert response.status_code == 200
    assert Alert.objects.filter(patient_id=alice.pk).exists()
    assert "E22" in intake_of(alice).reasons


def test_whoever_says_they_think_of_death_is_asked_the_safety_questions_now(browser, alice):
    """HZ-08, X03: not after two more questionnaires, and on each way in which the answer can arrive."""
    asked = "/intake/safety/"
    sent = send(browser, "/intake/phq9/", PHQ9 | {"phq9_9": 1}).content.decode()
    assert f'href="{asked}"' in sent.split("What happens now")[1]
    half = {"phq9_9": 1, "phq9_1": 0}
    assert f'href="{asked}"' in send(browser, "/intake/phq9/", half).content.decode()
    later = send(browser, "/intake/phq9/", half | {"later": "yes"}).content.decode()
    assert f'href="{asked}"' in later
    assert f'href="{asked}"' in browser.get("/intake/support/").content.decode()
    # Once they are answered, nobody is sent there again; the page that asks them does not point at itself.
    crisis = send(browser, "/intake/safety/", SAFE | {"cssrs_q1": "yes"}).content.decode()
    assert f'href="{asked}"' not in crisis
    assert f'href="{asked}"' not in browser.get("/intake/support/").content.decode()


def test_a_replayed_crisis_answer_leads_back_to_help_and_counts_once(browser):
    intent = str(uuid.uuid4())
    send(browser, "/intake/phq9/", PHQ9 | {"phq9_9": 1}, intent=intent)
    again = send(browser, "/intake/phq9/", PHQ9 | {"phq9_9": 1}, intent=intent)
    assert again["Location"] == "/intake/support/"
    assert InstrumentResponse.objects.count() == 1


def test_a_crisis_reading_is_met_at_once(browser, alice):
    response = send(
        browser, "/intake/blood-pressure/", {"systolic_mmhg": 185, "diastolic_mmhg": 100, "pulse_bpm": 80}
    )
    assert response.status_code == 200 and "911" in response.content.decode().split("<main")[1]
    assert Alert.objects.get(patient_id=alice.pk).trigger == "X04"


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"date_of_birth": "2026-13-40"}, "date_of_birth"),
        ({"date_of_birth": "2090-01-01"}, "date_of_birth"),
        ({"date_of_birth": "1899-12-31"}, "date_of_birth"),
        ({"weight": "300", "weight_unit": "kg", "height_ft": "5", "height_in": "0"}, "weight"),
        ({"weight": "55", "weight_unit": "lb"}, "weight"),
        ({"phone": "12"}, "phone"),
        ({"full_name": "x" * 10_000}, "full_name"),
        ({"full_name": "a\x00b"}, "full_name"),
        ({"state": "ZZ"}, "state"),
        ({"height_ft": "", "height_in": ""}, "height_ft"),
    ],
)
def test_bad_input_names_the_field_and_keeps_the_rest(browser, alice, changes, field):
    typed = plain_answers("about") | changes
    response = send(browser, "/intake/about/", typed | {"version": 0})
    text = response.content.decode()
    assert response.status_code == 422
    assert (
        f'id="id_{field}_error"' in text
        or f'id="id_{field}_0_error"' in text
        or 'class="field__error"' in text
    )
    assert "12 Elm Street" in text and "<title>Error:" in text
    assert "about" not in intake_of(alice).answers


def test_emoji_and_ten_thousand_characters_are_kept_as_typed(browser, alice):
    words = ("🦊 “< 90 & > 3” " * 700)[:9_999].strip()
    response = send(
        browser, "/intake/mind/", plain_answers("mind") | {"past_treatments": words, "version": 0}
    )
    assert response.status_code == 302
    assert intake_of(alice).answers["mind"]["data"]["past_treatments"] == words
    assert "&lt; 90 &amp; &gt; 3" in browser.get("/intake/answers/").content.decode()


def test_somebody_born_less_than_eighteen_years_ago_is_excluded(browser, alice):
    """HZ-12 and HZ-26: the birth date decides, whatever the assessment said."""
    from common import protocol
    from intake.access import facts_of
    from intake.rules import evaluate

    send(browser, "/intake/about/", plain_answers("about") | {"date_of_birth": "2008-11-24", "version": 0})
    intake = intake_of(alice)
    facts = facts_of(intake, at=intake.created_at, version=protocol.current(at=intake.created_at))
    assert facts["age_years"] == "17"
    assert "E01" in evaluate(facts, stage="intake", states=None).reasons


@pytest.mark.parametrize(("born", "told"), [("2008-11-24", True), ("2008-11-23", False)])
def test_somebody_who_turns_out_to_be_under_eighteen_is_met_with_help_and_no_next_step(browser, born, told):
    """HZ-12: the birth date of the intake decides, on the very next page."""
    send(browser, "/intake/about/", plain_answers("about") | {"date_of_birth": born, "version": 0})
    text = browser.get("/intake/").content.decode().split("<main")[1]
    assert ("This care is for adults only" in text) is told
    assert ("steps left" in text) is not told and ("tel:988" in text.split("tasks")[0]) is told


def test_the_assessment_is_carried_into_the_intake_and_then_forgotten(client_for, stranger_patient, frozen):
    client = client_for(stranger_patient)
    client.post("/assessment/home/", {"home_safe": "yes"})
    client.post("/assessment/vessels/", {"aneurysm": "no", "avm": "unsure", "ich_history": "no"})
    assert "carried over" in client.get("/intake/").content.decode()
    send(client, "/intake/begin/")
    assert 'value="unsure" id="id_avm_2" checked' in client.get("/intake/heart/").content.decode()
    assert client.cookies["assessment"].value == ""


def test_signing_needs_every_point_the_own_name_and_the_text_that_was_shown(browser, alice):
    text = document("safety-agreement", "CA")
    ticked = dict.fromkeys(text.acknowledge, "on")
    address = "/intake/consent/safety-agreement/"
    good = {**ticked, "signed_name": "Alice Lindqvist", "sha256": text.sha256}
    assert send(browser, address, {**good, "no_water": ""}).status_code == 422
    assert send(browser, address, {**good, "signed_name": "Somebody Else"}).status_code == 422
    assert send(browser, address, {**good, "sha256": "0" * 64}).status_code == 409
    assert Consent.objects.count() == 0
    assert send(browser, address, good).status_code == 302
    signed = Consent.objects.select_related("text").get()
    assert signed.text.body.encode() == document("safety-agreement", "CA").body.encode()
    assert signed.signed_name == "Alice Lindqvist"


def test_a_signature_cannot_be_changed_even_in_the_database(browser, alice):
    from django.db import DatabaseError, transaction

    test_signing_needs_every_point_the_own_name_and_the_text_that_was_shown(browser, alice)
    with pytest.raises(DatabaseError), transaction.atomic():
        Consent.objects.update(version="other")


def test_a_strangers_medicine_does_not_exist(browser, client_for, stranger_patient):
    """PR-02."""
    send(browser, "/intake/medicines/", {"name": "Prozac"})
    medicine = Medicine.objects.get()
    other = client_for(stranger_patient)
    assert send(other, f"/intake/medicines/{medicine.pk}/remove/").status_code == 404
    medicine.refresh_from_db()
    assert medicine.ended_at is None


@pytest.mark.parametrize(
    "address", ["/intake/", "/intake/home/", "/intake/answers/", "/intake/consent/", "/intake/medicines/"]
)
def test_the_intake_is_for_patients_who_are_logged_in(client, client_for, dana, cole, address):
    assert client.get(address).status_code == 302
    assert client_for(dana).get(address).status_code == 404
    assert client_for(cole).get(address).status_code == 404


def test_a_form_without_its_number_is_refused(browser):
    assert browser.post("/intake/home/", plain_answers("home")).status_code == 422


def test_an_unknown_medicine_is_kept_for_a_clinician_to_read(browser, alice):
    send(browser, "/intake/medicines/", {"name": "Grandmother's tonic 🌿"})
    assert Medicine.objects.get().rx_classes == ["other"]


def test_an_intake_in_progress_is_started_once(alice, at):
    assert a_draft(alice, at).pk == a_draft(alice, at).pk
    assert GAD7
