"""A person writes her safety plan, in as many sittings as she likes."""

from collections.abc import Mapping
from datetime import datetime

from django.db import IntegrityError, transaction

from accounts.models import Patient, User
from common import audit
from common.audit import actor_name
from common.errors import Conflict, Invalid, NotPermitted
from measures.models import SafetyPlan
from measures.rules import merged_parts, plan_parts
from measures.rules.safety_plan import part_max_characters, plan_version


def save_safety_plan(
    patient: Patient, typed: Mapping[str, str], *, base: int, by: User, at: datetime
) -> SafetyPlan | None:
    """Keep the parts that were sent as a new version; nothing when nothing differs. Answers the newest version.

    `base` is the number of the version the page was made from, 0 for none. What was saved elsewhere since stays: see
    `merged_parts`. Only the person herself writes it. Raises Invalid for a part that is too long.
    """
    if by.pk != patient.pk:
        raise NotPermitted("A safety plan is written by the person herself.")
    most = part_max_characters()
    titles = {part.code: part.title for part in plan_parts()}
    long = {code: text for code, text in typed.items() if code in titles and len(text) > most}
    if long:
        raise Invalid(
            "One part is too long.",
            fields={
                code: f"Keep it to {most} characters; these are {len(text)}." for code, text in long.items()
            },
        )
    for _ in range(5):
        plans = SafetyPlan.objects.filter(patient=patient)
        newest = plans.order_by("-number").first()
        made_from = newest if newest and newest.number == base else plans.filter(number=base).first()
        kept = newest.parts if newest else {}
        parts = merged_parts(base=made_from.parts if made_from else {}, kept=kept, typed=typed)
        if parts == kept:
            return newest
        try:
            with transaction.atomic():
                row = SafetyPlan.objects.create(
                    patient=patient,
                    number=(newest.number if newest else 0) + 1,
                    form_version=plan_version(),
                    parts=parts,
                    saved_at=at,
                    saved_by=actor_name(by),
                )
                audit.record(
                    "safety_plan.saved",
                    by=by,
                    at=at,
                    about=row,
                    patient_id=patient.pk,
                    detail={"number": row.number, "parts": sorted(parts)},
                )
                return row
        except IntegrityError:
            # Another tab saved in this instant: read again, and put both together.
            continue
    raise Conflict("This was saved several times at once. Send it again.")
