"""Narrowing the queue, taking the next in line, and the states that nobody serves."""

import re
import threading
import uuid
from datetime import timedelta

import pytest
from django.db import connections

from accounts.models import Licence
from intake import access, actions
from intake.models import Decision, EligibilityEvaluation, Intake
from intake.rules.review import reason_classes, targets
from intake.rules.thresholds import RULE_IDS
from safety.models import Task
from tests.conftest import a_patient, a_psychiatrist
from tests.intake.test_review_pages import names_on, post, waiting

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("protocol_version")]


@pytest.fixture
def now(clock_at, at):
    with clock_at(at + timedelta(minutes=15)):
        yield at + timedelta(minutes=15)


def of_reason(name: str, at, *reasons: str, **fields) -> Intake:
    intake = waiting(name, at, **fields)
    Intake.objects.filter(pk=intake.pk).update(reasons=list(reasons))
    return intake


def test_every_rule_stands_in_exactly_one_class_of_the_filter_and_every_urgency_has_a_clock():
    assert sorted(rule for one in reason_classes() for rule in one.rules) == sorted(RULE_IDS)
    assert sorted(targets()) == [0, 1, 2, 3]
    clocks = [targets()[urgency] for urgency in (3, 2, 1, 0)]
    assert clocks == sorted(clocks)


def test_the_queue_is_narrowed_by_state_urgency_and_reason(client_for, dana, at, now):
    of_reason("Ada Heart", at, "E29", "E02", urgency=1)
    of_reason("Zed Medicine", at, "E58", state="NY", urgency=2)
    of_reason("Cat Nothing", at)
    client = client_for(dana)
    seen = {
        query: names_on(client.get(f"/queue/?{query}"))
        for query in ("state=NY", "urgency=1", "reason=heart", "reason=medicines&state=CA", "state=TX", "state=x&urgency=9")
    }  # fmt: skip
    assert seen == {
        "state=NY": ["Zed Medicine"],
        "urgency=1": ["Ada Heart"],
        "reason=heart": ["Ada Heart"],
        "reason=medicines&state=CA": [],
        "state=TX": [],
        "state=x&urgency=9": ["Zed Medicine", "Ada Heart", "Cat Nothing"],
    }


def test_a_narrowed_queue_counts_and_pages_what_it_shows(client_for, dana, at, now):
    for number in range(30):
        of_reason(f"P{number:02d} Person", at, "E58" if number % 2 else "E02", urgency=number % 3)
    client, seen, address = client_for(dana), [], "/queue/?reason=medicines"
    first = client.get(address).content.decode()
    assert "15 waiting" in first
    view = access.queue_view(dana, at=now, wanted=access.QueueFilter(reason="medicines"), size=4)
    while True:
        seen += [row["id"] for row in view.rows]
        if view.after is None:
            break
        view = access.queue_view(
            dana, at=now, wanted=access.QueueFilter(reason="medicines"), size=4, after=view.after
        )
    assert len(seen) == len(set(seen)) == 15


def test_whoever_answered_a_question_is_marked_and_found_by_the_one_who_asked(
    client_for, dana, alice, at, now
):
    other = a_psychiatrist("Nora Fields", "CA")
    waiting("Never Asked", at)
    intake = waiting("Asked Once", at)
    Intake.objects.filter(pk=intake.pk).update(decided_at=at)
    found = EligibilityEvaluation.objects.create(
        intake=intake, patient=intake.patient, at=at, stage="decision", cause="decide", outcome="ok", rule_version="x",
        protocol_id=access.latest_evaluation(intake.patient).protocol_id if access.latest_evaluation(intake.patient) else _version(), facts={},
    )  # fmt: skip
    Decision.objects.create(
        intake=intake, kind="ask_more", items=["heart"], letter="When?", evaluation=found, by=dana, at=at, signed_at=at,
    )  # fmt: skip
    page = client_for(dana).get("/queue/").content.decode()
    assert page.count("answered again") == 1
    assert names_on(client_for(dana).get("/queue/?show=again")) == ["Asked Once"]
    assert names_on(client_for(dana).get("/queue/?show=mine")) == ["Asked Once"]
    assert names_on(client_for(other).get("/queue/?show=again")) == ["Asked Once"]
    assert names_on(client_for(other).get("/queue/?show=mine")) == []


def _version():
    from common.models import ProtocolVersion

    return ProtocolVersion.objects.get().pk


@pytest.mark.parametrize(
    ("urgency", "age", "words"),
    [
        (3, timedelta(minutes=59), "1 min left"),
        (3, timedelta(minutes=75), "15 min late"),
        (0, timedelta(hours=47), "60 min left|1 h left"),
        (0, timedelta(hours=49), "1 h late"),
    ],
)
def test_the_clock_of_the_service_level_is_on_each_row(client_for, dana, at, now, urgency, age, words):
    waiting("Ada Clock", now - age, urgency=urgency)
    assert re.search(words, client_for(dana).get("/queue/").content.decode())


def test_next_in_line_takes_the_first_that_nobody_holds(client_for, dana, at, now):
    other = a_psychiatrist("Nora Fields", "CA")
    first = waiting("First Urgent", at, urgency=3)
    second = waiting("Second Today", at, urgency=2)
    actions.claim(first.pk, by=other, at=now)
    response = post(client_for(dana), "/queue/next/")
    assert response["Location"] == f"/chart/{second.patient_id}/"
    assert Intake.objects.get(pk=second.pk).claimed_by == dana
    assert post(client_for(dana), "/queue/next/")["Location"] == "/queue/"


def test_next_in_line_leads_nobody_into_a_state_they_may_not_prescribe_in(
    client_for, other_psychiatrist, at, now
):
    waiting("Ada California", at, urgency=3)
    assert post(client_for(other_psychiatrist), "/queue/next/")["Location"] == "/queue/"
    assert Intake.objects.get().state == "submitted"


@pytest.mark.django_db(transaction=True)
def test_eight_who_press_next_at_once_get_eight_people(at):
    """PR-09."""
    everyone = [a_psychiatrist(f"Doc{n:02d} Tor", "CA") for n in range(8)]
    for number in range(8):
        waiting(f"P{number:02d} Person", at - timedelta(minutes=number))
    gate, taken = threading.Barrier(8), []

    def press(user) -> None:
        try:
            gate.wait(timeout=20)
            taken.append(actions.claim_next(by=user, at=at).pk)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=press, args=[user]) for user in everyone]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(taken)) == 8
    assert Intake.objects.filter(state="claimed").count() == 8


def test_a_state_nobody_serves_is_a_list_of_its_own_with_an_owner(
    client_for, dana, admin_ann, admin_ben, cole, at, now
):
    waiting("Tex Person", at - timedelta(days=3), state="TX")
    waiting("Ada Person", at)
    assert [(one.code, one.waiting) for one in access.unserved_states(now)] == [("TX", "1")]
    assert actions.check_unserved_states(at=now) == 1
    assert actions.check_unserved_states(at=now) == 1
    task = Task.objects.get(kind="state.unserved")
    assert task.owner in (admin_ann, admin_ben) and task.done_at is None
    for user in (dana, admin_ann):
        page = client_for(user).get("/queue/states/").content.decode()
        assert "TX" in page and str(task.owner) in page and "Tex Person" not in page
    assert client_for(cole).get("/queue/states/").status_code == 404
    assert "Nobody may prescribe in TX" in client_for(dana).get("/queue/").content.decode()

    a_psychiatrist("Priya Raman", "TX")
    assert actions.check_unserved_states(at=now) == 0
    task.refresh_from_db()
    assert task.done_at is not None and access.unserved_states(now) == []


def test_a_licence_that_ends_today_leaves_its_state_unserved_tomorrow(dana, at, now):
    waiting("Ada Person", at)
    Licence.objects.filter(psychiatrist=dana, state="CA").update(expires_on=at.date())
    assert access.unserved_states(now) == []
    assert [one.code for one in access.unserved_states(now + timedelta(days=1))] == ["CA"]


def test_a_place_of_another_filter_still_pages(client_for, dana, at, now):
    for number in range(28):
        waiting(f"P{number:02d} Person", at)
    page = client_for(dana).get("/queue/?urgency=0").content.decode()
    address = re.search(r'rel="next" href="([^"]+)"', page)[1].replace("&amp;", "&")
    assert "urgency=0" in address and len(names_on(client_for(dana).get(address))) == 3


def test_nobody_is_made_up_by_a_filter(client_for, dana, at, now):
    a_patient("Nobody Yet")
    assert names_on(client_for(dana).get(f"/queue/?state={uuid.uuid4()}&show=zzz&reason=%00")) == []


def test_somebody_whose_state_nobody_serves_is_told_so(client_for, dana, alice, at, now):
    from tests.intake.builders import a_submitted_intake

    a_submitted_intake(alice, at)
    assert "We have your intake" in client_for(alice).get("/intake/").content.decode()
    Licence.objects.filter(psychiatrist=dana).delete()
    page = client_for(alice).get("/intake/").content.decode()
    assert (
        "nobody to read it yet" in page and "most often within two working days" not in page.split("Next")[0]
    )
