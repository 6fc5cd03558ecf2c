"""Two visits at one time only on purpose; who comes in from where; the four moments a licence is looked at; state rules."""

import datetime as dt
import re
import uuid
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.db.backends.postgresql.psycopg_any import DateTimeTZRange
from django.urls import reverse

from accounts.models import DeaRegistration, Licence, Patient, User
from common import hooks
from common.errors import Conflict, Invalid, NotPermitted, NotVisible, SlotTaken
from common.models import AuditEntry
from consults import actions
from consults.access import open_slots
from consults.access.state_rules import rule_in
from consults.models import Appointment, CalendarSettings, StateRule, VisitEntry
from consults.rules.state_law import LawGap, booking_gap, signing_gap
from tests.consults.builders import an_appointment, an_introduction, weekly_hours
from tests.intake.builders import an_accepted_intake

pytestmark = pytest.mark.django_db
MINUTE, HOUR, DAY = dt.timedelta(minutes=1), dt.timedelta(hours=1), dt.timedelta(days=1)


@pytest.fixture(autouse=True)
def _no_price(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(hooks._hooks, "booking.blockers", [])


@pytest.fixture
def patient(alice: User, protocol_version: Any, dana: User, at: dt.datetime) -> Patient:
    weekly_hours(dana)
    an_accepted_intake(alice, dana, at - 3 * DAY)
    return Patient.objects.select_related("user").get(pk=alice.pk)


def over(
    patient: Patient, by: User, starts_at: dt.datetime, at: dt.datetime, reason: str = "Both can only then."
) -> Appointment:
    return actions.double_book(
        patient, visit_type="follow_up", starts_at=starts_at, reason=reason, by=by, at=at
    )


# --- on purpose ---


def test_a_psychiatrist_books_over_a_visit_in_their_own_calendar_with_a_reason_that_stays(
    patient: Patient, stranger_patient: User, dana: User, at: dt.datetime
) -> None:
    """PR-09"""
    an_appointment(stranger_patient, dana, at + DAY)
    row = over(patient, dana, at + DAY, at)
    assert (row.state, row.double_booked, row.double_booked_by) == ("booked", True, dana)
    assert row.double_booked_reason == "Both can only then."
    assert AuditEntry.objects.filter(action="visit.double_booked", object_id=str(row.pk)).count() == 1


def test_a_coach_books_over_a_call_of_their_own_and_of_nobody_elses_patient(
    patient: Patient, stranger_patient: User, cole: User, other_coach: User, at: dt.datetime
) -> None:
    """PR-09"""
    an_appointment(stranger_patient, cole, at + DAY, visit_type="prep")
    how = {"visit_type": "prep", "starts_at": at + DAY, "reason": "Both can only then.", "at": at}
    row = actions.double_book(patient, by=cole, **how)
    assert (row.state, row.clinician, row.double_booked, row.double_booked_by) == ("booked", cole, True, cole)
    with pytest.raises(NotVisible):
        actions.double_book(patient, by=other_coach, **how)


def test_the_page_offers_each_their_own_kinds_of_visit(
    patient: Patient, stranger_patient: User, dana: User, cole: User, client_for: Any
) -> None:
    address = reverse("consults:double_book", args=[patient.pk])
    offered = {
        who: set(re.findall(r'name="visit_type" value="(\w+)"', client_for(who).get(address).text))
        for who in (dana, cole)
    }
    assert offered == {dana: {"consult", "follow_up"}, cole: {"prep", "integration"}}
    assert client_for(stranger_patient).get(address).status_code == 404


def test_a_free_time_booked_that_way_is_no_double_booking(
    patient: Patient, dana: User, at: dt.datetime
) -> None:
    row = over(patient, dana, at + DAY, at)
    assert (row.double_booked, row.double_booked_by, row.double_booked_reason) == (False, None, "")


def test_without_reason_or_permission_nothing_is_double_booked(
    patient: Patient, stranger_patient: User, dana: User, cole: User, other_psychiatrist: User, admin_ann: User, at: dt.datetime
) -> None:  # fmt: skip
    an_appointment(stranger_patient, dana, at + DAY)
    with pytest.raises(Invalid):
        over(patient, dana, at + DAY, at, reason="  ")
    for who in (admin_ann, patient.user):
        with pytest.raises(NotPermitted):
            over(patient, who, at + DAY, at)
    with pytest.raises(Invalid):  # a follow-up is not a coach's to hold
        over(patient, cole, at + DAY, at)
    with pytest.raises(NotVisible):
        over(patient, other_psychiatrist, at + DAY, at)
    assert not Appointment.objects.filter(double_booked=True).exists()


def test_the_patient_is_in_one_visit_all_the_same_and_leave_stays_leave(
    patient: Patient, dana: User, cole: User, at: dt.datetime
) -> None:
    an_appointment(patient.user, cole, at + DAY, visit_type="prep")
    with pytest.raises(SlotTaken):
        over(patient, dana, at + DAY, at)
    actions.add_exception(dana, kind="leave", starts_at=at + 5 * DAY, ends_at=at + 6 * DAY, by=dana, at=at)
    with pytest.raises(Conflict):
        over(patient, dana, at + 5 * DAY + HOUR, at)


@pytest.mark.parametrize("what", ["visit", "hold", "call", "moved_visit", "moved_call"])
def test_every_other_way_onto_a_double_booking_is_refused_even_when_the_first_visit_is_gone(
    patient: Patient, stranger_patient: User, dana: User, at: dt.datetime, what: str
) -> None:
    """PR-09, HZ-20: the flag opens the constraint for its own row and for no other."""
    when = at + DAY
    first = an_appointment(stranger_patient, dana, when)
    over(patient, dana, when, at)
    actions.cancel(first, by=dana, at=at)
    assert when not in {slot.starts_at for slot in open_slots("consult", patient, at, at + 3 * DAY, at=at)}
    elsewhere = an_appointment(stranger_patient, dana, at + 4 * DAY)
    call = an_introduction(dana, at, starts_at=at + 6 * DAY)
    there = DateTimeTZRange(when, when + 20 * MINUTE)
    ways = {
        "visit": lambda: an_appointment(stranger_patient, dana, when),
        "hold": lambda: an_appointment(stranger_patient, dana, when, state="held", hold_expires_at=at + HOUR),
        "call": lambda: an_introduction(dana, at, starts_at=when),
        "moved_visit": lambda: Appointment.objects.filter(pk=elsewhere.pk).update(during=there),
        "moved_call": lambda: type(call).objects.filter(pk=call.pk).update(during=there),
    }
    with pytest.raises(IntegrityError, match="at_a_time"), transaction.atomic():
        ways[what]()


def test_the_flag_cannot_be_set_without_who_and_why(
    patient: Patient, stranger_patient: User, dana: User, at: dt.datetime
) -> None:
    an_appointment(stranger_patient, dana, at + DAY)
    with pytest.raises(IntegrityError, match="says_who_and_why"), transaction.atomic():
        an_appointment(patient.user, dana, at + DAY, double_booked=True)


def test_a_moved_double_booking_is_an_ordinary_visit_again(
    patient: Patient, stranger_patient: User, dana: User, at: dt.datetime
) -> None:
    an_appointment(stranger_patient, dana, at + DAY)
    row = over(patient, dana, at + DAY, at)
    moved = actions.reschedule(row, starts_at=at + 2 * DAY, clinician_id=None, by=dana, at=at)
    assert (moved.double_booked, moved.double_booked_reason) == (False, "")


# --- buffers ---


@pytest.mark.parametrize(("gap", "free"), [(0, True), (15, True), (16, False)])
def test_between_two_visits_lies_the_gap_that_the_clinician_wants(
    patient: Patient, stranger_patient: User, dana: User, at: dt.datetime, gap: int, free: bool
) -> None:
    actions.set_gap(gap_minutes=gap, by=dana, at=at)
    an_appointment(stranger_patient, dana, at + DAY, visit_type="follow_up", minutes=15)
    starts = {
        slot.starts_at for slot in open_slots("follow_up", patient, at + DAY - HOUR, at + DAY + HOUR, at=at)
    }
    assert (at + DAY + 30 * MINUTE in starts) is free
    assert (at + DAY - 30 * MINUTE in starts) is free


def test_a_consult_has_its_ten_minutes_whichever_of_the_two_came_first(
    patient: Patient, stranger_patient: User, dana: User, at: dt.datetime
) -> None:
    an_appointment(stranger_patient, dana, at + DAY)
    starts = {s.starts_at for s in open_slots("follow_up", patient, at + DAY, at + DAY + 2 * HOUR, at=at)}
    assert (
        min(starts) == at + DAY + HOUR + 15 * MINUTE
    )  # on a grid of a quarter: sixty minutes and ten, then the next start
    an_introduction(dana, at, starts_at=at + 2 * DAY + HOUR)
    assert at + 2 * DAY not in {
        s.starts_at for s in open_slots("consult", patient, at + 2 * DAY, at + 3 * DAY, at=at)
    }


# --- the four moments ---


@pytest.mark.parametrize("paper", [Licence, DeaRegistration])
def test_licence_and_registration_that_end_that_day_hold_that_day_and_not_the_next(
    patient: Patient, dana: User, at: dt.datetime, paper: Any
) -> None:
    """Offered, booked and joined on the last day; a day later refused at each of them."""
    last = (at + 3 * DAY).date()
    held = actions.hold_slot(
        patient, visit_type="consult", clinician_id=dana.pk, starts_at=at + 4 * DAY, by=patient.user, at=at
    )
    paper.objects.filter(psychiatrist=dana, state="CA").update(expires_on=last)
    days = {slot.starts_at.date() for slot in open_slots("consult", patient, at, at + 9 * DAY, at=at)}
    assert max(days) in (last, last + DAY)  # the last hours of a day in California are the next in UTC
    assert at + 4 * DAY not in {s.starts_at for s in open_slots("consult", patient, at, at + 9 * DAY, at=at)}
    with pytest.raises(Conflict) as refused:
        actions.confirm_booking(held, by=patient.user, at=at)
    assert refused.value.code == "not_licensed_there"
    actions.cancel(held, by=patient.user, at=at)
    on_time = actions.hold_slot(
        patient, visit_type="consult", clinician_id=dana.pk, starts_at=at + 3 * DAY, by=patient.user, at=at
    )
    visit = actions.confirm_booking(on_time, by=patient.user, at=at)
    assert actions.arrive(visit, state_now="CA", by=patient.user, at=visit.starts_at).patient_arrived_at
    late = an_appointment(patient.user, dana, at + 4 * DAY)
    with pytest.raises(Conflict) as refused:
        actions.arrive(late, state_now="CA", by=patient.user, at=late.starts_at)
    assert refused.value.code == "not_licensed_there"


@pytest.mark.parametrize("paper", [Licence, DeaRegistration])
@pytest.mark.parametrize("days_left", [0, -1])
def test_a_note_is_signed_on_the_last_day_of_a_licence_and_not_after(
    patient: Patient, dana: User, at: dt.datetime, paper: Any, days_left: int
) -> None:
    from consults.access import note_facts
    from consults.rules.signing import NoteGap, note_gaps

    visit = an_appointment(patient.user, dana, at - HOUR)
    note = actions.open_note(visit, by=dana, at=at)
    note.location_confirmed, note.location_state = True, "CA"
    paper.objects.filter(psychiatrist=dana, state="CA").update(expires_on=at.date() + days_left * DAY)
    gaps = note_gaps(note_facts(note, by=dana, at=at), {"minimum_minutes": 30})
    assert (NoteGap.NOT_LICENSED_HERE in gaps) is (days_left < 0)


# --- who, and where ---


def visit_now(patient: Patient, dana: User, at: dt.datetime) -> Appointment:
    Patient.objects.filter(pk=patient.pk).update(date_of_birth=dt.date(1988, 4, 2))
    row = an_appointment(patient.user, dana, at + 5 * MINUTE)
    return Appointment.objects.select_related("patient__user", "clinician").get(pk=row.pk)


def comes(row: Appointment, at: dt.datetime, born: dt.date = dt.date(1988, 4, 2), **more: Any) -> VisitEntry:
    said = {"state_now": "CA", "at_address_on_file": True, "address_now": ""} | more
    return actions.come_in(row, date_of_birth=born, by=row.patient.user, at=at, **said)


def test_whoever_gives_the_right_date_and_place_is_in_and_the_clinician_reads_the_place(
    patient: Patient, dana: User, at: dt.datetime, client_for: Any, clock_at: Any
) -> None:
    """HZ-14"""
    row = visit_now(patient, dana, at)
    with pytest.raises(Invalid):
        comes(row, at, at_address_on_file=False)
    entry = comes(row, at, at_address_on_file=False, address_now="7 Canary Row, Reno cabin 3")
    assert entry.confirmed_at == at
    with clock_at(at):
        page = client_for(dana).get(reverse("consults:visit", args=[row.pk])).content.decode()
    assert "7 Canary Row, Reno cabin 3" in page
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT address_now FROM consults_visitentry")
        assert "Canary" not in cursor.fetchone()[0]


def test_with_no_date_of_birth_on_file_the_clinician_says_who_came_before_the_visit_counts_as_held(
    patient: Patient, dana: User, cole: User, at: dt.datetime, client_for: Any, clock_at: Any
) -> None:
    """HZ-14: nothing could be compared, and that is not passed over."""
    row = visit_now(patient, dana, at)
    Patient.objects.filter(pk=patient.pk).update(date_of_birth=None)
    row = Appointment.objects.select_related("patient__user", "clinician").get(pk=row.pk)
    with pytest.raises(Invalid):
        actions.come_in(
            row, state_now="CA", date_of_birth=None, at_address_on_file=True, by=row.patient.user, at=at
        )
    entry = comes(row, at)
    assert (entry.confirmed_at, entry.matched_at, entry.birth_date_said) == (None, None, "1988-04-02")
    with clock_at(at + 10 * MINUTE):
        doctor = client_for(dana)
        page = reverse("consults:visit", args=[row.pk])
        shown = doctor.get(page).content.decode()
        assert "Who is this?" in shown and "1988-04-02" in shown
        with pytest.raises(Conflict) as refused:
            actions.close_visit(row, happened=True, by=dana, at=at + 10 * MINUTE)
        assert refused.value.code == "not_identified"
        with pytest.raises(NotPermitted):
            actions.identify(row, how="Showed a driving licence.", by=cole, at=at)
        for how, status in (("ok", 422), ("Showed a driving licence.", 302)):
            form = {"intent": str(uuid.uuid4()), "how": how}
            assert doctor.post(reverse("consults:visit_who", args=[row.pk]), form).status_code == status
        shown = doctor.get(page).content.decode()
        assert "Who is this?" not in shown and "Showed a driving licence." in shown
        assert actions.close_visit(row, happened=True, by=dana, at=at + 10 * MINUTE).state == "completed"


def test_a_wrong_date_of_birth_lets_nobody_in_and_the_third_ends_it(
    patient: Patient, dana: User, at: dt.datetime, client_for: Any, clock_at: Any
) -> None:
    """HZ-05, HZ-26"""
    row = visit_now(patient, dana, at)
    visitor = client_for(patient.user)
    url = reverse("consults:join", args=[row.pk])

    def types(born: str) -> Any:
        return visitor.post(
            url,
            {"intent": str(uuid.uuid4()), "date_of_birth": born, "state_now": "CA", "at_address": "yes"},
            follow=True,
        )

    with clock_at(at):
        for _ in range(2):
            assert "not the date of birth in your record" in types("1988-02-04").content.decode()
        assert "Call us" in types("1998-04-02").content.decode()
        answer = types("1988-04-02").content.decode()
    assert "Call us" in answer
    row.refresh_from_db()
    assert row.patient_arrived_at is None
    assert VisitEntry.objects.get().tries == 3
    assert AuditEntry.objects.filter(action="visit.birth_date_differs").count() == 3


def test_two_slips_do_not_keep_her_out(patient: Patient, dana: User, at: dt.datetime) -> None:
    row = visit_now(patient, dana, at)
    comes(row, at, born=dt.date(1988, 2, 4))
    comes(row, at, born=dt.date(1989, 4, 2))
    assert comes(row, at).confirmed_at == at
    row.refresh_from_db()
    assert row.patient_arrived_at == at


# --- state rules ---


@pytest.mark.parametrize(
    ("rule", "booking", "video", "in_person"),
    [
        ("federal", None, None, None),
        ("in_person_first", None, LawGap.IN_PERSON, None),
        ("closed", LawGap.CLOSED, LawGap.CLOSED, LawGap.CLOSED),
        ("unknown", LawGap.UNKNOWN, LawGap.UNKNOWN, LawGap.UNKNOWN),
        ("", LawGap.UNKNOWN, LawGap.UNKNOWN, LawGap.UNKNOWN),
    ],
)
def test_what_a_states_rule_forbids(rule: str, booking: Any, video: Any, in_person: Any) -> None:
    assert booking_gap(rule) == booking
    assert signing_gap(rule, "telemedicine_flexibility") == video
    assert signing_gap(rule, "prior_in_person") == in_person


def decided(state: str, rule: str, admin: User, other: User, at: dt.datetime) -> StateRule:
    return StateRule.objects.create(
        state=state, rule=rule, reason="Counsel, by letter.", proposed_by=admin, proposed_at=at - DAY, approved_by=other,
        approved_at=at,
    )  # fmt: skip


def test_whoever_travels_holds_no_consult_where_it_is_forbidden(
    patient: Patient, dana: User, admin_ann: User, other_psychiatrist: User, at: dt.datetime
) -> None:
    """Protocol 4: the law of where the patient is at the encounter, also when it was booked from elsewhere."""
    decided("NY", "closed", admin_ann, other_psychiatrist, at - DAY)
    visit = an_appointment(patient.user, dana, at + HOUR)
    with pytest.raises(Conflict) as refused:
        actions.arrive(visit, state_now="NY", by=patient.user, at=visit.starts_at)
    assert refused.value.code == LawGap.CLOSED
    visit.refresh_from_db()
    assert visit.patient_arrived_at is None
    assert actions.arrive(visit, state_now="CA", by=patient.user, at=visit.starts_at).patient_arrived_at


def test_a_state_nobody_has_read_is_blocked_for_a_consult_and_not_for_a_talk(
    patient: Patient, dana: User, admin_ann: User, other_psychiatrist: User, at: dt.datetime
) -> None:
    held = actions.hold_slot(
        patient, visit_type="consult", clinician_id=dana.pk, starts_at=at + DAY, by=patient.user, at=at
    )
    decided("CA", "unknown", admin_ann, other_psychiatrist, at)
    assert open_slots("consult", patient, at, at + 3 * DAY, at=at) == []
    assert open_slots("intro", patient, at, at + 3 * DAY, at=at)
    with pytest.raises(Conflict) as refused:
        actions.confirm_booking(held, by=patient.user, at=at)
    assert refused.value.code == LawGap.UNKNOWN


def test_a_rule_counts_from_its_approval_by_a_second_person_and_never_changes(
    protocol_version: Any, admin_ann: User, dana: User, at: dt.datetime
) -> None:
    assert rule_in("CA", at=at) == "federal"
    draft = StateRule.objects.create(
        state="CA", rule="closed", reason="A statute.", proposed_by=admin_ann, proposed_at=at
    )
    assert rule_in("CA", at=at) == "federal"
    with pytest.raises(IntegrityError, match="second_person"), transaction.atomic():
        StateRule.objects.filter(pk=draft.pk).update(approved_by=admin_ann, approved_at=at)
    with pytest.raises(NotPermitted):
        actions.approve_state_rule(draft, by=admin_ann, at=at)


def test_the_shipped_table_is_a_proposal_for_every_state() -> None:
    import json
    from pathlib import Path

    from accounts.models import STATES
    from consults.rules.state_law import RULES

    table = json.loads((Path(__file__).parents[2] / "consults/data/state_rules.json").read_text())
    assert table["status"] == "proposal, to be signed off by counsel"
    assert set(table["rules"]) == set(STATES)
    assert {row["rule"] for row in table["rules"].values()} <= set(RULES)
    assert all(row["note"] for row in table["rules"].values())


def test_without_any_table_every_state_is_unknown(at: dt.datetime) -> None:
    assert rule_in("CA", at=at) == "unknown"


def test_settings_are_the_clinicians_own(dana: User, alice: User, at: dt.datetime) -> None:
    with pytest.raises(NotPermitted):
        actions.set_gap(gap_minutes=5, by=alice, at=at)
    with pytest.raises(Invalid):
        actions.set_gap(gap_minutes=121, by=dana, at=at)
    assert not CalendarSettings.objects.exists()
