"""What must be true before an order is signed; each condition by itself, on the real database."""

import datetime as dt
from collections.abc import Callable
from decimal import Decimal
from importlib import import_module
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction

from accounts.models import CareTeam, DeaRegistration, Licence, Patient, User
from common import hooks
from common.errors import Conflict, Invalid, NotPermitted, NotVisible
from common.models import AuditEntry
from consults import access, actions
from consults.models import Order, VisitNote
from intake.access import active_medicines, rule_row
from intake.models import EligibilityEvaluation, Medicine, RuleCount
from safety.actions import place_hold
from tests.conftest import a_psychiatrist
from tests.consults.builders import (
    TRACKED,
    a_pdmp_check,
    a_signed_note,
    a_verified_identity,
    an_appointment,
    dispensed,
    weekly_dates,
)
from tests.consults.test_on_purpose_and_entry import decided
from tests.consults.test_pages import text_of
from tests.intake.builders import an_accepted_intake

pytestmark = pytest.mark.django_db
DAY = dt.timedelta(days=1)
HOUR = dt.timedelta(hours=1)


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch, protocol_version: Any) -> None:
    monkeypatch.setitem(hooks._hooks, "order.signed", [])


@pytest.fixture
def ready(alice: User, dana: User, at: dt.datetime) -> Patient:
    """Accepted, seen yesterday, PDMP clear an hour ago."""
    an_accepted_intake(alice, dana, at - 5 * DAY)
    a_verified_identity(alice, dana, at - DAY)
    a_signed_note(alice, dana, at - DAY)
    a_pdmp_check(alice, dana, at - HOUR)
    return Patient.objects.select_related("user").get(pk=alice.pk)


def fields(at: dt.datetime, **changes: Any) -> dict[str, Any]:
    return {
        "form": "sublingual_tablet",
        "strength_ug": 70_000,
        "concentration_ug_per_ml": None,
        "spray_volume_ul": None,
        "units_per_dose": 1,
        "weight_kg": Decimal("70"),
        "session_dates": weekly_dates(at),
        "sessions_covered": [1, 2],
        "systolic_max_mmhg": 140,
        "diastolic_max_mmhg": 90,
        "holds": [{"medicine": "lisinopril", "instruction": "take as usual"}],
        "directions": "Hold under the tongue for ten minutes, then spit out.",
        "authority_basis": "telemedicine_flexibility",
        "authority_reference": "",
        "authority_expires_on": None,
        "warning_reason": "",
        **changes,
    }


def drafted(patient: Patient, by: User, at: dt.datetime, **changes: Any) -> Order:
    return actions.save_draft(patient, fields=fields(at, **changes), by=by, at=at)


def signed(order: Order, *, by: User, at: dt.datetime) -> Order:
    """Read, then signed as read."""
    order = Order.objects.select_related("patient__user").get(pk=order.pk)
    return actions.sign_order(order, seen=access.digest_of(order), by=by, at=at)


def refusal(patient: Patient, by: User, at: dt.datetime, **changes: Any) -> str:
    order = drafted(patient, by, at, **changes)
    with pytest.raises(Invalid) as refused:
        signed(order, by=by, at=at)
    order.refresh_from_db()
    assert order.signed_at is None
    return refused.value.detail


def test_what_an_order_says_of_other_medicines_stands_with_each_in_the_chart(
    ready: Patient, dana: User, at: dt.datetime, client_for: Any, clock_at: Any
) -> None:
    """HZ-11: the chart and the order never say two things."""
    for name in ("lisinopril", "sertraline"):
        Medicine.objects.create(
            patient=ready, name=name, rx_class="other", rx_classes=["other"], started_at=at - DAY
        )
    held = [{"medicine": "lisinopril", "instruction": "not on the morning of a session"}]
    first = signed(drafted(ready, dana, at, holds=held), by=dana, at=at)
    said = {m.name: m.hold_instruction for m in active_medicines(ready)}
    assert said == {"lisinopril": "not on the morning of a session", "sertraline": ""}
    with clock_at(at + dt.timedelta(minutes=1)):
        chart = client_for(dana).get(f"/chart/{ready.pk}/").text
    assert "not on the morning of a session" in chart.split('id="medicines"')[1].split("</table>")[0]
    # An order that takes its place and names nothing takes the instruction away.
    draft = actions.supersede(first, by=dana, at=at + HOUR)
    actions.save_draft(ready, fields=fields(at, holds=[]), by=dana, at=at + HOUR, draft=draft)
    signed(draft, by=dana, at=at + HOUR)
    assert {m.hold_instruction for m in active_medicines(ready)} == {""}


def test_a_signed_order_carries_what_the_paper_needs_and_is_in_force(
    ready: Patient, dana: User, at: dt.datetime
) -> None:
    order = signed(drafted(ready, dana, at), by=dana, at=at)
    assert order.dose_mg == 70
    assert order.expires_on == weekly_dates(at)[1] + 10 * DAY
    assert order.authority_expires_on == dt.date(2026, 12, 31)
    facts = order.signed_facts
    assert (facts["patient_name"], facts["dea_number"], facts["licence_number"]) == (
        "Alice Lindqvist",
        "FR1234560",
        "CA-1000",
    )
    assert access.active_order(ready, at) == order
    assert access.active_order(ready, at + 24 * DAY) == order
    assert access.active_order(ready, at + 25 * DAY) is None
    entry = AuditEntry.objects.get(action="order.signed")
    assert entry.detail["dose_ug"] == 70_000
    kept = EligibilityEvaluation.objects.filter(patient=ready, cause="order").get()
    assert (kept.stage, kept.outcome) == ("decision", "ok")
    assert not {"E08", "E55", "E69", "E70"} & set(kept.reasons)


def test_signing_counts_the_rules_that_wait_for_the_psychiatrist(
    ready: Patient, dana: User, at: dt.datetime
) -> None:
    """The hit rate of what only a consult knows: diagnosis, monitoring programme, papers. A refused order counts for nothing."""

    def counted() -> dict[str, int]:
        return dict(RuleCount.objects.filter(stage="decision").values_list("rule_id", "hits"))

    refusal(ready, dana, at, strength_ug=700_000)
    assert counted() == {}
    signed(drafted(ready, dana, at), by=dana, at=at)
    found = EligibilityEvaluation.objects.get(cause="order")
    assert counted() == {"ALL": 1} | dict.fromkeys(found.reasons, 1)
    row = rule_row(found.protocol, "E69")
    assert row is not None and [(rate.what, rate.of) for rate in row.rates] == [("orders signed", 1)]
    by_hand = counted()
    RuleCount.objects.all().delete()
    with connection.schema_editor() as editor:
        import_module("intake.migrations.0011_rules_counted_by_stage").count_what_was_asked(None, editor)
    assert counted() == by_hand


def test_what_rests_on_a_signed_order_lives_in_its_transaction(
    ready: Patient, dana: User, at: dt.datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(**_: Any) -> None:
        raise RuntimeError("no course")

    monkeypatch.setitem(hooks._hooks, "order.signed", [broken])
    order = drafted(ready, dana, at)
    with pytest.raises(RuntimeError):
        signed(order, by=dana, at=at)
    order.refresh_from_db()
    assert order.signed_at is None


def test_signing_twice_is_signing_once(ready: Patient, dana: User, at: dt.datetime) -> None:
    order = signed(drafted(ready, dana, at), by=dana, at=at)
    again = signed(order, by=dana, at=at + HOUR)
    assert again.signed_at == at
    assert AuditEntry.objects.filter(action="order.signed").count() == 1


def _no_licence(patient: Patient, dana: User, at: dt.datetime) -> None:
    Licence.objects.filter(psychiatrist=dana, state="CA").update(expires_on=at.date() - DAY)


def _no_dea(patient: Patient, dana: User, at: dt.datetime) -> None:
    DeaRegistration.objects.filter(psychiatrist=dana, state="CA").delete()


def _moved(patient: Patient, dana: User, at: dt.datetime) -> None:
    Patient.objects.filter(pk=patient.pk).update(state="TX")


def _held(patient: Patient, dana: User, at: dt.datetime) -> None:
    place_hold(patient, reason_code="test", at=at, by="system:test")


def _not_verified(patient: Patient, dana: User, at: dt.datetime) -> None:
    Patient.objects.filter(pk=patient.pk).update(identity_verified_at=None, identity_verified_by=None)


def _discrepancy(patient: Patient, dana: User, at: dt.datetime) -> None:
    a_pdmp_check(patient.user, dana, at, finding="discrepancy", note="Another prescriber")


def _another_state_checked(patient: Patient, dana: User, at: dt.datetime) -> None:
    a_pdmp_check(patient.user, dana, at, states=["NY"])


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (_no_licence, "You hold no licence and DEA registration"),
        (_no_dea, "You hold no licence and DEA registration"),
        (_moved, "You hold no licence and DEA registration"),
        (_moved, "signed the current consent"),
        (_held, "Dosing is on hold"),
        (_not_verified, "identity is not verified (E69)"),
        (_discrepancy, "showed something to resolve first (E55)"),
        (_another_state_checked, "Record a check of the monitoring programme"),
    ],
)
def test_an_order_is_not_signed_when(
    spoil: Callable[[Patient, User, dt.datetime], None],
    sentence: str,
    ready: Patient,
    dana: User,
    at: dt.datetime,
) -> None:
    spoil(ready, dana, at)
    patient = Patient.objects.select_related("user").get(pk=ready.pk)
    assert sentence in refusal(patient, dana, at)


@pytest.mark.parametrize(
    ("rule", "sentence"),
    [
        ("unknown", "is not known"),
        ("closed", "allows no controlled substance"),
        ("in_person_first", "in person first"),
    ],
)
def test_an_order_is_not_signed_against_the_law_of_the_state(
    rule: str, sentence: str, ready: Patient, dana: User, admin_ann: User, admin_ben: User, at: dt.datetime
) -> None:
    """Protocol 4: unknown is blocked."""
    decided("CA", rule, admin_ann, admin_ben, at - HOUR)
    assert sentence in refusal(ready, dana, at)


def test_where_somebody_was_seen_counts_beside_where_they_live(
    ready: Patient, dana: User, admin_ann: User, admin_ben: User, at: dt.datetime
) -> None:
    """Protocol 4: law and monitoring programme of the place of the encounter. Seen in California, lives in New York now."""
    Patient.objects.filter(pk=ready.pk).update(state="NY")
    patient = Patient.objects.select_related("user").get(pk=ready.pk)
    a_pdmp_check(patient.user, dana, at - HOUR, states=["NY"])
    found = refusal(patient, dana, at)
    assert "and of the one where they were seen" in found and "allows no controlled substance" not in found
    a_pdmp_check(patient.user, dana, at - HOUR / 2, states=["CA", "NY"])
    decided("CA", "closed", admin_ann, admin_ben, at - HOUR)
    found = refusal(patient, dana, at)
    assert "or the one where they were seen, allows no controlled substance" in found
    assert "monitoring programme of" not in found


@pytest.mark.parametrize(
    ("licences", "registrations", "fine"),
    [
        (["CA"], ["CA"], False),
        (["CA", "NY"], ["CA"], False),
        (["CA"], ["CA", "NY"], False),
        (["CA", "NY"], ["CA", "NY"], True),
    ],
)
def test_whoever_prescribes_is_licensed_and_registered_where_the_patient_was_seen_also_by_somebody_else(
    ready: Patient, dana: User, at: dt.datetime, licences: list[str], registrations: list[str], fine: bool
) -> None:
    """Protocol 4: Dana saw the patient, who lives in California, in New York; a colleague signs."""
    a_signed_note(ready.user, dana, at - 2 * HOUR, location_state="NY")
    eva = a_psychiatrist("Eva Stone", "CA", "NY")
    CareTeam.objects.filter(pk=ready.pk).update(psychiatrist=eva)
    Licence.objects.filter(psychiatrist=eva).exclude(state__in=licences).delete()
    DeaRegistration.objects.filter(psychiatrist=eva).exclude(state__in=registrations).delete()
    a_pdmp_check(ready.user, eva, at - HOUR / 2, states=["CA", "NY"])
    why = {"evaluator_reason": "Dana is on leave; I know her chart."}
    if fine:
        assert signed(drafted(ready, eva, at, **why), by=eva, at=at).signed_at == at
    else:
        found = refusal(ready, eva, at, **why)
        assert (
            "no licence and DEA registration today in the patient's state, or in the one where they were"
            in found
        )


def test_a_pdmp_check_is_good_for_a_day(ready: Patient, dana: User, at: dt.datetime) -> None:
    checked_at = at - HOUR
    assert "is too old" in refusal(ready, dana, checked_at + 24 * HOUR + dt.timedelta(seconds=1))
    order = Order.objects.get()
    assert signed(order, by=dana, at=checked_at + 24 * HOUR).signed_at


@pytest.mark.parametrize(
    ("last_day", "fine"), [("2026-11-22", False), ("2026-11-23", True), ("2026-12-31", True)]
)
def test_the_telemedicine_flexibility_must_be_in_force_on_the_day_of_signing(
    last_day: str, fine: bool, ready: Patient, dana: User, at: dt.datetime, settings: Any
) -> None:
    settings.TELEMEDICINE_FLEXIBILITY_ENDS_ON = last_day
    if fine:
        assert signed(drafted(ready, dana, at), by=dana, at=at).signed_at == at
    else:
        assert "authority to prescribe by telemedicine is not in force" in refusal(ready, dana, at)


@pytest.mark.parametrize(
    ("basis", "reference", "until", "fine"),
    [
        ("special_registration", "SR-1", dt.date(2027, 1, 1), True),
        ("special_registration", "SR-1", None, False),
        ("special_registration", "SR-1", dt.date(2026, 11, 22), False),
        ("other", "", dt.date(2027, 1, 1), False),
    ],
)
def test_another_basis_needs_its_reference_and_its_term(
    basis: str,
    reference: str,
    until: dt.date | None,
    fine: bool,
    ready: Patient,
    dana: User,
    at: dt.datetime,
    settings: Any,
) -> None:
    settings.TELEMEDICINE_FLEXIBILITY_ENDS_ON = "2026-01-01"
    changes = {"authority_basis": basis, "authority_reference": reference, "authority_expires_on": until}
    if fine:
        assert signed(drafted(ready, dana, at, **changes), by=dana, at=at).signed_at == at
    else:
        assert refusal(ready, dana, at, **changes)


IN_PERSON = {
    "authority_basis": "prior_in_person", "examined_on": dt.date(2026, 11, 2), "examined_by": "Hearthside, Dana Reyes",
    "examined_place": "Oakland office",
}  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({}, ""),
        ({"examined_on": None}, "the day of the visit in person"),
        ({"examined_by": " "}, "the day of the visit in person"),
        ({"examined_place": ""}, "the day of the visit in person"),
        ({"examined_on": dt.date(2025, 11, 23)}, ""),
        ({"examined_on": dt.date(2025, 11, 22)}, "not in force today"),
    ],
)
def test_a_visit_in_person_carries_an_order_for_a_year_with_its_day_place_and_clinician(
    changes: dict[str, Any], sentence: str, ready: Patient, dana: User, at: dt.datetime, settings: Any
) -> None:
    """The number of days is the protocol's; on the last of them an order is signed, on the day after none."""
    settings.TELEMEDICINE_FLEXIBILITY_ENDS_ON = "2026-01-01"
    if sentence:
        assert sentence in refusal(ready, dana, at, **IN_PERSON | changes)
        return
    order = signed(drafted(ready, dana, at, **IN_PERSON | changes), by=dana, at=at)
    assert order.authority_expires_on == order.examined_on + 365 * DAY
    with connection.cursor() as cursor:
        cursor.execute("SELECT examined_by, examined_place FROM consults_order WHERE id = %s", [order.pk])
        assert not any("Oakland" in kept or "Dana" in kept for kept in cursor.fetchone())


def test_a_visit_in_person_that_is_still_to_come_is_no_basis(
    ready: Patient, dana: User, at: dt.datetime
) -> None:
    with pytest.raises(Invalid) as refused:
        drafted(ready, dana, at, **IN_PERSON | {"examined_on": dt.date(2026, 11, 24)})
    assert set(refused.value.fields) == {"examined_on"}
    assert drafted(ready, dana, at, **IN_PERSON | {"examined_on": dt.date(2026, 11, 23)})


def test_an_order_on_a_visit_in_person_leaves_until_a_year_after_it(
    ready: Patient, dana: User, at: dt.datetime
) -> None:
    order = signed(
        drafted(ready, dana, at, **IN_PERSON | {"examined_on": dt.date(2025, 11, 30)}), by=dana, at=at
    )
    order = Order.objects.select_related("patient__user", "prescriber", "note", "protocol").get(pk=order.pk)
    for days, found in ((7, False), (8, True)):
        gaps = access.no_longer_stands(order, at=at + days * DAY)
        assert ("authority_lapsed" in gaps) is found


def test_a_prescriber_who_did_not_see_the_patient_says_so_and_why(
    ready: Patient, dana: User, other_psychiatrist: User, at: dt.datetime
) -> None:
    """Whose visit it rests on is kept with the order; PostgreSQL asks for the words as well."""
    a_signed_note(ready.user, other_psychiatrist, at - 2 * HOUR)
    for unsaid in ("", "ok"):
        assert "Somebody else saw the patient" in refusal(ready, dana, at, evaluator_reason=unsaid)
    order = drafted(ready, dana, at, evaluator_reason="Priya is on leave; I know her chart.")
    assert order.evaluated_by == other_psychiatrist
    with pytest.raises(DatabaseError, match="did_not_see"), transaction.atomic():
        row = Order.objects.get(pk=order.pk)
        row.evaluator_reason, row.signed_at, row.expires_on = "", at, at.date()
        row.pdmp_check, row.signed_facts = access.latest_pdmp_check(ready), {}
        row.save()
    kept = signed(order, by=dana, at=at)
    assert (kept.evaluated_by, kept.evaluator_reason) == (
        other_psychiatrist, "Priya is on leave; I know her chart.",
    )  # fmt: skip
    assert kept.evaluated_at == at - 3 * HOUR, "when that visit began"
    assert AuditEntry.objects.get(action="order.signed").detail["seen_by"] == str(other_psychiatrist.pk)


def test_words_about_one_evaluator_do_not_stand_for_another_who_saw_the_patient_since(
    ready: Patient, dana: User, other_psychiatrist: User, at: dt.datetime
) -> None:
    order = drafted(ready, dana, at, evaluator_reason="Priya is on leave; I know her chart.")
    assert order.evaluated_by == dana
    a_signed_note(ready.user, other_psychiatrist, at - 2 * HOUR)
    with pytest.raises(Invalid, match="Somebody else saw the patient"):
        signed(order, by=dana, at=at)


def test_the_page_of_signing_says_who_saw_the_patient(
    ready: Patient, dana: User, other_psychiatrist: User, at: dt.datetime, client_for: Any, clock_at: Any
) -> None:
    with clock_at(at):
        doctor = client_for(dana)
        own = drafted(ready, dana, at)
        assert "and you prescribe" not in text_of(doctor.get(f"/consults/order/{own.pk}/review/"))
        assert "evaluator_reason" not in doctor.get(f"/consults/order/new/{ready.pk}/").content.decode()
        a_signed_note(ready.user, other_psychiatrist, at - 2 * HOUR)
        assert "evaluator_reason" in doctor.get(f"/consults/order/new/{ready.pk}/").content.decode()
        shown = text_of(doctor.get(f"/consults/order/{own.pk}/review/"))
        assert "saw this patient, and you prescribe" in shown and "not written yet" in shown


def test_an_order_needs_a_signed_note_that_says_suitable(alice: User, dana: User, at: dt.datetime) -> None:
    an_accepted_intake(alice, dana, at - 5 * DAY)
    a_verified_identity(alice, dana, at - DAY)
    a_pdmp_check(alice, dana, at - HOUR)
    patient = Patient.objects.select_related("user").get(pk=alice.pk)
    assert "Sign the visit note first." in refusal(patient, dana, at)
    a_signed_note(alice, dana, at - DAY, diagnosis="none", suitable=False)
    found = refusal(patient, dana, at)
    assert "says that the programme is not suitable" in found
    assert "eligibility rules exclude" in found  # E08
    Order.objects.all().delete()
    a_signed_note(alice, dana, at - 2 * HOUR)
    assert signed(drafted(patient, dana, at), by=dana, at=at).signed_at


def test_a_note_is_too_old_after_thirty_days(ready: Patient, dana: User, at: dt.datetime) -> None:
    later = at - DAY + 30 * DAY
    a_pdmp_check(ready.user, dana, later)
    order = drafted(ready, dana, later, session_dates=weekly_dates(later))
    with pytest.raises(Invalid) as refused:
        signed(order, by=dana, at=later + dt.timedelta(seconds=1))
    assert "too old for a new order" in refused.value.detail
    assert signed(order, by=dana, at=later).signed_at == later


def test_an_order_needs_an_accepted_intake(alice: User, dana: User, at: dt.datetime) -> None:
    a_verified_identity(alice, dana, at - DAY)
    a_signed_note(alice, dana, at - DAY)
    a_pdmp_check(alice, dana, at - HOUR)
    patient = Patient.objects.select_related("user").get(pk=alice.pk)
    assert "The intake has not been accepted." in refusal(patient, dana, at)


def test_a_warning_needs_a_reason_and_the_reason_is_kept(ready: Patient, dana: User, at: dt.datetime) -> None:
    high = {"strength_ug": 100_000, "sessions_covered": [1, 2, 3, 4]}
    assert "Write your reason" in refusal(ready, dana, at, **high)
    Order.objects.all().delete()
    order = drafted(ready, dana, at, **high, warning_reason="Tolerated 100 mg before; lives far away.")
    kept = signed(order, by=dana, at=at)
    assert kept.warnings == ["first_dose_high", "many_sessions"]
    assert Order.objects.get(pk=order.pk).warning_reason.startswith("Tolerated")


def test_limits_may_be_tighter_never_looser(ready: Patient, dana: User, at: dt.datetime) -> None:
    assert "never looser" in refusal(ready, dana, at, systolic_max_mmhg=150)
    Order.objects.all().delete()
    assert signed(drafted(ready, dana, at, systolic_max_mmhg=130), by=dana, at=at).systolic_max_mmhg == 130


def test_a_synthetic_patient_cannot_even_have_a_draft(ready: Patient, dana: User, at: dt.datetime) -> None:
    """HZ-30"""
    Patient.objects.filter(pk=ready.pk).update(is_synthetic=True)
    with pytest.raises(Invalid):
        drafted(Patient.objects.select_related("user").get(pk=ready.pk), dana, at)


def test_nobody_but_her_psychiatrist_drafts_and_nobody_but_the_author_signs(
    ready: Patient, dana: User, cole: User, other_psychiatrist: User, stranger_patient: User, at: dt.datetime
) -> None:
    """TM-15, HZ-22"""
    for person in (cole, other_psychiatrist, stranger_patient, ready.user):
        with pytest.raises(NotVisible):
            drafted(ready, person, at)
    order = drafted(ready, dana, at)
    from accounts.models import CareTeam

    CareTeam.objects.filter(pk=ready.pk).update(psychiatrist=other_psychiatrist)
    with pytest.raises(NotPermitted):
        signed(order, by=other_psychiatrist, at=at)


def test_a_superseding_order_ends_the_first_in_the_same_moment(
    ready: Patient, dana: User, at: dt.datetime
) -> None:
    first = signed(drafted(ready, dana, at), by=dana, at=at)
    assert "Another order is in force" in refusal(ready, dana, at)
    Order.objects.filter(signed_at__isnull=True).delete()
    draft = actions.supersede(first, by=dana, at=at + HOUR)
    assert actions.supersede(first, by=dana, at=at + HOUR) == draft
    second = signed(draft, by=dana, at=at + HOUR)
    first.refresh_from_db()
    assert (first.superseded_at, second.supersedes_id) == (at + HOUR, first.pk)
    assert access.active_order(ready, at + HOUR) == second
    with pytest.raises(Conflict):
        actions.supersede(first, by=dana, at=at + 2 * HOUR)


def test_a_colleagues_draft_does_not_stand_in_the_way_of_the_orders_own_prescriber(
    ready: Patient, dana: User, other_psychiatrist: User, at: dt.datetime
) -> None:
    first = signed(drafted(ready, dana, at), by=dana, at=at)
    an_appointment(ready.user, other_psychiatrist, at + DAY)
    theirs = actions.supersede(first, by=other_psychiatrist, at=at)
    mine = actions.supersede(first, by=dana, at=at + HOUR)
    theirs.refresh_from_db()
    assert (mine.supersedes_id, theirs.supersedes_id) == (first.pk, None)
    # The prescriber's own draft stands; and what was set aside ends no order.
    with pytest.raises(Conflict):
        actions.supersede(first, by=other_psychiatrist, at=at + HOUR)
    with pytest.raises(Invalid, match="Another order is in force"):
        signed(theirs, by=other_psychiatrist, at=at + HOUR)
    second = signed(mine, by=dana, at=at + HOUR)
    assert access.active_order(ready, at + HOUR) == second


def test_the_draft_of_a_colleague_who_left_stands_in_nobodys_way(
    ready: Patient, dana: User, other_psychiatrist: User, at: dt.datetime
) -> None:
    first = signed(drafted(ready, dana, at), by=dana, at=at)
    actions.supersede(first, by=dana, at=at)
    an_appointment(ready.user, other_psychiatrist, at + DAY)
    with pytest.raises(Conflict):
        actions.supersede(first, by=other_psychiatrist, at=at)
    User.objects.filter(pk=dana.pk).update(is_active=False)
    assert actions.supersede(first, by=other_psychiatrist, at=at).supersedes_id == first.pk


def test_a_revoked_order_is_in_force_no_more(ready: Patient, dana: User, at: dt.datetime) -> None:
    """HZ-13"""
    order = signed(drafted(ready, dana, at), by=dana, at=at)
    actions.revoke(order, reason="Rash.", by=dana, at=at + HOUR)
    assert access.active_order(ready, at + HOUR) is None
    with pytest.raises(Conflict):
        actions.ship(order, lot="L", count=1, **TRACKED, adult_signature=True, by=dana, at=at + HOUR)


def test_no_more_is_sent_than_was_ordered(ready: Patient, dana: User, at: dt.datetime) -> None:
    """HZ-19"""
    order = dispensed(signed(drafted(ready, dana, at), by=dana, at=at))
    with pytest.raises(Invalid):
        actions.ship(order, lot="L", count=3, **TRACKED, adult_signature=True, by=dana, at=at)
    parcel = actions.ship(order, lot="L", count=1, **TRACKED, adult_signature=True, by=dana, at=at)
    a_pdmp_check(ready.user, dana, at + DAY)
    with pytest.raises(Conflict):
        actions.ship(order, lot="L", count=1, **TRACKED, adult_signature=True, by=dana, at=at)
    actions.confirm_count(parcel, count=1, by=ready.user, at=at + DAY)
    actions.ship(order, lot="L", count=1, **TRACKED, adult_signature=True, by=dana, at=at + DAY)
    assert access.active_order(ready, at + DAY) == order
    assert VisitNote.objects.filter(patient=ready).exists()
