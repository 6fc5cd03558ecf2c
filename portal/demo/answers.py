"""What made-up people answer on the intake: plainly, unless their story says otherwise."""

from datetime import datetime, timedelta
from typing import Any

from accounts.models import User
from intake import actions
from intake.access.asking import asked_steps
from intake.forms import step_form
from intake.models import Intake
from intake.rules.documents import DOCUMENTS, document
from intake.rules.steps import Question, Step
from measures.actions import save_safety_plan
from portal.demo.cast import Cast

MINUTE = timedelta(minutes=1)
PLAIN: dict[str, Any] = {
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


def _plain(question: Question, person: dict[str, Any]) -> Any:
    if question.name in person:
        return person[question.name]
    if question.name in PLAIN:
        return PLAIN[question.name]
    if question.kind == "yes_no":
        return "no"
    if question.kind == "choice" and question.choices[0][0] == "none":
        return "none"
    return ""


HOPES = (
    "Two years of low mood. I want to enjoy my evenings with the children again.",
    "The worry never stops, at night most of all. I hope to sleep and to work without dread.",
    "Medicines helped a little and then no more. I would like to feel something other than flat.",
)
TRIED = (
    "Sertraline for a year, some help. Bupropion, no help.",
    "Escitalopram and therapy weekly; the therapy helped.",
    "Two medicines, both stopped for side effects.",
)


def _about(cast: Cast, user: User) -> dict[str, Any]:
    patient = user.patient
    return {
        "full_name": user.full_name,
        "date_of_birth": patient.date_of_birth.isoformat() if patient.date_of_birth else "",
        "sex": patient.sex,
        "state": patient.state,
        "time_zone": user.time_zone,
        "phone": user.phone,
        "address": user.address_words,  # type: ignore[attr-defined]
        "emergency_contact_name": user.contact_words,  # type: ignore[attr-defined]
        "emergency_contact_phone": f"+1628555{cast.rng.randrange(100, 200):04d}",
        "weight": str(cast.rng.randrange(120, 210)),
        "hopes": cast.words("Intake.hopes", cast.rng.choice(HOPES)),
        "past_treatments": cast.words("Intake.past_treatments", cast.rng.choice(TRIED)),
        "home_notes": cast.words("Intake.home_notes", "Second floor, one cat, a quiet bedroom."),
        "weight_unit": "lb",
        "height_ft": "5",
        "height_in": str(cast.rng.randrange(2, 11)),
    }


def scale(cast: Cast, code: str, items: int, total: int, *, item9: int = 0) -> dict[str, int]:
    """Answers that add up to about `total`; item 9 of the PHQ-9 only as told."""
    open_items = list(range(1, items + 1))
    answers = dict.fromkeys(open_items, 0)
    if code == "phq9":
        answers[9] = item9
        total -= item9
        open_items.remove(9)
    while total > 0 and open_items:
        item = cast.rng.choice(open_items)
        answers[item] += 1
        total -= 1
        if answers[item] == 3:
            open_items.remove(item)
    return {f"{code}_{item}": value for item, value in answers.items()}


def _write_safety_plan(cast: Cast, user: User, at: datetime) -> None:
    """What somebody writes below the help, a minute after the answer."""
    plan = {
        "signs": "I stop answering my phone, and I sleep in my clothes.",
        "alone": "The long way round the lake. The radio, any voice.",
        "ask": "My sister, at any hour.",
        "surroundings": "She keeps the sleeping pills at her place.",
    }
    words = {code: cast.words("SafetyPlan.parts", text) for code, text in plan.items()}
    save_safety_plan(user.patient, words, base=0, by=user, at=at)


def fill_intake(
    cast: Cast,
    user: User,
    at: datetime,
    *,
    steps: int | None = None,
    medicines: tuple[str, ...] = (),
    phq9: int = 16,
    gad7: int = 13,
    item9: int = 0,
    bp: tuple[int, int] = (122, 78),
    **changes: Any,
) -> Intake:
    """Answer the intake step by step from `at` on, all of it or the first `steps` of it."""
    patient = user.patient
    intake = actions.start_intake(patient, by=user, at=at)
    person = {**_about(cast, user), **changes}
    for index, step in enumerate(asked_steps()[:steps]):
        when = at + index * 2 * MINUTE
        typed = {question.name: _plain(question, person) for question in step.questions}
        if step.id == "phq9":
            actions.record_instrument(
                intake, step.id, scale(cast, "phq9", 9, phq9, item9=item9), by=user, at=when
            )
        elif step.id == "gad7":
            actions.record_instrument(intake, step.id, scale(cast, "gad7", 7, gad7), by=user, at=when)
        elif step.id == "ptsd":
            actions.record_instrument(intake, step.id, scale(cast, "pcl5", 20, gad7), by=user, at=when)
        elif step.id == "safety":
            safe = {"cssrs_q1": "no", "cssrs_q2": "no", "cssrs_q6_life": "no"}
            typed = {**safe, **{k: v for k, v in changes.items() if k.startswith("cssrs_")}}
            recorded = actions.record_instrument(intake, step.id, typed, by=user, at=when)
            if recorded.crisis:
                _write_safety_plan(cast, user, when + MINUTE)
        elif step.id == "medicines":
            for name in medicines:
                actions.add_medicine(
                    patient,
                    name=cast.words("Medicine.name", name) if cast.canaries_wanted else name,
                    dose_text="",
                    by=user,
                    at=when,
                )
            actions.confirm_medicines(_again(intake), by=user, at=when)
        elif step.id == "bp":
            for minute in (0, 2):
                actions.record_intake_reading(
                    intake, systolic_mmhg=bp[0] + minute, diastolic_mmhg=bp[1], pulse_bpm=cast.rng.randrange(58, 88), by=user,
                    at=when + minute * MINUTE,
                )  # fmt: skip
        elif step.id == "identity":
            actions.identity_at_visit(intake, by=user, at=when)
        elif step.id == "consent":
            for name in DOCUMENTS:
                text = document(name, patient.state)
                actions.sign_consent(
                    patient,
                    text,
                    sha256=text.sha256,
                    signed_name=user.full_name,
                    acknowledged=text.acknowledge,
                    by=user,
                    at=when,
                )
        else:
            _answer_page(intake, step, typed, user=user, at=when)
        intake = _again(intake)
        patient = intake.patient
    return intake


def _answer_page(intake: Intake, step: Step, typed: dict[str, Any], *, user: User, at: datetime) -> None:
    if step.instrument == "audit_c":
        typed = {**typed, **{name: value for name, value in PLAIN.items() if name.startswith("audit_c")}}
    form = step_form(step)(
        {name: value for name, value in typed.items() if value not in ("", None)}, on=at.date()
    )
    if not form.is_valid():
        raise ValueError(f"the demo's answers to {step.id} are not valid: {form.errors.as_json()}")
    answers = form.answers()
    if step.instrument == "audit_c":
        beside = {name: answers.pop(name) for name in list(answers) if name.startswith("audit_c")}
        actions.record_beside(intake, "audit_c", beside, by=user, at=at)
    actions.save_step(
        intake,
        step.id,
        answers,
        version=_again(intake).answers.get(step.id, {}).get("version", 0),
        by=user,
        at=at,
    )


def _again(intake: Intake) -> Intake:
    return Intake.objects.select_related("patient__user").get(pk=intake.pk)
