"""The on-call roster: who is on call, what is offered to whom, holidays and leave. Plain forms, no script needed."""

import uuid
from datetime import date, datetime, timedelta
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from accounts.guards import for_role
from accounts.models import Role
from common import clock, intents
from common.errors import DomainError, NotPermitted
from safety import access, actions, roster_access
from safety.models import OnCallShift
from safety.models_roster import PracticeHoliday
from safety.roster_forms import AwayForm, HandoverForm, HolidayForm, ShiftForm

STAFF = ("psychiatrist", "coach", "administrator")
DAYS_SHOWN = 14


def _refused(form: forms.Form, refused: DomainError) -> None:
    """What an action refused, beside the field it names, else on top."""
    for name, words in (refused.fields or {"": refused.detail}).items():
        form.add_error(name if name in form.fields else None, words)


def _page(request: HttpRequest, *, at: datetime, **bound: Any) -> HttpResponse:
    """The whole page; `bound` are forms that came back with errors."""
    user = request.user
    zone = user.time_zone
    until = at + timedelta(days=DAYS_SHOWN)
    today = at.astimezone(roster_access.practice_zone()).date()
    holidays = list(roster_access.holidays_from(today)[:20])
    shown = [form for form in bound.values() if form.errors]
    return render(
        request,
        "administrator/roster.html",
        {
            "shifts": [
                {
                    "shift": shift,
                    "own_zone": shift.person.time_zone if shift.person.time_zone != zone else "",
                    "holidays": [row.name for row in holidays if _touches(shift, row)],
                    "may_give": user.role == Role.ADMINISTRATOR or shift.person_id == user.pk,
                }
                for shift in access.shifts_between(at, until)
            ],
            "gaps": access.upcoming_gaps(at=at),
            "offers": roster_access.open_offers_for(user, at=at),
            "holidays": holidays,
            "away": roster_access.times_away_to_come(user, at=at),
            "shift_form": bound.get("shift_form") or ShiftForm(zone=zone),
            "holiday_form": bound.get("holiday_form") or HolidayForm(prefix="holiday"),
            "away_form": bound.get("away_form") or AwayForm(prefix="away", zone=zone, user=user),
            # The error summary on top is about the form that came back.
            "form": shown[0] if shown else ShiftForm(zone=zone),
            "may_edit": user.role == Role.ADMINISTRATOR,
            "may_be_away": user.role in (Role.ADMINISTRATOR, *roster_access.ON_CALL_ROLES),
            "practice_zone": str(roster_access.practice_zone()),
            "at": at,
            "mint": intents.mint,
        },
        status=422 if shown else 200,
    )


def _touches(shift: OnCallShift, holiday: PracticeHoliday) -> bool:
    """Does any instant of the shift lie on that day of the practice's zone?"""
    begins = _midnight(holiday.day)
    return shift.starts_at < _midnight(holiday.day + timedelta(days=1)) and shift.ends_at > begins


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=roster_access.practice_zone())


@for_role(*STAFF)
@require_http_methods(["GET", "POST"])
@intents.guard
def roster(request: HttpRequest) -> HttpResponse:
    """Who is on call in the next two weeks, and where nobody is; administrators fill it."""
    at = clock.now()
    if request.method != "POST":
        return _page(request, at=at)
    form = ShiftForm(request.POST, zone=request.user.time_zone)
    if form.is_valid():
        try:
            actions.add_shift(by=request.user, at=at, **form.cleaned_data)
        except NotPermitted:
            raise
        except DomainError as refused:
            _refused(form, refused)
        else:
            messages.success(request, "The shift is on the roster.")
            return redirect("safety:roster")
    return _page(request, at=at, shift_form=form)


@for_role("administrator")
@require_POST
@intents.guard
def remove_shift(request: HttpRequest, shift_id: uuid.UUID) -> HttpResponse:
    """Take a shift off the roster."""
    actions.remove_shift(access.shift(shift_id), by=request.user, at=clock.now())
    messages.success(request, "The shift is off the roster.")
    return redirect("safety:roster")


@for_role(*STAFF)
@require_http_methods(["GET", "POST"])
@intents.guard
def hand_over(request: HttpRequest, shift_id: uuid.UUID) -> HttpResponse:
    """Offer a shift, or what is left of it, to a colleague."""
    at = clock.now()
    shift = roster_access.shift_to_give(request.user, shift_id)
    form = HandoverForm(
        request.POST if request.method == "POST" else None,
        zone=request.user.time_zone,
        giver=shift.person,
        level=shift.level,
    )
    if request.method == "POST" and form.is_valid():
        try:
            offer = actions.offer_handover(shift, by=request.user, at=at, **form.cleaned_data)
        except NotPermitted:
            raise
        except DomainError as refused:
            _refused(form, refused)
        else:
            messages.success(
                request, f"{offer.taker} is asked. Until they say yes, the shift stays where it is."
            )
            return redirect("safety:roster")
    return render(
        request,
        "administrator/hand_over.html",
        {"shift": shift, "form": form, "at": at, "intent": intents.mint()},
        status=422 if form.errors else 200,
    )


def _answer(request: HttpRequest, handover_id: uuid.UUID, act: Any, words: str) -> HttpResponse:
    offer = roster_access.visible_handover(request.user, handover_id)
    act(offer, by=request.user, at=clock.now())
    messages.success(request, words)
    return redirect("safety:roster")


@for_role(*STAFF)
@require_POST
@intents.guard
def accept(request: HttpRequest, handover_id: uuid.UUID) -> HttpResponse:
    """Take the shift."""
    return _answer(request, handover_id, actions.accept_handover, "The shift is yours. Both of you are told.")


@for_role(*STAFF)
@require_POST
@intents.guard
def decline(request: HttpRequest, handover_id: uuid.UUID) -> HttpResponse:
    """Say no."""
    return _answer(
        request, handover_id, actions.decline_handover, "You have declined. Your colleague is told."
    )


@for_role(*STAFF)
@require_POST
@intents.guard
def withdraw(request: HttpRequest, handover_id: uuid.UUID) -> HttpResponse:
    """Take the offer back."""
    return _answer(request, handover_id, actions.withdraw_handover, "The offer is taken back.")


@for_role("administrator")
@require_POST
@intents.guard
def add_holiday(request: HttpRequest) -> HttpResponse:
    """One more holiday."""
    at = clock.now()
    form = HolidayForm(request.POST, prefix="holiday")
    if form.is_valid():
        try:
            actions.add_holiday(by=request.user, at=at, **form.cleaned_data)
        except DomainError as refused:
            _refused(form, refused)
        else:
            messages.success(request, "The holiday is in the calendar. Shifts on it are marked.")
            return redirect("safety:roster")
    return _page(request, at=at, holiday_form=form)


@for_role("administrator")
@require_POST
@intents.guard
def remove_holiday(request: HttpRequest, holiday_id: uuid.UUID) -> HttpResponse:
    """A working day after all."""
    actions.remove_holiday(roster_access.holiday(holiday_id), by=request.user, at=clock.now())
    messages.success(request, "The holiday is taken out.")
    return redirect("safety:roster")


@for_role(*STAFF)
@require_POST
@intents.guard
def add_away(request: HttpRequest) -> HttpResponse:
    """Somebody is away."""
    at = clock.now()
    form = AwayForm(request.POST, prefix="away", zone=request.user.time_zone, user=request.user)
    if form.is_valid():
        try:
            actions.add_time_away(by=request.user, at=at, **form.cleaned_data)
        except NotPermitted:
            raise
        except DomainError as refused:
            _refused(form, refused)
        else:
            messages.success(request, "Noted. No shift is given in that time.")
            return redirect("safety:roster")
    return _page(request, at=at, away_form=form)


@for_role(*STAFF)
@require_POST
@intents.guard
def remove_away(request: HttpRequest, away_id: uuid.UUID) -> HttpResponse:
    """Here after all."""
    row = roster_access.visible_time_away(request.user, away_id)
    actions.remove_time_away(row, by=request.user, at=clock.now())
    messages.success(request, "Taken back.")
    return redirect("safety:roster")
