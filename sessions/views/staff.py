"""The care team's pages: the board of sessions, and one session with its gate, its readings and its release."""

import uuid
from datetime import datetime
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from accounts.actions import open_chart
from accounts.guards import for_role
from accounts.step_up import require_step_up, stepped_up_at
from common import clock, intents
from common.clock import age_years, local_date
from notify.access import number_has_opted_out
from safety.access import holds_of, open_alerts_for
from sessions import access, actions, rules, states
from sessions.forms import ClearForm, ReleaseForm
from sessions.models import DosingSession
from sessions.rules import caution_only
from sessions.views import room as patient_room
from sessions.views.shared import own_session, room_url, tried
from sessions.wording import CHECK, local_when, words_of
from vitals.access import session_readings
from vitals.wording import BAND

STATE_WORDS = {
    "scheduled": ("Scheduled", "neutral"),
    "preparing": ("Preparing", "info"),
    "ready": ("Dose released", "info"),
    "dosing": ("Music hour", "info"),
    "observing": ("Being watched", "info"),
    "released": ("Watch ended", "ok"),
    "closed": ("Closed", "ok"),
    "aborted": ("Called off or stopped", "pause"),
    "missed": ("Missed", "pause"),
}
BAND_KIND = {
    "go": "ok",
    "caution": "pause",
    "low": "pause",
    "high": "pause",
    "crisis": "act",
    "implausible": "neutral",
}


@for_role("patient", "coach", "psychiatrist")
@require_GET
def sessions(request: HttpRequest) -> HttpResponse:
    """A patient's course; a clinician's board."""
    at = clock.now()
    if request.user.role == "patient":
        return render(request, "patient/sessions/course.html", patient_room.course_context(request, at))
    zone = request.user.time_zone
    found = access.sessions_for_staff(request.user, at=at, zone=zone)
    return render(
        request,
        "coach/sessions.html",
        {
            "groups": [
                ("Going on now", [_row(s, at) for s in found["now"]]),
                ("Today", [_row(s, at) for s in found["today"]]),
                ("To follow up", [_row(s, at) for s in found["follow_up"]]),
                ("Coming", [_row(s, at) for s in found["coming"]]),
            ],
            "at": at,
            "zone": zone,
            "any": any(found.values()),
        },
    )


def _row(session: DosingSession, at: datetime) -> dict[str, Any]:
    label, kind = STATE_WORDS[session.state]
    open_rows = [c for c in session.checkpoints.all() if c.done_at is None and c.cancelled_at is None]
    due = min(open_rows, key=lambda c: c.due_at, default=None)
    link = next((k for k in session.sitter_links.all() if k.revoked_at is None), None)
    return {
        "session": session,
        "label": label,
        "kind": kind,
        "due": due,
        "late": due is not None and due.due_at < at,
        "sitter": "confirmed" if link and link.confirmed_at else "invited" if link else "",
    }


@for_role("patient", "coach", "psychiatrist")
@require_GET
def session(request: HttpRequest, session_id: uuid.UUID) -> HttpResponse:
    """One session: the room for the patient, the desk for the care team."""
    found = own_session(request, session_id)
    if request.user.role == "patient":
        return patient_room.show(request, found)
    open_chart(found.patient, by=request.user, at=clock.now(), why="session")
    return show(request, found)


def show(
    request: HttpRequest, found: DosingSession, *, form: Any = None, clear_form: Any = None, status: int = 200
) -> HttpResponse:
    """The desk as it is now."""
    at = clock.now()
    return render(
        request, "coach/session.html", {**desk(request, found, at=at), "form": form or ReleaseForm(), "clear_form": clear_form or ClearForm()},
        status=status,
    )  # fmt: skip


def desk(request: HttpRequest, found: DosingSession, *, at: datetime) -> dict[str, Any]:
    """Everything the care team sees of one session."""
    user, patient = request.user, found.patient
    zone = user.time_zone
    inputs = access.gate_inputs(found, by=user, at=at, stepped_up_at=stepped_up_at(request, at=at))
    # The second factor is asked for by the release itself, so an old one does not stand in the list of what is missing.
    shown = frozenset(r for r in inputs.reasons if r.code != "step_up_old")
    room = access.room_of(found, at=at)
    readings = session_readings(found.pk)
    born = patient.date_of_birth
    label, kind = STATE_WORDS[found.state]
    return {
        "session": found,
        "patient": patient,
        "order": found.course.order,
        "room": room,
        "sitter_stopped": room.link is not None and number_has_opted_out(room.link.sitter.phone),
        "at": at,
        "zone": zone,
        "patient_zone": patient.user.time_zone,
        "when": local_when(found.scheduled_at, zone),
        "label": label,
        "kind": kind,
        "born": f"{born:%B} {born.day}, {born.year}" if born else "",
        "age": str(age_years(born, local_date(at, zone))) if born else "",
        "gate": access.gate_rows(shown),
        "gate_open": not shown,
        "caution": user.role == "psychiatrist" and caution_only(shown),
        "reasons": [words_of(r).staff for r in sorted(shown)],
        "readings": [(r, BAND_WORDS.get(r.band, r.band), BAND_KIND.get(r.band, "neutral")) for r in readings],
        "checkpoints": access.checkpoints_of(found),
        "open_answers": [CHECK[rules.PositiveAnswer(code)].staff for code in room.positive],
        "may_decide": user.role == "psychiatrist" and actions.may_be_decided(found),
        "may_clear": user.role == "psychiatrist" and bool(room.open_checks),
        "open_checks": room.open_checks,
        "is_preparing": found.state == states.PREPARING,
        "may_call_off": found.state in (states.SCHEDULED, states.PREPARING, states.READY),
        "holds": list(holds_of(patient)),
        "alerts": [a for a in open_alerts_for(user) if a.patient_id == patient.pk],
        "journal": list(access.shared_journal_of(user, patient)[:20]),
        "course_held": found.course.state == states.ON_HOLD,
        "may_stop_course": user.role == "psychiatrist" and found.course.state in states.COURSE_OPEN,
        "may_resume": user.role == "psychiatrist" and found.course.state == states.ON_HOLD,
        "intent": intents.mint(),
        "intent_2": intents.mint(),
        "intent_3": intents.mint(),
        "intent_4": intents.mint(),
        "video_intent": intents.mint(),
    }


BAND_WORDS = {str(key): words.staff for key, words in BAND.items()}


@for_role("coach", "psychiatrist")
@require_POST
@intents.guard
def release(request: HttpRequest, session_id: uuid.UUID) -> HttpResponse:
    """Release the dose: asks for a fresh second factor, reads everything again, and says why when it stays locked."""
    found = own_session(request, session_id)
    require_step_up(request)
    form = ReleaseForm(request.POST)
    at = clock.now()
    done, result = tried(
        form,
        lambda: actions.release_dose(
            found, by=request.user, at=at, stepped_up_at=stepped_up_at(request, at=at),
            caution_reason=form.cleaned_data["caution_reason"], plan_t40=form.cleaned_data["plan_t40"],
        ),
    )  # fmt: skip
    if not done:
        return show(request, found, form=form, status=422)
    if result.release is None:
        messages.warning(
            request, "Not released. " + " ".join(words_of(r).staff for r in sorted(result.reasons))
        )
    else:
        messages.success(request, f"Released: {result.release.order.dose_mg:g} mg. The patient sees it now.")
    return redirect(room_url(session_id))


@for_role("psychiatrist")
@require_POST
@intents.guard
def clear(request: HttpRequest, session_id: uuid.UUID) -> HttpResponse:
    """Clear the answers that hold the dose, with a note."""
    found = own_session(request, session_id)
    form = ClearForm(request.POST)
    # Only what stood on the page that was read; an answer given meanwhile stays and is read on its own (HZ-20).
    seen = set(request.POST.getlist("check"))
    checks = access.room_of(found, at=clock.now()).open_checks
    now = [check for check in checks if str(check.pk) in seen]
    if len(now) < len(checks):
        messages.warning(request, "There are answers that were not on your page yet. Please read them too.")
    if not now:
        return redirect(room_url(session_id))
    done, _ = tried(
        form,
        lambda: [
            actions.clear_check(check, by=request.user, at=clock.now(), note=form.cleaned_data["note"])
            for check in now
        ],
    )
    if not done:
        return show(request, found, clear_form=form, status=422)
    messages.success(request, "Cleared.")
    return redirect(room_url(session_id))


@for_role("coach", "psychiatrist")
@require_POST
@intents.guard
def call_off(request: HttpRequest, session_id: uuid.UUID) -> HttpResponse:
    """Call a session off before anything was taken."""
    actions.abort(own_session(request, session_id), reason="care_team", by=request.user, at=clock.now())
    messages.success(request, "Called off. The patient can choose another day.")
    return redirect(room_url(session_id))


@for_role("psychiatrist")
@require_POST
@intents.guard
def resume(request: HttpRequest, session_id: uuid.UUID) -> HttpResponse:
    """Let a held course go on."""
    found = own_session(request, session_id)
    actions.resume_course(found.course, by=request.user, at=clock.now())
    messages.success(request, "The course goes on.")
    return redirect(reverse("sessions:session", args=[session_id]))
