"""Whose scores may be read, and how they are gathered: few queries, the rules do the rest."""

import functools
import json
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db.models import Exists, F, OuterRef, Q, Subquery

from accounts.models import Patient
from measures.models import InstrumentResponse
from measures.rules import OF_PTSD_PATHWAY, ChangeDefinitions, change_definitions, definitions_from_data
from measures.wording import time_of
from outcomes import rules
from sessions.models import Course, DosingSession
from sessions.states import COURSE_OPEN

SCORED = ("phq9", "gad7")


def scored_instruments() -> tuple[str, ...]:
    """What is scored over a course: the PCL-5 only where the PTSD pathway is on."""
    return (*SCORED, *OF_PTSD_PATHWAY) if settings.PTSD_PATHWAY else SCORED


@functools.cache
def timepoints() -> dict[str, Any]:
    """The time points that ship with the product."""
    data: dict[str, Any] = json.loads((Path(__file__).parent / "data" / "timepoints.json").read_text())
    return data


def label_of(timepoint: str) -> str:
    """What a time point is called."""
    return next(
        (p["label"] for p in timepoints()["timepoints"] if p["code"] == timepoint),
        time_of(timepoint),
    )


def latest_course(patient: Patient) -> Course | None:
    """The course this person is in, or the newest they were in."""
    return Course.objects.filter(patient=patient).select_related("protocol").order_by("-started_at").first()


def definitions_for(course: Course | None, instrument: str = "phq9") -> ChangeDefinitions:
    """The definitions of the protocol this course was enrolled under, for one instrument; without a course, those that ship."""
    data = course.protocol.data.get("outcomes") if course is not None else None
    return definitions_from_data(data, instrument) if data else change_definitions(instrument)


def doses_of(course: Course | None) -> dict[int, datetime]:
    """Session number -> when the dose was taken, for sessions that really happened."""
    if course is None:
        return {}
    rows = DosingSession.objects.filter(course=course, dose_at__isnull=False).values_list("number", "dose_at")
    return {number: dose_at for number, dose_at in rows if dose_at is not None}


def responses_of(patient: Patient) -> list[InstrumentResponse]:
    """Scored questionnaires of one person, oldest first; items are left sealed."""
    return list(
        InstrumentResponse.objects.filter(
            patient=patient, instrument__in=scored_instruments(), total__isnull=False
        )
        .defer("items")
        .order_by("completed_at", "id")[:400]
    )


def courses_of(
    rows: list[InstrumentResponse], course: Course | None, *, begun_at: datetime | None
) -> dict[str, rules.Course]:
    """Each instrument's scores over time, compared with the baseline by the instrument's own numbers."""
    by_instrument: dict[str, list[rules.Point]] = {name: [] for name in scored_instruments()}
    for row in rows:
        if row.total is not None:
            by_instrument[row.instrument].append(rules.Point(row.timepoint, row.total, row.completed_at))
    return {
        name: rules.course_of(name, points, definitions_for(course, name), begun_at=begun_at)
        for name, points in by_instrument.items()
    }


def also_asked() -> dict[str, list[str]]:
    """Instrument -> the time points at which it is asked beside the scored ones."""
    return {name: points for name, points in timepoints()["also"].items() if isinstance(points, list)}


def asked_always() -> list[str]:
    """The instruments of every time point."""
    return [*timepoints()["instruments"], *(OF_PTSD_PATHWAY if settings.PTSD_PATHWAY else ())]


def due_for(patient: Patient, *, at: datetime) -> list[rules.Due]:
    """Questionnaires this person should fill in now."""
    course = latest_course(patient)
    doses = doses_of(course)
    if not doses or course is None:
        return []
    given = InstrumentResponse.objects.filter(patient=patient, completed_at__gte=course.started_at)
    answers = list(given.values_list("instrument", "timepoint", "completed_at", "total"))
    return due_in(course, doses, answers, zone=patient.user.time_zone, at=at)


def due_in(
    course: Course, doses: dict[int, datetime], answers: list[tuple[Any, ...]], *, zone: str, at: datetime
) -> list[rules.Due]:
    """The same from what was read already: (instrument, time point, when, total) of each answer since the course began.

    Half a questionnaire (no total) is not an answer: what it said about safety was acted on, and the rest is still asked.
    """
    numbers = timepoints()
    whole = [row for row in answers if row[3] is not None]
    found = rules.due(
        open_windows=rules.windows(sessions=doses, zone=zone, numbers=numbers),
        answered=frozenset((name, timepoint) for name, timepoint, _, _ in whole),
        instruments=asked_always(),
        also=also_asked(),
        at=at,
    )
    monthly = numbers["monthly"]
    if course.state in COURSE_OPEN and all(one.instrument != monthly["instrument"] for one in found):
        last = max((when for name, _, when, _ in whole if name == monthly["instrument"]), default=None)
        once_more = rules.monthly(
            first_dose_at=min(doses.values()), last_answer_at=last, numbers=monthly, at=at
        )
        found += [once_more] if once_more is not None else []
    return found


def monthly_due(*, at: datetime, limit: int = 500) -> list[tuple[Course, datetime]]:
    """Open courses whose monthly question has opened and is not answered, each with when it opened. Three queries."""
    numbers = timepoints()["monthly"]
    old = at - timedelta(days=numbers["every_days"])
    first = DosingSession.objects.filter(course=OuterRef("pk"), dose_at__isnull=False).order_by("dose_at")
    last = InstrumentResponse.objects.filter(
        patient=OuterRef("patient"), instrument=numbers["instrument"], total__isnull=False
    ).order_by("-completed_at")
    rows = (
        Course.objects.filter(state__in=COURSE_OPEN, patient__user__is_active=True)
        .annotate(
            first_at=Subquery(first.values("dose_at")[:1]), last_at=Subquery(last.values("completed_at")[:1])
        )
        .filter(Q(last_at__isnull=True) | Q(last_at__lte=old), first_at__lte=old)
        .select_related("patient__user")
        .order_by("first_at", "pk")[:limit]
    )
    found: list[tuple[Course, datetime]] = []
    for course in rows:
        due = rules.monthly(
            first_dose_at=course.first_at, last_answer_at=course.last_at, numbers=numbers, at=at
        )
        if due is not None:
            found.append((course, due.opens_at))
    return found


@dataclass(frozen=True)
class Owed:
    """What one person was asked and has not answered, the time point whose time is over or ends soonest."""

    patient: Patient
    due: rules.Due
    count: int


def owed_by(patients: Q, *, at: datetime, limit: int = 200) -> list[Owed]:
    """People among these whose questionnaires are open or overdue. A fixed number of queries, however many people."""
    since = at - timedelta(days=500)
    courses = (
        Course.objects.filter(patients, patient__user__is_active=True, started_at__gte=since)
        .filter(Exists(DosingSession.objects.filter(course=OuterRef("pk"), dose_at__isnull=False)))
        .select_related("patient__user", "patient__care_team")
        .order_by("patient", "-started_at")
        .distinct("patient")[: 4 * limit]
    )
    of = {course.pk: course for course in courses}
    doses: dict[Any, dict[int, datetime]] = defaultdict(dict)
    for course_id, number, dose_at in DosingSession.objects.filter(
        course__in=list(of), dose_at__isnull=False
    ).values_list("course", "number", "dose_at"):
        if dose_at is not None:
            doses[course_id][number] = dose_at
    answers: dict[Any, list[tuple[Any, ...]]] = defaultdict(list)
    people = [course.patient_id for course in of.values()]
    for patient_id, *row in InstrumentResponse.objects.filter(
        patient__in=people, completed_at__gte=since
    ).values_list("patient", "instrument", "timepoint", "completed_at", "total"):
        answers[patient_id].append(tuple(row))
    vain = timedelta(days=timepoints()["asked_in_vain_days"])
    found = []
    for course in of.values():
        given = [row for row in answers[course.patient_id] if row[2] >= course.started_at]
        due = due_in(course, doses[course.pk], given, zone=course.patient.user.time_zone, at=at)
        # Asked in vain for so long, a score is missing and counts as missing.
        due = [one for one in due if at < one.due_at + vain]
        if due:
            first = min(due, key=lambda one: one.due_at)
            found.append(Owed(course.patient, first, len(due)))
    return sorted(found, key=lambda one: one.due.due_at)[:limit]


def begun_at(course: Course | None) -> datetime | None:
    """When the first dose of this course was taken."""
    return min(doses_of(course).values(), default=None)


def baseline_total(patient: Patient, instrument: str, *, begun_at: datetime | None) -> int | None:
    """The total before the course (before its first dose) that later answers are compared with."""
    rows = InstrumentResponse.objects.filter(
        patient=patient, instrument=instrument, timepoint=rules.BASELINE, total__isnull=False
    )
    return (
        (rows.filter(completed_at__lte=begun_at) if begun_at is not None else rows)
        .order_by("-completed_at", "-id")
        .values_list("total", flat=True)
        .first()
    )


def practice_scores() -> tuple[int, int, dict[str, dict[Any, Mapping[str, int]]]]:
    """(people who began a course, courses completed, instrument -> person -> time point -> total): numbers only, no names.

    Synthetic people are left out. The newest answer at a time point counts.
    """
    begun = Course.objects.filter(patient__is_synthetic=False)
    eligible = begun.values("patient").distinct().count()
    completed = begun.filter(state="completed").values("patient").distinct().count()
    first = DosingSession.objects.filter(patient=OuterRef("patient"), dose_at__isnull=False).order_by(
        "dose_at"
    )
    rows = (
        InstrumentResponse.objects.filter(
            instrument__in=scored_instruments(),
            timepoint__in=rules.COURSE_POINTS,
            total__isnull=False,
            patient__in=begun.values("patient"),
        )
        .annotate(begun_at=Subquery(first.values("dose_at")[:1]))
        .exclude(timepoint=rules.BASELINE, completed_at__gt=F("begun_at"))
        .order_by("completed_at")
        .values_list("patient_id", "instrument", "timepoint", "total")
    )
    found: dict[str, dict[Any, dict[str, int]]] = {name: defaultdict(dict) for name in scored_instruments()}
    for patient_id, instrument, timepoint, total in rows.iterator(chunk_size=5000):
        if total is not None:
            found[instrument][patient_id][timepoint] = total
    return eligible, completed, {name: dict(people) for name, people in found.items()}
