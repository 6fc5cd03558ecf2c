"""The PCL-5: asked only where the pathway is on, whole or not at all, its groups and its numbers at their boundaries."""

import uuid
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.errors import Invalid
from intake.access import facts_of
from measures.actions import record_response
from measures.rules import (
    AnswersError,
    change,
    change_definitions,
    cluster_counts,
    definitions_from_data,
    instrument,
    load_data,
    score,
)
from safety.models import Alert
from tests.intake.builders import PCL5, a_claimed_intake, a_draft, a_submitted_intake

OF = instrument("pcl5")


@given(st.lists(st.integers(0, 4), min_size=20, max_size=20))
def test_the_total_and_the_groups_count_what_was_answered(values):
    answers = {f"pcl5_{number}": value for number, value in enumerate(values, start=1)}
    scored = score(OF, answers)
    assert scored.total == sum(values)
    assert scored.band == (
        "below_cut" if sum(values) < 31 else "near_cut" if sum(values) < 33 else "above_cut"
    )
    bounds = {"B": (0, 5, 1), "C": (5, 7, 1), "D": (7, 14, 2), "E": (14, 20, 2)}
    for one in cluster_counts(OF, answers):
        start, end, needed = bounds[one.cluster.code]
        assert one.endorsed == sum(value >= 2 for value in values[start:end])
        assert one.is_met is (one.endorsed >= needed)


@given(st.sets(st.sampled_from([item.code for item in OF.items]), min_size=1))
def test_every_item_that_is_left_out_is_named_and_nothing_is_scored(left_out):
    with pytest.raises(AnswersError) as refused:
        score(OF, {code: 1 for code in PCL5 if code not in left_out})
    assert set(refused.value.missing) == left_out


def test_no_code_is_sent_that_was_not_confirmed():
    """70221-7 is the civilian version for an older manual: a wrong code is worse than none."""
    assert (OF.loinc_panel, OF.loinc_total) == ("", "")
    assert not any(item.loinc for item in OF.items)


@pytest.mark.parametrize(
    ("code", "drop", "reliable"),
    [
        ("phq9", 4, False),
        ("phq9", 5, True),
        ("gad7", 3, False),
        ("gad7", 4, True),
        ("pcl5", 4, False),
        ("pcl5", 5, True),
    ],
)
def test_improvement_beyond_error_begins_at_the_points_of_each_instrument(code, drop, reliable):
    assert change(20, 20 - drop, change_definitions(code)).reliable is reliable
    assert not change(20, 20 + drop, change_definitions(code)).reliable


@pytest.mark.parametrize(
    ("code", "rise", "worse"),
    [
        ("phq9", 4, False),
        ("phq9", 5, True),
        ("gad7", 4, False),
        ("gad7", 5, True),
        ("pcl5", 9, False),
        ("pcl5", 10, True),
    ],
)
def test_worse_begins_at_the_points_of_each_instrument(code, rise, worse):
    assert change(10, 10 + rise, change_definitions(code)).deterioration is worse


@pytest.mark.parametrize(
    ("baseline", "now", "meant"), [(42, 33, False), (42, 32, True), (41, 32, False), (50, 40, False)]
)
def test_a_change_that_matters_on_the_pcl5_is_ten_points_to_below_33(baseline, now, meant):
    moved = change(baseline, now, change_definitions("pcl5"))
    assert moved.clinically_significant is meant and moved.remission is None


def test_a_protocol_from_before_the_pcl5_takes_the_numbers_that_ship():
    old = {name: value for name, value in load_data("outcomes").items() if name != "by_instrument"}
    assert definitions_from_data(old, "pcl5").deterioration_rise_from == 10
    assert definitions_from_data(old, "phq9") == change_definitions("phq9")


@pytest.fixture
def on(settings):
    settings.PTSD_PATHWAY = True


def post(browser, path, **fields):
    return browser.post(path, {"intent": str(uuid.uuid4()), **fields})


@pytest.mark.django_db
def test_while_the_pathway_is_off_nobody_is_asked_and_nothing_is_taken(
    client_for, alice, at, protocol_version
):
    a_draft(alice, at)
    browser = client_for(alice)
    assert "PCL-5" not in browser.get("/intake/").content.decode()
    assert browser.get("/intake/ptsd/").status_code == 404
    assert browser.get("/outcomes/questionnaire/pcl5/").status_code == 404
    with pytest.raises(Invalid):
        record_response(alice.patient, "pcl5", PCL5, "baseline", by=alice, at=at)


@pytest.mark.django_db
@pytest.mark.usefixtures("on")
def test_while_it_is_on_the_intake_asks_and_is_not_finished_without(
    client_for, alice, at, clock_at, protocol_version
):
    a_draft(alice, at)
    browser = client_for(alice)
    with clock_at(at):
        assert "PCL-5" in browser.get("/intake/").content.decode()
        half = {code: value for code, value in PCL5.items() if code != "pcl5_7"}
        refused = post(browser, "/intake/ptsd/", version="0", **half)
        assert refused.status_code == 422 and "Avoiding external reminders" in refused.content.decode()
        assert post(browser, "/intake/ptsd/", version="0", **PCL5).status_code == 302
    assert alice.patient.responses.get().total == 20


@pytest.mark.django_db
def test_its_page_can_be_asked_for_again_on_the_decide_page_while_it_is_on(
    client_for, alice, dana, at, clock_at, protocol_version, settings
):
    intake = a_claimed_intake(alice, dana, at)
    address = f"/chart/{intake.patient_id}/decide/ask_more/"
    with clock_at(at + timedelta(minutes=15)):
        browser = client_for(dana)
        assert 'value="ptsd"' not in browser.get(address).text
        settings.PTSD_PATHWAY = True
        assert 'value="ptsd"' in browser.get(address).text


@pytest.mark.django_db
@pytest.mark.usefixtures("on")
@pytest.mark.parametrize(("value", "excluded"), [(1, True), (2, False)])
def test_a_low_pcl5_counts_beside_low_mood_and_worry(alice, at, protocol_version, value, excluded):
    """E07: 20 is below 33, 40 is not."""
    low = {f"phq9_{n}": 0 for n in range(1, 9)} | {f"gad7_{n}": 0 for n in range(1, 8)}
    answers = dict.fromkeys(PCL5, value)
    intake = a_submitted_intake(alice, at, **low, **answers)
    assert facts_of(intake, at=at, version=protocol_version)["pcl5_total"] == str(value * 20)
    assert ("E07" in intake.evaluations.latest("at").reasons) is excluded


@pytest.mark.django_db
@pytest.mark.usefixtures("on")
@pytest.mark.parametrize(("rise", "alarm"), [(9, False), (10, True)])
def test_ten_points_worse_tells_the_psychiatrist(alice, dana, at, protocol_version, rise, alarm):
    first = dict.fromkeys(PCL5, 1)
    record_response(alice.patient, "pcl5", first, "baseline", by=alice, at=at)
    later = first | {f"pcl5_{n}": 2 for n in range(1, rise + 1)}
    record_response(alice.patient, "pcl5", later, "after_session_2", by=alice, at=at + timedelta(days=17))
    assert Alert.objects.filter(trigger="X18").exists() is alarm


@pytest.mark.django_db
@pytest.mark.usefixtures("on")
def test_it_stands_in_the_scores_of_the_chart_and_of_the_outcomes(
    client_for, alice, dana, at, clock_at, protocol_version
):
    from intake import actions

    intake = actions.claim(a_submitted_intake(alice, at).pk, by=dana, at=at + timedelta(minutes=10))
    with clock_at(at + timedelta(minutes=12)):
        text = client_for(dana).get(f"/chart/{intake.patient_id}/").content.decode()
    assert "PCL-5" in text and "B 0 of 5" in text
    with clock_at(at + timedelta(days=1)):
        assert "PCL-5" in client_for(dana).get(f"/outcomes/{intake.patient_id}/").content.decode()
        assert client_for(dana).get("/outcomes/practice/").status_code == 200
