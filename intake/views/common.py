"""What the pages of the intake share."""

from typing import Any

from django.http import HttpRequest
from django.urls import reverse

from accounts.access import patient_of
from accounts.models import Patient
from intake import access, actions, states
from intake.access.asking import asked_steps
from intake.models import Intake
from intake.rules.clearance import specialties
from intake.rules.steps import Step
from intake.rules.steps import step as step_of

WORDS = {
    states.DRAFT: ("Not sent yet", "neutral"),
    states.SUBMITTED: ("With our psychiatrists", "info"),
    states.CLAIMED: ("Being read", "info"),
    states.MORE_INFO: ("We have a question", "pause"),
    states.ACCEPTED: ("Invited to a visit", "ok"),
    states.DECLINED: ("Not right now", "neutral"),
    states.WITHDRAWN: ("Taken back", "neutral"),
}


LIST = "intake:list"


def address_of(step: Step) -> str:
    """Where a step is answered."""
    names = {
        "medicines": "intake:medicines",
        "bp": "intake:bp",
        "identity": "intake:identity",
        "consent": "intake:consent",
    }
    return reverse(names[step.id]) if step.id in names else reverse("intake:step", args=[step.id])


def next_address(intake: Intake, after: str) -> str:
    """The next step that is not finished, or the list when none is."""
    left = actions.steps_left(intake)
    order = [step.id for step in asked_steps()]
    later = order[order.index(after) + 1 :] + order[: order.index(after)]
    coming = next((id for id in later if id in left), None)
    return address_of(step_of(coming)) if coming else reverse(LIST)


def safety_questions_left(intake: Intake | None, *, page: str = "") -> str:
    """Where the safety questions are asked, for whoever said something that calls for them now (X03) and has not been asked yet.

    Empty when they are answered, when they are the `page` itself, or when this intake is no longer the patient's to write.
    """
    if intake is None or page == "safety" or intake.state not in states.PATIENT_WRITES:
        return ""
    return address_of(step_of("safety")) if "safety" in actions.steps_left(intake) else ""


def own_intake(request: HttpRequest) -> tuple[Patient, Intake | None]:
    """The patient who is logged in, and their intake if there is one."""
    patient = patient_of(request.user)
    return patient, access.current_intake(patient)


def task_groups(intake: Intake, left: list[str], address: Any) -> list[dict[str, Any]]:
    """The task list: groups of steps with what is done, begun or asked for."""
    groups: list[dict[str, Any]] = []
    for step in asked_steps():
        if not groups or groups[-1]["title"] != step.group:
            groups.append({"title": step.group, "tasks": []})
        asked = step.id in intake.more_info_items
        if step.id not in left and not (asked and step.id == "consent"):
            status, kind = "Done", "ok"
        elif asked:
            status, kind = "Please look again", "pause"
        elif step.id in intake.answers and intake.answers[step.id]["version"]:
            status, kind = "Begun", "info"
        else:
            status, kind = f"{step.minutes} min", "neutral"
        groups[-1]["tasks"].append(
            {"title": step.title, "href": address(step), "status": status, "kind": kind}
        )
    return groups


def minutes_left(left: list[str]) -> int:
    """About how long the rest takes."""
    return sum(step.minutes for step in asked_steps() if step.id in left)


def awaited_letters(intake: Intake) -> list[dict[str, Any]]:
    """Letters to specialists whose answer is awaited, in words for the patient."""
    if intake.state != states.MORE_INFO:
        return []
    return [
        {"row": one, "to": specialties()[one.specialty].to}
        for one in access.open_clearances(intake.patient_id)
    ]
