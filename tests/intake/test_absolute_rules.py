"""What nobody signs against: absolute rules, in the action, on the page, and in PostgreSQL itself (HZ-12, HZ-22)."""

import re
import uuid
from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction

from accounts.actions import verify_identity
from common.errors import NotPermitted
from intake import access, actions
from intake.models import Decision, EligibilityEvaluation
from intake.wording import rule_texts
from measures.actions import record_cssrs
from tests.intake.builders import a_claimed_intake, a_submitted_intake, an_accepted_intake
from tests.intake.test_changes_after_acceptance import send
from tests.safety.builders import an_alert

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("protocol_version")]
DAY, MINUTE = timedelta(days=1), timedelta(minutes=1)


@pytest.fixture
def pregnant(client_for, alice, dana, at, clock_at):
    """Accepted, and two days later she says that she is pregnant."""
    intake = an_accepted_intake(alice, dana, at)
    with clock_at(at + 2 * DAY):
        send(client_for(alice), "body", pregnant="yes")
    return intake


def test_care_does_not_go_on_over_an_absolute_rule_however_good_the_note(pregnant, dana, at):
    """HZ-12: pregnancy told after acceptance is not signed away; once the answer is corrected, a psychiatrist settles it."""
    with pytest.raises(NotPermitted, match="E10 Pregnancy: absolute"):
        actions.settle(pregnant.patient, note="She would like to go on.", by=dana, at=at + 3 * DAY)
    assert not access.eligibility_stands(pregnant.patient)
    assert not EligibilityEvaluation.objects.filter(cause="settled").exists()


def test_the_chart_says_so_and_offers_no_signature_until_the_answer_is_corrected(
    client_for, pregnant, alice, dana, at, clock_at
):
    with clock_at(at + 3 * DAY):
        text = client_for(dana).get(f"/chart/{alice.pk}/").content.decode()
        assert "E10 Pregnancy: absolute" in text and "care may go on" not in text
        send(client_for(alice), "body")
        client = client_for(dana)
        assert "care may go on" in client.get(f"/chart/{alice.pk}/").content.decode()
        form = {"intent": str(uuid.uuid4()), "note": "A mistake: test negative, seen on video."}
        form["seen"] = str(access.latest_evaluation(alice.patient).pk)
        assert client.post(f"/chart/{alice.pk}/settle/", form).status_code == 302
    assert access.eligibility_stands(pregnant.patient)


def test_the_note_comes_back_when_an_absolute_rule_became_true_after_the_chart_was_opened(
    client_for, alice, dana, at, clock_at
):
    """HZ-20: nothing is signed, and not a word of it is lost."""
    intake = an_accepted_intake(alice, dana, at)
    actions.add_medicine(intake.patient, name="Xanax", dose_text="", by=alice, at=at + DAY)
    with clock_at(at + 2 * DAY):
        client = client_for(dana)
        seen = re.search(
            r'name="seen" value="([0-9a-f-]+)"', client.get(f"/chart/{alice.pk}/").content.decode()
        )
        send(client_for(alice), "body", pregnant="yes")
        note = "Half a tablet at night, <stopped> on Sunday."
        form = {"intent": str(uuid.uuid4()), "note": note, "seen": seen[1] if seen else ""}
        refused = client.post(f"/chart/{alice.pk}/settle/", form)
    text = refused.content.decode()
    assert refused.status_code == 409 and "E10 Pregnancy: absolute" in text
    assert "Nothing was signed" in text and "Half a tablet at night, &lt;stopped&gt; on Sunday." in text
    assert f'action="/chart/{alice.pk}/settle/"' not in text
    assert not EligibilityEvaluation.objects.filter(cause="settled").exists()


def test_the_note_comes_back_when_a_colleague_settled_it_meanwhile(client_for, alice, dana, at, clock_at):
    intake = an_accepted_intake(alice, dana, at)
    with clock_at(at + 2 * DAY):
        send(client_for(alice), "heart", htn="unsure")
        actions.settle(intake.patient, note="Seen on video.", by=dana, at=at + 2 * DAY + MINUTE)
    with clock_at(at + 3 * DAY):
        seen = str(access.latest_evaluation(alice.patient).pk)
        form = {"intent": str(uuid.uuid4()), "note": "Typed on the other screen.", "seen": seen}
        refused = client_for(dana).post(f"/chart/{alice.pk}/settle/", form)
    text = refused.content.decode()
    assert refused.status_code == 409 and "Typed on the other screen." in text
    assert "Nothing is open here any more" in text
    assert EligibilityEvaluation.objects.filter(cause="settled").count() == 1


@pytest.mark.parametrize(
    ("level", "behaviour", "days"), [(4, "none", 30), (5, "none", 30), (0, "last_3_months", 90)]
)
def test_a_danger_that_passes_is_looked_at_again_after_its_stable_days_from_the_newest_sign(
    alice, dana, at, level, behaviour, days
):
    """E19 and E20: the day before their time a signature is refused, on the day it is possible; a further sign begins anew."""
    intake = an_accepted_intake(alice, dana, at)
    told = {"form": "screener", "ideation_level": level, "behaviour": behaviour, "by": dana}
    record_cssrs(intake.patient, assessed_on=(at + DAY).date(), at=at + DAY, **told)
    again = at + 10 * DAY
    record_cssrs(intake.patient, assessed_on=again.date(), at=again, **told)
    for before in (at + (1 + days) * DAY, again + (days - 1) * DAY):
        with pytest.raises(NotPermitted, match="may look again from"):
            actions.settle(intake.patient, note="Stable, seen weekly.", by=dana, at=before)
    actions.settle(intake.patient, note="Stable, seen weekly.", by=dana, at=again + days * DAY)
    assert access.eligibility_stands(intake.patient)


def test_stable_days_are_counted_from_the_last_sign_of_an_alert_that_nobody_has_taken(alice, dana, at):
    """HZ-12: what got worse later is the newer sign, also where the alert has been open since the first one."""
    intake = an_accepted_intake(alice, dana, at)
    record_cssrs(
        intake.patient, assessed_on=(at + DAY).date(), at=at + DAY, form="screener", ideation_level=4, behaviour="none", by=dana
    )  # fmt: skip
    again = at + 10 * DAY
    alert = an_alert(alice, again, detail_codes=["message_needs_triage"])
    assert (alert.signs, alert.state, alert.escalating_since_at) == (2, "open", at + DAY)
    with pytest.raises(NotPermitted, match="may look again from"):
        actions.settle(intake.patient, note="Stable, seen weekly.", by=dana, at=again + 29 * DAY)
    actions.settle(intake.patient, note="Stable, seen weekly.", by=dana, at=again + 30 * DAY)


def test_the_stable_days_are_data_and_an_older_protocol_takes_the_ones_that_ship():
    texts = rule_texts()
    assert {id: text.reassess_after_days for id, text in texts.items() if text.reassess_after_days} == {
        "E19": 30,
        "E20": 90,
    }
    assert all(text.is_absolute for id, text in texts.items() if text.reassess_after_days)
    from intake.rules import default_data

    old = {
        "rules": [
            {k: v for k, v in row.items() if k != "reassess_after_days"} for row in default_data()["rules"]
        ]
    }
    assert rule_texts(old)["E20"].reassess_after_days == 90


def test_postgresql_refuses_to_keep_that_care_may_go_on_over_an_absolute_rule(pregnant, alice, at):
    """HZ-12: the second control, for whoever writes past the action."""
    newest = access.latest_evaluation(pregnant.patient)
    row = {
        "intake": pregnant, "patient": pregnant.patient, "at": at + 3 * DAY, "stage": "decision", "cause": "settled",
        "outcome": "exclude", "rule_version": "x", "protocol": newest.protocol, "facts": {},
    }  # fmt: skip
    with pytest.raises(IntegrityError, match="absolute rules are true: E10"), transaction.atomic():
        EligibilityEvaluation.objects.create(**row, reasons=["E02", "E10"])
    EligibilityEvaluation.objects.create(**row, reasons=["E02", "E13"])


def test_postgresql_refuses_a_decision_of_anybody_but_the_psychiatrist_who_holds_it(
    alice, dana, cole, admin_ann, other_psychiatrist, at
):
    """HZ-12, HZ-22: a coach, an administrator, another psychiatrist, nobody at all; and no accept against an absolute rule."""
    waits = a_submitted_intake(alice, at, aneurysm="yes")
    found = access.latest_evaluation(waits.patient)

    def signs(by, kind, **more):
        with transaction.atomic():
            return Decision.objects.create(
                intake=waits, kind=kind, evaluation=found, by=by, at=at, signed_at=at, **more
            )

    with pytest.raises(IntegrityError, match="only who holds the intake ends it"):
        signs(dana, "decline")
    actions.claim(waits.pk, by=dana, at=at + 10 * MINUTE)
    for by in (cole, admin_ann, alice):
        for kind in ("accept", "decline", "ask_more", "clearance"):
            with pytest.raises(IntegrityError, match="only a psychiatrist decides"):
                signs(by, kind)
    with pytest.raises(IntegrityError, match="only who holds the intake ends it"):
        signs(other_psychiatrist, "accept")
    with pytest.raises(IntegrityError, match="absolute rules are true: E23"):
        signs(dana, "accept")
    assert signs(dana, "decline").kind == "decline"


def test_the_birth_date_on_the_id_counts_and_not_the_one_that_was_typed(alice, dana, at):
    """HZ-26, HZ-12: seen on the document at the visit, the rules are asked again with it."""
    intake = an_accepted_intake(alice, dana, at)
    seen = at.date().replace(year=at.year - 66)
    verify_identity(intake.patient, date_of_birth=seen, by=dana, at=at + DAY)
    newest = access.latest_evaluation(intake.patient)
    assert (newest.cause, newest.facts["age_years"]) == ("reopened", "66") and "E02" in newest.reasons
    assert not access.eligibility_stands(intake.patient)


@pytest.mark.parametrize("kind", ["accept", "decline", "ask_more", "clearance"])
def test_nobody_else_decides_over_http_whatever_they_send(
    client_for, alice, dana, cole, admin_ann, stranger_patient, other_psychiatrist, at, clock_at, kind
):
    """PR-02, HZ-22: no such page, not a byte of the chart, and no decision."""
    intake = a_claimed_intake(alice, dana, at, aneurysm="yes")
    colleague = _colleague()
    form = {
        "reasons": ["E23"], "items": ["heart", "cardiology"], "letter": "Dear A", "note": "n",
        "seen": str(access.latest_evaluation(intake.patient).pk),
    }  # fmt: skip
    with clock_at(at + 15 * MINUTE):
        for user in (cole, admin_ann, stranger_patient, other_psychiatrist, colleague, alice):
            answer = client_for(user).post(
                f"/chart/{alice.pk}/decide/{kind}/", {"intent": str(uuid.uuid4()), **form}
            )
            assert answer.status_code == 404, user
            assert not re.search(rb"Lindqvist|E23|neurysm", answer.content.replace(str(user).encode(), b""))
    assert not Decision.objects.exists()


def _colleague():
    from tests.conftest import a_psychiatrist

    return a_psychiatrist("Nora Fields", "CA")
