"""The patient's side: answers kept step by step, each step with its own version."""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from django.db import IntegrityError, transaction

from accounts.actions import update_patient, update_person
from accounts.models import Patient
from common import audit, protocol
from common.clock import local_date
from common.errors import Conflict, StaleVersion
from common.states import opened
from intake import states
from intake.access import current_intake
from intake.actions.counts import count_rules
from intake.actions.eligibility import reevaluate
from intake.models import Intake, PatientDocument, Screening
from intake.rules import Stage
from intake.rules.answers import DERIVED, derived, prefill_from
from intake.rules.branching import hidden, unanswered
from intake.rules.merging import SCORED, Clash, flat, merge
from intake.rules.steps import step as step_of
from measures.actions import RecordedResponse, record_response
from measures.models import InstrumentResponse
from vitals.actions import RecordedReading, record_reading

CHART_FACTS = ("sex", "state", "address", "emergency_contact_name", "emergency_contact_phone")


def count_screening(*, outcome: str, reasons: tuple[str, ...], rule_version: str, at: datetime) -> Screening:
    """Add one finished assessment to the tally: outcome, rule numbers and the day. Nothing about who, or what was answered."""
    with transaction.atomic():
        # While no protocol is approved there is no version to count under.
        with suppress(Conflict):
            count_rules(reasons, stage=Stage.ASSESSMENT, protocol_id=protocol.current(at=at).pk)
        return Screening.objects.create(
            on=local_date(at, "UTC"), outcome=outcome, reasons=list(reasons), rule_version=rule_version
        )


def start_intake(patient: Patient, *, by: Any, at: datetime) -> Intake:
    """The intake that is open, or a new one; safe to call twice at once."""
    current = current_intake(patient)
    if current is not None and current.state not in (states.DECLINED, states.WITHDRAWN):
        return current
    try:
        with transaction.atomic():
            photo = PatientDocument.objects.filter(
                patient=patient, kind=PatientDocument.Kind.ID_PHOTO, superseded_at=None, removed_at=None
            ).exists()
            answers = {"identity": _entry({}, {"how": "photo"}, at=at)} if photo else {}
            intake = Intake.objects.create(
                patient=patient, created_at=at, care_state=patient.state, answers=answers
            )
            opened(intake, states.DRAFT, by=by, at=at)
            audit.record("intake.started", by=by, at=at, about=intake, patient_id=patient.pk)
            return intake
    except IntegrityError:
        again = current_intake(patient)
        if again is None:
            raise
        return again


def prefill(intake: Intake, facts: Mapping[str, str], *, by: Any, at: datetime) -> Intake:
    """Carry the two-minute assessment into steps that are still untouched."""
    with transaction.atomic():
        row = locked(intake)
        added = False
        for step, data in prefill_from(facts).items():
            if step not in row.answers:
                row.answers[step] = {"version": 0, "data": data, "complete": False, "at": at.isoformat()}
                added = True
        if added:
            row.save(update_fields=["answers"])
            audit.record("intake.prefilled", by=by, at=at, about=row, patient_id=row.patient_id)
    return row


@dataclass(frozen=True, slots=True)
class Saved:
    """The intake as it is now; the answers that clash with newer ones; those that were changed elsewhere meanwhile."""

    intake: Intake
    changed: tuple[str, ...]
    clashes: tuple[Clash, ...]
    newer: tuple[str, ...]
    written: bool


def save_answers(
    intake: Intake,
    step: str,
    answers: Mapping[str, Any],
    *,
    version: int,
    by: Any,
    at: datetime,
    asked: Iterable[str] | None = None,
    complete: bool | None = True,
    beside: Mapping[str, Any] | None = None,
) -> Saved:
    """Keep answers of one page, each for itself. `version` is the one the page was made from.

    `beside` are the scored answers of the questionnaire that stands on the page: kept as a questionnaire once the page is
    whole and nothing clashes, before the rules are asked again, so that its score and the answers are judged as one.

    `asked` names what the page asked (all of the step, unless told), so that what was emptied is empty and what was not asked
    stays. `complete=None` leaves a step as finished as it is by then: an answer that was on its way when the page itself was sent
    does not open it again. An answer that was changed elsewhere since, to something else, is not overwritten: it comes back as a clash, the others
    are saved. Raises StaleVersion for a version that never was, Conflict when the intake cannot be changed now.
    """
    with transaction.atomic():
        row = _writable(intake, step)
        saved = _merge(row, step, answers, asked=asked, version=version, complete=complete, at=at)
        if saved.written:
            if step == "about":
                _keep_person(row, row.answers[step]["data"], by=by, at=at)
            row.save(update_fields=["answers", "care_state"])
            audit.record(
                "intake.step_saved",
                by=by,
                at=at,
                about=row,
                patient_id=row.patient_id,
                detail={
                    "step": step,
                    "complete": row.answers[step]["complete"],
                    "answers": list(saved.changed),
                },
            )
        scored = None
        if beside and complete and not saved.clashes:
            scored = record_beside(row, step_of(step).instrument, beside, by=by, at=at)
        if row.state == states.ACCEPTED and (saved.written or scored is not None):
            reevaluate(row.patient, by=by, at=at)
    return saved


def save_step(
    intake: Intake,
    step: str,
    answers: Mapping[str, Any],
    *,
    version: int,
    by: Any,
    at: datetime,
    complete: bool = True,
) -> Intake:
    """Keep one page of answers, all or nothing.

    Raises StaleVersion when one of them was changed elsewhere since (another tab, another device), Conflict when the intake is
    with the psychiatrist and cannot be changed.
    """
    with transaction.atomic():
        saved = save_answers(intake, step, answers, version=version, by=by, at=at, complete=complete)
        if saved.clashes:
            raise StaleVersion(
                "This page was saved somewhere else in the meantime. Compare, then save the one you want."
            )
    return saved.intake


BEFORE_CARE, IN_CARE = "baseline", "checkin"


def _timepoint(intake: Intake, instrument: str, *, complete: bool = True) -> str:
    """When this answer is given: before the decision it is the baseline, in care a check-in beside it, which it never replaces.

    Safety answers have no baseline to compare with: the worst of an intake counts, whenever it was given (HZ-27).
    """
    in_care = intake.state == states.ACCEPTED and complete and instrument != "suicide_risk"
    return IN_CARE if in_care else BEFORE_CARE


def record_instrument(
    intake: Intake,
    step: str,
    answers: Mapping[str, Any],
    *,
    by: Any,
    at: datetime,
    complete: bool = True,
    still_answering: bool = False,
) -> RecordedResponse:
    """Keep a questionnaire of the intake. It never conflicts: a safety answer counts from whichever tab it comes (HZ-27)."""
    with transaction.atomic():
        row = locked(intake)
        instrument = step_of(step).instrument
        recorded = record_response(
            row.patient, instrument, answers, _timepoint(row, instrument, complete=complete), by=by, at=at,
            complete=complete, still_answering=still_answering,
        )  # fmt: skip
        if complete and row.state in states.PATIENT_WRITES:
            _put(row, step, {"done": "yes"}, at=at)
            row.save(update_fields=["answers"])
    if row.state not in states.PATIENT_WRITES:
        reevaluate(row.patient, by=by, at=at)
    return recorded


def record_beside(
    intake: Intake, instrument: str, answers: Mapping[str, Any], *, by: Any, at: datetime
) -> RecordedResponse | None:
    """Keep a questionnaire that stands on a page with other questions; None when its newest answers are the same.

    The page itself is saved by `save_answers`.
    """
    newest = (
        InstrumentResponse.objects.filter(
            patient=intake.patient,
            instrument=instrument,
            timepoint__in=(BEFORE_CARE, IN_CARE),
            completed_at__gte=intake.created_at,
        )
        .order_by("completed_at", "id")
        .last()
    )
    if newest is not None and newest.total is not None and newest.items == dict(answers):
        return None
    return record_response(intake.patient, instrument, answers, _timepoint(intake, instrument), by=by, at=at)


def record_intake_reading(intake: Intake, *, by: Any, at: datetime, **reading: int) -> RecordedReading:
    """Keep one blood-pressure reading taken for the intake."""
    with transaction.atomic():
        row = _writable(intake)
        return record_reading(
            patient=row.patient, taken_at=at, source="patient", phase="intake", by=by, at=at,
            systolic_mmhg=reading["systolic_mmhg"], diastolic_mmhg=reading["diastolic_mmhg"], pulse_bpm=reading["pulse_bpm"],
        )  # fmt: skip


def identity_by_photo(intake: Intake, *, by: Any, at: datetime) -> None:
    """A photo of an ID has come: that answers the step, as long as the patient holds the pen."""
    _identity(intake, "photo", by=by, at=at)


def identity_at_visit(intake: Intake, *, by: Any, at: datetime) -> None:
    """The person shows the ID on video instead. Raises Conflict when the intake cannot be changed now."""
    with transaction.atomic():
        _writable(intake)
        _identity(intake, "visit", by=by, at=at)


def identity_open_again(intake: Intake, *, by: Any, at: datetime) -> None:
    """The photo that answered the step was taken back."""
    _identity(intake, "", by=by, at=at)


def _identity(intake: Intake, how: str, *, by: Any, at: datetime) -> None:
    with transaction.atomic():
        row = locked(intake)
        kept = row.answers.get("identity", {}).get("data", {}).get("how", "")
        if row.state not in states.PATIENT_WRITES or (not how and kept != "photo"):
            return
        _put(row, "identity", {"how": how}, at=at)
        row.answers["identity"]["complete"] = bool(how)
        row.save(update_fields=["answers"])
        audit.record(
            "intake.identity", by=by, at=at, about=row, patient_id=row.patient_id, detail={"how": how}
        )


def locked(intake: Intake) -> Intake:
    return Intake.objects.select_for_update(of=("self",)).select_related("patient__user").get(pk=intake.pk)


def _writable(intake: Intake, step: str = "") -> Intake:
    row = locked(intake)
    later = row.state == states.ACCEPTED and step in states.UPDATABLE_STEPS
    if row.state not in states.PATIENT_WRITES and not later:
        raise Conflict(
            "Your intake is with the psychiatrist, so it cannot be changed here. Call us if something is wrong."
        )
    return row


def _merge(
    row: Intake,
    step: str,
    answers: Mapping[str, Any],
    *,
    asked: Iterable[str] | None,
    version: int,
    complete: bool | None,
    at: datetime,
) -> Saved:
    entry = row.answers.get(step, {})
    kept_version = entry.get("version", 0)
    if complete is None:
        complete = bool(entry.get("complete"))
    if not 0 <= version <= kept_version:
        raise StaleVersion(
            "This page does not fit what is saved. Open it again; nothing that was saved is lost."
        )
    questions = step_of(step).questions
    if not questions and SCORED in answers and complete and version < kept_version:
        # A questionnaire that was sent meanwhile: what was still on its way as a draft is in it.
        return Saved(row, (), (), tuple(answers[SCORED]), False)
    own = {question.name for question in questions}
    typed = {name: value for name, value in flat(answers).items() if name not in DERIVED}
    asked = own - hidden(questions, typed) if asked is None else set(asked)
    typed = dict.fromkeys(asked & own) | {
        name: value for name, value in typed.items() if name in asked or name not in own
    }
    found = merge(entry, typed, version=version, at=at.isoformat(), together=step_of(step).together)
    data = {name: value for name, value in found.data.items() if name not in DERIVED} | derived(found.data)
    done = complete and not found.clashes and not unanswered(questions, data)
    written = bool(found.changed) or done != entry.get("complete", False)
    if written:
        row.answers[step] = {
            "version": kept_version + 1, "data": data, "complete": done, "at": at.isoformat(), "log": found.log,
        }  # fmt: skip
    return Saved(row, found.changed, found.clashes, found.newer, written)


def _put(row: Intake, step: str, data: dict[str, Any], *, at: datetime) -> None:
    """A step that is done with, whatever was open elsewhere: a questionnaire adds, it never overwrites."""
    row.answers[step] = _entry(row.answers.get(step, {}), data, at=at)


def _entry(before: Mapping[str, Any], data: dict[str, Any], *, at: datetime) -> dict[str, Any]:
    version = before.get("version", 0) + 1
    return {"version": version, "data": data, "complete": True, "at": at.isoformat()}


def _keep_person(row: Intake, answers: Mapping[str, Any], *, by: Any, at: datetime) -> None:
    """The chart's own facts live with the person; the page is where they are typed."""
    user, patient = row.patient.user, row.patient
    changes: dict[str, Any] = {name: answers[name] for name in CHART_FACTS if answers.get(name)}
    if born := answers.get("date_of_birth"):
        changes["date_of_birth"] = date.fromisoformat(born)
    for name, source in (("weight_kg", "weight_kg"), ("height_cm", "height_cm_total")):
        if answers.get(source):
            changes[name] = Decimal(answers[source])
    row.patient = update_patient(patient, by=by, at=at, **changes)
    row.care_state = row.patient.state
    wanted = {
        "full_name": answers.get("full_name") or user.full_name,
        "time_zone": answers.get("time_zone") or user.time_zone,
        "phone": answers.get("phone") or user.phone,
    }
    if any(getattr(user, name) != value for name, value in wanted.items()):
        update_person(user, by=by, at=at, **wanted)
