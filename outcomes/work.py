"""Lines of the work list that follow from what patients were asked, and from courses that are over."""

from datetime import datetime, timedelta

from django.db.models import Exists, Max, OuterRef, Q, Subquery
from django.urls import reverse

from accounts.models import Patient, Role, User
from common.work import LIMIT, WorkItem, kinds, line
from consults.models import Appointment, VisitNote
from outcomes import access
from safety.access import mine_or_unowned, stands_in_for
from safety.task_access import is_own, lands
from sessions.models import Course, DosingSession

# A course that was over long before anybody could have been reminded is history, not work.
LOOKS_BACK = timedelta(days=120)


def work_items(*, user: User, at: datetime) -> list[WorkItem]:
    """Hook `work.items`: a coach asks for answers that do not come, a psychiatrist looks back with the patient."""
    covers = stands_in_for(user, at=at)
    items: list[WorkItem] = []
    if user.role == Role.COACH or Role.COACH in covers:
        items += _unanswered(user, covers=covers, at=at)
    if user.role == Role.PSYCHIATRIST or Role.PSYCHIATRIST in covers:
        items += _outcome_visits(user, covers=covers, at=at)
    return items


def _unanswered(user: User, *, covers: frozenset[str], at: datetime) -> list[WorkItem]:
    """One line for a person: the patient's move while the questionnaires are open, the coach's once their time is over."""
    items = []
    for owed in access.owed_by(mine_or_unowned(user, role=Role.COACH, covers=covers), at=at, limit=LIMIT):
        patient, due = owed.patient, owed.due
        items.append(
            line(
                "questionnaire.late",
                key=str(patient.pk),
                owner=user,
                due_at=due.due_at,
                patient=patient,
                title=f"{due.label}: {owed.count} short questionnaire{'' if owed.count == 1 else 's'}",
                waiting_on="" if due.late else "the patient",
                unowned=not is_own(user, patient, "coach"),
                **lands(
                    user,
                    reverse("coaching:patient", args=[patient.pk]),
                    kinds()["questionnaire.late"]["action"],
                    patient.pk,
                ),
            )
        )
    return items


def _outcome_visits(user: User, *, covers: frozenset[str], at: datetime) -> list[WorkItem]:
    """Completed courses after whose last dose no visit was noted and none is booked (protocol 8.1, D+28)."""
    last_dose = (
        DosingSession.objects.filter(course=OuterRef("pk"), dose_at__isnull=False)
        .order_by()
        .values("course")
        .annotate(last=Max("dose_at"))
        .values("last")
    )
    noted = VisitNote.objects.filter(
        patient=OuterRef("patient"),
        signed_at__isnull=False,
        appointment__during__startswith__gt=OuterRef("last_at"),
    )
    booked = Appointment.objects.filter(
        patient=OuterRef("patient"),
        state="booked",
        visit_type__in=["consult", "follow_up"],
        during__endswith__gt=at,
    )
    newer = Course.objects.filter(patient=OuterRef("patient"), started_at__gt=OuterRef("started_at"))
    rows = (
        Course.objects.filter(
            mine_or_unowned(user, role=Role.PSYCHIATRIST, covers=covers), Q(state="completed"), ~Exists(newer)
        )
        .annotate(last_at=Subquery(last_dose[:1]))
        .filter(~Exists(noted), ~Exists(booked), last_at__gt=at - LOOKS_BACK)
        .select_related("patient__user", "patient__care_team")
        .order_by("last_at", "pk")
    )
    days = timedelta(days=access.timepoints()["outcome_visit_days"])
    return [
        _visit_line(user, course.patient, key=str(course.pk), due_at=course.last_at + days)
        for course in rows[:LIMIT]
    ]


def _visit_line(user: User, patient: Patient, *, key: str, due_at: datetime) -> WorkItem:
    return line(
        "outcome.visit",
        key=key,
        owner=user,
        due_at=due_at,
        patient=patient,
        unowned=not is_own(user, patient, "psychiatrist"),
        **lands(
            user,
            reverse("outcomes:patient", args=[patient.pk]),
            kinds()["outcome.visit"]["action"],
            patient.pk,
        ),
    )
