"""One person's intake, medicines, signatures and evaluations, and their facts as the rules read them."""

import uuid
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Max, Q, QuerySet

from accounts.models import Patient
from common.clock import age_years, local_date
from common.errors import NotVisible
from common.models import ProtocolVersion
from intake import states
from intake.access.consents import signed_now
from intake.models import Decision, EligibilityEvaluation, Intake, Medicine
from intake.rules import Outcome
from intake.rules.answers import facts_from, rx_classes_fact, worst_answer
from intake.rules.predicates import RULES
from intake.wording import rule_texts
from measures.access import cssrs_facts
from measures.models import InstrumentResponse
from measures.rules import risk_facts
from vitals.access import worst_of
from vitals.models import Reading
from vitals.rules import BpLimits, Pressure, limits_from_data

# Beside the facts of an evaluation: how many medicines of the list are in no class we know. No rule reads the number.
UNREAD_COUNT = "unread_medicines"
# And which medicines they are, each with its classes: a second one of a class changes no class and is news all the same.
LISTED = "medicines"

# How far back a yes about safety counts that was given before an intake was begun: the longest window of the questions.
EARLIER = timedelta(days=90)


def sent_before(intake: Any) -> QuerySet[EligibilityEvaluation]:
    """What the rules said when this person's other intakes were sent: taken back or declined, it was said all the same."""
    return EligibilityEvaluation.objects.filter(cause="submit").exclude(intake=intake)


def excluded_before(
    sent: Iterable[tuple[Iterable[str], datetime]], now: EligibilityEvaluation
) -> dict[str, datetime]:
    """The rules that would have excluded somebody by what they answered in an earlier intake, and that are not true now, with the
    newest such instant. `sent`: reasons and instant of each earlier intake. A psychiatrist asks what has changed."""
    texts = rule_texts(now.protocol.data["eligibility"])
    found: dict[str, datetime] = {}
    for reasons, at in sent:
        for id in reasons:
            if id in texts and texts[id].outcome is Outcome.EXCLUDE and id not in now.reasons:
                found[id] = max(at, found.get(id, at))
    return dict(sorted(found.items()))


def current_intake(patient: Patient | uuid.UUID) -> Intake | None:
    """The intake that is open, or else the newest."""
    return (
        Intake.objects.filter(patient=patient).order_by("-created_at").select_related("patient__user").first()
    )


def active_medicines(patient: Patient) -> list[Medicine]:
    """What this person takes now, in the order it was listed."""
    return list(Medicine.objects.filter(patient=patient, ended_at__isnull=True).order_by("started_at", "id"))


def own_medicine(patient: Patient, medicine_id: uuid.UUID) -> Medicine:
    """One medicine on this person's list, or NotVisible."""
    found = Medicine.objects.filter(pk=medicine_id, patient=patient, ended_at__isnull=True).first()
    if found is None:
        raise NotVisible("There is no such page.")
    return found


def latest_evaluation(patient: Patient) -> EligibilityEvaluation | None:
    """The newest evaluation of this person, whichever intake it belongs to."""
    return EligibilityEvaluation.objects.filter(patient=patient).order_by("-at", "-id").first()


def reasons_of(evaluation_id: uuid.UUID, patient: Patient) -> list[str]:
    """The rules that were true in one evaluation of this person; none for any other."""
    found = EligibilityEvaluation.objects.filter(pk=evaluation_id, patient=patient).values_list(
        "reasons", flat=True
    )
    return list(found.first() or [])


def open_question(patient: Patient) -> EligibilityEvaluation | None:
    """The evaluation that re-opened eligibility and that no psychiatrist has settled yet."""
    newest = (
        EligibilityEvaluation.objects.filter(patient=patient, cause__in=["reopened", "settled"])
        .select_related("changed_by", "protocol")
        .order_by("-at", "-id")
        .first()
    )
    return newest if newest is not None and newest.cause == "reopened" else None


def eligibility_stands(patient: Patient) -> bool:
    """Accepted by a psychiatrist, and nothing has re-opened the question since (gate G5)."""
    return (
        Intake.objects.filter(patient=patient, state=states.ACCEPTED).exists()
        and open_question(patient) is None
    )


def decisions_of(intake: Intake) -> list[Decision]:
    """Signed decisions, newest first."""
    return list(Decision.objects.filter(intake=intake).select_related("by").order_by("-at"))


def intake_readings(patient: Patient) -> list[Reading]:
    """Readings taken for the intake, oldest first."""
    return list(Reading.objects.filter(patient=patient, phase="intake").order_by("received_at", "id"))


def facts_of(intake: Intake, *, at: datetime, version: ProtocolVersion) -> dict[str, str]:
    """Everything the rules may look at, as text by fact name; unknown facts are absent."""
    patient = intake.patient
    saved = {step: entry["data"] for step, entry in intake.answers.items()}
    facts = facts_from(saved, on=local_date(at, patient.user.time_zone))
    if intake.care_state:
        facts["state"] = intake.care_state
    # Birth date and sex live with the person: what was checked against an ID counts, not what was typed before (HZ-26).
    if patient.date_of_birth:
        facts["age_years"] = str(age_years(patient.date_of_birth, local_date(at, patient.user.time_zone)))
    if patient.sex:
        facts["sex"] = patient.sex
    facts.update(_scores(intake, at=at, version=version))
    limits = limits_from_data(version.data["bp"])
    if worst := _worst_pressure(intake, limits):
        facts["bp_systolic_mmhg"], facts["bp_diastolic_mmhg"] = (f"{value:g}" for value in worst)
    taken, confirmed = active_medicines(patient), bool(intake.answers.get("medicines", {}).get("complete"))
    if taken or confirmed:
        # What stands on the list counts at once; until the person says that it is all, the rest is unread (E71).
        classes = [c for m in taken for c in m.rx_classes] + ["other"] * (not confirmed)
        facts["rx_classes"] = rx_classes_fact(classes)
        if unread := sum("other" in m.rx_classes for m in taken):
            facts[UNREAD_COUNT] = str(unread)
        facts[LISTED] = " ".join(f"{m.pk}:{'+'.join(m.rx_classes)}" for m in taken)
    return facts


def _worst_pressure(intake: Intake, limits: BpLimits) -> Pressure | None:
    """The worst of all sets of this intake: nobody measures until it fits. A psychiatrist who asks for it anew starts anew."""
    readings = [r for r in intake_readings(intake.patient) if r.received_at >= intake.created_at]
    worst = worst_of(readings, limits)
    if len(readings) > 2:
        asked = Decision.objects.filter(intake=intake, kind=Decision.Kind.ASK_MORE, items__contains=["bp"])
        if since := asked.aggregate(newest=Max("at"))["newest"]:
            return worst_of([r for r in readings if r.received_at >= since], limits) or worst
    return worst


def decision_facts(patient: Patient) -> dict[str, str]:
    """What the decision stage adds and the record knows: signatures and identity."""
    signed = signed_now(patient)
    return {
        "consent_signed": _yes_no("treatment-consent" in signed),
        "agreement_signed": _yes_no("safety-agreement" in signed),
        "id_verified": _yes_no(patient.identity_verified_at is not None),
    }


def _yes_no(value: bool) -> str:
    return "yes" if value else "no"


def _scores(intake: Intake, *, at: datetime, version: ProtocolVersion) -> dict[str, str]:
    """Totals are those before care, alcohol the newest of all; safety answers are the worst ever given in this intake (HZ-27),
    wherever they were given, and a yes of the three months before it."""
    since = min(intake.created_at, at - EARLIER)
    rows = [
        row
        for row in InstrumentResponse.objects.filter(
            Q(instrument="suicide_risk") | Q(timepoint__in=("baseline", "checkin")),
            patient=intake.patient,
            completed_at__gte=since,
        ).order_by("completed_at", "id")
        if row.completed_at >= intake.created_at or row.instrument in ("suicide_risk", "phq9")
    ]
    facts: dict[str, str] = {}
    for row in rows:
        if row.completed_at < intake.created_at or row.instrument == "suicide_risk":
            continue
        # A mood that got better in care is no reason to ask again who may begin; more alcohol is.
        if row.total is not None and (row.timepoint == "baseline" or row.instrument == "audit_c"):
            facts["audit_c" if row.instrument == "audit_c" else f"{row.instrument}_total"] = str(row.total)
    own = [row.item9 for row in rows if row.item9 is not None and row.completed_at >= intake.created_at]
    earlier = [row.item9 for row in rows if row.item9 and row.completed_at < intake.created_at]
    if own or earlier:
        facts["phq9_item9"] = str(max(own + earlier))
    asked = [(row.completed_at, risk_facts(row.items)) for row in rows if row.instrument == "suicide_risk"]
    # What a clinician's interview found stands beside the person's own answers: the worst of all counts.
    asked += cssrs_facts(intake.patient, since_at=since)
    passing = _passing(version)
    heard = [
        (name, answer)
        for said_at, answers in asked
        for name, answer in answers.items()
        if _counts(name, answer, said_at, intake=intake, at=at, passing=passing)
    ]
    for name in dict.fromkeys(name for name, _ in heard):
        facts[name] = worst_answer(answer for one, answer in heard if one == name)
    return facts


def _passing(version: ProtocolVersion) -> dict[str, timedelta]:
    """The facts of a danger that passes, and how long a yes counts: the stable days of its rule in this version."""
    read = {rule.id: rule.facts for rule in RULES}
    return {
        fact: timedelta(days=text.reassess_after_days)
        for text in rule_texts(version.data["eligibility"]).values()
        if text.reassess_after_days is not None
        for fact in read[text.id]
    }


def _counts(
    name: str,
    answer: str,
    said_at: datetime,
    *,
    intake: Intake,
    at: datetime,
    passing: Mapping[str, timedelta],
) -> bool:
    """In an intake every answer counts for as long as it lasts. Of the time before it only a yes; that, and what is said in care
    later, while the danger has not passed by the days of its rule, so that a course can go on once a psychiatrist settled it."""
    before = said_at < intake.created_at
    in_care = (
        intake.state == states.ACCEPTED and intake.decided_at is not None and said_at > intake.decided_at
    )
    if before and answer != "yes":
        return False
    return not (before or in_care) or name not in passing or said_at > at - passing[name]
