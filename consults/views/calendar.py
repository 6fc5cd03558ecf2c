"""A clinician's calendar: the visits of a week, the hours offered, exceptions."""

import uuid
from datetime import time, timedelta
from itertools import groupby
from typing import Any
from zoneinfo import ZoneInfo

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts.guards import for_role
from common import clock, intents
from common.clock import local_date
from consults import access, actions
from consults.access.introductions import introductions_between
from consults.access.slots import exceptions_of, hours_of, role_types
from consults.forms import ExceptionForm, HoursForm
from consults.models import Introduction
from consults.rules.slots import instant_of, zone_words
from consults.views.common import day_from, day_window, visit_row
from consults.views.introductions import STATES

WEEK = 7


@for_role("psychiatrist", "coach")
@require_GET
def calendar(request: HttpRequest) -> HttpResponse:
    """A week of one's own visits."""
    at, zone = clock.now(), request.user.time_zone
    first = day_from(request.GET.get("from", ""), local_date(at, zone))
    from_at, to_at = day_window(first, WEEK, zone)
    rows = [
        {
            **visit_row(row, zone),
            "patient": str(row.patient),
            "href": reverse("consults:visit", args=[row.pk]),
            "waiting": row.state == "booked" and row.patient_arrived_at is not None,
            "double": row.double_booked,
            "noted": getattr(getattr(row, "note", None), "signed_at", None) is not None,
        }
        for row in access.appointments_between(request.user, from_at, to_at)
    ]
    rows += [call_row(row) for row in introductions_between(request.user, from_at, to_at)]
    rows.sort(key=lambda visit: visit["row"].starts_at)
    days = [
        {"day": day, "visits": list(group)}
        for day, group in groupby(rows, key=lambda visit: local_date(visit["row"].starts_at, zone))
    ]
    context = {
        "days": days,
        "first": first,
        "earlier": first - timedelta(days=WEEK),
        "later": first + timedelta(days=WEEK),
        "zone": zone_words(at, zone),
        "at": at,
        "has_hours": bool(hours_of(request.user)),
    }
    return render(request, "psychiatrist/consults/calendar.html", context)


def call_row(row: Introduction) -> dict[str, Any]:
    """An introductory call as a row of the week."""
    word, kind = STATES[row.state]
    return {
        "row": row,
        "patient": row.name or "Somebody new",
        "href": reverse("consults:introduction_call", args=[row.pk]),
        "minutes": int((row.ends_at - row.starts_at) / timedelta(minutes=1)),
        "title": "Introductory call",
        "word": word,
        "kind": kind,
        "waiting": False,
        "noted": False,
        "double": False,
    }


@for_role("psychiatrist", "coach")
@require_http_methods(["GET", "POST"])
@intents.guard
def hours(request: HttpRequest) -> HttpResponse:
    """The weekly timetable, in the clinician's own zone."""
    at = clock.now()
    types = role_types(request.user.role, at)
    form = HoursForm(request.POST or None, types=types, kept=hours_of(request.user))
    if request.method == "POST" and form.is_valid():
        actions.set_weekly_hours(
            request.user,
            rows=[
                {"weekday": day, "starts": starts, "ends": ends, "visit_types": kinds}
                for day, starts, ends, kinds in form.rows()
            ],
            by=request.user,
            at=at,
        )
        return redirect("consults:calendar")
    context = {
        "form": form,
        "zone": zone_words(at, request.user.time_zone),
        "intent": intents.mint(),
        "exceptions": exceptions_of(request.user, at),
        "mint": intents.mint,
    }
    return render(request, "psychiatrist/consults/hours.html", context, status=422 if form.errors else 200)


@for_role("psychiatrist", "coach")
@require_http_methods(["GET", "POST"])
@intents.guard
def exception(request: HttpRequest) -> HttpResponse:
    """Days away, or extra hours."""
    at = clock.now()
    zone = ZoneInfo(request.user.time_zone)
    form = ExceptionForm(request.POST or None, zone=zone)
    if request.method == "POST" and form.is_valid():
        data = form.cleaned_data
        starts_at = instant_of(data["starts_on"], data["starts_time"] or time(0), zone)
        ends_at = (
            instant_of(data["ends_on"], data["ends_time"], zone)
            if data["ends_time"]
            else instant_of(data["ends_on"] + timedelta(days=1), time(0), zone)
        )
        actions.add_exception(
            request.user,
            kind=data["kind"],
            starts_at=starts_at,
            ends_at=ends_at,
            visit_types=role_types(request.user.role, at),
            by=request.user,
            at=at,
        )
        return redirect("consults:hours")
    context = {"form": form, "zone": zone_words(at, request.user.time_zone), "intent": intents.mint()}
    return render(
        request, "psychiatrist/consults/exception.html", context, status=422 if form.errors else 200
    )


@for_role("psychiatrist", "coach")
@require_POST
@intents.guard
def exception_remove(request: HttpRequest, exception_id: uuid.UUID) -> HttpResponse:
    """Take an exception back."""
    actions.remove_exception(request.user, exception_id, by=request.user, at=clock.now())
    return redirect("consults:hours")
