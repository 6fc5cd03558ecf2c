"""The safety plan as pages show it: filled form, parts to read. Help never waits for it."""

import logging
from datetime import datetime
from typing import Any

from django.db import transaction
from django.http import HttpRequest

from accounts.models import Role
from common import intents
from measures import access
from measures.forms import SafetyPlanForm
from measures.models import SafetyPlan
from measures.rules import plan_parts

log = logging.getLogger(__name__)


def form_of(plan: SafetyPlan | None) -> SafetyPlanForm:
    """The form as it stands, ready to be changed."""
    parts = plan.parts if plan else {}
    return SafetyPlanForm(initial={**parts, "base": plan.number if plan else 0})


def parts_of(plan: SafetyPlan | None) -> list[tuple[str, str]]:
    """(title, text) of the parts that say something, in order."""
    if plan is None:
        return []
    return [(part.title, plan.parts[part.code]) for part in plan_parts() if plan.parts.get(part.code)]


def own_safety_plan(request: HttpRequest) -> dict[str, Any] | None:
    """For a page that brings help to a patient: her plan and its form. None for anybody else, and None when it cannot be read:
    the numbers above it matter more than the plan, so nothing that goes wrong here reaches the page."""
    user = getattr(request, "user", None)
    if user is None or getattr(user, "role", "") != Role.PATIENT:
        return None
    try:
        with transaction.atomic():
            plan = access.safety_plan_of(user.pk)
        return {"form": form_of(plan), "saved_at": plan.saved_at if plan else None, "intent": intents.mint()}
    except Exception:
        log.exception("the safety plan could not be shown beside help")
        return None


def saved_words(plan: SafetyPlan, at: datetime) -> str:
    """What the page says after a save."""
    return (
        "Your safety plan is saved."
        if plan.saved_at == at
        else "Nothing was changed; your plan is as it was."
    )
