"""The work list: one page a person, nothing without an owner, nothing leaves it but by being done."""

import datetime as dt
import io
import json
import threading
import uuid
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.db.models import Exists, OuterRef, Q
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.models import CareTeam, Patient, Role, User
from coaching import actions as coaching
from coaching.models import CheckIn, MessageThread
from common import clock, hooks
from common.models import AuditEntry
from common.work import WEIGHT_CRISIS, WorkItem, in_order, kinds, label_of, next_working_day
from consults import actions as consults
from consults.access import active_order
from consults.models import Appointment, Fulfilment, Introduction, KitParcel, Order, VisitNote
from intake.models import ConsentWithdrawal, Intake
from notify.models import DeadLetter, InboundText, OutboxMessage
from outcomes import access as outcomes
from portal.work import ago_words, discreet, gather, page_of, stored_by_person, unattended
from safety import actions
from safety.models import AdverseEvent, Alert, OnCallShift, SafetyHold, ShiftHandover, Task
from sessions.models import Course, DosingSession, SafetyCheck
from tests.coaching.builders import a_course
from tests.consults.builders import a_signed_order
from tests.portal.test_home import an_intake
from tests.safety.builders import an_alert
from tests.safety.test_tasks import a_shift, a_task

pytestmark = pytest.mark.django_db
Browser = Callable[..., Client]
DAY, HOUR = dt.timedelta(days=1), dt.timedelta(hours=1)


def an_item(at: dt.datetime, *, key: str = "k", **fields: Any) -> WorkItem:
    values: dict[str, Any] = {
        "key": key, "kind": "follow_up", "title": "t", "url": "/", "action": "Do", "due_at": at, "owner_id": uuid.uuid4(),
        "owner_name": "Somebody",
    }  # fmt: skip
    return WorkItem(**(values | fields))


# --- lines, groups, pages ---


@pytest.mark.parametrize(
    ("minutes", "group"),
    [
        (-1, "overdue"),
        (0, "today"),
        # Monday 9:00 in California: midnight is 15 hours away.
        (15 * 60 - 1, "today"),
        (15 * 60, "soon"),
        (15 * 60 + 7 * 1440 - 1, "soon"),
        (15 * 60 + 7 * 1440, "later"),
    ],
)
def test_lines_are_grouped_by_the_readers_own_calendar(at: dt.datetime, minutes: int, group: str) -> None:
    item = an_item(at + dt.timedelta(minutes=minutes))
    assert item.group(at, "America/Los_Angeles") == group
    assert item.overdue(at) == (group == "overdue")


def test_what_waits_for_somebody_else_is_nobodys_delay(at: dt.datetime) -> None:
    item = an_item(at - DAY, waiting_on="the patient")
    assert item.group(at, "UTC") == "waiting" and not item.overdue(at)


def test_the_day_is_the_readers_not_the_servers(at: dt.datetime) -> None:
    # 2026-11-24 06:30 UTC is still Monday in California and Tuesday in New York.
    item = an_item(dt.datetime(2026, 11, 24, 6, 30, tzinfo=dt.UTC))
    assert item.group(at, "America/Los_Angeles") == "today"
    assert item.group(at, "America/New_York") == "soon"


def test_what_may_be_a_danger_stands_first_then_what_is_due_soonest(at: dt.datetime) -> None:
    late, crisis, soon = (
        an_item(at - DAY, key="late"),
        an_item(at + HOUR, key="crisis", weight=WEIGHT_CRISIS),
        an_item(at + 2 * DAY, key="soon"),
    )
    assert [i.key for i in in_order([soon, late, crisis, late])] == ["crisis", "late", "soon"]


@pytest.mark.parametrize(
    ("delta", "words"),
    [
        (dt.timedelta(0), "now"),
        (dt.timedelta(minutes=1), "in 1 minute"),
        (dt.timedelta(minutes=59), "in 59 minutes"),
        (dt.timedelta(minutes=60), "in 1 hour"),
        (dt.timedelta(hours=-23), "23 hours late"),
        (dt.timedelta(days=-2), "2 days late"),
    ],
)
def test_relative_times_are_words(at: dt.datetime, delta: dt.timedelta, words: str) -> None:
    assert ago_words(at + delta, at) == words


def test_working_days_skip_the_weekend_and_end_in_the_persons_evening() -> None:
    friday = dt.datetime(2026, 11, 27, 20, 0, tzinfo=dt.UTC)
    due = next_working_day(friday, "America/New_York", days=2)
    assert due.isoformat() == "2026-12-01T17:00:00-05:00"


def test_pages_by_key_show_every_line_once_also_when_a_line_is_done_meanwhile(at: dt.datetime) -> None:
    items = [an_item(at + dt.timedelta(hours=n - 30), key=f"k{n:03}") for n in range(60)]
    seen: list[str] = []
    after = ""
    while True:
        page = page_of(items, at=at, zone="UTC", after=after, size=25)
        keys = [row.item.key for _, rows in page.groups for row in rows]
        seen += keys
        # The line at the page's end is done before the next page is asked for.
        items = [item for item in items if item.key != keys[-1]]
        after = page.next_key
        if not after:
            break
    assert seen == [f"k{n:03}" for n in range(60)]


@pytest.mark.parametrize(
    "after", ["x", "1~2", "1~2~3~4", "a~b~2026-11-23T17:00:00+00:00~k", "0~0~2026-11-23~k"]
)
def test_a_place_that_is_none_begins_anew(at: dt.datetime, after: str) -> None:
    page = page_of([an_item(at)], at=at, zone="UTC", after=after)
    assert page.total == 1 and page.groups


def test_a_kind_is_chosen_by_its_name_and_the_numbers_stay_those_of_the_whole_list(at: dt.datetime) -> None:
    items = [an_item(at - DAY, key="a"), an_item(at - DAY, key="b", kind="check_in.due")]
    page = page_of(items, at=at, zone="UTC", kind="check_in.due")
    assert [row.item.key for _, rows in page.groups for row in rows] == ["b"]
    assert page.counts["overdue"] == 2 and {name for name, _, _ in page.kinds} == {
        "follow_up",
        "check_in.due",
    }


def test_each_kind_has_words_a_role_and_a_weight() -> None:
    for name, row in kinds().items():
        assert row["label"] and row["action"], name
        assert row["role"] in ("psychiatrist", "coach", "administrator"), name
    assert label_of("no.such_kind") == "No such kind"


# --- nothing is without an owner: the whole demo practice ---


def open_things(at: dt.datetime) -> dict[str, set[str]]:
    """Every open thing in the database by the kind of line it must stand on somebody's list as, asked table by table."""
    week = at + 7 * DAY
    signed = VisitNote.objects.filter(appointment=OuterRef("pk"), signed_at__isnull=False)
    over = Appointment.objects.filter(during__endswith__lt=at)
    course_open = Q(course__state__in=["active", "on_hold"])
    live_alert = Alert.objects.filter(pk=OuterRef("alert_id"), state__in=["open", "acknowledged"])

    def keys(rows: Any, column: str = "pk") -> set[str]:
        return {str(value) for value in rows.values_list(column, flat=True)}

    return {
        "task": keys(Task.objects.filter(done_at__isnull=True)),
        "alert.open": keys(Alert.objects.filter(state="open")),
        "alert.unclosed": keys(Alert.objects.filter(state="acknowledged")),
        "hold.standing": keys(SafetyHold.objects.filter(~Exists(live_alert), cleared_at__isnull=True)),
        "intake.claimed": keys(Intake.objects.filter(state="claimed", claim_expires_at__gt=at)),
        "intake.asked": keys(Intake.objects.filter(state="more_info")),
        "intake.waiting": keys(Intake.objects.filter(state="submitted"), "care_state"),
        "visit.coming": keys(
            Appointment.objects.filter(state="booked", during__endswith__gte=at, during__startswith__lt=week)
        ),
        "note.unsigned": keys(
            over.filter(~Exists(signed), visit_type__in=["consult", "follow_up"], state__in=["booked", "completed"])
        ),
        "visit.unclosed": keys(over.exclude(visit_type__in=["consult", "follow_up"]).filter(state="booked")),
        "order.unsigned": keys(Order.objects.filter(signed_at__isnull=True)),
        "session": keys(
            DosingSession.objects.filter(
                Q(state__in=["preparing", "ready", "dosing", "observing", "released"])
                | course_open & (Q(state="missed") | Q(state="scheduled", scheduled_at__lt=week))
            )
        ),
        "session.clear": keys(
            SafetyCheck.objects.filter(session__state="preparing", cleared_at__isnull=True).exclude(positive=[]),
            "session",
        ),
        "course.held": keys(Course.objects.filter(state="on_hold")),
        "check_in.due": keys(
            CheckIn.objects.filter(
                done_at__isnull=True, cancelled_at__isnull=True, due_at__lt=week,
                kind__in=["prep", "pre_session", "post_session", "integration"],
            )
        ),
        "care_team.missing": keys(
            CareTeam.objects.filter(patient__intakes__state="accepted").filter(
                Q(psychiatrist=None) | Q(coach=None) | Q(psychiatrist__is_active=False) | Q(coach__is_active=False)
            )
        ),
        "event": keys(AdverseEvent.objects.filter(assessed_at__isnull=True).exclude(alert__is_synthetic=True)),
        "shift.offered": keys(ShiftHandover.objects.filter(state="offered", ends_at__gt=at)),
        "message": keys(MessageThread.objects.filter(Q(state="waiting") | Q(urgency__gt=0))),
        "letter": keys(DeadLetter.objects.filter(settled_at__isnull=True)),
        "reply.read": keys(InboundText.objects.filter(handled_at__isnull=True)),
        "introduction": keys(Introduction.objects.filter(state="booked", during__startswith__lt=at + 6 * DAY)),
    } | between_visits(at)  # fmt: skip


def between_visits(at: dt.datetime) -> dict[str, set[str]]:
    """What is owed between visits, asked person by person and not as the lists ask it."""
    found: dict[str, set[str]] = defaultdict(set)
    for parcel in [*Fulfilment.objects.all(), *KitParcel.objects.all()]:
        if parcel.confirmed_at is None and parcel.lost_at is None:
            found["parcel"].add(str(parcel.pk))
    for over in Order.objects.exclude(revoked_at=None, superseded_at=None):
        nothing_sent = not over.fulfilments.filter(lost_at__isnull=True).exists()
        if over.pharmacy_status in ("handed_over", "accepted") and nothing_sent:
            found["order.call_back"].add(str(over.pk))
    for patient in Patient.objects.filter(user__is_active=True).select_related("user"):
        order = active_order(patient, at)
        stopped = patient.pk in set(ConsentWithdrawal.objects.values_list("patient", flat=True))
        note = VisitNote.objects.filter(patient=patient, signed_at__isnull=False).order_by("signed_at").last()
        consults = Appointment.objects.filter(
            patient=patient, visit_type="consult", state__in=["booked", "completed"]
        )
        if order is not None:
            if order.pharmacy_status in ("not_sent", "rejected", "blocked"):
                found["order.unsent"].add(str(order.pk))
            elif not order.fulfilments.filter(lost_at__isnull=True).exists():
                found["medicine.unsent"].add(str(order.pk))
            if order.pharmacy_status == "handed_over":
                found["order.unanswered"].add(str(order.pk))
            if not patient.kit_parcels.filter(lost_at__isnull=True).exists():
                found["kit.unsent"].add(str(patient.pk))
        if (
            note is not None
            and note.suitable
            and not patient.orders.filter(revoked_at=None).exists()
            and not stopped
        ):
            found["order.unwritten"].add(str(note.pk))
        if (
            patient.intakes.filter(state="accepted").exists()
            and not (
                consults.exists()
                or note
                or stopped
                or patient.orders.filter(signed_at__isnull=False).exists()
            )
            and CareTeam.objects.filter(pk=patient.pk).exists()
        ):
            found["consult.unbooked"].add(str(patient.pk))
        due = outcomes.due_for(patient, at=at)
        if due and at < min(one.due_at for one in due) + 60 * DAY:
            found["questionnaire.late"].add(str(patient.pk))
        course = patient.courses.order_by("started_at").last()
        doses = outcomes.doses_of(course)
        if (
            course is not None
            and course.state == "completed"
            and doses
            and max(doses.values()) > at - 120 * DAY
        ):
            looked = patient.visit_notes.filter(
                signed_at__isnull=False, appointment__during__startswith__gt=max(doses.values())
            )
            coming = patient.appointments.filter(
                state="booked", during__endswith__gt=at, visit_type__in=["consult", "follow_up"]
            )
            if not looked.exists() and not coming.exists():
                found["outcome.visit"].add(str(course.pk))
    return found


ALIKE = {
    "parcel.late": "parcel", "parcel.uncounted": "parcel", "event.serious": "event", "event.unjudged": "event",
    "message.triage": "message", "message.answer": "message", "message.stuck": "letter", "task.stuck": "letter",
    "introduction.coming": "introduction", "introduction.unclosed": "introduction",
}  # fmt: skip
SESSION_KINDS = ("session.live", "session.release", "session.coming", "session.follow_up", "session.missed")


def lists_of_everybody(at: dt.datetime) -> dict[str, dict[str, list[User]]]:
    """By kind and thing, whose lists it stands on."""
    found: dict[str, dict[str, list[User]]] = defaultdict(lambda: defaultdict(list))
    for person in User.objects.filter(is_active=True).exclude(role=Role.PATIENT):
        for item in gather(person, at=at):
            if item.escalated:
                continue
            kind = (
                "task"
                if item.task_id
                else "session"
                if item.kind in SESSION_KINDS
                else ALIKE.get(item.kind, item.kind)
            )
            found[kind][item.key.rpartition(":")[2]].append(person)
    return found


def unowned_and_doubled(at: dt.datetime) -> tuple[list[tuple[str, str]], list[tuple[str, str, int]]]:
    lists = lists_of_everybody(at)
    nobody, several = [], []
    for kind, things in open_things(at).items():
        for thing in things:
            people = lists[kind][thing]
            if not people:
                nobody.append((kind, thing))
            elif len(people) > 1 and kind != "alert.open":
                several.append((kind, thing, len(people)))
    return nobody, several


@pytest.fixture
def practice(db: None) -> dt.datetime:
    """The demo practice, and the instant at which it is looked at."""
    from portal.demo.stories import STORIES

    out = io.StringIO()
    call_command("seed", "--json", stdout=out, random_seed=5, patients=len(STORIES))
    assert json.loads(out.getvalue())["people"]
    return clock.now()


def an_order_to_call_back(at: dt.datetime) -> None:
    """Somebody accepted whose first order was revoked after the pharmacy had it."""
    team = CareTeam.objects.filter(patient__intakes__state="accepted", patient__orders=None).exclude(
        psychiatrist=None
    )[0]
    assert team.psychiatrist is not None
    order = a_signed_order(team.patient.user, team.psychiatrist, at - DAY)
    consults.send_to_pharmacy(order, way="fax", by=team.psychiatrist, at=at - HOUR)
    consults.revoke(order, reason="Another dose.", by=team.psychiatrist, at=at - HOUR)


def leave(person: User) -> None:
    """As after `set_active`, with nobody's roster in the way."""
    ShiftHandover.objects.filter(shift__person=person).delete()
    OnCallShift.objects.filter(person=person).delete()
    User.objects.filter(pk=person.pk).update(is_active=False)
    hooks.run("person.left", user=User.objects.get(pk=person.pk), by="system:test", at=clock.now())


def test_every_open_thing_stands_on_exactly_one_list_also_when_those_who_owned_it_are_gone(
    practice: dt.datetime,
) -> None:
    """HZ-24: alerts stand on the list of everybody who should look, all else on one person's; first as the practice is, then
    without its busiest psychiatrist and coach, then without any clinician."""
    an_order_to_call_back(practice)
    for status in ("not_sent", "blocked", "handed_over"):
        runs = Order.objects.filter(signed_at__isnull=False, superseded_at=None, revoked_at=None)
        order = runs.filter(pharmacy_status="accepted", expires_on__gt=practice)[0]
        Order.objects.filter(pk=order.pk).update(pharmacy_status=status, pharmacy_updated_at=practice)
    things = open_things(practice)
    assert sum(len(found) for found in things.values()) > 20
    assert {kind for kind, found in things.items() if found} >= {
        "alert.open", "intake.claimed", "intake.waiting", "hold.standing", "session", "check_in.due", "visit.coming",
        "order.unsent", "order.unanswered", "order.call_back", "event", "shift.offered", "letter", "message",
    }, {kind: len(found) for kind, found in things.items()}  # fmt: skip
    assert unowned_and_doubled(practice) == ([], [])

    for role in (Role.PSYCHIATRIST, Role.COACH):
        people = User.objects.filter(role=role, is_active=True)
        leave(max(people, key=lambda person: len(gather(person, at=practice))))
    # The queue of a state without any psychiatrist is a task of its own (`state.unserved`); a claim ends with its lease.
    elsewhere = ("intake.waiting", "intake.claimed")
    nobody, several = unowned_and_doubled(practice)
    assert ([one for one in nobody if one[0] not in elsewhere], several) == ([], [])
    assert unattended(at=practice)

    ShiftHandover.objects.all().delete()
    OnCallShift.objects.all().delete()
    for person in User.objects.filter(role__in=[Role.PSYCHIATRIST, Role.COACH], is_active=True):
        leave(person)
    nobody, several = unowned_and_doubled(practice)
    assert ([one for one in nobody if one[0] not in elsewhere], several) == ([], [])


# --- who covers whom ---


def test_the_list_of_a_patient_whose_coach_left_goes_to_who_is_on_call_who_can_open_the_form(
    alice: User, dana: User, cole: User, other_psychiatrist: User, client_for: Browser, at: dt.datetime,
    clock_at: Callable[..., Any],
) -> None:  # fmt: skip
    with clock_at(at):
        course = a_course(alice, dana, at, first_in_days=2)
        coaching.plan_course(course, by=dana, at=at)
        a_shift(other_psychiatrist, at)
        assert [i for i in gather(other_psychiatrist, at=at) if i.kind == "check_in.due"] == []
        leave(cole)
        found = [i for i in gather(other_psychiatrist, at=at) if i.kind == "check_in.due"]
        assert found and all(item.unowned for item in found)
        browser = client_for(other_psychiatrist)
        assert browser.get(found[0].url).status_code == 200


def test_an_administrator_who_stands_in_is_led_to_where_somebody_is_found_and_reads_no_clinical_word(
    alice: User, dana: User, cole: User, admin_ann: User, client_for: Browser, at: dt.datetime
) -> None:
    actions.place_hold(alice.patient, reason_code="suicide_risk", at=at, by="system:test")
    leave(dana)
    (line,) = [i for i in gather(admin_ann, at=at) if i.kind == "hold.standing"]
    assert line.url == f"/admin/accounts/careteam/{alice.pk}/change/"
    assert "uicide" not in line.title + line.text
    assert client_for(admin_ann).get(line.url).status_code == 200


def test_an_alert_is_to_take_for_all_who_should_look_and_then_to_close_for_one(
    alice: User, dana: User, cole: User, other_coach: User, at: dt.datetime
) -> None:
    alert = an_alert(alice, at)

    def who(kind: str) -> set[User]:
        return {
            person
            for person in (dana, cole, other_coach)
            if any(i.kind == kind and i.key.endswith(str(alert.pk)) for i in gather(person, at=at))
        }

    assert who("alert.open") >= {dana, cole}
    actions.acknowledge(alert, by=dana, at=at)
    assert who("alert.open") == set() and who("alert.unclosed") == {dana}


def test_a_line_leaves_the_list_by_being_done(alice: User, dana: User, cole: User, at: dt.datetime) -> None:
    course = a_course(alice, dana, at, first_in_days=2)
    coaching.plan_course(course, by=dana, at=at)
    calls = [i for i in gather(cole, at=at) if i.kind == "check_in.due"]
    call = CheckIn.objects.get(pk=calls[0].key.rpartition(":")[2])
    coaching.give_check_in(call, by=cole, at=at, mood=6, suicidal_thoughts=False)
    after = {i.key for i in gather(cole, at=at)}
    assert calls[0].key not in after and {i.key for i in calls[1:]} <= after


def test_missed_daily_check_ins_are_one_line_until_the_person_is_reached(
    alice: User, dana: User, cole: User, at: dt.datetime
) -> None:
    course = a_course(alice, dana, at)
    for days in (1, 2, 3):
        CheckIn.objects.create(
            patient=course.patient, kind="daily", day=(at - days * DAY).date(), due_at=at - days * DAY, created_at=at - 9 * DAY
        )  # fmt: skip
    (line,) = [i for i in gather(cole, at=at) if i.kind == "check_in.missed"]
    assert line.title == "3 daily check-ins were missed" and line.due_at == at
    coaching.check_in_today(course.patient, by=alice, at=at, mood=5, suicidal_thoughts=False)
    assert [i for i in gather(cole, at=at) if i.kind == "check_in.missed"] == []


def test_a_note_is_owed_from_the_end_of_the_visit_until_it_is_signed(
    alice: User, dana: User, protocol_version: Any, at: dt.datetime
) -> None:
    from tests.consults.builders import an_appointment

    visit = an_appointment(alice, dana, at + HOUR)
    assert [i.kind for i in gather(dana, at=at)] == ["visit.coming"]
    ends_at = visit.during.upper
    assert [i.kind for i in gather(dana, at=ends_at)] == ["visit.coming"]
    just_after = ends_at + dt.timedelta(seconds=1)
    (line,) = gather(dana, at=just_after)
    assert line.kind == "note.unsigned" and line.due_at == ends_at + DAY


def test_answers_that_came_back_stand_with_who_asked(
    alice: User, dana: User, other_psychiatrist: User, protocol_version: Any, at: dt.datetime
) -> None:
    from intake.models import Decision, EligibilityEvaluation

    intake = Intake.objects.create(
        patient_id=alice.pk, state="more_info", care_state="CA", created_at=at, submitted_at=at, more_info_due_on=(at + 7 * DAY).date()
    )  # fmt: skip
    evaluation = EligibilityEvaluation.objects.create(
        intake=intake, patient_id=alice.pk, at=at, stage="intake", cause="submit", outcome="review", rule_version="t",
        protocol=protocol_version, facts={},
    )  # fmt: skip
    Decision.objects.create(
        intake=intake, kind="ask_more", evaluation=evaluation, by=dana, at=at, signed_at=at
    )
    (line,) = [i for i in gather(dana, at=at) if i.kind.startswith("intake.a")]
    assert line.waiting_on == "the patient"
    # The time for an answer is over: it is the practice's move again.
    (line,) = [i for i in gather(dana, at=at + 20 * DAY) if i.kind == "intake.asked"]
    assert line.waiting_on == "" and line.overdue(at + 20 * DAY)
    Intake.objects.update(state="submitted")
    (line,) = [i for i in gather(dana, at=at) if i.kind == "intake.returned"]
    assert line.url == f"/queue/{intake.pk}/"
    assert [i for i in gather(other_psychiatrist, at=at) if i.kind == "intake.returned"] == []


def test_each_states_queue_has_one_keeper(
    stranger_patient: User, dana: User, other_psychiatrist: User, at: dt.datetime
) -> None:
    from tests.conftest import a_psychiatrist

    late = a_psychiatrist("Lena Fox", "CA")
    Intake.objects.create(
        patient_id=stranger_patient.pk, state="submitted", care_state="CA", created_at=at, submitted_at=at
    )

    def keepers() -> list[User]:
        return [
            p
            for p in (dana, other_psychiatrist, late)
            if any(i.kind == "intake.waiting" for i in gather(p, at=at))
        ]

    assert keepers() == [dana]
    a_shift(late, at)
    assert keepers() == [late]


def test_requests_for_a_second_person_go_to_somebody_who_may_decide(
    admin_ann: User, admin_ben: User, other_coach: User, at: dt.datetime
) -> None:
    from accounts.actions import propose_role

    propose_role(other_coach, role="psychiatrist", reason="Board certified.", by=admin_ann, at=at)
    kinds_of = lambda person: [i.kind for i in gather(person, at=at)]  # noqa: E731
    assert "role.request" not in kinds_of(admin_ann) and "role.request" in kinds_of(admin_ben)


def test_a_refund_that_does_not_go_through_is_an_administrators_work(
    alice: User, admin_ann: User, client_for: Browser, at: dt.datetime
) -> None:
    from billing.models import Payment, Refund
    from tests.billing.builders import an_open_invoice

    an_intake(alice, "accepted", at)
    invoice = an_open_invoice(alice, at)
    payment = Payment.objects.create(
        invoice=invoice, attempt=1, provider="sandbox", state="succeeded", amount_cents=1000, created_at=at
    )
    refund = Refund.objects.create(
        payment=payment, amount_cents=1000, reason="asked", requested_by="system:t", created_at=at, due_at=at, attempts=3
    )  # fmt: skip
    assert [i for i in gather(admin_ann, at=at + HOUR) if i.kind == "refund.waiting"] == []
    (line,) = [
        i for i in gather(admin_ann, at=at + HOUR + dt.timedelta(seconds=1)) if i.kind == "refund.waiting"
    ]
    assert "$10.00" in line.title
    assert client_for(admin_ann).get(line.url).status_code == 200
    Refund.objects.filter(pk=refund.pk).update(state="succeeded")
    assert [i for i in gather(admin_ann, at=at + DAY) if i.kind == "refund.waiting"] == []


def test_a_stuck_message_goes_to_somebody_else_when_its_owner_leaves(
    alice: User, cole: User, admin_ann: User, at: dt.datetime
) -> None:
    from accounts.actions import set_active

    DeadLetter.objects.create(
        what="message", key=str(uuid.uuid4()), name="daily_check_in", owner=cole, patient_id=alice.pk, opened_at=at, last_at=at
    )  # fmt: skip
    assert [i.kind for i in gather(cole, at=at)].count("message.stuck") == 1
    set_active(cole, active=False, by=admin_ann, at=at)
    assert [i.kind for i in gather(admin_ann, at=at)].count("message.stuck") == 1


# --- the pages ---


def many_tasks(owner: User, at: dt.datetime, count: int, patient: Any = None) -> None:
    for n in range(count):
        a_task(owner, at + n * HOUR, patient=patient)


def test_the_list_costs_the_same_with_ten_lines_and_with_two_hundred(
    alice: User, dana: User, cole: User, client_for: Browser, at: dt.datetime
) -> None:
    now = clock.now()
    course = a_course(alice, dana, now)
    coaching.plan_course(course, by=dana, at=now)
    browser = client_for(cole)
    counts = []
    for more in (10, 190):
        many_tasks(cole, now, more, patient=alice.patient)
        browser.get("/work/")
        with CaptureQueriesContext(connection) as queries:
            page = browser.get("/work/")
        assert page.status_code == 200
        counts.append(len(queries))
    assert counts[0] == counts[1] <= 30
    assert page.content.decode().count("Open it<span") <= 25


def test_the_second_page_goes_on_where_the_first_one_ended(
    cole: User, client_for: Browser, at: dt.datetime
) -> None:
    many_tasks(cole, clock.now(), 30)
    browser = client_for(cole)
    first = browser.get("/work/?kind=follow_up").content.decode()
    following = first.partition('rel="next" href="')[2].partition('"')[0].replace("&amp;", "&")
    second = browser.get(following).content.decode()
    ids = lambda text: {part[:36] for part in text.split('href="/work/')[1:] if part[36:38] == '/"'}  # noqa: E731
    assert len(ids(first)) == 25 and len(ids(second)) == 5 and not ids(first) & ids(second)
    # No name and nothing about anybody stands in the address.
    assert "Cole" not in following and "kind=follow_up" in following


def test_a_task_is_done_on_its_page_once(cole: User, client_for: Browser, at: dt.datetime) -> None:
    task = a_task(cole, clock.now())
    browser = client_for(cole)
    body = {"intent": str(uuid.uuid4()), "outcome": "Called, all is well."}
    for _ in (1, 2):
        answer = browser.post(f"/work/{task.pk}/done/", body)
        assert answer.status_code == 302 and answer["Location"] == "/work/"
    assert Task.objects.get(pk=task.pk).outcome == "Called, all is well."
    again = browser.post(f"/work/{task.pk}/done/", body | {"intent": str(uuid.uuid4())})
    assert again.status_code == 409 and "already finished" in again.content.decode()


def test_an_empty_outcome_shows_the_form_again(cole: User, client_for: Browser, at: dt.datetime) -> None:
    task = a_task(cole, clock.now())
    answer = client_for(cole).post(f"/work/{task.pk}/done/", {"intent": str(uuid.uuid4()), "outcome": " "})
    assert answer.status_code == 422 and "Say what came of it." in answer.content.decode()


def test_a_task_is_handed_over_on_its_page_and_gone_from_the_givers_list(
    cole: User, other_coach: User, client_for: Browser, at: dt.datetime
) -> None:
    task = a_task(cole, clock.now())
    body = {"intent": str(uuid.uuid4()), "to": str(other_coach.pk), "why": "I am away."}
    assert client_for(cole).post(f"/work/{task.pk}/hand-over/", body).status_code == 302
    assert client_for(cole).get(f"/work/{task.pk}/").status_code == 404
    assert "I am away." in client_for(other_coach).get(f"/work/{task.pk}/").content.decode()


def test_a_form_made_up_for_somebody_who_may_not_take_it_is_refused(
    dana: User, cole: User, client_for: Browser, at: dt.datetime
) -> None:
    task = a_task(dana, clock.now(), kind="clinical_review")
    body = {"intent": str(uuid.uuid4()), "to": str(cole.pk), "why": "Please."}
    assert client_for(dana).post(f"/work/{task.pk}/hand-over/", body).status_code == 422
    assert Task.objects.get(pk=task.pk).owner == dana


def test_administrators_see_whose_clinical_work_is_late_and_not_its_words(
    alice: User, cole: User, admin_ann: User, client_for: Browser, at: dt.datetime
) -> None:
    """PR-02: the trail says that they looked."""
    now = clock.now()
    task = a_task(cole, now - 3 * DAY, patient=alice.patient, detail="She is afraid of her brother.")
    browser = client_for(admin_ann)
    page = browser.get(f"/work/{task.pk}/").content.decode()
    assert "Cole Okafor" in page and "afraid" not in page and "It is done" not in page
    assert "afraid" in client_for(cole).get(f"/work/{task.pk}/").content.decode()
    practice = browser.get("/work/practice/").content.decode()
    assert "Follow up with a patient" in practice
    assert browser.get(f"/work/people/{cole.pk}/").status_code == 200
    looked = AuditEntry.objects.filter(actor=f"user:{admin_ann.pk}").values_list("action", flat=True)
    assert {"task.read", "work_list.read"} <= set(looked)


def test_another_persons_list_names_no_finding_to_an_administrator(
    alice: User, dana: User, cole: User, admin_ann: User, client_for: Browser
) -> None:
    now = clock.now()
    a_shift(dana, now)
    an_alert(alice, now)
    titles = [item.title for item in discreet(gather(dana, at=now))]
    assert "Alerts to take" in titles
    page = client_for(admin_ann).get(f"/work/people/{dana.pk}/").content.decode()
    assert "self-harm" not in page and "Blood pressure" not in page


def test_lists_of_others_are_administrators_alone(
    cole: User, dana: User, alice: User, admin_ann: User, client_for: Browser
) -> None:
    for person in (cole, dana, alice):
        assert client_for(person).get(f"/work/people/{cole.pk}/").status_code == 404
        assert client_for(person).get("/work/practice/").status_code == 404
    # A patient has no work list, and nobody sees one of theirs.
    assert client_for(admin_ann).get(f"/work/people/{alice.pk}/").status_code == 404
    assert client_for(alice).get("/work/").status_code == 404


def test_the_supervising_page_costs_the_same_however_many_people_and_tasks(
    cole: User, dana: User, admin_ann: User, client_for: Browser
) -> None:
    from tests.conftest import a_person

    now = clock.now()
    browser = client_for(admin_ann)
    counts = []
    for round_ in (1, 2):
        for n in range(5):
            person = a_person(Role.COACH, f"C{round_}{n} Person")
            many_tasks(person, now - 4 * DAY, 3)
        browser.get("/work/practice/")
        with CaptureQueriesContext(connection) as queries:
            assert browser.get("/work/practice/").status_code == 200
        counts.append(len(queries))
    assert counts[0] == counts[1] <= 64
    rows = stored_by_person(at=now)
    assert sum(row["owed"] for row in rows) == 30 and rows[0]["late"] == 3


def test_the_administration_begins_with_the_list(admin_ann: User, client_for: Browser) -> None:
    a_task(admin_ann, clock.now(), kind="practice")
    page = client_for(admin_ann).get("/admin/").content.decode()
    assert "Your work" in page and "Something for the practice" in page


# --- the daily mail ---


def mails() -> list[OutboxMessage]:
    return list(OutboxMessage.objects.filter(kind="work_digest").order_by("created_at"))


def test_whoever_is_late_is_told_once_a_day_in_their_working_hours_without_a_word_about_it(
    alice: User, cole: User, dana: User, at: dt.datetime
) -> None:
    """PR-14."""
    a_task(cole, at - 2 * HOUR, patient=alice.patient, detail="private words")
    # Monday 8:59 in California is before the day begins.
    assert actions.send_digests(at=at - dt.timedelta(minutes=1)) == 0
    assert actions.send_digests(at=at) == 1
    assert actions.send_digests(at=at + HOUR) == 0
    (mail,) = mails()
    assert mail.recipient_id == cole.pk and mail.patient_id is None
    assert set(mail.context) == {"link"} and mail.context["link"].endswith("/work/")
    assert actions.send_digests(at=at + DAY) == 1


@pytest.mark.parametrize(
    ("days", "hour", "sent"), [(0, 17, 1), (0, 24, 1), (0, 25, 0), (5, 17, 0), (6, 17, 0), (7, 17, 1)]
)
def test_weekends_and_evenings_are_quiet(
    cole: User, at: dt.datetime, days: int, hour: int, sent: int
) -> None:
    a_task(cole, at - 2 * DAY)
    # Monday at midnight UTC, then so many hours: 17 is nine in the morning in California, 25 is five in the afternoon.
    when = at.replace(hour=0) + days * DAY + hour * HOUR
    assert actions.send_digests(at=when) == sent


def test_who_is_not_late_hears_nothing(cole: User, at: dt.datetime) -> None:
    a_task(cole, at)
    assert actions.send_digests(at=at) == 0 and mails() == []


# --- races ---


@pytest.mark.django_db(transaction=True)
def test_two_workers_who_send_the_digests_at_once_promise_one_mail(cole: User, at: dt.datetime) -> None:
    a_task(cole, at - 2 * DAY)

    def worker() -> None:
        actions.send_digests(at=at)
        connection.close()

    threads = [threading.Thread(target=worker) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(mails()) == 1


def test_one_look_asks_once_who_is_on_call(cole: User, dana: User, at: dt.datetime) -> None:
    with CaptureQueriesContext(connection) as queries:
        gather(dana, at=at)
    shifts = [q for q in queries if 'FROM "safety_oncallshift"' in q["sql"] and "person_id" in q["sql"]]
    assert len([q for q in shifts if q["sql"].startswith("SELECT") and "ORDER BY" in q["sql"]]) <= 3
