"""The psychiatrist's page for ending a course early."""

import uuid

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from accounts.actions import open_chart
from accounts.guards import for_role
from accounts.step_up import require_step_up
from common import clock, intents
from sessions import actions, states
from sessions.views.shared import own_session, room_url, tried
from sessions.wording import STOP_REASONS


class StopCourseForm(forms.Form):
    """Why, for the chart and for the person."""

    reason = forms.ChoiceField(
        label="Reason",
        choices=list(STOP_REASONS.items()),
        widget=forms.RadioSelect,
        error_messages={"required": "Choose a reason."},
    )
    note = forms.CharField(
        label="Why, for the chart", max_length=10_000, widget=forms.Textarea(attrs={"rows": 4})
    )
    words = forms.CharField(
        label="What you say to the patient",
        help_text="They read it on their sessions page. Say what comes next and whom to call.",
        max_length=10_000,
        widget=forms.Textarea(attrs={"rows": 5}),
    )


@for_role("psychiatrist")
@require_http_methods(["GET", "HEAD", "POST"])
@intents.guard
def stop_course(request: HttpRequest, session_id: uuid.UUID) -> HttpResponse:
    """End the whole course of this session; asks for the second factor before anything is typed."""
    found = own_session(request, session_id)
    require_step_up(request)
    at = clock.now()
    course = found.course
    form = StopCourseForm(request.POST or None)
    if request.method == "POST":
        done, _ = tried(
            form, lambda: actions.stop_by_psychiatrist(course, by=request.user, at=at, **form.cleaned_data)
        )
        if done:
            messages.success(request, "The course has ended. The patient has been told.")
            return redirect(room_url(session_id))
    else:
        open_chart(found.patient, by=request.user, at=at, why="stop_course")
    context = {
        "form": form,
        "session": found,
        "patient": found.patient,
        "is_open": course.state in states.COURSE_OPEN,
        "to_come": course.sessions.filter(state__in=(states.SCHEDULED, states.PREPARING)).count(),
        "watched": course.sessions.filter(state__in=states.WATCHED).exists(),
        "intent": intents.mint(),
    }
    return render(request, "psychiatrist/stop_course.html", context, status=422 if form.is_bound else 200)
