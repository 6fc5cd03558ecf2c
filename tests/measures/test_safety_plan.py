"""The safety plan: hers alone to write, never lost, beside the help of every way in, and never in help's way."""

import uuid
from datetime import timedelta

import pytest
from django.db import DatabaseError, transaction
from hypothesis import given
from hypothesis import strategies as st

from common.errors import Invalid, NotPermitted
from common.models import AuditEntry
from intake.access import facts_of
from measures import access
from measures.actions import save_safety_plan
from measures.models import InstrumentResponse, SafetyPlan
from measures.rules import merged_parts, plan_parts
from safety.models import Alert, SafetyHold
from tests.coaching.builders import a_course
from tests.intake.builders import PHQ9, SAFE, a_draft

CODES = [part.code for part in plan_parts()]
LINES = st.lists(st.text("abc 4", min_size=1, max_size=6).map(str.strip).filter(bool), max_size=3).map(
    "\n".join
)
PLANS = st.dictionaries(st.sampled_from(CODES), LINES.filter(bool), max_size=6)


def save(user, at, base=0, **typed):
    return save_safety_plan(user.patient, typed, base=base, by=user, at=at)


# --- the rule -----------------------------------------------------------------------------------------


@given(base=PLANS, kept=PLANS, typed=PLANS)
def test_no_line_that_was_saved_elsewhere_or_typed_here_is_lost_when_both_changed_a_part(base, kept, typed):
    found = merged_parts(base=base, kept=kept, typed=typed)
    for code in CODES:
        before, saved, sent = base.get(code, ""), kept.get(code, ""), typed.get(code, base.get(code, ""))
        if sent == before:
            assert found.get(code, "") == saved
        elif saved == before:
            assert found.get(code, "") == sent
        else:
            assert {*saved.splitlines(), *sent.splitlines()} == set(found.get(code, "").splitlines())


def test_a_part_that_is_emptied_is_empty_and_the_others_stay():
    assert merged_parts(
        base={"signs": "no sleep", "alone": "walk"},
        kept={"signs": "no sleep", "alone": "walk"},
        typed={"signs": " \r\n"},
    ) == {"alone": "walk"}


# --- what is kept -------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_each_save_is_a_new_version_and_the_earlier_ones_stay(alice, at):
    save(alice, at, signs="no sleep")
    save(alice, at + timedelta(hours=1), base=1, alone="walk the dog")
    assert [(plan.number, plan.parts) for plan in access.safety_plans_of(alice.patient, 10)] == [
        (2, {"signs": "no sleep", "alone": "walk the dog"}),
        (1, {"signs": "no sleep"}),
    ]


@pytest.mark.django_db
def test_saving_what_stands_there_makes_no_version(alice, at):
    first = save(alice, at, signs="no sleep")
    assert save(alice, at, base=1, signs="no sleep ") == first and SafetyPlan.objects.count() == 1
    assert AuditEntry.objects.filter(action="safety_plan.saved").count() == 1


@pytest.mark.django_db
def test_two_tabs_lose_nothing(alice, at):
    save(alice, at, ask="Maja")
    save(alice, at, base=1, ask="Maja\nSam")
    assert save(alice, at, base=1, ask="Maja\nJo", signs="dread").parts == {
        "ask": "Maja\nSam\nJo",
        "signs": "dread",
    }


@pytest.mark.django_db
def test_nobody_but_the_person_writes_it(alice, dana, cole, at):
    for other in (dana, cole):
        with pytest.raises(NotPermitted):
            save_safety_plan(alice.patient, {"signs": "x"}, base=0, by=other, at=at)
    assert not SafetyPlan.objects.exists()


@pytest.mark.django_db
def test_a_version_is_never_changed_and_its_words_are_sealed(alice, at):
    """HZ-27."""
    plan = save(alice, at, signs="the smell of rain")
    for spoil in (lambda: SafetyPlan.objects.update(number=9), plan.delete):
        with pytest.raises(DatabaseError), transaction.atomic():
            spoil()
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT parts FROM measures_safetyplan")
        assert "rain" not in cursor.fetchone()[0]
    entry = AuditEntry.objects.get(action="safety_plan.saved")
    assert entry.detail == {"number": 1, "parts": ["signs"]}


@pytest.mark.django_db
def test_a_part_may_be_4000_characters_and_not_4001(alice, at):
    save(alice, at, signs="x" * 4000)
    with pytest.raises(Invalid):
        save(alice, at, base=1, signs="x" * 4001)


# --- the pages ----------------------------------------------------------------------------------------


def post(browser, path, **fields):
    return browser.post(path, {"intent": str(uuid.uuid4()), **fields})


@pytest.mark.django_db
def test_she_writes_it_in_parts_and_reads_it_again(client_for, alice):
    browser = client_for(alice)
    assert post(browser, "/safety-plan/", base="0", signs="no sleep 😶").status_code == 302
    assert (
        post(browser, "/safety-plan/", base="1", signs="no sleep 😶", ask="Maja 415 555 0112").status_code
        == 302
    )
    text = browser.get("/safety-plan/").content.decode()
    assert "no sleep 😶" in text and "Maja 415 555 0112" in text and "tel:988" in text
    assert 'name="base" value="2"' in text


@pytest.mark.django_db
def test_a_part_that_is_too_long_is_refused_with_everything_still_on_the_page(client_for, alice):
    answer = post(client_for(alice), "/safety-plan/", base="0", signs="s" * 4001, alone="walk the dog")
    assert answer.status_code == 422 and "walk the dog" in answer.content.decode()
    assert not SafetyPlan.objects.exists()


@pytest.mark.django_db
def test_her_psychiatrist_and_coach_read_it_and_nobody_else(
    client_for, alice, dana, cole, stranger_patient, other_psychiatrist, other_coach, admin_ann, at
):
    """PR-02."""
    save(alice, at, signs="the smell of rain")
    path = f"/safety-plan/{alice.pk}/"
    for person in (dana, cole):
        assert "the smell of rain" in client_for(person).get(path).content.decode()
    for person in (alice, stranger_patient, other_psychiatrist, other_coach, admin_ann):
        assert client_for(person).get(path).status_code == 404
    assert client_for(stranger_patient).get("/safety-plan/").content.decode().count("the smell of rain") == 0
    assert AuditEntry.objects.filter(action="chart.opened", patient_id=alice.pk).count() == 2


@pytest.mark.django_db
def test_home_and_every_page_of_hers_lead_to_it(client_for, alice):
    assert client_for(alice).get("/home/").content.decode().count('href="/safety-plan/"') >= 2
    assert 'href="/safety-plan/"' in client_for(alice).get("/outcomes/").content.decode()


def intake_answer(browser, alice, at):
    a_draft(alice, at)
    return post(browser, "/intake/safety/", version="0", **SAFE | {"cssrs_q1": "yes"})


def intake_item_nine(browser, alice, at):
    a_draft(alice, at)
    return post(browser, "/intake/phq9/", version="0", **PHQ9 | {"phq9_9": 1})


def half_an_intake_answer(browser, alice, at):
    a_draft(alice, at)
    return post(browser, "/intake/phq9/", version="0", phq9_9=1)


def item_nine_later(browser, alice, at):
    return post(browser, "/outcomes/questionnaire/phq9/", **PHQ9 | {"phq9_9": 1})


def daily_check_in(browser, alice, at):
    return post(browser, "/coaching/check-in/", mood="3", suicidal_thoughts="yes", side_effects="none")


WAYS_IN = [intake_answer, intake_item_nine, half_an_intake_answer, item_nine_later, daily_check_in]


@pytest.mark.django_db
@pytest.mark.parametrize("way_in", WAYS_IN)
def test_the_same_response_shows_988_911_our_number_and_the_form(
    client_for, alice, at, clock_at, protocol_version, settings, way_in
):
    """PR-06, HZ-08."""
    save(alice, at, ask="Maja 415 555 0112")
    with clock_at(at):
        text = way_in(client_for(alice), alice, at).content.decode()
    for sign in (
        "tel:988",
        "sms:988",
        "tel:911",
        settings.PRACTICE["phone"],
        'action="/safety-plan/"',
        "Maja 415",
    ):
        assert sign in text, sign
    main = text[text.index("<main") :]
    assert main.index("tel:988") < main.index("safety-plan-form")


@pytest.mark.django_db
@pytest.mark.parametrize("way_in", WAYS_IN)
def test_help_comes_even_when_the_plan_cannot_be_read(
    client_for, alice, at, clock_at, protocol_version, settings, way_in
):
    """PR-06: the page that brings help depends on nothing that can be spared."""
    from django.db import connection

    save(alice, at, ask="Maja")
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE measures_safetyplan RENAME COLUMN parts TO gone")
    with clock_at(at):
        answer = way_in(client_for(alice), alice, at)
    text = answer.content.decode()
    assert answer.status_code in (200, 422) and "tel:988" in text and settings.PRACTICE["phone"] in text
    assert "Maja" not in text and 'href="/safety-plan/"' in text


@pytest.mark.django_db
def test_the_plan_pages_stay_within_their_budget(client_for, alice, dana, at, query_budget, protocol_version):
    a_course(alice, dana, at)
    for number in range(30):
        save(alice, at, base=number, signs=f"sign {number}")
    hers, staff = client_for(alice), client_for(dana)
    hers.get("/safety-plan/"), staff.get(f"/safety-plan/{alice.pk}/")
    with query_budget(10):
        hers.get("/safety-plan/")
    with query_budget(14):
        staff.get(f"/safety-plan/{alice.pk}/")


@pytest.mark.django_db
def test_an_answer_that_is_taken_back_leaves_the_first_one_its_alert_and_its_hold(
    client_for, alice, at, clock_at, protocol_version
):
    """HZ-27: an edited answer adds, it never erases."""
    intake = a_draft(alice, at)
    browser = client_for(alice)
    with clock_at(at):
        post(
            browser, "/intake/safety/", version="0", **SAFE | {"cssrs_q6_life": "yes", "cssrs_q6_3mo": "yes"}
        )
    with clock_at(at + timedelta(minutes=2)):
        post(browser, "/intake/safety/", version="1", **SAFE)
    given = InstrumentResponse.objects.filter(instrument="suicide_risk").order_by("completed_at")
    assert [row.risk_level for row in given] == ["high", "none"]
    assert given[0].items["cssrs_q6_3mo"] == "yes"
    alert = Alert.objects.get()
    assert (alert.trigger, alert.state) == ("X02", "open")
    assert SafetyHold.objects.get().cleared_at is None
    intake.refresh_from_db()
    facts = facts_of(intake, at=at + timedelta(minutes=3), version=protocol_version)
    assert facts["cssrs_q6_3mo"] == "yes"


@pytest.mark.django_db
def test_a_program_is_told_where_the_plan_is(api_for, alice, at, clock_at, protocol_version):
    """PR-06."""
    with clock_at(at):
        answer = api_for(alice).post(
            "/api/v1/questionnaire-responses/",
            {"instrument": "phq9", "timepoint": "checkin", "answers": PHQ9 | {"phq9_9": 2}},
            format="json",
        )
    assert answer.json()["help"]["safety_plan"] == "/safety-plan/"


@pytest.mark.django_db
def test_the_session_room_shows_the_form_below_help(client_for, alice, dana, at, clock_at):
    """PR-06."""
    from tests.sessions.builders import an_opened_session

    session = an_opened_session(alice, dana, at)
    with clock_at(at + timedelta(minutes=1)):
        text = post(client_for(alice), f"/sessions/{session.pk}/check/", suicidal="yes").content.decode()
    main = text[text.index("<main") :]
    assert 0 < main.index("tel:988") < main.index("safety-plan-form")


@pytest.mark.django_db
def test_a_message_of_despair_shows_the_form_below_help(client_for, alice, at, clock_at, protocol_version):
    """PR-06."""
    with clock_at(at):
        text = post(
            client_for(alice), "/messages/new/", topic="session", body="I want to kill myself"
        ).content.decode()
    main = text[text.index("<main") :]
    assert 0 < main.index("tel:988") < main.index("safety-plan-form")
