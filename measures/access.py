"""What may be read of a person's answers, and in which order."""

import uuid
from datetime import datetime
from typing import Any

from django.db.models import Max, QuerySet

from accounts.access import visible_patient
from accounts.models import Patient
from common.errors import NotVisible
from measures.models import CssrsResult, InstrumentResponse, SafetyPlan
from measures.rules import RiskLevel, facts_of_result
from measures.rules.safety_questions import risk_screen_from_data, suicide_risk


def responses_of(patient: Patient | uuid.UUID) -> QuerySet[InstrumentResponse]:
    """Everything this person answered, newest first."""
    return InstrumentResponse.objects.filter(patient=patient).order_by("-completed_at", "-id")


def responses_visible_to(user: Any, patient_id: uuid.UUID | None = None) -> QuerySet[InstrumentResponse]:
    """A patient's own answers, or those of one patient whom this clinician may see. Raises NotVisible."""
    return responses_of(visible_patient(user, patient_id or user.pk))


def scores_of(patient: Patient) -> list[InstrumentResponse]:
    """Every finished questionnaire with a total, oldest first."""
    return list(
        InstrumentResponse.objects.filter(patient=patient, total__isnull=False).order_by("completed_at", "id")
    )


def latest(patient: Patient, instrument: str, timepoint: str | None = None) -> InstrumentResponse | None:
    """The newest finished response of an instrument, at one time point if given."""
    found = InstrumentResponse.objects.filter(patient=patient, instrument=instrument)
    if instrument != "suicide_risk":
        found = found.filter(total__isnull=False)
    if timepoint is not None:
        found = found.filter(timepoint=timepoint)
    return found.order_by("-completed_at", "-id").first()


def cssrs_of(patient: Patient | uuid.UUID) -> QuerySet[CssrsResult]:
    """Signed C-SSRS results, the newest first, each with who signed and what corrected it."""
    return (
        CssrsResult.objects.filter(patient=patient)
        .select_related("signed_by", "corrected_by")
        .order_by("-signed_at", "-id")
    )


def cssrs_facts(patient: Patient, *, since_at: datetime) -> list[tuple[datetime, dict[str, str]]]:
    """What results signed since then add to the facts of the rules, and when; an entry that was corrected no longer speaks."""
    rows = CssrsResult.objects.filter(
        patient=patient, signed_at__gte=since_at, corrected_by__isnull=True
    ).values_list("signed_at", "ideation_level", "behaviour")
    return [(at, facts) for at, level, behaviour in rows if (facts := facts_of_result(level, behaviour))]


def newest_high_risk_at(patient: Patient) -> datetime | None:
    """When this person last gave an answer of high suicide risk, or a psychiatrist's interview found it; None for never."""
    answered = InstrumentResponse.objects.filter(patient=patient, risk_level=RiskLevel.HIGH)
    found = CssrsResult.objects.filter(patient=patient, risk_level=RiskLevel.HIGH, corrected_by__isnull=True)
    times = [
        answered.aggregate(newest=Max("completed_at"))["newest"],
        found.aggregate(newest=Max("signed_at"))["newest"],
    ]
    return max((time for time in times if time is not None), default=None)


def safety_plan_of(patient: Patient | uuid.UUID) -> SafetyPlan | None:
    """The newest version of this person's plan."""
    return SafetyPlan.objects.filter(patient=patient).order_by("-number").first()


def safety_plan_saved_at(patient: Patient) -> QuerySet[Any]:
    """When the plan was last saved, as a part of somebody else's query."""
    return SafetyPlan.objects.filter(patient=patient).order_by("-number").values("saved_at")[:1]


def safety_plans_of(patient: Patient | uuid.UUID, limit: int) -> list[SafetyPlan]:
    """The newest versions, the newest first."""
    return list(SafetyPlan.objects.filter(patient=patient).order_by("-number")[:limit])


def own_cssrs(patient: Patient, result_id: uuid.UUID | None) -> CssrsResult | None:
    """An entry of this person that is to be corrected; None for none. Raises NotVisible."""
    if result_id is None:
        return None
    found = CssrsResult.objects.filter(patient=patient, pk=result_id).first()
    if found is None:
        raise NotVisible("There is no such page.")
    return found


def safety_questions_read(*, data: dict[str, Any]) -> list[str]:
    """Hook `protocol.read`: what stands against the suicide-risk questions of a proposed version."""
    if "suicide_risk" not in data:
        return []
    try:
        screen = risk_screen_from_data(data["suicide_risk"])
        for answer in ("yes", "no", "unsure"):
            suicide_risk({question.code: answer for question in screen.questions}, screen=screen)
        missing = [level for level in RiskLevel if level not in screen.responses]
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        return [f"The suicide-risk questions cannot be read: {type(error).__name__} at {error}."]
    return [f"The suicide-risk questions say nothing for the level “{level}”." for level in missing]
