"""The visit note: its templates, its parts, its lock, and a correction that keeps the earlier signature."""

import datetime as dt
from dataclasses import replace
from typing import Any

import pytest
from django.db import DatabaseError, transaction
from django.urls import reverse

from accounts.models import Patient, User
from common import hooks
from common.errors import Conflict, Invalid, NotPermitted, StaleVersion
from consults import access, actions
from consults.access.visits import note_facts, prompts
from consults.models import KeptSignature, VisitNote
from consults.rules.signing import NoteGap, minimum_minutes, note_gaps, written
from tests.consults.builders import NOTE_BODY, a_signed_note, an_appointment
from tests.consults.test_orders import drafted, refusal, signed
from tests.consults.test_pages import send, text_of
from tests.consults.test_signing import ready as ready

pytestmark = pytest.mark.django_db
HOUR = dt.timedelta(hours=1)
RULES = {"minimum_minutes": 30, "follow_up_minimum_minutes": 5}


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch, protocol_version: Any) -> None:
    monkeypatch.setitem(hooks._hooks, "order.signed", [])


@pytest.fixture
def note(alice: User, dana: User, at: dt.datetime) -> VisitNote:
    return VisitNote.objects.select_related("appointment", "patient__user", "protocol").get(
        pk=a_signed_note(alice, dana, at).pk
    )


@pytest.fixture
def draft(alice: User, dana: User, at: dt.datetime) -> VisitNote:
    return actions.open_note(an_appointment(alice, dana, at - HOUR), by=dana, at=at)


def test_a_template_fills_what_is_empty_and_nothing_that_was_written(
    draft: VisitNote, dana: User, at: dt.datetime
) -> None:
    """HZ-21"""
    draft = actions.save_note(draft, version=1, changes={"risk": "None voiced."}, by=dana, at=at)
    filled = actions.use_template(draft, code="first_consult", by=dana, at=at)
    assert filled.body["risk"] == "None voiced."
    assert "Psychosis or mania, own and family:" in filled.body["history"]
    with pytest.raises(Invalid):
        actions.use_template(filled, code="dose_review", by=dana, at=at)  # of follow-ups alone


def test_a_template_alone_is_never_a_note(draft: VisitNote, dana: User, at: dt.datetime) -> None:
    filled = actions.use_template(draft, code="first_consult", by=dana, at=at)
    parts = {NoteGap.HISTORY, NoteGap.MENTAL_STATUS, NoteGap.RISK, NoteGap.PLAN}
    facts = note_facts(filled, by=dana, at=at)
    assert parts <= note_gaps(facts, RULES)
    answered = replace(facts, history=facts.history.replace("and since when:", "and since when: two years"))
    assert note_gaps(answered, RULES) & parts == parts - {NoteGap.HISTORY}
    assert written("Now:\n  \nWell", frozenset({"Now:"})) == "Well"
    assert prompts()


def test_every_kind_of_visit_with_a_note_has_a_template_for_each_part() -> None:
    for kind in ("consult", "follow_up"):
        assert access.templates_for(kind)
        for row in access.templates_for(kind):
            assert set(row["body"]) == {"history", "mental_status", "risk", "plan"}


@pytest.mark.parametrize(
    ("kind", "minutes", "fine"),
    [("consult", 29, False), ("consult", 30, True), ("follow_up", 4, False), ("follow_up", 5, True)],
)
def test_a_visit_shorter_than_its_kind_asks_for_needs_a_reason(
    kind: str, minutes: int, fine: bool, note: VisitNote, dana: User, at: dt.datetime
) -> None:
    facts = replace(note_facts(note, by=dana, at=at), visit_type=kind, duration_minutes=minutes)
    assert (NoteGap.SHORT_WITHOUT_REASON not in note_gaps(facts, RULES)) is fine
    assert not note_gaps(replace(facts, short_visit_reason="Line broke; seen last week."), RULES)
    assert minimum_minutes({"minimum_minutes": 30}, "follow_up") == 30  # a protocol from before


def test_a_note_says_how_the_patient_was_seen(note: VisitNote, dana: User, at: dt.datetime) -> None:
    facts = note_facts(note, by=dana, at=at)
    assert note_gaps(replace(facts, held_by=""), RULES) == {NoteGap.HOW_HELD}
    assert not note_gaps(replace(facts, held_by="audio"), RULES)


@pytest.mark.parametrize(
    ("held_by", "fine"), [("audio", False), ("", False), ("video", True), ("in_person", True)]
)
def test_no_order_rests_on_a_call_by_phone_alone(
    held_by: str, fine: bool, ready: Patient, dana: User, at: dt.datetime
) -> None:
    note = VisitNote.objects.get()
    visit = note.appointment
    with transaction.atomic():
        actions.reopen_note(note, reason="Wrong kind of visit ticked.", by=dana, at=at)
        VisitNote.objects.filter(pk=note.pk).update(held_by=held_by, signed_at=note.signed_at, signed_by=dana)
    if fine:
        assert signed(drafted(ready, dana, at), by=dana, at=at).signed_at
    else:
        assert "seen by live video or in person" in refusal(ready, dana, at)
        # A call by phone after a visit by video takes nothing away.
        a_signed_note(ready.user, dana, at - dt.timedelta(minutes=1))
        assert signed(drafted(ready, dana, at), by=dana, at=at).signed_at
    assert visit.pk


def test_no_order_rests_on_an_unsuitable_visit_by_video_and_a_later_call_by_phone(
    ready: Patient, dana: User, at: dt.datetime
) -> None:
    with transaction.atomic():
        note = VisitNote.objects.get()
        actions.reopen_note(note, reason="Not suitable after all.", by=dana, at=at)
        VisitNote.objects.filter(pk=note.pk).update(
            suitable=False, held_by="video", signed_at=note.signed_at, signed_by=dana
        )
    a_signed_note(ready.user, dana, at - HOUR, suitable=True, held_by="audio")
    assert "seen by live video or in person" in refusal(ready, dana, at)


def test_the_note_of_a_cancelled_visit_is_not_signed(alice: User, dana: User, at: dt.datetime) -> None:
    visit = an_appointment(alice, dana, at + HOUR)
    draft = actions.open_note(visit, by=dana, at=at)
    actions.cancel(visit, by=dana, at=at)
    with pytest.raises(Conflict) as refused:
        actions.sign_note(draft, by=dana, at=at + 2 * HOUR)
    assert refused.value.code == "visit_cancelled"
    assert access.latest_signed_note(draft.patient) is None


def test_a_visit_with_a_signed_note_was_not_missed(note: VisitNote, dana: User, at: dt.datetime) -> None:
    visit = note.appointment
    with pytest.raises(Conflict) as refused:
        actions.close_visit(visit, happened=False, by=dana, at=at + HOUR)
    assert refused.value.code == "note_signed"
    visit.refresh_from_db()
    assert visit.state == "completed"
    actions.reopen_note(note, reason="Written for another person.", by=dana, at=at + HOUR)
    actions.close_visit(visit, happened=False, by=dana, at=at + HOUR)
    assert visit.state == "no_show"


def test_a_correction_keeps_the_earlier_signature_word_for_word(
    note: VisitNote, alice: User, dana: User, at: dt.datetime
) -> None:
    opened = actions.reopen_note(note, reason="Dose in the plan was wrong.", by=dana, at=at + HOUR)
    assert opened.signed_at is None
    again = actions.save_note(
        opened, version=opened.version, changes={"plan": "Four sessions, 50 mg."}, by=dana, at=at + HOUR
    )
    again = actions.sign_note(again, by=dana, at=at + 2 * HOUR)
    kept = KeptSignature.objects.get()
    assert kept.body == NOTE_BODY
    assert (kept.signed_at, kept.signed_by, kept.opened_at, kept.reason) == (
        at, dana, at + HOUR, "Dose in the plan was wrong.",
    )  # fmt: skip
    assert (again.signed_at, again.body["plan"]) == (at + 2 * HOUR, "Four sessions, 50 mg.")
    assert kept.facts["suitable"] is True
    # And once more: both stay.
    actions.reopen_note(again, reason="A second correction.", by=dana, at=at + 3 * HOUR)
    assert [row.body["plan"] for row in KeptSignature.objects.all()] == [
        NOTE_BODY["plan"], "Four sessions, 50 mg.",
    ]  # fmt: skip


def test_only_the_author_opens_a_signed_note_and_says_why(
    note: VisitNote, dana: User, cole: User, other_psychiatrist: User, alice: User, at: dt.datetime
) -> None:
    for person in (cole, other_psychiatrist, alice):
        with pytest.raises(NotPermitted):
            actions.reopen_note(note, reason="I would like to.", by=person, at=at)
    with pytest.raises(Invalid):
        actions.reopen_note(note, reason="typo", by=dana, at=at)
    actions.reopen_note(note, reason="A real correction.", by=dana, at=at)
    with pytest.raises(Conflict):
        actions.reopen_note(note, reason="A real correction.", by=dana, at=at)


def test_while_a_note_is_open_again_no_order_is_signed(ready: Patient, dana: User, at: dt.datetime) -> None:
    a_signed_note(ready.user, dana, at - 2 * HOUR)
    newest = VisitNote.objects.latest("signed_at")
    actions.reopen_note(newest, reason="A real correction.", by=dana, at=at)
    assert "opened again and is not signed yet" in refusal(ready, dana, at)


def test_the_database_alone_keeps_a_signed_note_as_it_was(
    note: VisitNote, dana: User, at: dt.datetime
) -> None:
    """HZ-18: neither the words nor the signature go without a kept copy of exactly these words, and nothing goes with it."""
    rows = VisitNote.objects.filter(pk=note.pk)

    def kept(**wrong: Any) -> None:
        values = {
            "note": note, "sealed_body": "x", "facts": {}, "version": 1, "signed_at": note.signed_at, "signed_by": dana,
            "opened_at": at, "opened_by": dana, "reason": "r", **wrong,
        }  # fmt: skip
        KeptSignature.objects.create(**values)

    def refused(*changes: Any) -> None:
        with pytest.raises(DatabaseError), transaction.atomic():
            for change in changes:
                change()

    opens = {"signed_at": None, "signed_by": None}
    refused(lambda: rows.update(**opens))
    refused(lambda: rows.update(diagnosis="anxiety"))
    refused(kept, lambda: rows.update(**opens))  # kept other words
    refused(
        lambda: actions.reopen_note(note, reason="A real correction.", by=dana, at=at) and None,
        lambda: rows.delete(),
    )
    with transaction.atomic():
        actions.reopen_note(note, reason="A real correction.", by=dana, at=at)
    one = KeptSignature.objects.get()
    refused(lambda: KeptSignature.objects.filter(pk=one.pk).update(reason="x"))
    refused(lambda: KeptSignature.objects.filter(pk=one.pk).delete())


def test_the_database_opens_nothing_but_the_signature(note: VisitNote, dana: User, at: dt.datetime) -> None:
    sealed = VisitNote.objects.raw("SELECT id, body::text AS sealed FROM consults_visitnote")[0].sealed
    KeptSignature.objects.create(
        note=note, sealed_body=sealed, facts={}, version=1, signed_at=note.signed_at, signed_by=dana, opened_at=at,
        opened_by=dana, reason="r",
    )  # fmt: skip
    with pytest.raises(DatabaseError), transaction.atomic():
        VisitNote.objects.filter(pk=note.pk).update(signed_at=None, signed_by=None, suitable=False)
    VisitNote.objects.filter(pk=note.pk).update(signed_at=None, signed_by=None)


def test_two_windows_do_not_overwrite_each_other(draft: VisitNote, dana: User, at: dt.datetime) -> None:
    """HZ-20"""
    first = actions.save_note(draft, version=1, changes={"plan": "One."}, by=dana, at=at)
    with pytest.raises(StaleVersion):
        actions.save_note(draft, version=1, changes={"plan": "Two."}, by=dana, at=at)
    assert VisitNote.objects.get(pk=draft.pk).body["plan"] == "One."
    assert first.version == 2


def test_a_note_by_pages_from_template_to_correction(
    alice: User, dana: User, at: dt.datetime, client_for: Any, clock_at: Any
) -> None:
    visit = an_appointment(alice, dana, at - HOUR)
    with clock_at(at):
        doctor = client_for(dana)
        address = reverse("consults:visit", args=[visit.pk])
        assert "First consult" in text_of(doctor.get(address))
        send(doctor, "visit", visit.pk, version="1", template="first_consult", plan="Typed before.")
        page = text_of(doctor.get(address))
        assert "Psychosis or mania, own and family:" in page
        assert "Typed before." in page
        fields = {
            **NOTE_BODY, "diagnosis": "depression", "suitable": "yes", "identity_confirmed": "on", "held_by": "video",
            "date_of_birth_seen": "1988-04-02", "location_confirmed": "on", "location_state": "CA", "duration_minutes": "45",
        }  # fmt: skip
        version = VisitNote.objects.get().version
        send(doctor, "visit", visit.pk, version=str(version), then="sign", **fields)
        sign = text_of(doctor.get(reverse("consults:sign_note", args=[visit.pk])))
        assert "Live video with sound" in sign
        assert "no video room was used" in sign
        send(doctor, "sign_note", visit.pk)
        assert send(doctor, "note_reopen", visit.pk, reason="no").status_code == 422
        send(doctor, "note_reopen", visit.pk, reason="The plan names another form.")
        page = text_of(doctor.get(address))
        assert "Earlier signature of" in page
        assert "no order rests on it" in page
        assert NOTE_BODY["plan"] in page
