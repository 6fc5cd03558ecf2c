"""Stored work: one named owner who is here, once per thing, finished by one, handed over with a reason."""

import datetime as dt
import threading
import uuid
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction

from accounts import actions as people
from accounts.access import patients_visible_to
from accounts.models import CareTeam, User
from common import hooks
from common.errors import Conflict, Invalid, NotPermitted
from common.models import AuditEntry
from safety import actions
from safety.access import owner_for, stands_in_for
from safety.models import OnCallShift, Task
from safety.task_access import task_data, task_due, task_items, tasks_visible_to, who_may_take

HOUR = dt.timedelta(hours=1)


def a_shift(person: User, at: dt.datetime, *, level: int = 1, by: User | None = None) -> OnCallShift:
    return OnCallShift.objects.create(
        person=person,
        level=level,
        starts_at=at - HOUR,
        ends_at=at + 8 * HOUR,
        created_at=at,
        created_by=by or person,
    )


def a_task(owner: User, at: dt.datetime, *, kind: str = "follow_up", **fields: Any) -> Task:
    return actions.open_task(kind=kind, owner=owner, due_at=at + HOUR, by="system:test", at=at, **fields)


# --- whose it is ---


def test_work_belongs_to_the_patients_own_people_first(
    alice: User, dana: User, cole: User, at: dt.datetime
) -> None:
    assert owner_for(role="psychiatrist", patient=alice.patient, at=at) == dana
    assert owner_for(role="coach", patient=alice.patient, at=at) == cole


def test_without_them_it_belongs_to_who_is_on_call_and_else_to_the_longest_serving_administrator(
    alice: User, dana: User, other_psychiatrist: User, admin_ann: User, admin_ben: User, at: dt.datetime
) -> None:
    CareTeam.objects.update(psychiatrist=None, coach=None)
    assert owner_for(role="psychiatrist", patient=alice.patient, at=at) == admin_ann
    a_shift(other_psychiatrist, at)
    assert owner_for(role="psychiatrist", patient=alice.patient, at=at) == other_psychiatrist
    # A coach's work goes to a psychiatrist on call when no coach is.
    assert owner_for(role="coach", patient=alice.patient, at=at) == other_psychiatrist
    assert owner_for(role="administrator", at=at) == admin_ann


def test_each_role_is_covered_by_exactly_one_person(
    alice: User, dana: User, cole: User, other_coach: User, admin_ann: User, admin_ben: User, at: dt.datetime
) -> None:
    for shifts in ((), ((dana, 1),), ((other_coach, 2),)):
        for person, level in shifts:
            a_shift(person, at, level=level)
        staff = User.objects.exclude(role="patient")
        for role in ("psychiatrist", "coach", "administrator"):
            assert sum(role in stands_in_for(person, at=at) for person in staff) == 1


def test_an_account_that_is_closed_covers_nothing(admin_ann: User, admin_ben: User, at: dt.datetime) -> None:
    assert stands_in_for(admin_ann, at=at) == {"psychiatrist", "coach", "administrator"}
    User.objects.filter(pk=admin_ann.pk).update(is_active=False)
    admin_ann.refresh_from_db()
    assert stands_in_for(admin_ann, at=at) == frozenset()
    assert stands_in_for(admin_ben, at=at) == {"psychiatrist", "coach", "administrator"}


# --- opening ---


def test_a_task_about_one_thing_is_opened_once_while_it_lives(
    cole: User, dana: User, at: dt.datetime
) -> None:
    about = uuid.uuid4()
    first = a_task(cole, at, about_type="x.y", about_id=about)
    assert a_task(dana, at, about_type="x.y", about_id=about).pk == first.pk
    assert Task.objects.get().owner == cole
    actions.finish_task(first, outcome="Done and noted.", by=cole, at=at)
    assert a_task(cole, at, about_type="x.y", about_id=about).pk != first.pk


def test_two_without_a_thing_are_two(
    alice: User, stranger_patient: User, cole: User, at: dt.datetime
) -> None:
    a_task(cole, at, patient=alice.patient)
    a_task(cole, at, patient=stranger_patient.patient)
    assert Task.objects.count() == 2


def test_somebody_who_is_not_here_is_replaced_at_opening(
    alice: User, dana: User, cole: User, at: dt.datetime
) -> None:
    User.objects.filter(pk=cole.pk).update(is_active=False)
    # The object in hand is older than the closing.
    assert cole.is_active
    CareTeam.objects.filter(pk=alice.pk).update(coach=None)
    a_shift(dana, at)
    assert a_task(cole, at, patient=alice.patient).owner == dana


def test_a_kind_that_is_not_in_the_data_is_an_error(cole: User, at: dt.datetime) -> None:
    with pytest.raises(LookupError):
        a_task(cole, at, kind="no.such.kind")


def test_the_words_of_a_task_are_encrypted_and_history_is_kept(cole: User, at: dt.datetime) -> None:
    task = a_task(cole, at, detail="a very private word")
    actions.finish_task(task, outcome="another private word", by=cole, at=at)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT detail, outcome FROM safety_task UNION ALL SELECT detail, outcome FROM safety_taskevent"
        )
        rows = cursor.fetchall()
    assert len(rows) == 3 and not any("private" in value for row in rows for value in row)


@pytest.mark.parametrize("kind", [row["kind"] for row in task_data()["kinds"]])
def test_each_kind_names_its_role_its_clocks_and_a_page_that_exists(kind: str, at: dt.datetime) -> None:
    from django.urls import get_resolver

    row = next(row for row in task_data()["kinds"] if row["kind"] == kind)
    assert row["role"] in ("psychiatrist", "coach", "administrator")
    assert row["label"] and row["action"] and row["escalate_hours"] >= 0
    assert task_due(kind, at=at, zone="America/New_York") > at
    assert set(row.get("route_args", [])) <= {"patient", "about", "task"}
    if row["route"]:
        namespace, _, name = row["route"].rpartition(":")
        resolver = get_resolver()
        urls = resolver.namespace_dict[namespace][1] if namespace else resolver
        assert name in urls.reverse_dict


def test_kinds_are_named_once() -> None:
    names = [row["kind"] for row in task_data()["kinds"]]
    assert len(names) == len(set(names))


# --- finishing and handing over ---


def test_the_second_who_finishes_is_told_who_did(cole: User, admin_ann: User, at: dt.datetime) -> None:
    task = a_task(cole, at)
    actions.finish_task(task, outcome="Called her.", by=cole, at=at)
    with pytest.raises(Conflict, match="Cole Okafor has already finished this"):
        actions.finish_task(task, outcome="Called her too.", by=admin_ann, at=at)
    assert Task.objects.get().outcome == "Called her."


def test_finishing_needs_a_word_about_what_came_of_it(cole: User, at: dt.datetime) -> None:
    with pytest.raises(Invalid):
        actions.finish_task(a_task(cole, at), outcome="  ", by=cole, at=at)
    assert Task.objects.get().done_at is None


def test_the_database_refuses_a_done_task_without_person_or_outcome(cole: User, at: dt.datetime) -> None:
    a_task(cole, at)
    with pytest.raises(DatabaseError), transaction.atomic():
        Task.objects.update(done_at=at, done_by="user:x")


def test_nobody_finishes_work_of_somebody_else_and_administrators_no_clinical_work(
    alice: User, cole: User, dana: User, admin_ann: User, at: dt.datetime
) -> None:
    task = a_task(cole, at, patient=alice.patient)
    for person in (dana, admin_ann, alice):
        with pytest.raises(NotPermitted):
            actions.finish_task(task, outcome="Done by me.", by=person, at=at)


def test_a_hand_over_moves_the_task_with_its_reason_and_leaves_a_trace(
    cole: User, other_coach: User, at: dt.datetime
) -> None:
    task = a_task(cole, at)
    actions.hand_over_task(task, to=other_coach, why="I am away tomorrow.", by=cole, at=at)
    task.refresh_from_db()
    assert task.owner == other_coach and task.due_at == at + HOUR
    (move,) = task.hand_overs.all()
    assert (move.from_owner, move.to_owner, move.why) == (cole, other_coach, "I am away tomorrow.")
    assert AuditEntry.objects.filter(action="task.handed_over", actor=f"user:{cole.pk}").exists()
    with pytest.raises(DatabaseError), transaction.atomic():
        move.delete()


def test_a_hand_over_needs_a_reason_a_fitting_person_and_the_right_to(
    alice: User, cole: User, dana: User, admin_ann: User, other_coach: User, at: dt.datetime
) -> None:
    review = a_task(dana, at, kind="clinical_review", patient=alice.patient)
    with pytest.raises(Invalid):
        actions.hand_over_task(review, to=cole, why="Please look.", by=dana, at=at)
    with pytest.raises(Invalid):
        actions.hand_over_task(review, to=admin_ann, why="", by=dana, at=at)
    with pytest.raises(NotPermitted):
        actions.hand_over_task(a_task(cole, at), to=other_coach, why="Not mine.", by=other_coach, at=at)
    assert dana in who_may_take("follow_up") and cole not in who_may_take("clinical_review")


def test_who_owes_work_about_a_patient_sees_the_chart_only_while_they_owe_it(
    alice: User, cole: User, other_coach: User, at: dt.datetime
) -> None:
    task = a_task(cole, at, patient=alice.patient)
    assert not patients_visible_to(other_coach).exists()
    actions.hand_over_task(task, to=other_coach, why="I am away.", by=cole, at=at)
    assert patients_visible_to(other_coach).get().pk == alice.pk
    task.refresh_from_db()
    actions.finish_task(task, outcome="Called her.", by=other_coach, at=at)
    assert not patients_visible_to(other_coach).exists()


def test_work_done_elsewhere_settles_its_task_once(cole: User, at: dt.datetime) -> None:
    about = uuid.uuid4()
    a_task(cole, at, about_type="x.y", about_id=about)
    settle: dict[str, Any] = {
        "kind": "follow_up",
        "about_type": "x.y",
        "about_id": about,
        "outcome": "Signed.",
        "by": cole,
        "at": at,
    }
    assert actions.settle_tasks_about(**settle) == 1
    assert actions.settle_tasks_about(**settle) == 0
    assert Task.objects.get().outcome == "Signed."


# --- nobody is left with work who is not here ---


def test_what_somebody_owed_moves_when_their_account_closes(
    alice: User, cole: User, dana: User, admin_ann: User, at: dt.datetime
) -> None:
    task = a_task(cole, at, patient=alice.patient)
    a_shift(dana, at)
    people.set_active(cole, active=False, by=admin_ann, at=at)
    task.refresh_from_db()
    assert task.owner == dana and task.hand_overs.count() == 1
    # Their patients are somebody's work too.
    assert Task.objects.get(kind="care_team.reassign").owner == admin_ann


def test_a_change_of_role_moves_what_the_new_role_may_not_do(
    alice: User, dana: User, other_psychiatrist: User, admin_ann: User, at: dt.datetime
) -> None:
    a_task(dana, at, kind="clinical_review")
    a_shift(other_psychiatrist, at)
    dana.role = "coach"
    dana.save()
    hooks.run("person.left", user=dana, by=admin_ann, at=at)
    assert Task.objects.get(kind="clinical_review").owner == other_psychiatrist


def test_the_database_refuses_an_owner_who_is_not_here(cole: User, alice: User, at: dt.datetime) -> None:
    task = a_task(cole, at)
    with pytest.raises(DatabaseError, match="somebody who works here"), transaction.atomic():
        Task.objects.filter(pk=task.pk).update(owner=alice)
    with pytest.raises(DatabaseError), transaction.atomic():
        Task.objects.filter(pk=task.pk).update(owner=None)


def test_the_database_refuses_to_close_an_account_that_still_owes_work(cole: User, at: dt.datetime) -> None:
    a_task(cole, at)
    with pytest.raises(DatabaseError, match="still owes work"), transaction.atomic():
        User.objects.filter(pk=cole.pk).update(is_active=False)
        with connection.cursor() as cursor:
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")


# --- the further clock ---


def test_what_is_long_overdue_also_stands_on_the_administrators_list(
    cole: User, admin_ann: User, admin_ben: User, at: dt.datetime
) -> None:
    task = a_task(cole, at)
    just_before, then = task.escalates_at - dt.timedelta(seconds=1), task.escalates_at
    assert task_items(user=admin_ann, at=just_before) == []
    (line,) = task_items(user=admin_ann, at=then)
    assert line.escalated and line.owner_id == cole.pk and "Cole Okafor" in line.text
    (own,) = task_items(user=cole, at=then)
    assert own.overdue(then) and not own.escalated


def test_people_see_their_own_tasks_and_administrators_all(
    cole: User, other_coach: User, admin_ann: User, alice: User, at: dt.datetime
) -> None:
    a_task(cole, at)
    assert [tasks_visible_to(p).count() for p in (cole, other_coach, admin_ann, alice)] == [1, 0, 1, 0]


# --- races ---


def _together(*calls: Any) -> list[Any]:
    """Run each in a thread and connection of its own, started at once; answers results or exceptions."""
    barrier = threading.Barrier(len(calls))
    results: list[Any] = [None] * len(calls)

    def run(index: int) -> None:
        try:
            barrier.wait()
            results[index] = calls[index]()
        except Exception as error:
            results[index] = error
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(index,)) for index in range(len(calls))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


@pytest.mark.django_db(transaction=True)
def test_two_who_finish_one_task_at_once_one_wins_and_the_other_is_told(
    cole: User, admin_ann: User, at: dt.datetime
) -> None:
    task = a_task(cole, at)
    results = _together(
        lambda: actions.finish_task(task, outcome="Called her.", by=cole, at=at),
        lambda: actions.finish_task(task, outcome="I did it.", by=admin_ann, at=at),
    )
    assert sorted(type(r).__name__ for r in results) == ["Conflict", "Task"]
    assert AuditEntry.objects.filter(action="task.done").count() == 1


@pytest.mark.django_db(transaction=True)
def test_two_who_open_one_task_at_once_open_one(cole: User, dana: User, at: dt.datetime) -> None:
    about = uuid.uuid4()
    results = _together(
        *[
            lambda owner=owner: a_task(owner, at, about_type="x.y", about_id=about)
            for owner in (cole, dana, cole)
        ]
    )
    assert len({task.pk for task in results}) == 1 == Task.objects.count()
    assert AuditEntry.objects.filter(action="task.opened").count() == 1


@pytest.mark.django_db(transaction=True)
def test_a_task_opened_while_its_owner_leaves_is_never_left_with_them(
    cole: User, admin_ann: User, at: dt.datetime
) -> None:
    for _ in range(5):
        User.objects.filter(pk=cole.pk).update(is_active=True)
        _together(
            lambda: people.set_active(cole, active=False, by=admin_ann, at=at),
            lambda: a_task(cole, at),
        )
        assert not Task.objects.filter(owner=cole, done_at__isnull=True).exists()
        assert User.objects.get(pk=cole.pk).is_active is False
