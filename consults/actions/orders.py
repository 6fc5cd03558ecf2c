"""Orders: drafted, signed, superseded, revoked, handed over. Hearthside itself sends no controlled prescription."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import OperationalError, transaction

from accounts.access import patients_visible_to
from accounts.models import DeaRegistration, Licence, Patient, Role, User
from common import audit, hooks, protocol
from common.clock import local_date
from common.errors import Conflict, Invalid, NotPermitted, NotVisible, StaleVersion
from common.locks import is_lock_trouble
from consults import wording
from consults.access.orders import (
    basis_ends_on,
    digest_of,
    latest_pdmp_check,
    medicine_used,
    order_facts,
    order_to_look_at,
    proposal_of,
    second_opinion,
    second_psychiatrists,
    visible_order,
    what_the_consult_found,
)
from consults.access.parcels import same_product
from consults.access.visits import latest_signed_note
from consults.actions.parcels import ask_for_count
from consults.actions.standing import goes_on
from consults.models import AuthorityBasis, Order, SecondOpinion
from consults.rules.dosing import Soft, Strength, dose_ug, expires_on, hard_stops, soft_warnings
from consults.rules.signing import order_gaps
from intake.access import current_intake
from intake.actions import evaluate_now, write_holds
from safety.actions import open_task, settle_tasks_about

DRAFT_FIELDS = (
    "form",
    "strength_ug",
    "concentration_ug_per_ml",
    "spray_volume_ul",
    "units_per_dose",
    "weight_kg",
    "session_dates",
    "sessions_covered",
    "systolic_max_mmhg",
    "diastolic_max_mmhg",
    "holds",
    "directions",
    "authority_basis",
    "authority_reference",
    "authority_expires_on",
    "examined_on",
    "examined_by",
    "examined_place",
    "evaluator_reason",
    "warning_reason",
)


def _prescribes(patient: Patient, by: User) -> None:
    if by.role != Role.PSYCHIATRIST or not patients_visible_to(by).filter(pk=patient.pk).exists():
        raise NotVisible("There is no such page.")


def save_draft(
    patient: Patient,
    *,
    fields: Mapping[str, Any],
    by: User,
    at: datetime,
    draft: Order | None = None,
    supersedes: Order | None = None,
) -> Order:
    """Keep an order in the making. It must name its whole strength, so that a dose can be worked out; nothing else is judged yet.

    Raises Invalid for a strength that is not complete or no whole number of micrograms, and for a synthetic patient (HZ-30).
    """
    _prescribes(patient, by)
    if patient.is_synthetic:
        raise Invalid(
            "This is a made-up patient of a drill and can never hold an order.", code="synthetic_patient"
        )
    if supersedes is not None and supersedes.patient_id != patient.pk:
        raise NotVisible("There is no such page.")
    unknown = set(fields) - set(DRAFT_FIELDS)
    if unknown:
        raise Invalid(f"Not a part of an order: {', '.join(sorted(unknown))}.")
    values = dict(fields)
    nasal = values["form"] == "nasal_spray"
    strength = Strength(
        form=values["form"],
        units_per_dose=values["units_per_dose"],
        strength_ug=None if nasal else values.get("strength_ug"),
        concentration_ug_per_ml=values.get("concentration_ug_per_ml") if nasal else None,
        spray_volume_ul=values.get("spray_volume_ul") if nasal else None,
    )
    amount = dose_ug(strength)
    if amount is None:
        raise Invalid(
            "The strength is not complete, or does not come out at whole micrograms.",
            code="strength_incomplete",
        )
    values |= {
        "strength_ug": strength.strength_ug,
        "concentration_ug_per_ml": strength.concentration_ug_per_ml,
        "spray_volume_ul": strength.spray_volume_ul,
        "dose_ug": amount,
        "doses_total": len(values["sessions_covered"]),
    }
    examined_on = values.get("examined_on") if values["authority_basis"] == AuthorityBasis.IN_PERSON else None
    if examined_on is not None and examined_on > max(
        local_date(at, patient.user.time_zone), local_date(at, by.time_zone)
    ):
        raise Invalid(
            "The visit in person is still to come, so nothing can rest on it.",
            code="examination_to_come",
            fields={"examined_on": "This day has not come yet."},
        )
    with transaction.atomic():
        if draft is None:
            row = Order(
                patient=patient,
                prescriber=by,
                protocol=protocol.current(at=at),
                created_at=at,
                supersedes=supersedes,
                state_of_care=patient.state,
                note=latest_signed_note(patient),
            )
        else:
            row = (
                Order.objects.select_for_update(of=("self",)).select_related("patient__user").get(pk=draft.pk)
            )
            if row.signed_at is not None:
                raise Conflict("This order is signed. Write one that supersedes it.", code="signed")
            if row.prescriber_id != by.pk or row.patient_id != patient.pk:
                raise NotVisible("There is no such page.")
            row.protocol = protocol.current(at=at)
            row.note = latest_signed_note(patient)
            row.state_of_care = patient.state
        for name, value in values.items():
            setattr(row, name, value)
        row.authority_expires_on = basis_ends_on(row)
        row.evaluated_by = row.note.signed_by if row.note else None
        row.evaluated_at = row.note.appointment.starts_at if row.note else None
        row.save()
        audit.record(
            "order.drafted", by=by, at=at, about=row, patient_id=patient.pk, detail={"dose_ug": amount}
        )
    return row


def discard_draft(order: Order, *, by: User, at: datetime) -> None:
    """Throw a draft away; its history stays."""
    with transaction.atomic():
        row = Order.objects.select_for_update(of=("self",)).get(pk=order.pk)
        if row.signed_at is not None:
            raise Conflict("This order is signed. It can be revoked.", code="signed")
        if row.prescriber_id != by.pk:
            raise NotVisible("There is no such page.")
        _no_second_look(row, "thrown away", by=by, at=at)
        audit.record("order.discarded", by=by, at=at, about=row, patient_id=row.patient_id)
        row.delete()


@contextmanager
def locks_that_wait() -> Iterator[None]:
    """A lock that took too long is a sentence and another try, never an error page."""
    try:
        yield
    except OperationalError as error:
        if not is_lock_trouble(error):
            raise
        raise Conflict(
            "Somebody is working on this patient's orders just now. Try again in a moment.", code="busy"
        ) from None


def sign_order(order: Order, *, seen: str, by: User, at: datetime) -> Order:
    """Sign a draft (the view has asked for the second factor). Everything is checked again here, in one transaction with the row:
    the dose, note, PDMP, consent, the 71 rules, licence and DEA registration in the patient's state, the authority to prescribe.

    `seen` is the `digest_of` what was read: a draft that has become another since raises StaleVersion (HZ-04, HZ-20). The order
    it supersedes ends with it; `order.signed` runs in the same transaction. Raises Invalid naming all that is open.
    """
    _prescribes(order.patient, by)
    with locks_that_wait(), transaction.atomic():
        Patient.objects.select_for_update(no_key=True).get(pk=order.patient_id)
        row = (
            Order.objects.select_for_update(of=("self",))
            .select_related("patient__user", "prescriber", "note__appointment", "supersedes", "protocol")
            .get(pk=order.pk)
        )
        if row.prescriber_id != by.pk:
            raise NotPermitted("Only the psychiatrist who wrote an order signs it.")
        if row.signed_at is not None:
            return row
        if digest_of(row) != seen:
            raise StaleVersion("This order was changed after you read it. Read it again before you sign.")
        patient = row.patient
        row.note = latest_signed_note(patient)
        row.state_of_care = patient.state
        row.authority_expires_on = basis_ends_on(row)
        dosing = row.protocol.data["dosing"]
        proposal = proposal_of(row, at=at)
        stops = hard_stops(proposal, dosing)
        warnings = soft_warnings(proposal, dosing)
        facts, _ = order_facts(row, at=at, warnings=frozenset(map(str, warnings)))
        gaps = order_gaps(facts, dosing["order"])
        if stops or gaps:
            sentences = wording.sentences(frozenset(map(str, gaps)), wording.ORDER_GAPS)
            sentences += wording.sentences(frozenset(map(str, stops)), wording.HARD)
            raise Invalid(" ".join(sentences), code="order_not_signable")
        intake = current_intake(patient)
        check = latest_pdmp_check(patient)
        assert intake is not None and check is not None
        evaluate_now(
            intake, by=by, at=at, cause="order", extra=what_the_consult_found(row, check), stage="decision"
        )
        if row.supersedes is not None and row.supersedes.is_in_force:
            Order.objects.filter(pk=row.supersedes.pk).update(superseded_at=at)
            goes_on(row.supersedes, "superseded", by=by, at=at)
            audit.record("order.superseded", by=by, at=at, about=row.supersedes, patient_id=patient.pk)
            if not same_product(row, row.supersedes):
                ask_for_count(row.supersedes, why="Another medicine was ordered instead", by=by, at=at)
        agreed = second_opinion(row, at=at) if Soft.SECOND_PERSON in warnings else None
        if agreed is not None:
            row.second_checked_by, row.second_checked_at = agreed.given_by, agreed.given_at
        row.pdmp_check = check
        assert row.note is not None  # a gap otherwise
        row.evaluated_by, row.evaluated_at = row.note.signed_by, row.note.appointment.starts_at
        row.warnings = sorted(map(str, warnings))
        row.signed_facts = _facts_for_paper(row, on=facts.on.isoformat())
        row.expires_on = expires_on(
            row.session_dates,
            row.sessions_covered,
            proposal.signing_on,
            dosing["order"],
            visit_on=local_date(row.note.appointment.starts_at, patient.user.time_zone) if row.note else None,
        )
        row.signed_at = at
        row.save()
        write_holds(patient, {hold["medicine"]: hold["instruction"] for hold in row.holds}, by=by, at=at)
        _no_second_look(row, "signed", by=by, at=at)
        audit.record(
            "order.signed",
            by=by,
            at=at,
            about=row,
            patient_id=patient.pk,
            detail={
                "dose_ug": row.dose_ug,
                "form": row.form,
                "sessions": row.sessions_covered,
                "warnings": row.warnings,
                "protocol": row.protocol.version,
                "pdmp": str(check.pk),
                "second_person": str(agreed.given_by_id) if agreed else "",
                "seen_by": str(row.evaluated_by_id or ""),
            },
        )
        hooks.run("order.signed", order=row, by=by, at=at)
    return row


def _facts_for_paper(row: Order, *, on: str) -> dict[str, Any]:
    """What a prescription must carry (21 CFR 1306.05), as it was on the day of signing."""
    dea = DeaRegistration.objects.get(psychiatrist=row.prescriber, state=row.state_of_care)
    licence = Licence.objects.get(psychiatrist=row.prescriber, state=row.state_of_care)
    patient = row.patient
    return {
        "signed_on": on,
        "patient_name": patient.user.full_name,
        "patient_born_on": patient.date_of_birth.isoformat() if patient.date_of_birth else "",
        "patient_address": patient.address,
        "prescriber_name": row.prescriber.full_name,
        "dea_number": dea.number,
        "licence_number": licence.number,
        "practice_name": settings.PRACTICE["name"],
        "practice_address": settings.PRACTICE["address"],
        "practice_phone": settings.PRACTICE["phone"],
    }


def supersede(order: Order, *, by: User, at: datetime) -> Order:
    """A new draft with the same contents that will end this order when it is signed. An earlier such draft is used again.

    A colleague's draft does not stand in the way of the order's own prescriber, nor anybody's once its author has left: it stays
    a draft, and supersedes nothing any more.
    """
    _prescribes(order.patient, by)
    existing = Order.objects.filter(supersedes=order).select_related("prescriber").first()
    if existing is not None and existing.signed_at is None and existing.prescriber_id == by.pk:
        return visible_order(by, existing.pk)
    if existing is not None and (
        existing.signed_at is not None or (by.pk != order.prescriber_id and existing.prescriber.is_active)
    ):
        raise Conflict("Another order supersedes this one already.", code="superseded")
    if not order.is_in_force:
        raise Conflict("This order is not in force.", code="order_not_in_force")
    fields = {name: getattr(order, name) for name in DRAFT_FIELDS}
    fields["warning_reason"] = fields["evaluator_reason"] = ""
    # What has had its dose is not ordered again; when nothing is left, the prescriber chooses.
    over = medicine_used(order)["sessions_over"]
    fields["sessions_covered"] = [
        number for number in order.sessions_covered if number not in over
    ] or order.sessions_covered
    with transaction.atomic():
        if existing is not None:
            _set_aside(existing, by=by, at=at)
        return save_draft(order.patient, fields=fields, by=by, at=at, supersedes=order)


def _set_aside(draft: Order, *, by: User, at: datetime) -> None:
    """A colleague's draft supersedes nothing any more. Raises Conflict when it was signed meanwhile."""
    if not Order.objects.filter(pk=draft.pk, signed_at__isnull=True).update(supersedes=None):
        raise Conflict("Another order supersedes this one already.", code="superseded")
    audit.record("order.draft_set_aside", by=by, at=at, about=draft, patient_id=draft.patient_id)


SECOND_LOOK = "order.second_look"


def _no_second_look(order: Order, why: str, *, by: User, at: datetime) -> None:
    settle_tasks_about(
        kind=SECOND_LOOK, about_type="consults.order", about_id=order.pk, outcome=why, by=by, at=at
    )


def ask_second_person(order: Order, *, whom: User, by: User, at: datetime) -> None:
    """Ask a colleague to look at a draft: a task of theirs, with which they may read it. Asking somebody else takes it back."""
    _prescribes(order.patient, by)
    with transaction.atomic():
        row = Order.objects.select_for_update(of=("self",)).select_related("patient").get(pk=order.pk)
        if row.prescriber_id != by.pk:
            raise NotVisible("There is no such page.")
        if row.signed_at is not None:
            raise Conflict("This order is signed.", code="signed")
        if whom not in second_psychiatrists(row):
            raise Invalid("Choose another psychiatrist.", fields={"whom": "Choose one."})
        _no_second_look(row, "asked again", by=by, at=at)
        open_task(
            kind=SECOND_LOOK, owner=whom, patient=row.patient, about_type="consults.order", about_id=row.pk,
            detail=f"{row}, asked by {by}", by=by, at=at,
        )  # fmt: skip
        audit.record(
            "order.second_look_asked", by=by, at=at, about=row, patient_id=row.patient_id,
            detail={"whom": str(whom.pk)},
        )  # fmt: skip


def give_second_opinion(
    order: Order, *, seen: str, agrees: bool, words: str, by: User, at: datetime
) -> SecondOpinion:
    """The colleague agrees with exactly this draft, or says why not (the view has asked for the second factor). It signs nothing."""
    row = order_to_look_at(by, order.pk)
    if not agrees and not words.strip():
        raise Invalid("Write what speaks against it.", fields={"words": "Write a sentence."})
    with transaction.atomic():
        row = (
            Order.objects.select_for_update(of=("self",)).select_related("patient", "protocol").get(pk=row.pk)
        )
        if row.signed_at is not None:
            raise Conflict("This order is signed.", code="signed")
        if digest_of(row) != seen:
            raise StaleVersion("This order was changed after you read it. Read it again.")
        opinion = SecondOpinion.objects.create(
            order_id=row.pk, patient_id=row.patient_id, digest=seen, agrees=agrees, words=words.strip(), given_by=by, given_at=at,
        )  # fmt: skip
        _no_second_look(row, "agrees" if agrees else "does not agree", by=by, at=at)
        audit.record(
            "order.second_look", by=by, at=at, about=row, patient_id=row.patient_id, detail={"agrees": agrees}
        )
    return opinion


def revoke(order: Order, *, reason: str, by: User, at: datetime) -> Order:
    """End an order now: no dose is released under it any more (the view has asked for the second factor)."""
    _prescribes(order.patient, by)
    if not reason.strip():
        raise Invalid("Write why you revoke it.", fields={"reason": "This is empty."})
    with transaction.atomic():
        Patient.objects.select_for_update(no_key=True).get(pk=order.patient_id)
        row = Order.objects.select_for_update(of=("self",)).get(pk=order.pk)
        if row.revoked_at is not None:
            return row
        if not row.is_in_force:
            raise Conflict("This order is not in force.", code="order_not_in_force")
        Order.objects.filter(pk=row.pk).update(revoked_at=at, revoked_by=by, revoke_reason=reason)
        goes_on(row, "revoked", by=by, at=at)
        row.refresh_from_db()
        ask_for_count(row, why="The order was revoked", by=by, at=at)
        audit.record("order.revoked", by=by, at=at, about=row, patient_id=row.patient_id)
    return row
