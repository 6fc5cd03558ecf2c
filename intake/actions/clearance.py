"""Asking a specialist through the patient: the letter, the reminder, the task, and the way back into the queue."""

from collections.abc import Iterable
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import transaction

from accounts.models import Role, User
from common import audit
from common.clock import local_date
from common.errors import Conflict, Invalid, NotPermitted
from intake import states
from intake.models import ClearanceRequest, Decision, Intake
from intake.rules.clearance import days_to_answer, letter, remind_days_before, specialties
from intake.wording import rule_texts
from notify.actions import cancel_for, promise
from safety.actions import open_task, settle_tasks_about

ABOUT = "intake.clearancerequest"
TASK = "clearance_awaited"
REMINDER = "intake_reminder"
REMIND_AT_LOCAL = time(9)
# A specialist needs days, and a question older than half a year is another question.
LATEST_DAYS = 180


def _long(day: date) -> str:
    return f"{day:%B} {day.day}, {day.year}"


def usual_due_on(intake: Intake, at: datetime) -> date:
    """The day by which an answer is asked for unless the psychiatrist names another."""
    return local_date(at, intake.patient.user.time_zone) + timedelta(days=days_to_answer())


def check_specialties(chosen: Iterable[str]) -> None:
    """Raise Invalid unless at least one specialty is chosen and all are known."""
    chosen = list(chosen)
    if not chosen or not set(chosen) <= set(specialties()):
        raise Invalid("Choose a specialist.", fields={"items": "Choose at least one specialist."})


def check_due_on(due_on: date | None, *, intake: Intake, at: datetime) -> None:
    """Raise Invalid for a day that is past or too far; none means the usual one."""
    today = local_date(at, intake.patient.user.time_zone)
    if due_on is not None and not today < due_on <= today + timedelta(days=LATEST_DAYS):
        words = f"Choose a day from tomorrow to {_long(today + timedelta(days=LATEST_DAYS))}."
        raise Invalid(words, fields={"due_on": words})


def ask_for_clearance(
    intake: Intake,
    decision: Decision,
    *,
    question: str = "",
    due_on: date | None = None,
    by: User,
    at: datetime,
) -> list[ClearanceRequest]:
    """One letter for each specialty in `decision.items`, kept as written, with a task for the psychiatrist and a reminder.

    Runs in the transaction of the signed decision. The letter carries name, date of birth, the question and the protocol's
    limits, nothing else of the chart.
    """
    if by.role != Role.PSYCHIATRIST:
        raise NotPermitted("Only a psychiatrist asks a specialist.")
    check_specialties(decision.items)
    check_due_on(due_on, intake=intake, at=at)
    patient, protocol = intake.patient, decision.evaluation.protocol
    zone = patient.user.time_zone
    due = due_on or usual_due_on(intake, at)
    texts = rule_texts(protocol.data["eligibility"])
    asked = []
    with transaction.atomic():
        for id in decision.items:
            rules = [one for one in decision.evaluation.reasons if one in specialties()[id].rules]
            found = ClearanceRequest.objects.create(
                patient=patient,
                intake=intake,
                decision=decision,
                specialty=id,
                rules=rules,
                letter=letter(
                    id,
                    patient_name=patient.user.full_name,
                    born=_long(patient.date_of_birth) if patient.date_of_birth else "not given",
                    question=question,
                    condition="; ".join(texts[one].criterion for one in rules),
                    bp=protocol.data["bp"]["limits"],
                    signer=str(by),
                    practice=settings.PRACTICE,
                    written_on=_long(local_date(at, zone)),
                    answer_by=_long(due),
                ),
                protocol=protocol,
                asked_by=by,
                asked_at=at,
                due_on=due,
            )
            over_at = datetime.combine(due + timedelta(days=1), time(0), ZoneInfo(zone))
            open_task(
                kind=TASK, owner=by, due_at=over_at, patient=patient, about_type=ABOUT, about_id=found.pk,
                detail=specialties()[id].title, by=by, at=at,
            )  # fmt: skip
            remind(found, patient=patient, due_on=due, at=at)
            audit.record(
                "clearance.asked", by=by, at=at, about=found, patient_id=patient.pk,
                detail={"specialty": id, "due_on": due.isoformat(), "rules": rules},
            )  # fmt: skip
            asked.append(found)
    return asked


def remind(about: Any, *, patient: Any, due_on: date, at: datetime) -> None:
    """Promise the one reminder of what was asked for: three days before its date, in the morning where the patient lives."""
    zone = ZoneInfo(patient.user.time_zone)
    when = datetime.combine(due_on - timedelta(days=remind_days_before()), REMIND_AT_LOCAL, zone)
    if when <= at:
        return
    promise(
        REMINDER, to=patient.user, channel="email", due_at=when, at=at, about=about, patient=patient,
        dedupe_key=f"{REMINDER}:{about.pk}",
    )  # fmt: skip


def no_more_reminders(intake: Intake, *, at: datetime) -> None:
    """The intake is back: nobody is reminded of what was asked for."""
    for decision in Decision.objects.filter(intake=intake, kind=Decision.Kind.ASK_MORE):
        cancel_for(decision, kinds=[REMINDER], at=at, why="sent")


def close_open(intake: Intake, *, outcome: str, by: Any, at: datetime) -> None:
    """Nobody waits for a specialist any more: the questions end, with their tasks and reminders; a paper may still be sent."""
    for found in ClearanceRequest.objects.filter(
        intake=intake, answered_at__isnull=True, cancelled_at__isnull=True
    ):
        ClearanceRequest.objects.filter(pk=found.pk).update(cancelled_at=at, cancelled_by_patient=False)
        cancel_for(found, kinds=[REMINDER], at=at, why="decided")
        settle_tasks_about(kind=TASK, about_type=ABOUT, about_id=found.pk, outcome=outcome, by=by, at=at)
        audit.record(
            "clearance.closed", by=by, at=at, about=found, patient_id=found.patient_id, reason=outcome
        )


def answered(clearance: ClearanceRequest, *, by: Any, at: datetime) -> None:
    """The specialist's answer is in: the task is settled, and the intake goes back to the queue when nothing else is open."""
    _end(clearance, "answered_at", "the answer has come", "clearance.answered", by=by, at=at)


def cannot_be_answered(clearance: ClearanceRequest, *, by: User, at: datetime) -> None:
    """The patient cannot get the letter: said, not silent. The psychiatrist decides with what there is.

    Raises NotPermitted for anybody else, Conflict when it was answered meanwhile.
    """
    if by.pk != clearance.patient_id:
        raise NotPermitted("Only the patient says so.")
    _end(
        clearance, "cancelled_at", "the patient cannot get the letter", "clearance.not_possible", by=by, at=at
    )


def _end(
    clearance: ClearanceRequest, column: str, outcome: str, action: str, *, by: Any, at: datetime
) -> None:
    from intake.actions.review import steps_left, submit

    with transaction.atomic():
        changed = ClearanceRequest.objects.filter(
            pk=clearance.pk, answered_at__isnull=True, cancelled_at__isnull=True
        ).update(**{column: at})
        if not changed:
            raise Conflict("This question is not open any more. Reload the page.")
        setattr(clearance, column, at)
        cancel_for(clearance, kinds=[REMINDER], at=at, why="answered")
        settle_tasks_about(kind=TASK, about_type=ABOUT, about_id=clearance.pk, outcome=outcome, by=by, at=at)
        audit.record(action, by=by, at=at, about=clearance, patient_id=clearance.patient_id)
        intake = Intake.objects.select_related("patient__user").get(pk=clearance.intake_id)
        waiting = ClearanceRequest.objects.filter(
            intake=intake, answered_at__isnull=True, cancelled_at__isnull=True
        ).exists()
        if intake.state == states.MORE_INFO and not waiting and not steps_left(intake):
            submit(intake, by=by, at=at)
