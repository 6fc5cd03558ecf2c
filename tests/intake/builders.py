"""Intakes in every state, made through the actions as people make them."""

from datetime import datetime, timedelta
from typing import Any

from accounts.access import patient_of
from accounts.models import User
from intake import actions
from intake.access.asking import asked_steps
from intake.models import Decision, Intake
from intake.rules.documents import DOCUMENTS, document
from intake.rules.steps import Question
from intake.rules.steps import step as step_of

# Somebody for whom every rule says no: the starting point of all examples.
PLAIN = {
    "full_name": "Alice Lindqvist",
    "date_of_birth": "1988-04-02",
    "sex": "female",
    "state": "CA",
    "time_zone": "America/Los_Angeles",
    "phone": "+14155550111",
    "address": "12 Elm Street\nSan Francisco, CA 94110",
    "emergency_contact_name": "Maja Lindqvist",
    "emergency_contact_phone": "+14155550112",
    "weight": "150",
    "weight_unit": "lb",
    "height_ft": "5",
    "height_in": "6",
    "has_internet_video": "yes",
    "monitor_available": "yes",
    "home_safe": "yes",
    "contraception": "yes",
    "luts": ["none"],
    "egfr": "95",
    "kidney": "none",
    "audit_c_1": 1,
    "audit_c_2": 0,
    "audit_c_3": 0,
}
PHQ9 = {f"phq9_{n}": 2 for n in range(1, 9)} | {"phq9_9": 0}
GAD7 = {f"gad7_{n}": 2 for n in range(1, 8)}
PCL5 = {f"pcl5_{n}": 1 for n in range(1, 21)}
SAFE = {"cssrs_q1": "no", "cssrs_q2": "no", "cssrs_q6_life": "no"}


def plain_answer(question: Question) -> Any:
    """The answer that no rule minds."""
    if question.name in PLAIN:
        return PLAIN[question.name]
    if question.kind == "yes_no":
        return "no"
    if question.kind == "choice" and question.choices[0][0] == "none":
        return "none"
    return ""


def plain_answers(step_id: str, **changes: Any) -> dict[str, Any]:
    """A whole page as a person would type it."""
    step = step_of(step_id)
    typed = {question.name: plain_answer(question) for question in step.questions}
    if step.instrument == "audit_c":
        typed.update({name: value for name, value in PLAIN.items() if name.startswith("audit_c")})
    if step.id == "phq9":
        typed.update(PHQ9)
    if step.id == "gad7":
        typed.update(GAD7)
    if step.id == "ptsd":
        typed.update(PCL5)
    if step.id == "safety":
        typed.update(SAFE)
    return {name: value for name, value in {**typed, **changes}.items() if value not in ("", None)}


def a_draft(user: User, at: datetime) -> Intake:
    """An intake just begun."""
    return actions.start_intake(patient_of(user), by=user, at=at)


def a_filled_intake(user: User, at: datetime, *, medicines: tuple[str, ...] = (), **changes: Any) -> Intake:
    """Every step answered, both readings taken, both texts signed; not sent yet. `changes` are answers by name."""
    from intake.forms import step_form

    intake = a_draft(user, at)
    systolic, diastolic = changes.pop("bp", (118, 76))
    for step in asked_steps():
        own = {question.name for question in step.questions}
        codes = {
            name: value
            for name, value in changes.items()
            if name in own or name.startswith(f"{step.instrument or step.id}_")
        }
        if step.id == "safety":
            codes = {name: value for name, value in changes.items() if name.startswith("cssrs_")}
        typed = plain_answers(step.id, **codes)
        if step.id in ("phq9", "gad7", "ptsd", "safety"):
            actions.record_instrument(intake, step.id, typed, by=user, at=at)
        elif step.id == "medicines":
            for name in medicines:
                actions.add_medicine(intake.patient, name=name, dose_text="", by=user, at=at)
            intake = actions.confirm_medicines(intake, by=user, at=at)
        elif step.id == "bp":
            for minute in (0, 2):
                actions.record_intake_reading(
                    intake,
                    systolic_mmhg=systolic,
                    diastolic_mmhg=diastolic,
                    pulse_bpm=70,
                    by=user,
                    at=at + timedelta(minutes=minute),
                )
        elif step.id == "identity":
            actions.identity_at_visit(intake, by=user, at=at)
        elif step.id == "consent":
            for name in DOCUMENTS:
                text = document(name, patient_of(user).state)
                actions.sign_consent(
                    patient_of(user), text, sha256=text.sha256, signed_name=typed.get("full_name", "Alice Lindqvist"),
                    acknowledged=text.acknowledge, by=user, at=at,
                )  # fmt: skip
        else:
            form = step_form(step)(typed, on=at.date())
            assert form.is_valid(), form.errors
            answers = form.answers()
            if step.instrument == "audit_c":
                audit_c = {name: answers.pop(name) for name in list(answers) if name.startswith("audit_c")}
                actions.record_instrument(intake, step.id, audit_c, by=user, at=at)
                intake.refresh_from_db()
            kept = intake.answers.get(step.id, {}).get("version", 0)
            intake = actions.save_step(intake, step.id, answers, version=kept, by=user, at=at)
    return Intake.objects.select_related("patient__user").get(pk=intake.pk)


def a_submitted_intake(user: User, at: datetime, **changes: Any) -> Intake:
    """Waiting in the queue."""
    return actions.submit(a_filled_intake(user, at, **changes), by=user, at=at + timedelta(minutes=5))


def a_claimed_intake(user: User, psychiatrist: User, at: datetime, **changes: Any) -> Intake:
    """Held by a psychiatrist."""
    return actions.claim(
        a_submitted_intake(user, at, **changes).pk, by=psychiatrist, at=at + timedelta(minutes=10)
    )


def an_accepted_intake(user: User, psychiatrist: User, at: datetime, **changes: Any) -> Intake:
    """Accepted for a consult by this psychiatrist, who is now in the care team."""
    intake = a_claimed_intake(user, psychiatrist, at, **changes)
    actions.decide(
        intake,
        Decision.Kind.ACCEPT,
        by=psychiatrist,
        at=at + timedelta(minutes=20),
        note="Fits, invited to a consult.",
    )
    intake.refresh_from_db()
    return intake
