"""What still stands between a draft and a signature; empty means it may be signed."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any

from consults.rules.state_law import LawGap, signing_gap


class NoteGap(StrEnum):
    """A visit note with one of these cannot be signed."""

    HISTORY = "history"
    MENTAL_STATUS = "mental_status"
    RISK = "risk"
    PLAN = "plan"
    DIAGNOSIS = "diagnosis"
    DECISION = "decision"
    DECISION_AGAINST_DIAGNOSIS = "decision_against_diagnosis"
    IDENTITY = "identity"
    BIRTH_DATE = "birth_date"
    BIRTH_DATE_DIFFERS = "birth_date_differs"
    LOCATION = "location"
    NOT_LICENSED_HERE = "not_licensed_here"
    DURATION = "duration"
    SHORT_WITHOUT_REASON = "short_without_reason"
    NOT_HELD_YET = "not_held_yet"
    HOW_HELD = "how_held"


@dataclass(frozen=True, slots=True)
class NoteFacts:
    history: str
    mental_status: str
    risk: str
    plan: str
    short_visit_reason: str
    diagnosis: str
    suitable: bool | None
    identity_confirmed: bool
    date_of_birth_seen: date | None
    date_of_birth_on_file: date | None
    location_confirmed: bool
    location_state: str
    duration_minutes: int | None
    licensed_states: frozenset[str]
    starts_at: datetime
    signing_at: datetime
    visit_type: str
    held_by: str
    # The prompts of the templates: lines that nobody has written.
    prompts: frozenset[str] = frozenset()


def written(text: str, prompts: frozenset[str]) -> str:
    """What somebody wrote: without the lines of a template that were left as they came."""
    return "\n".join(line for line in text.splitlines() if line.strip() and line.strip() not in prompts)


def note_gaps(f: NoteFacts, note: Mapping[str, Any]) -> frozenset[NoteGap]:
    """What the note still lacks, by the protocol's required elements."""
    found: set[NoteGap] = set()
    for gap, text in (
        (NoteGap.HISTORY, f.history),
        (NoteGap.MENTAL_STATUS, f.mental_status),
        (NoteGap.RISK, f.risk),
        (NoteGap.PLAN, f.plan),
    ):
        if not written(text, f.prompts).strip():
            found.add(gap)
    if not f.diagnosis:
        found.add(NoteGap.DIAGNOSIS)
    if f.suitable is None:
        found.add(NoteGap.DECISION)
    elif f.suitable and f.diagnosis == "none":
        found.add(NoteGap.DECISION_AGAINST_DIAGNOSIS)
    if not f.identity_confirmed:
        found.add(NoteGap.IDENTITY)
    if f.date_of_birth_seen is None:
        found.add(NoteGap.BIRTH_DATE)
    elif f.date_of_birth_on_file is not None and f.date_of_birth_on_file != f.date_of_birth_seen:
        found.add(NoteGap.BIRTH_DATE_DIFFERS)
    if not f.location_confirmed or not f.location_state:
        found.add(NoteGap.LOCATION)
    elif f.location_state not in f.licensed_states:
        found.add(NoteGap.NOT_LICENSED_HERE)
    if f.duration_minutes is None or f.duration_minutes < 1:
        found.add(NoteGap.DURATION)
    elif f.duration_minutes < minimum_minutes(note, f.visit_type) and not f.short_visit_reason.strip():
        found.add(NoteGap.SHORT_WITHOUT_REASON)
    if f.held_by not in ("video", "audio", "in_person"):
        found.add(NoteGap.HOW_HELD)
    if f.signing_at < f.starts_at:
        found.add(NoteGap.NOT_HELD_YET)
    return frozenset(found)


def minimum_minutes(note: Mapping[str, Any], visit_type: str) -> int:
    """How long a visit of this kind is at least, without a reason. A protocol that says nothing of follow-ups asks the consult's."""
    usual = int(note["minimum_minutes"])
    return int(note.get("follow_up_minimum_minutes", usual)) if visit_type == "follow_up" else usual


class OrderGap(StrEnum):
    """An order with one of these cannot be signed."""

    INTAKE_NOT_ACCEPTED = "intake_not_accepted"
    NOTE_NOT_SIGNED = "note_not_signed"
    NOTE_NOT_SUITABLE = "note_not_suitable"
    NOTE_TOO_OLD = "note_too_old"
    RECONSULT_DUE = "reconsult_due"
    NOTE_REOPENED = "note_reopened"
    NOT_BY_VIDEO = "not_by_video"
    CONSENT_NOT_CURRENT = "consent_not_current"
    ELIGIBILITY_REOPENED = "eligibility_reopened"
    ELIGIBILITY_EXCLUDES = "eligibility_excludes"
    IDENTITY_NOT_VERIFIED = "identity_not_verified"
    PDMP_NOT_CHECKED = "pdmp_not_checked"
    PDMP_TOO_OLD = "pdmp_too_old"
    PDMP_DISCREPANCY = "pdmp_discrepancy"
    NOT_LICENSED_HERE = "not_licensed_here"
    STATE_RULE_UNKNOWN = LawGap.UNKNOWN.value
    STATE_RULE_CLOSED = LawGap.CLOSED.value
    STATE_NEEDS_IN_PERSON = LawGap.IN_PERSON.value
    AUTHORITY_LAPSED = "authority_lapsed"
    AUTHORITY_INCOMPLETE = "authority_incomplete"
    EXAMINATION_INCOMPLETE = "examination_incomplete"
    EXAMINATION_TO_COME = "examination_to_come"
    EVALUATOR_DIFFERS = "evaluator_differs"
    SYNTHETIC_PATIENT = "synthetic_patient"
    ANOTHER_ORDER_IN_FORCE = "another_order_in_force"
    DOSING_ON_HOLD = "dosing_on_hold"
    NO_SAFETY_PLAN = "no_safety_plan"
    REASON_MISSING = "reason_missing"
    ADDRESS_MISSING = "address_missing"
    PROTOCOL_CHANGED = "protocol_changed"
    SECOND_PERSON_MISSING = "second_person_missing"
    CARE_ENDED = "care_ended"
    ACCOUNT_CLOSED = "account_closed"


@dataclass(frozen=True, slots=True, kw_only=True)
class StandingFacts:
    """On what an order stands beside the patient's own health: asked when it is signed, when it leaves, and for each further parcel."""

    pdmp_checked_at: datetime | None
    pdmp_finding: str
    pdmp_states: frozenset[str]
    state_of_care: str
    licensed_states: frozenset[str]
    state_rule: str
    authority_basis: str
    authority_reference: str
    authority_expires_on: date | None
    # The examination in person that the basis rests on: its day, and whether who examined and where is written.
    examined_on: date | None
    examined_where: bool
    at: datetime
    # The later of the two dates where the patient and where the prescriber is: what has lapsed for one of them has lapsed.
    on: date
    # Where the patient was at the visit, and what that state allows: its law, its monitoring programme, and licence and
    # registration there count beside those of the state on file (protocol 4: where the patient is at the encounter). Empty: in
    # the state of care.
    seen_in: str = ""
    seen_rule: str = ""
    # Where the patient lives now, when the order was signed for another state.
    lives_in: str = ""
    lives_rule: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderFacts(StandingFacts):
    """What stands against signing looks at."""

    intake_accepted: bool
    eligibility_stands: bool
    note_signed_at: datetime | None
    note_suitable: bool | None
    consent_current: bool
    excluded_by: frozenset[str]
    identity_verified: bool
    is_synthetic: bool
    another_order_in_force: bool
    held: bool
    warnings: frozenset[str]
    warning_reason: str
    address: str
    protocol_current: bool
    second_person_agreed: bool
    note_reopened: bool
    seen_by_video: bool
    # Sessions that orders resting on the same visit are for, this order's among them.
    sessions_on_visit: int = 0
    # A rule that asks for a safety plan first (E21) is true, and none is written.
    safety_plan_missing: bool = False
    # Somebody else saw the patient at the visit, and the prescriber has not said, of that very person, why.
    evaluator_unsaid: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CareFacts:
    """On what a signed order stands in the patient's own care: asked whenever something of it leaves."""

    note_suitable: bool
    note_reopened: bool
    consent_current: bool
    eligibility_stands: bool
    held: bool
    # The course of this order was stopped: by a decision, by the patient, or because treatment is not suitable.
    ended: bool
    account_open: bool


def care_gaps(f: CareFacts) -> frozenset[OrderGap]:
    """What was asked of the patient's care at signing and holds no more: nothing leaves for somebody whose treatment stands still."""
    found: set[OrderGap] = set()
    if f.note_reopened:
        found.add(OrderGap.NOTE_REOPENED)
    elif not f.note_suitable:
        found.add(OrderGap.NOTE_NOT_SUITABLE)
    if not f.consent_current:
        found.add(OrderGap.CONSENT_NOT_CURRENT)
    if not f.eligibility_stands:
        found.add(OrderGap.ELIGIBILITY_REOPENED)
    if f.held:
        found.add(OrderGap.DOSING_ON_HOLD)
    if f.ended:
        found.add(OrderGap.CARE_ENDED)
    if not f.account_open:
        found.add(OrderGap.ACCOUNT_CLOSED)
    return frozenset(found)


def standing_gaps(
    f: StandingFacts, order: Mapping[str, Any], *, fresh_check: bool = True
) -> frozenset[OrderGap]:
    """Licence, law, monitoring programme and authority, on this day. Without `fresh_check` the programme was looked at when the
    order left, and only what was found counts."""
    found: set[OrderGap] = set()
    # Protocol 4: where the patient is at the encounter counts for whoever prescribes, also when somebody else saw them there.
    states = {f.state_of_care, f.seen_in, f.lives_in} - {""}
    if f.pdmp_checked_at is None or not states <= f.pdmp_states:
        found.add(OrderGap.PDMP_NOT_CHECKED)
    else:
        age = f.at - f.pdmp_checked_at
        if fresh_check and (age > timedelta(hours=order["pdmp_check_max_age_hours"]) or age < timedelta()):
            found.add(OrderGap.PDMP_TOO_OLD)
        if f.pdmp_finding != "clear":
            found.add(OrderGap.PDMP_DISCREPANCY)
    if not states <= f.licensed_states:
        found.add(OrderGap.NOT_LICENSED_HERE)
    rules = [f.state_rule] + [
        rule for state, rule in ((f.seen_in, f.seen_rule), (f.lives_in, f.lives_rule)) if state
    ]
    for state_rule in rules:
        law = signing_gap(state_rule, f.authority_basis)
        if law:
            found.add(OrderGap(law.value))
    return frozenset(found | _authority_gaps(f))


def _authority_gaps(f: StandingFacts) -> set[OrderGap]:
    found: set[OrderGap] = set()
    if f.authority_basis == "prior_in_person":
        if f.examined_on is None or not f.examined_where:
            return {OrderGap.EXAMINATION_INCOMPLETE}
        if f.examined_on > f.on:
            found.add(OrderGap.EXAMINATION_TO_COME)
    elif f.authority_basis != "telemedicine_flexibility" and not f.authority_reference.strip():
        found.add(OrderGap.AUTHORITY_INCOMPLETE)
    # Without an end nobody could say that it is in force: the basis of an examination ends by the protocol's number.
    if f.authority_expires_on is None or f.authority_expires_on < f.on:
        found.add(OrderGap.AUTHORITY_LAPSED)
    return found


def order_gaps(f: OrderFacts, order: Mapping[str, Any]) -> frozenset[OrderGap]:
    """What stands against signing, beside the checks of the dose itself."""
    found: set[OrderGap] = set()
    if f.is_synthetic:
        found.add(OrderGap.SYNTHETIC_PATIENT)
    if not f.intake_accepted:
        found.add(OrderGap.INTAKE_NOT_ACCEPTED)
    if f.note_signed_at is None:
        found.add(OrderGap.NOTE_NOT_SIGNED)
    else:
        if not f.note_suitable:
            found.add(OrderGap.NOTE_NOT_SUITABLE)
        if f.at - f.note_signed_at > timedelta(days=order["note_max_age_days"]):
            found.add(OrderGap.NOTE_TOO_OLD)
        if f.sessions_on_visit > order.get("reconsult_sessions", f.sessions_on_visit):
            found.add(OrderGap.RECONSULT_DUE)
        # Live picture and sound, or in person: a call by phone is not enough for this medicine.
        if not f.seen_by_video:
            found.add(OrderGap.NOT_BY_VIDEO)
    if f.evaluator_unsaid:
        found.add(OrderGap.EVALUATOR_DIFFERS)
    if f.note_reopened:
        found.add(OrderGap.NOTE_REOPENED)
    if not f.consent_current:
        found.add(OrderGap.CONSENT_NOT_CURRENT)
    if f.intake_accepted and not f.eligibility_stands:
        found.add(OrderGap.ELIGIBILITY_REOPENED)
    if f.excluded_by:
        found.add(OrderGap.ELIGIBILITY_EXCLUDES)
    if not f.identity_verified:
        found.add(OrderGap.IDENTITY_NOT_VERIFIED)
    found |= standing_gaps(f, order)
    if f.another_order_in_force:
        found.add(OrderGap.ANOTHER_ORDER_IN_FORCE)
    if f.held:
        found.add(OrderGap.DOSING_ON_HOLD)
    if f.safety_plan_missing:
        found.add(OrderGap.NO_SAFETY_PLAN)
    if f.warnings and not f.warning_reason.strip():
        found.add(OrderGap.REASON_MISSING)
    if not f.address.strip():
        found.add(OrderGap.ADDRESS_MISSING)
    if not f.protocol_current:
        found.add(OrderGap.PROTOCOL_CHANGED)
    if "second_person" in f.warnings and not f.second_person_agreed:
        found.add(OrderGap.SECOND_PERSON_MISSING)
    return frozenset(found)
