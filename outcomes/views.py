"""Pages about what changed: for the person, for their clinicians, for the practice as a whole; and the questionnaires."""

import uuid
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse

from accounts.access import patient_of, visible_patient
from accounts.actions import open_chart
from accounts.guards import for_role
from accounts.models import Patient
from common import clock, intents
from measures.actions import is_alarming, record_response
from measures.forms import instrument_form
from measures.rules import OF_PTSD_PATHWAY, ChangeDefinitions, risk_screen
from measures.rules import instrument as instrument_of
from measures.wording import HELP_HEADING, HELP_LINES, HELP_WHILE_HELD, change_for_patient, change_for_staff
from outcomes import access, noticed_access, rules, wording

ASKED = ("phq9", "gad7", "pcl5", "suicide_risk", "bladder", "use")


def _summary(patient: Patient, *, at: datetime) -> dict[str, Any]:
    """Scores, changes and the chart of one person: what both pages show."""
    course = access.latest_course(patient)
    definitions = access.definitions_for(course)
    rows = access.responses_of(patient)
    doses = access.doses_of(course)
    begun_at = min(doses.values(), default=None)
    scores = access.courses_of(rows, course, begun_at=begun_at)
    zone = ZoneInfo(patient.user.time_zone)
    instants = [row.completed_at for row in rows] + list(doses.values())
    first_day = min(instants).astimezone(zone).date() if instants else None

    def day_of(instant: datetime) -> int:
        return 0 if first_day is None else (instant.astimezone(zone).date() - first_day).days

    by_day: dict[int, dict[str, Any]] = {}
    for name, one in scores.items():
        for point in one.points:
            spot = by_day.setdefault(
                day_of(point.at),
                {
                    "day": day_of(point.at),
                    "label": access.label_of(
                        point.timepoint
                        if point.timepoint != rules.BASELINE
                        or rules.is_before(point.timepoint, point.at, begun_at)
                        else rules.MONTHLY
                    ),
                    "phq9": None,
                    "gad7": None,
                },
            )
            if name in access.SCORED:
                # The chart has the scale of the two that everybody is asked; the PCL-5 has its table.
                spot[name] = point.total
    return {
        "patient": patient,
        "course": course,
        "doses_taken": len(doses),
        "points": [by_day[day] for day in sorted(by_day)],
        "doses": [{"day": day_of(dose_at), "number": number} for number, dose_at in sorted(doses.items())],
        "tables": [_table(name, one) for name, one in scores.items()],
        "definitions": wording.definitions(definitions, _of_others(course)),
        "titles": wording.TITLES,
        "definitions_version": definitions.version,
        "due": access.due_for(patient, at=at),
        "instruments": wording.INSTRUMENTS,
        "at": at,
    }


def _of_others(course: Any) -> dict[str, ChangeDefinitions]:
    """The numbers of the instruments beside the PHQ-9, whose numbers the definitions name first."""
    return {
        wording.SHORT[name]: access.definitions_for(course, name)
        for name in access.scored_instruments()
        if name != "phq9"
    }


def _table(name: str, scores: rules.Course) -> dict[str, Any]:
    """One instrument's three points of the course, with the names of the change at each later one."""
    lines: list[dict[str, Any]] = []
    for code in rules.COURSE_POINTS:
        if code == rules.BASELINE:
            lines.append(
                {"label": access.label_of(code), "point": scores.baseline, "change": None, "words": []}
            )
            continue
        found = scores.after.get(code)
        lines.append(
            {
                "label": access.label_of(code),
                "point": found.point if found else None,
                "change": found.change if found else None,
                "words": wording.words(found.change) if found and found.change else [],
            }
        )
    newest = next((line for line in reversed(lines) if line["change"] is not None), None)
    change = newest["change"] if newest else None
    return {
        "name": name,
        "title": wording.INSTRUMENTS[name],
        "maximum": wording.MAXIMUM[name],
        "lines": lines,
        "for_patient": change_for_patient(change) if change else "",
        "for_staff": change_for_staff(change) if change else "",
        "newest": newest,
    }


@for_role("patient")
def mine(request: HttpRequest) -> HttpResponse:
    """A patient's own scores: before, after session two, after session four, with the sessions marked."""
    return render(request, "patient/outcomes.html", _summary(patient_of(request.user), at=clock.now()))


@for_role("psychiatrist", "coach")
def of_patient(request: HttpRequest, patient_id: uuid.UUID) -> HttpResponse:
    """The four-week summary of somebody in this clinician's care."""
    at = clock.now()
    patient = visible_patient(request.user, patient_id)
    open_chart(patient, by=request.user, at=at, why="outcomes")
    summary = _summary(patient, at=at)
    reader: Any = request.user
    summary["noticed"] = noticed_access.noticed(patient, summary["course"], reader=reader, at=at)
    summary["noticed_rows"] = noticed_access.ROWS
    return render(request, "psychiatrist/outcomes.html", summary)


@for_role("psychiatrist", "administrator")
def practice(request: HttpRequest) -> HttpResponse:
    """Everybody who began a course, in numbers, each with what it is a number of."""
    eligible, completed, scores = access.practice_scores()
    definitions = access.definitions_for(None)
    groups = [
        rules.group(
            name, timepoint, scores[name], n_eligible=eligible, definitions=access.definitions_for(None, name)
        )
        for name in access.scored_instruments()
        for timepoint in (rules.AFTER_2, rules.AFTER_4)
    ]
    return render(
        request,
        "psychiatrist/outcomes_practice.html",
        {
            "groups": [
                {
                    "group": group,
                    "title": wording.INSTRUMENTS[group.instrument],
                    "label": access.label_of(group.timepoint),
                }
                for group in groups
            ],
            "eligible": eligible,
            "completed": completed,
            "titles": wording.TITLES,
            "definitions": wording.definitions(definitions, _of_others(None)),
            "definitions_version": definitions.version,
        },
    )


@for_role("patient")
@intents.guard
def questionnaire(request: HttpRequest, instrument: str) -> HttpResponse:
    """One questionnaire. A positive safety answer brings help on this very response, finished or not."""
    if instrument not in ASKED or (instrument in OF_PTSD_PATHWAY and not settings.PTSD_PATHWAY):
        raise Http404
    at = clock.now()
    patient = patient_of(request.user)
    due = access.due_for(patient, at=at)
    mine_due = next((one for one in due if one.instrument == instrument), None)
    timepoint = mine_due.timepoint if mine_due else "checkin"
    form_class = instrument_form(instrument)
    form = form_class(request.POST or None)
    if request.method == "POST":
        if form.is_valid():
            recorded = record_response(patient, instrument, form.answers(), timepoint, by=request.user, at=at)
            if recorded.crisis:
                return _help(request)
            if instrument in wording.AFTER_A_YES and recorded.response.total:
                messages.warning(request, wording.AFTER_A_YES[instrument])
            rest = [one for one in due if one.instrument != instrument]
            if rest:
                return redirect("outcomes:questionnaire", rest[0].instrument)
            messages.success(request, "Thank you. Your answers are kept.")
            return redirect("outcomes:mine")
        given = form.given()
        if is_alarming(instrument, given, at=at):
            # Half filled, but what was said about safety must not wait for the rest.
            record_response(patient, instrument, given, timepoint, by=request.user, at=at, complete=False)
            return _help(request)
    scored = instrument != "suicide_risk"
    context = {
        "form": form,
        "intent": intents.mint(),
        "instrument": instrument,
        "title": wording.FOR_PATIENT[instrument],
        "stem": instrument_of(instrument).stem if scored else risk_screen().intro,
        "source": instrument_of(instrument).title if scored else "",
        "licence": instrument_of(instrument).licence_text if scored else "",
        "label": mine_due.label if mine_due else "",
        "position": len([o for o in due if o.instrument < instrument]) if mine_due else 0,
        "left": len(due),
    }
    return render(
        request, "patient/questionnaire.html", context, status=422 if request.method == "POST" else 200
    )


def _help(request: HttpRequest) -> HttpResponse:
    """988, 911 and the practice, before anything else."""
    response = render(
        request,
        "patient/questionnaire_help.html",
        {
            "heading": HELP_HEADING,
            "lines": HELP_LINES,
            "held": HELP_WHILE_HELD,
            "ask_more": not request.path.endswith("/suicide_risk/"),
        },
    )
    # A replay shows help again, not the list.
    response.replay_url = reverse("help")  # type: ignore[attr-defined]
    return response
