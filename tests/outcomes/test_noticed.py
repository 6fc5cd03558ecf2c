"""What was said during the course beside the scores: bladder, alcohol, use and side effects, on the page of a clinician."""

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from accounts.models import Patient, User
from coaching.actions import check_in_today
from measures.actions import record_response
from measures.rules import instrument
from outcomes import access, noticed_access
from safety.models import Alert
from sessions import actions as dosing
from sessions.models import DosingSession
from tests.sessions.builders import WELL, a_finished_session, a_session_in_progress

pytestmark = pytest.mark.django_db
Browser = Callable[..., Client]
HOUR, DAY = dt.timedelta(hours=1), dt.timedelta(days=1)


def answer(person: User, code: str, timepoint: str, at: dt.datetime, **said: int) -> None:
    given = {item.code: 0 for item in instrument(code).items} | said
    record_response(Patient.objects.get(pk=person.pk), code, given, timepoint, by=person, at=at)


@pytest.fixture
def session(alice: User, dana: User, at: dt.datetime) -> DosingSession:
    return a_finished_session(alice, dana, at)


def lines(session: DosingSession, reader: User, at: dt.datetime) -> list[noticed_access.Line]:
    return noticed_access.noticed(session.patient, session.course, reader=reader, at=at)


def everything(session: DosingSession, alice: User, at: dt.datetime) -> None:
    """One answer of each kind, an hour apart, from the second day on."""
    day = at + 2 * DAY
    dosing.record_follow_up(
        session, slept=True, mood_0_10=5, suicidal_thoughts=False, effects=["burning_urine"], by=alice, at=day
    )
    check_in_today(
        session.patient, by=alice, at=day + HOUR, mood=4, suicidal_thoughts=False,
        side_effects=["blood_in_urine", "poor_sleep"], note="since this morning",
    )  # fmt: skip
    answer(alice, "audit_c", "checkin", day + 2 * HOUR, audit_c_1=4, audit_c_2=3, audit_c_3=1)
    answer(alice, "use", "follow_up_6w", day + 3 * HOUR, use_elsewhere=1)
    answer(alice, "bladder", "checkin", day + 4 * HOUR, bladder_blood=1, bladder_often=1)


def test_everything_stands_newest_first_with_who_where_and_the_row_of_the_protocol_it_meets(
    session: DosingSession, alice: User, dana: User, at: dt.datetime
) -> None:
    everything(session, alice, at)
    found = [line for line in lines(session, dana, at + 3 * DAY) if line.at > at + DAY]
    assert [(line.where, [flag.code for flag in line.flags]) for line in found] == [
        ("Bladder questions, during care", ["X08", "X09"]),
        ("Questions about use, week 6", ["X22"]),
        ("AUDIT-C, during care", ["E50"]),
        ("Daily check-in, session 1", ["X08"]),
        ("The morning after session 1", ["X09"]),
    ]
    assert {line.who for line in found} == {"Alice Lindqvist"}
    assert found[0].flags[0].kind == "act" and found[0].flags[1].kind == "pause"
    assert found[2].words == ("8 of 12",) and found[3].note == "since this morning"
    assert [line.at for line in found] == sorted((line.at for line in found), reverse=True)


def test_what_a_sitter_saw_and_what_troubled_at_the_end_stand_there_once(
    alice: User, dana: User, at: dt.datetime
) -> None:
    session = a_session_in_progress(alice, dana, at)
    minute = dt.timedelta(minutes=1)
    link = session.sitter_links.get(revoked_at__isnull=True)
    # Three checks are due by now; one look ticks them off.
    dosing.sitter_check(session, findings=["distressed"], by=f"sitter:{link.sitter_id}", at=at + 46 * minute)
    dosing.record_symptoms(
        session, by=alice, at=at + 50 * minute, other_flags=["throat"], nausea=3, sedation=1, note="scratchy"
    )
    dosing.end_music(session, by=alice, at=at + 61 * minute)
    dosing.close_session(session, answers=WELL | {"severe_symptom": True}, by=alice, at=at + 122 * minute)
    found = {line.where: line for line in lines(session, dana, at + 3 * DAY)}
    look = found["The sitter's check in session 1"]
    assert (look.who, [flag.code for flag in look.flags]) == ("The sitter", ["X07"])
    assert look.words == ("Very frightened or upset",)
    during = found["During session 1"]
    assert during.words == (
        "Trouble swallowing, cough or sore throat",
        "Nausea 3 of 4, strong",
        "Sedation 1 of 4",
    )
    assert ([flag.code for flag in during.flags], during.note) == (["X10"], "scratchy")
    assert [flag.code for flag in found["The end of session 1"].flags] == ["X05"]
    assert len(found) == len(lines(session, dana, at + 3 * DAY)) == 3


@pytest.mark.parametrize(
    ("sex", "total", "flags"),
    [("male", 3, []), ("male", 4, ["E51"]), ("female", 2, []), ("female", 3, ["E51"]), ("male", 7, ["E51"]), ("male", 8, ["E50"])],
)  # fmt: skip
def test_alcohol_is_flagged_at_the_limits_of_the_rules(
    session: DosingSession, alice: User, dana: User, at: dt.datetime, sex: str, total: int, flags: list[str]
) -> None:
    Patient.objects.filter(pk=alice.pk).update(sex=sex)
    session.patient.refresh_from_db()
    answer(
        alice, "audit_c", "checkin", at + 2 * DAY,
        audit_c_1=min(total, 4), audit_c_2=min(max(total - 4, 0), 4), audit_c_3=0,
    )  # fmt: skip
    newest = lines(session, dana, at + 3 * DAY)[0]
    assert newest.words == (f"{total} of 12",)
    assert [flag.code for flag in newest.flags] == flags


def test_no_to_all_questions_is_said_and_not_flagged(
    session: DosingSession, alice: User, dana: User, at: dt.datetime
) -> None:
    answer(alice, "bladder", "after_session_2", at + 2 * DAY)
    newest = lines(session, dana, at + 3 * DAY)[0]
    assert (newest.words, newest.flags) == (("No to all 5 questions",), ())


def test_a_coach_reads_side_effects_and_neither_alcohol_nor_use(
    client_for: Browser,
    session: DosingSession,
    alice: User,
    dana: User,
    cole: User,
    at: dt.datetime,
    clock_at: Any,
) -> None:
    everything(session, alice, at)
    with clock_at(at + 3 * DAY):
        theirs = client_for(cole).get(f"/outcomes/{alice.pk}/").content.decode()
        hers = client_for(dana).get(f"/outcomes/{alice.pk}/").content.decode()
    for words in ("Blood in your urine", "Blood, or water of a red or brown color?", "since this morning"):
        assert words in theirs and words in hers
    for words in ("AUDIT-C", "did not come from our pharmacy"):
        assert words in hers and words not in theirs


def test_the_chart_shows_what_the_bladder_and_use_questions_brought(
    client_for: Browser,
    session: DosingSession,
    alice: User,
    dana: User,
    at: dt.datetime,
    clock_at: Any,
    query_budget: Any,
) -> None:
    everything(session, alice, at)
    with clock_at(at + 3 * DAY):
        browser = client_for(dana)
        browser.get(f"/chart/{alice.pk}/")
        with query_budget(12):
            page = browser.get(f"/chart/{alice.pk}/").content.decode()
    assert "yes to 2" in page and "Blood, or water of a red or brown color?" in page
    assert "did not come from our pharmacy" in page
    assert f"/outcomes/{alice.pk}/#noticed" in page


def test_ten_times_as_many_answers_need_no_further_query(
    client_for: Browser,
    session: DosingSession,
    alice: User,
    dana: User,
    at: dt.datetime,
    clock_at: Any,
    query_budget: Any,
) -> None:
    everything(session, alice, at)
    for hours in range(60, 120):
        check_in_today(
            session.patient, by=alice, at=at + hours * HOUR, mood=5, suicidal_thoughts=False, side_effects=["headache"]
        )  # fmt: skip
    with clock_at(at + 9 * DAY):
        browser = client_for(dana)
        with query_budget(24):
            page = browser.get(f"/outcomes/{alice.pk}/").content.decode()
    assert f"The newest {noticed_access.ROWS} are shown" in page
    assert page.count("Extra check-in") >= 55


def test_an_answer_that_calls_itself_baseline_after_the_first_dose_replaces_none_and_is_compared(
    client_for: Browser, session: DosingSession, alice: User, dana: User, at: dt.datetime, clock_at: Any
) -> None:
    """Over the API the time point is the sender's word; the first scores stay the ones that later ones are measured by."""
    phq9 = {item.code: 0 for item in instrument("phq9").items}
    record = Patient.objects.get(pk=alice.pk)
    before = phq9 | {f"phq9_{n}": 1 for n in range(1, 9)}
    record_response(record, "phq9", before, "baseline", by=alice, at=at - DAY)
    later = phq9 | {f"phq9_{n}": 2 for n in range(1, 9)}
    record_response(record, "phq9", later, "baseline", by=alice, at=at + 2 * DAY)
    assert Alert.objects.filter(patient=record, trigger="X18").count() == 1
    with clock_at(at + 3 * DAY):
        page = " ".join(client_for(dana).get(f"/outcomes/{alice.pk}/").content.decode().split())
    assert "8 of 27" in page and "16 of 27" not in page
    assert access.practice_scores()[2]["phq9"][record.pk] == {"baseline": 8}
