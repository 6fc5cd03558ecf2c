"""What a person tells us after acceptance asks the rules again, and can hold every dose (HZ-12)."""

import uuid
from datetime import timedelta

import pytest

from accounts.actions import update_patient
from accounts.models import Patient
from common.errors import StaleVersion
from intake import access, actions
from intake.models import EligibilityEvaluation, Intake
from measures.models import InstrumentResponse
from measures.rules import instrument
from safety.models import Alert, SafetyHold
from tests.intake.builders import a_claimed_intake, a_submitted_intake, an_accepted_intake, plain_answers

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("protocol_version")]


@pytest.fixture
def accepted(alice, dana, at, clock_at):
    intake = an_accepted_intake(alice, dana, at)
    with clock_at(at + timedelta(days=2)):
        yield intake


def send(client, step, **changes):
    version = Intake.objects.get().answers[step]["version"]
    return client.post(
        f"/intake/{step}/",
        {"intent": str(uuid.uuid4()), "version": version, **plain_answers(step, **changes)},
    )


@pytest.mark.parametrize(
    ("step", "changes", "rule"),
    [
        ("body", {"pregnant": "yes"}, "E10"),
        ("heart", {"aneurysm": "yes"}, "E23"),
        ("mind", {"psychosis_history": "yes"}, "E13"),
        ("home", {"monitor_available": "no"}, "E05"),
        ("substances", {"sud_current": "yes"}, "E47"),
        ("substances", {"oud_history": "yes"}, "E48"),
        ("substances", {"audit_c_1": 4, "audit_c_2": 3, "audit_c_3": 1}, "E50"),
        ("heart", {"htn": "unsure"}, "E71"),
    ],
)
def test_a_change_that_speaks_against_reopens_holds_and_alerts(
    client_for, alice, accepted, step, changes, rule
):
    """HZ-12: pregnancy, a diagnosis, a lost sitter reported later are never just filed."""
    client = client_for(alice)
    assert client.get(f"/intake/{step}/").status_code == 200
    assert send(client, step, **changes)["Location"] == "/intake/"
    found = EligibilityEvaluation.objects.latest("at")
    assert (found.cause, rule in found.reasons) == ("reopened", True)
    assert not access.eligibility_stands(accepted.patient)
    assert SafetyHold.objects.filter(
        patient=accepted.patient, reason_code="eligibility_reopened", cleared_at=None
    ).exists()
    assert Alert.objects.filter(patient=accepted.patient, trigger="X21").exists()


def test_taking_the_change_back_does_not_lift_what_it_set_in_motion(client_for, alice, dana, accepted, at):
    """HZ-27 in spirit: only a psychiatrist settles it."""
    client = client_for(alice)
    send(client, "body", pregnant="yes")
    send(client, "body")
    assert not access.eligibility_stands(accepted.patient)
    actions.settle(accepted.patient, note="Test negative, seen on video.", by=dana, at=at + timedelta(days=3))
    assert access.eligibility_stands(accepted.patient)


def test_the_later_of_two_changes_within_one_instant_is_the_newest(client_for, alice, accepted):
    """The gate reads the newest evaluation; chance must not choose it."""
    client = client_for(alice)
    for answer in ("yes", "no", "yes", "no", "yes"):
        send(client, "body", pregnant=answer)
        assert ("E10" in access.latest_evaluation(accepted.patient).reasons) == (answer == "yes")
    instants = EligibilityEvaluation.objects.order_by("at").values_list("at", flat=True)
    assert len(set(instants)) == len(instants)


def test_the_same_answers_again_change_nothing(client_for, alice, accepted):
    before = EligibilityEvaluation.objects.count()
    assert send(client_for(alice), "body").status_code == 302
    assert EligibilityEvaluation.objects.count() == before
    assert access.eligibility_stands(accepted.patient)


def test_moving_to_a_state_without_a_prescriber_reopens(alice, accepted, at):
    update_patient(Patient.objects.get(pk=alice.pk), by=alice, at=at + timedelta(days=2), state="FL")
    found = EligibilityEvaluation.objects.latest("at")
    assert found.cause == "reopened" and "E03" in found.reasons
    accepted.refresh_from_db()
    assert accepted.care_state == "FL"


def test_the_page_about_the_person_stays_closed_after_acceptance(client_for, alice, accepted):
    """Where care happens has a path of its own: the profile."""
    client = client_for(alice)
    assert client.get("/intake/about/")["Location"] == "/intake/"
    before = Intake.objects.get().answers
    send(client, "about")
    assert Intake.objects.get().answers == before


def test_alcohol_and_drugs_are_judged_once_with_their_score_and_what_they_were_before(
    client_for, alice, accepted
):
    """HZ-12: the page's questions and its AUDIT-C are one change: one evaluation, one alert, old and new answers kept."""
    client = client_for(alice)
    evaluations = EligibilityEvaluation.objects.count()
    send(client, "substances", cannabis_daily="yes", audit_c_1=4, audit_c_2=3, audit_c_3=1)
    assert EligibilityEvaluation.objects.count() == evaluations + 1
    found = EligibilityEvaluation.objects.latest("at")
    assert found.changes == [["audit_c", "1", "8"], ["cannabis_daily", "no", "yes"]]
    assert {"E50", "E54"} <= set(found.reasons) and found.changed_by == alice
    assert Alert.objects.filter(patient=accepted.patient, trigger="X21").count() == 1
    scores = InstrumentResponse.objects.filter(instrument="audit_c").order_by("completed_at")
    assert [(row.timepoint, row.total) for row in scores] == [("baseline", 1), ("checkin", 8)]


def test_a_mood_questionnaire_of_the_intake_sent_in_care_never_takes_the_place_of_the_baseline(
    alice, accepted, at
):
    """A page that stood open since before the decision: its ninth item is heard, the scores compare with the first ones."""
    items = {item.code: 0 for item in instrument("phq9").items}
    before = access.facts_of(accepted, at=at, version=access.latest_evaluation(accepted.patient).protocol)
    actions.record_instrument(accepted, "phq9", items | {"phq9_9": 1}, by=alice, at=at + timedelta(days=9))
    rows = InstrumentResponse.objects.filter(instrument="phq9").order_by("completed_at")
    assert [row.timepoint for row in rows] == ["baseline", "checkin"]
    found = EligibilityEvaluation.objects.latest("at").facts
    assert found["phq9_total"] == before["phq9_total"] and found["phq9_item9"] == "1"


def test_alcohol_and_drugs_sent_again_unchanged_add_no_score_and_no_evaluation(client_for, alice, accepted):
    client = client_for(alice)
    send(client, "substances")
    before = EligibilityEvaluation.objects.count()
    send(client, "substances")
    assert EligibilityEvaluation.objects.count() == before
    assert InstrumentResponse.objects.filter(instrument="audit_c").count() == 1
    assert access.eligibility_stands(accepted.patient)


def test_a_score_that_fell_again_does_not_lift_what_it_set_in_motion(client_for, alice, accepted):
    """HZ-27 in spirit."""
    client = client_for(alice)
    send(client, "substances", audit_c_1=4, audit_c_2=3, audit_c_3=1)
    send(client, "substances")
    assert not access.eligibility_stands(accepted.patient)
    assert SafetyHold.objects.filter(
        patient=accepted.patient, reason_code="eligibility_reopened", cleared_at=None
    ).exists()


def test_while_a_psychiatrist_reads_nothing_is_changed_under_their_eyes(client_for, alice, at, clock_at):
    a_submitted_intake(alice, at)
    with clock_at(at + timedelta(hours=1)):
        send(client_for(alice), "body", pregnant="yes")
    assert Intake.objects.get().answers["body"]["data"]["pregnant"] == "no"


def test_a_strangers_psychiatrist_cannot_settle(other_psychiatrist, client_for, alice, accepted):
    from common.errors import NotPermitted

    send(client_for(alice), "body", pregnant="yes")
    with pytest.raises(NotPermitted):
        actions.settle(
            accepted.patient, note="fine", by=other_psychiatrist, at=accepted.created_at + timedelta(days=3)
        )


def test_the_record_shows_rule_old_and_new_answer_who_and_when(client_for, alice, dana, accepted, at):
    """HZ-12: five things on the chart, whoever looks later."""
    send(client_for(alice), "body", pregnant="yes")
    found = EligibilityEvaluation.objects.latest("at")
    assert found.changes == [["pregnant", "no", "yes"]]
    when = at + timedelta(days=2)
    assert (found.changed_by, found.changed_at, found.at) == (alice, when, when)
    text = " ".join(client_for(dana).get(f"/chart/{alice.pk}/").content.decode().split())
    assert "Alice Lindqvist</strong> changed this on" in text
    assert "E10" in text and "Are you pregnant?" in text
    assert '<span class="soft">no</span> before, <strong>yes</strong> now' in text


@pytest.mark.parametrize(("name", "classes"), [("Nardil", "antidepressant maoi"), ("Vicodin", "opioid")])
def test_a_new_medicine_is_on_the_record_with_what_it_changed(client_for, alice, accepted, name, classes):
    """HZ-12."""
    client_for(alice).post("/intake/medicines/", {"intent": str(uuid.uuid4()), "name": name})
    found = EligibilityEvaluation.objects.latest("at")
    assert (found.cause, found.changed_by) == ("reopened", alice)
    assert found.changes == [["rx_classes", "none", classes]]


def test_days_that_only_passed_are_no_change_of_an_answer(client_for, alice, dana, at, clock_at):
    an_accepted_intake(alice, dana, at, cardiac_event="yes", cardiac_event_on="2020-01-01")
    with clock_at(at + timedelta(days=9)):
        send(client_for(alice), "body", pregnant="yes")
    assert EligibilityEvaluation.objects.latest("at").changes == [["pregnant", "no", "yes"]]


def test_another_state_is_on_the_record_too(client_for, alice, accepted):
    """The place of care changes on the person's own page, and the rules are asked in the same transaction."""
    client_for(alice).post(
        "/profile/",
        {
            "intent": str(uuid.uuid4()), "full_name": "Alice Lindqvist", "phone": "+14155550111", "time_zone": "America/New_York",
            "language": "en", "state": "FL", "address": "1 Ocean Drive, Miami", "emergency_contact_name": "Maja",
            "emergency_contact_phone": "+14155550112",
        },
    )  # fmt: skip
    found = EligibilityEvaluation.objects.latest("at")
    assert ["state", "CA", "FL"] in found.changes and found.changed_by == alice and "E03" in found.reasons


def test_everything_that_can_change_is_one_press_from_the_patients_own_page(client_for, alice, accepted):
    client = client_for(alice)
    text = client.get("/intake/").content.decode()
    assert "Update my details" in text
    for address in (
        "/intake/medicines/",
        "/intake/body/",
        "/intake/heart/",
        "/intake/mind/",
        "/intake/substances/",
        "/intake/home/",
        "/profile/",
    ):
        assert f'href="{address}"' in text.split("Update my details")[1], address
        assert client.get(address).status_code == 200


@pytest.mark.parametrize(
    ("first", "second", "rule"), [("tramadol", "methadone", "E59"), ("alprazolam", "clonazepam", "E58")]
)
def test_a_second_medicine_of_a_class_is_as_much_news_as_the_first(
    client_for, alice, dana, at, first, second, rule
):
    intake = an_accepted_intake(alice, dana, at, medicines=(first,))
    assert rule in access.latest_evaluation(intake.patient).reasons
    actions.add_medicine(intake.patient, name=second, dose_text="80 mg", by=alice, at=at + timedelta(days=1))
    found = access.latest_evaluation(intake.patient)
    assert (found.cause, found.changed_by) == ("reopened", alice)
    assert found.changes == [["medicines", first, f"{first}, {second}"]]
    assert Alert.objects.get(patient=intake.patient, trigger="X21").detail_codes == [rule]
    assert SafetyHold.objects.filter(
        patient=intake.patient, reason_code="eligibility_reopened", cleared_at=None
    ).exists()
    text = " ".join(client_for(dana).get(f"/chart/{alice.pk}/").content.decode().split())
    assert f"{first}, {second}</strong> now" in text


def test_a_medicine_of_another_class_or_one_that_was_taken_off_wakes_no_rule_of_the_first(alice, dana, at):
    intake = an_accepted_intake(alice, dana, at, medicines=("tramadol", "alprazolam"))
    listed = {one.name: one for one in access.active_medicines(intake.patient)}
    before = access.latest_evaluation(intake.patient)
    actions.end_medicine(listed["tramadol"], by=alice, at=at + timedelta(days=1))
    assert access.eligibility_stands(intake.patient)
    found = actions.add_medicine(
        intake.patient, name="theophylline", dose_text="", by=alice, at=at + timedelta(days=2)
    )
    assert found.rx_classes == ["theophylline"] and "E58" in before.reasons
    assert Alert.objects.get(trigger="X21").detail_codes == ["E65"]


def test_a_second_heart_attack_and_more_signs_of_the_bladder_reopen_too(alice, dana, at):
    intake = an_accepted_intake(
        alice, dana, at, cardiac_event="yes", cardiac_event_on=(at - timedelta(days=100)).date().isoformat(),
        cardiac_history="yes", luts=["frequency"],
    )  # fmt: skip
    assert {"E26", "E43"} <= set(access.latest_evaluation(intake.patient).reasons)
    heart, body = (intake.answers[step] for step in ("heart", "body"))
    signs = {**body["data"], "luts": ["frequency", "pain", "urgency"]}
    actions.save_step(intake, "body", signs, version=body["version"], by=alice, at=at + timedelta(days=1))
    assert Alert.objects.get(trigger="X21").detail_codes == ["E43"]
    actions.settle(intake.patient, note="Spoke with her, goes on.", by=dana, at=at + timedelta(days=2))
    again = {**heart["data"], "cardiac_event_on": (at + timedelta(days=2)).date().isoformat()}
    actions.save_step(intake, "heart", again, version=heart["version"], by=alice, at=at + timedelta(days=3))
    found = access.latest_evaluation(intake.patient)
    assert found.cause == "reopened" and found.changes == [["cardiac_event_days", "101", "1"]]


def test_days_that_passed_before_and_after_it_was_settled_are_no_second_heart_attack(alice, dana, at):
    intake = an_accepted_intake(
        alice, dana, at, cardiac_event="yes", cardiac_event_on=(at - timedelta(days=100)).date().isoformat()
    )
    actions.add_medicine(intake.patient, name="tramadol", dose_text="", by=alice, at=at + timedelta(days=1))
    actions.settle(intake.patient, note="Spoke with her, goes on.", by=dana, at=at + timedelta(days=9))
    assert (
        actions.reevaluate(intake.patient, by="system:rules", at=at + timedelta(days=20)).cause == "settled"
    )


def test_what_is_changed_today_is_not_told_of_whoever_changes_something_tomorrow(alice, dana, admin_ann, at):
    intake = an_accepted_intake(alice, dana, at, luts=["frequency"])
    body = intake.answers["body"]
    signs = {**body["data"], "luts": ["frequency", "pain"]}
    actions.save_step(intake, "body", signs, version=body["version"], by=alice, at=at + timedelta(days=1))
    update_patient(intake.patient, by=admin_ann, at=at + timedelta(days=2), state="NY")
    found = access.latest_evaluation(intake.patient)
    assert ["state", "CA", "NY"] in found.changes and found.changed_by == admin_ann
    assert "luts_score" not in {name for name, _, _ in found.changes}


def test_a_birthday_wakes_nobody(alice, dana, at):
    born = at.date().replace(year=at.year - 70) + timedelta(days=1)
    intake = an_accepted_intake(alice, dana, at, date_of_birth=born.isoformat())
    assert "E02" in access.latest_evaluation(intake.patient).reasons
    assert actions.reevaluate(intake.patient, by="system:rules", at=at + timedelta(days=3)).cause == "decide"


def test_nobody_signs_a_list_that_grew_after_it_was_read(alice, dana, at):
    """HZ-20."""
    intake = a_claimed_intake(alice, dana, at, medicines=("tramadol",))
    seen = access.latest_evaluation(intake.patient).pk
    actions.add_medicine(
        intake.patient, name="methadone", dose_text="80 mg", by=alice, at=at + timedelta(minutes=12)
    )
    with pytest.raises(StaleVersion):
        actions.decide(
            intake, "accept", by=dana, at=at + timedelta(minutes=15), note="Both known to me.", seen=seen
        )
