"""Whose scores may be read, and how they are gathered: few queries, the rules do the rest."""

import functools
import json
from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from django.conf import settings

from accounts.models import Patient
from measures.models import InstrumentResponse
from measures.rules import OF_PTSD_PATHWAY, ChangeDefinitions, change_definitions, definitions_from_data
from outcomes import rules
from sessions.models import Course, DosingSession

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
        timepoint.replace("_", " "),
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


def courses_of(rows: list[InstrumentResponse], course: Course | None) -> dict[str, rules.Course]:
    """Each instrument's scores over time, compared with the baseline by the instrument's own numbers."""
    by_instrument: dict[str, list[rules.Point]] = {name: [] for name in scored_instruments()}
    for row in rows:
        if row.total is not None:
            by_instrument[row.instrument].append(rules.Point(row.timepoint, row.total, row.completed_at))
    return {
        name: rules.course_of(name, points, definitions_for(course, name))
        for name, points in by_instrument.items()
    }


def due_for(patient: Patient, *, at: datetime) -> list[rules.Due]:
    """Questionnaires this person should fill in now."""
    course = latest_course(patient)
    doses = doses_of(course)
    if not doses or course is None:
        return []
    answered = frozenset(
        InstrumentResponse.objects.filter(patient=patient, completed_at__gte=course.started_at).values_list(
            "instrument", "timepoint"
        )
    )
    numbers = timepoints()
    return rules.due(
        open_windows=rules.windows(sessions=doses, zone=patient.user.time_zone, numbers=numbers),
        answered=answered,
        instruments=[*numbers["instruments"], *(OF_PTSD_PATHWAY if settings.PTSD_PATHWAY else ())],
        at=at,
    )


def baseline_total(patient: Patient, instrument: str) -> int | None:
    """The total before the course that later answers are compared with."""
    return (
        InstrumentResponse.objects.filter(
            patient=patient, instrument=instrument, timepoint=rules.BASELINE, total__isnull=False
        )
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
    rows = (
        InstrumentResponse.objects.filter(
            instrument__in=scored_instruments(),
            timepoint__in=rules.COURSE_POINTS,
            total__isnull=False,
            patient__in=begun.values("patient"),
        )
        .order_by("completed_at")
        .values_list("patient_id", "instrument", "timepoint", "total")
    )
    found: dict[str, dict[Any, dict[str, int]]] = {name: defaultdict(dict) for name in scored_instruments()}
    for patient_id, instrument, timepoint, total in rows.iterator(chunk_size=5000):
        if total is not None:
            found[instrument][patient_id][timepoint] = total
    return eligible, completed, {name: dict(people) for name, people in found.items()}
