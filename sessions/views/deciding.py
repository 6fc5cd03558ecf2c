"""The psychiatrist's page for the dose of one session: the session before, the order, the decision, the signature."""

import uuid

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from accounts.actions import open_chart
from accounts.guards import for_role
from accounts.step_up import require_step_up, stepped_up_at
from common import clock, intents
from sessions import actions
from sessions.access.deciding import last_session, live_decision
from sessions.models import DoseDecision
from sessions.views.shared import own_session, room_url, tried


class DecisionForm(forms.Form):
    """What the dose is to be, and why."""

    kind = forms.ChoiceField(
        label="The dose of this session",
        choices=DoseDecision.Kind.choices,
        widget=forms.RadioSelect,
        error_messages={"required": "Choose one."},
    )
    review = forms.CharField(
        label="What you saw of the last session",
        help_text="For a first dose: what you base it on.",
        max_length=10_000,
        widget=forms.Textarea(attrs={"rows": 4}),
        error_messages={"required": "Write what you saw."},
    )
    reason = forms.CharField(
        label="Why another dose, or why to stop",
        required=False,
        max_length=10_000,
        widget=forms.Textarea(attrs={"rows": 3}),
    )


@for_role("psychiatrist")
@require_http_methods(["GET", "HEAD", "POST"])
@intents.guard
def decide(request: HttpRequest, session_id: uuid.UUID) -> HttpResponse:
    """Read the session before, choose same, up, down or stop, and sign with the second factor."""
    found = own_session(request, session_id)
    at = clock.now()
    form = DecisionForm(request.POST or None)
    if request.method == "POST":
        require_step_up(request)
        done, _ = tried(
            form,
            lambda: actions.decide_dose(
                found,
                by=request.user,
                at=at,
                stepped_up_at=stepped_up_at(request, at=at),
                **form.cleaned_data,
            ),
        )
        if done:
            messages.success(request, "Signed.")
            return redirect(room_url(session_id))
    else:
        open_chart(found.patient, by=request.user, at=at, why="dose_decision")
    context = {
        "form": form,
        "session": found,
        "patient": found.patient,
        "order": found.course.order,
        "last": last_session(found),
        "decision": live_decision(found, at=at),
        "open": actions.may_be_decided(found),
        "zone": request.user.time_zone,
        "intent": intents.mint(),
    }
    return render(request, "psychiatrist/decide_dose.html", context, status=422 if form.is_bound else 200)
