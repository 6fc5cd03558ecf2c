"""What fails for good, and what fails each time, ends before a person who owns it."""

import contextlib
import uuid
from datetime import datetime, timedelta
from typing import Any

import pytest
from celery.exceptions import Ignore

from accounts.models import CareTeam, User
from common import clock
from common.errors import Conflict, Invalid
from config.celery import app
from notify import poison
from notify.access import worker_silent_s
from notify.actions import dispatch_crisis, dispatch_due, promise, try_again
from notify.actions.callbacks import record_report
from notify.actions.letters import bury_task, settle_letter, try_letter_again
from notify.models import DeadLetter, Heartbeat, OutboxMessage, TaskTry
from notify.watchdog import ASK_AFTER_S, END_AFTER_S, Watch
from notify.work import work_items
from tests.notify.builders import a_letter, a_mail, a_text


def failed(
    message: OutboxMessage, monkeypatch: pytest.MonkeyPatch, channels: str = "sms,email"
) -> OutboxMessage:
    """Tried until no program tries it any more."""
    monkeypatch.setenv("HEARTHSIDE_SANDBOX_FAIL", channels)
    for _ in range(20):
        row = OutboxMessage.objects.filter(state="scheduled").order_by("due_at").first()
        if row is None:
            break
        dispatch_due(at=row.due_at)
    monkeypatch.delenv("HEARTHSIDE_SANDBOX_FAIL")
    message.refresh_from_db()
    assert message.state == "failed"
    return message


def test_a_message_that_failed_on_all_its_ways_belongs_to_the_patients_coach(
    alice: User, cole: User, at: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PR-03: never silently lost."""
    message = failed(a_text(alice, at, patient=alice.patient, fallbacks=["email"]), monkeypatch)
    letter = DeadLetter.objects.get()
    # The text itself went over to mail; the mail was the last way.
    assert letter.key != str(message.pk) and (letter.owner, letter.patient_id) == (cole, alice.pk)
    (item,) = [i for i in work_items(user=cole, at=at) if i.kind == "message.stuck"]
    assert item.owner_id == cole.pk and item.patient_label == str(alice) and str(letter.pk) in item.url


def test_without_a_coach_it_belongs_to_an_administrator(
    alice: User, admin_ann: User, admin_ben: User, at: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    CareTeam.objects.filter(pk=alice.pk).update(coach=None)
    failed(a_mail(alice, at, patient=alice.patient), monkeypatch)
    assert DeadLetter.objects.get().owner == admin_ann
    User.objects.filter(pk=admin_ann.pk).update(is_active=False)
    failed(a_mail("nobody@example.test", at), monkeypatch)
    assert DeadLetter.objects.get(patient=None).owner == admin_ben


def test_a_message_that_the_carrier_could_not_deliver_after_all_has_an_owner_too(
    alice: User, cole: User, at: datetime
) -> None:
    message = a_text(alice, at, patient=alice.patient)
    dispatch_due(at=at)
    message.refresh_from_db()
    OutboxMessage.objects.filter(pk=message.pk).update(provider_status="sent")
    record_report(provider="twilio", sid=message.provider_id, status="undelivered", at=at)
    assert DeadLetter.objects.get().owner == cole


def test_a_page_that_failed_is_its_alerts_business(
    dana: User, admin_ann: User, at: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HEARTHSIDE_SANDBOX_FAIL", "sms")
    a_text(dana, at, lane="crisis")
    for second in range(10):
        dispatch_crisis(at=at + timedelta(seconds=second))
    assert OutboxMessage.objects.get().state == "failed" and not DeadLetter.objects.exists()


def test_trying_again_sends_the_message_and_settles_the_letter_once(
    alice: User, cole: User, at: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    message = failed(a_mail(alice, at, patient=alice.patient), monkeypatch)
    letter = DeadLetter.objects.get()
    try_letter_again(letter, by=cole, at=at)
    with pytest.raises(Conflict):
        try_letter_again(letter, by=cole, at=at)
    letter.refresh_from_db()
    assert (letter.outcome, letter.settled_by) == ("again", cole)
    assert dispatch_due(at=at).sent == 1
    message.refresh_from_db()
    assert message.state == "sent"


def test_sending_it_again_from_the_outbox_settles_it_too_and_a_new_failure_is_a_new_letter(
    alice: User, cole: User, admin_ann: User, at: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    message = failed(a_mail(alice, at, patient=alice.patient), monkeypatch)
    try_again(message, by=admin_ann, at=at)
    assert not DeadLetter.objects.filter(settled_at__isnull=True).exists()
    failed(message, monkeypatch)
    assert DeadLetter.objects.filter(settled_at__isnull=True).count() == 1 and DeadLetter.objects.count() == 2


def test_settling_needs_a_note(alice: User, cole: User, at: datetime) -> None:
    letter = a_letter(cole, alice, at)
    with pytest.raises(Invalid):
        settle_letter(letter, note=" x ", by=cole, at=at)
    settle_letter(letter, note="Rang her; her new number is on file.", by=cole, at=at)
    letter.refresh_from_db()
    assert letter.outcome == "note" and work_items(user=cole, at=at) == []


def test_the_page_shows_each_its_own_and_administrators_all(
    client_for: Any,
    alice: User,
    cole: User,
    other_coach: User,
    admin_ann: User,
    at: datetime,
    query_budget: Any,
) -> None:
    """PR-02"""
    letter = a_letter(cole, alice, at)
    for person, seen in ((cole, True), (admin_ann, True), (other_coach, False)):
        client = client_for(person)
        client.get("/outbox/stuck/")
        with query_budget(16):
            assert ("Lindqvist" in client.get("/outbox/stuck/").content.decode()) is seen
    settle = f"/outbox/stuck/{letter.pk}/settle/"
    form = {"note": "Rang her instead."}
    assert client_for(other_coach).post(settle, {"intent": str(uuid.uuid4()), **form}).status_code == 404
    wrong = client_for(cole).post(settle, {"intent": str(uuid.uuid4()), "note": ""})
    assert wrong.status_code == 422 and "Say in a sentence" in wrong.content.decode()
    assert client_for(cole).post(settle, {"intent": str(uuid.uuid4()), **form}).status_code == 302
    assert "Rang her instead." in client_for(cole).get("/outbox/stuck/").content.decode()


def test_texts_nobody_has_read_are_somebodys_work(
    alice: User, cole: User, admin_ann: User, other_coach: User, at: datetime
) -> None:
    from notify.actions.callbacks import receive_text

    receive_text(sid="SM1", from_number=alice.phone, body="CANCEL", vendor_opt_out="", at=at)
    receive_text(sid="SM2", from_number="+14155550999", body="who is this?", vendor_opt_out="", at=at)
    counts = {person: len(work_items(user=person, at=at)) for person in (cole, admin_ann, other_coach)}
    assert counts == {cole: 1, admin_ann: 1, other_coach: 0}


# --- tasks ---


@app.task(name="tests.good")
def good() -> str:
    return "done"


@app.task(name="tests.bad")
def bad() -> None:
    raise ValueError("canary-in-the-words")


def run(task: Any, task_id: str, **how: Any) -> Any:
    """As a worker does, with the id under which the broker gives a task again."""
    task.push_request(
        **{"id": task_id, "called_directly": False, "delivery_info": {}, "is_eager": True, **how}
    )
    try:
        return task()
    finally:
        task.pop_request()


def test_every_task_of_ours_is_counted() -> None:
    app.loader.import_default_modules()
    ours = [t for name, t in app.tasks.items() if not name.startswith("celery.")]
    assert len(ours) >= 6 and all(isinstance(t, poison.CountedTask) for t in ours)


def test_a_task_that_ends_well_leaves_nothing_behind(admin_ann: User) -> None:
    assert run(good, "a") == "done"
    assert not TaskTry.objects.exists() and not DeadLetter.objects.exists()


def test_a_task_that_kills_its_worker_each_time_is_not_begun_for_ever(admin_ann: User) -> None:
    """PR-03: a killed worker's task is given again; the count was written before it began, so even a kill -9 counts."""
    for n in range(1, poison.MOST_BEGINNINGS + 1):
        assert poison.count("run:a", "tests.good") == n  # begun; the worker died
    with pytest.raises(Ignore):
        run(good, "a")
    letter = DeadLetter.objects.get()
    assert (letter.what, letter.name, letter.owner) == ("task", "tests.good", admin_ann)
    assert run(good, "another") == "done"


def test_a_task_that_ends_badly_each_time_is_shown_after_a_few_and_still_tried(admin_ann: User) -> None:
    for n in range(poison.MOST_FAILURES + 2):
        assert DeadLetter.objects.exists() is (n >= poison.MOST_FAILURES)
        with pytest.raises(ValueError):
            run(bad, str(n))
    letter = DeadLetter.objects.get()
    assert letter.tries == poison.MOST_FAILURES + 2
    # The class of the error alone: its words may hold somebody's.
    assert letter.error == "ValueError" and "canary" not in str(TaskTry.objects.values())
    (item,) = work_items(user=admin_ann, at=letter.opened_at)
    assert item.kind == "task.stuck"


def test_one_good_end_begins_the_count_anew(admin_ann: User, monkeypatch: pytest.MonkeyPatch) -> None:
    for n in range(poison.MOST_FAILURES - 1):
        with pytest.raises(ValueError):
            run(bad, str(n))
    poison.forget("name:tests.bad")
    with pytest.raises(ValueError):
        run(bad, "x")
    assert not DeadLetter.objects.exists()


def test_the_same_stuck_task_is_one_letter(admin_ann: User, at: datetime) -> None:
    for n in (3, 4, 5):
        bury_task(key="name:x", name="x", tries=n, error="ValueError", at=at)
    assert DeadLetter.objects.get().tries == 5


# --- beat and the worker's connection ---


def test_while_somebody_looks_the_watchdog_does_nothing() -> None:
    watch = Watch(began_s=0)
    assert [watch.look(now_s=n, silent_s=5, ask=lambda: False) for n in range(0, 600, 15)] == ["well"] * 40


def test_without_beat_the_watchdog_asks_for_a_look_itself() -> None:
    """The single beat is dead: each look it asks for is taken, so silence begins anew and no worker ends."""
    watch, silent = Watch(began_s=0), 0.0
    found = []
    for n in range(0, 900, 15):
        found.append(watch.look(now_s=n, silent_s=silent, ask=lambda: True))
        silent = 0.0 if found[-1] == "asked" else silent + 15
    assert set(found) == {"well", "asked"} and found.count("asked") >= 10


def test_a_worker_that_takes_nothing_any_more_ends_itself() -> None:
    watch = Watch(began_s=0)
    found = [(n, watch.look(now_s=n, silent_s=n, ask=lambda: True)) for n in range(0, 300, 15)]
    ended = next(n for n, what in found if what == "end")
    assert ASK_AFTER_S + (END_AFTER_S - ASK_AFTER_S) <= ended <= END_AFTER_S + 15


def test_a_worker_with_a_task_in_hand_has_the_time_that_a_task_may_take(settings: Any) -> None:
    watch, longest = Watch(began_s=0), settings.CELERY_TASK_TIME_LIMIT
    found = [
        watch.look(now_s=n, silent_s=n, ask=lambda: True, busy=True)
        for n in range(0, int(END_AFTER_S) + longest, 15)
    ]
    assert "end" not in found
    now_s = END_AFTER_S + longest
    assert watch.look(now_s=now_s, silent_s=now_s, ask=lambda: True, busy=True) == "end"


@pytest.mark.parametrize(("queue", "lanes"), [("default", {"worker"}), ("bulk", {"worker", "bulk"})])
def test_whatever_a_worker_begins_is_a_sign_of_its_life_and_of_the_bulk_queues(
    db: None, monkeypatch: pytest.MonkeyPatch, queue: str, lanes: set[str]
) -> None:
    monkeypatch.setattr(poison, "_beaten", {})
    for task in (good, bad):
        with contextlib.suppress(ValueError):
            run(task, task.name, hostname="celery@one", delivery_info={"routing_key": queue})
    assert set(Heartbeat.objects.values_list("lane", flat=True)) == lanes
    at = clock.database_now()
    own_s = worker_silent_s("celery@one", at=at)
    assert own_s is not None and own_s < 60
    assert worker_silent_s("celery@other", at=at) is None


def test_while_the_broker_is_down_no_worker_ends() -> None:
    """PR-18: a fresh worker would help nobody, and everything that is due waits in PostgreSQL."""
    watch = Watch(began_s=0)
    assert {watch.look(now_s=n, silent_s=n, ask=lambda: False) for n in range(60, 3600, 15)} == {"down"}
    # It comes back: the worker has its time to take the look that is asked for now.
    assert watch.look(now_s=3600, silent_s=3600, ask=lambda: True) == "asked"
    assert watch.look(now_s=3615, silent_s=5, ask=lambda: True) == "well"


def test_promise_is_not_stopped_by_letters(alice: User, at: datetime) -> None:
    """No administrator, no coach: the message still ends as failed, and nothing breaks."""
    CareTeam.objects.filter(pk=alice.pk).update(coach=None)
    message = promise("visit_tomorrow", to=alice, channel="sms", due_at=at, at=at, context={"nothing": 1})
    dispatch_due(at=at)
    message.refresh_from_db()
    assert message.state == "failed" and not DeadLetter.objects.exists()
