"""The session room: the patient's pages of the dosing day. Each shows the one step that is now."""

import uuid
from datetime import datetime
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts.access import patient_of
from accounts.guards import for_role
from common import clock, intents
from common.errors import Conflict
from safety.access import holds_of
from safety.wording import holds_for_patient
from sessions import access, actions, rules, states
from sessions.access import Room
from sessions.access.facts import not_at_home
from sessions.forms import (
    CheckForm,
    EndForm,
    FollowUpForm,
    JournalForm,
    MoveForm,
    PlaceForm,
    ReadingForm,
    SitterForm,
    StopForm,
    SymptomForm,
    TakenForm,
)
from sessions.models import DosingSession
from sessions.rules.gate import RELEASABLE
from sessions.views.shared import crisis, keep_alive, own_session, room_url, said_crisis, tried
from sessions.wording import CHECK, for_patient, local_when
from vitals.models import Reading
from vitals.wording import BAND, CUFF_HELP, HOLD, RELEASE

HELP_PAGE = "patient/sessions/help_now.html"
RED_PAGE = "patient/sessions/call_911.html"


def show(
    request: HttpRequest, session: DosingSession, *, form: Any = None, status: int = 200
) -> HttpResponse:
    """The room as it is now; `form` is one that came back with errors."""
    at = clock.now()
    keep_alive(request, session)
    room = access.room_of(session, at=at)
    template, extra = STEPS[room.step](room, form)
    return render(
        request,
        f"patient/sessions/{template}.html",
        {
            "session": session,
            "order": session.course.order,
            "room": room,
            "at": at,
            "held": _held_words(session) if room.held else "",
            "zone": session.patient.user.time_zone,
            "when": local_when(session.scheduled_at, session.patient.user.time_zone),
            "driving": access.driving_allowed(session.patient, at=at),
            "intent": intents.mint(),
            "intent_2": intents.mint(),
            **extra,
        },
        status=status,
    )


# --- what each step shows -------------------------------------------------------------------------------


def _before(room: Room, form: Any) -> tuple[str, dict[str, Any]]:
    timeline = access.timeline_for(room.session)
    return "before", {
        "form": form or SitterForm(),
        "timeline": timeline,
        "holds": room.session.course.order.holds,
        "missing": for_patient(not_at_home(room.session, at=clock.now())),
    }


def _check(room: Room, form: Any) -> tuple[str, dict[str, Any]]:
    return "check", {"form": form or _check_form(room.session), "holds": room.session.course.order.holds}


def _check_form(session: DosingSession, data: Any = None) -> CheckForm:
    return CheckForm(data, skip=("pregnant",) if session.patient.sex == "male" else ())


def _held_words(session: DosingSession) -> str:
    """Why there is a pause, in the words of each hold that stands."""
    return holds_for_patient(holds_of(session.patient).values_list("reason_code", flat=True))


def _hold(room: Room, form: Any) -> tuple[str, dict[str, Any]]:
    soft = set(room.positive) <= {str(a) for a in rules.PositiveAnswer} - set(
        map(str, rules.CLINICIAN_CLEARS)
    )
    return "hold", {
        "sentences": [CHECK[rules.PositiveAnswer(code)].patient for code in room.positive],
        "crisis": bool(set(room.positive) & set(map(str, rules.CRISIS_ANSWERS))),
        "again": soft,
        "form": form or _check_form(room.session),
        "show_form": form is not None,
    }


def _place(room: Room, form: Any) -> tuple[str, dict[str, Any]]:
    patient = room.session.patient
    return "place", {
        "form": form
        or PlaceForm(
            initial={
                "address": patient.address,
                "state": room.session.course.order.state_of_care,
                "contact_name": patient.emergency_contact_name,
                "contact_phone": patient.emergency_contact_phone,
            }
        )
    }


def _sitter(room: Room, form: Any) -> tuple[str, dict[str, Any]]:
    return "sitter", {"form": form or SitterForm()}


def _reading(room: Room, form: Any) -> tuple[str, dict[str, Any]]:
    needed = (
        "third"
        if "third_reading_missing" in room.reading_codes
        else "second"
        if "second_reading_missing" in room.reading_codes
        else "first"
    )
    again = [HOLD[code].patient for code in _hold_codes(room) if str(code) in access.MEASURE_AGAIN]
    return "reading", {
        "form": form or ReadingForm(), "needed": needed, "again": again, "cuff_help": CUFF_HELP,
        "waits": room.measure_from is not None and room.at < room.measure_from,
    }  # fmt: skip


def _hold_codes(room: Room) -> list[Any]:
    known = {str(reason): reason for reason in HOLD}
    return [known[code] for code in sorted(room.reading_codes) if code in known]


def _reading_sentences(room: Room) -> list[str]:
    left_out = {"second_reading_missing", "third_reading_missing"}
    if room.reading_codes & {"bp_caution", "bp_high"}:
        # Said already, in plainer words.
        left_out.add("bp_over_order")
    return for_patient(rules.GateReason("G8", code) for code in room.reading_codes - left_out)


def _reading_hold(room: Room, form: Any) -> tuple[str, dict[str, Any]]:
    return "reading_hold", {
        "form": form or ReadingForm(),
        "sentences": _reading_sentences(room),
        "cuff_help": CUFF_HELP,
        "may_measure": room.measure_from is not None and room.at >= room.measure_from,
        "clinician_may": room.reading_codes <= RELEASABLE,
    }


def _no_dose(room: Room, form: Any) -> tuple[str, dict[str, Any]]:
    return "no_dose", {
        "form": form or ReadingForm(),
        "sentences": _reading_sentences(room),
        "may_measure": room.measure_from is not None and room.at >= room.measure_from,
        "crisis": bool(room.reading_codes & {"bp_crisis", "bp_crisis_earlier"}),
        "cuff_help": CUFF_HELP,
    }


def _waiting(room: Room, form: Any) -> tuple[str, dict[str, Any]]:
    return "waiting", {"form": form or SitterForm(), "show_form": form is not None}


def _ready(room: Room, form: Any) -> tuple[str, dict[str, Any]]:
    timeline = room.session.course.protocol.data["timeline"]
    return "ready", {
        "form": form or TakenForm(),
        "minutes_in_mouth": timeline["hold_in_mouth_minutes"].get(room.session.course.order.form, [0, 0]),
    }


def _music(room: Room, form: Any) -> tuple[str, dict[str, Any]]:
    music = access.timeline_for(room.session).music_minutes
    return "music", {
        "form": form or ReadingForm(), "music_minutes": music, "music_over": room.minutes_since_dose >= music,
        "cuff_help": CUFF_HELP,
    }  # fmt: skip


def _watch(room: Room, form: Any) -> tuple[str, dict[str, Any]]:
    why = [
        RELEASE[code].patient for code in RELEASE if room.end_check and str(code) in room.end_check.reasons
    ]
    return "watch", {
        "form": form or (EndForm() if room.may_end else ReadingForm()),
        "why_not_yet": why,
        "cuff_help": CUFF_HELP,
        "band_words": BAND,
    }


def _released(room: Room, form: Any) -> tuple[str, dict[str, Any]]:
    return "released", {"form": form or FollowUpForm(), "journal": JournalForm()}


def _over(room: Room, form: Any) -> tuple[str, dict[str, Any]]:
    return "over", {"form": form or MoveForm()}


STEPS = {
    "scheduled": _before,
    "check": _check,
    "hold": _hold,
    "place": _place,
    "sitter": _sitter,
    "reading": _reading,
    "reading_hold": _reading_hold,
    "no_dose": _no_dose,
    "waiting": _waiting,
    "ready": _ready,
    "dosing": _music,
    "observing": _watch,
    "released": _released,
    "closed": _over,
    "aborted": _over,
    "missed": _over,
}


# --- the steps' forms -----------------------------------------------------------------------------------


@for_role("patient")
@require_POST
@intents.guard
def start(request: HttpRequest, session_id: uuid.UUID) -> HttpResponse:
    """Open the dosing day."""
    actions.start_check(own_session(request, session_id), by=request.user, at=clock.now())
    return redirect(room_url(session_id))


@for_role("patient")
@require_POST
@intents.guard
def check(request: HttpRequest, session_id: uuid.UUID) -> HttpResponse:
    """The day's questions; help comes in this very answer when it is needed."""
    session = own_session(request, session_id)
    form = _check_form(session, request.POST)
    said = said_crisis(request)
    try:
        done, result = tried(
            form,
            lambda: actions.answer_check(session, answers=form.answers(), by=request.user, at=clock.now()),
        )
    except Conflict:
        if not said:
            raise
        done = False
    if not done:
        return _heard(request, session, said) or show(request, session, form=form, status=422)
    if result.crisis:
        return crisis(request, HELP_PAGE, session, {"pregnant": False})
    return redirect(room_url(session_id))


def _heard(request: HttpRequest, session: DosingSession, said: frozenset[str]) -> HttpResponse | None:
    """Help at once for a safety answer in a form that cannot be kept; None when there is no such answer."""
    if not said:
        return None
    actions.hear_crisis(session, said=said, by=request.user, at=clock.now())
    return crisis(request, HELP_PAGE, session, {"pregnant": False})


@for_role("patient")
@require_POST
@intents.guard
def place(request: HttpRequest, session_id: uuid.UUID) -> HttpResponse:
    """Where I am, and whom to call."""
    session = own_session(request, session_id)
    form = PlaceForm(request.POST)
    done, _ = tried(
        form, lambda: actions.confirm_place(session, **form.cleaned_data, by=request.user, at=clock.now())
    )
    return redirect(room_url(session_id)) if done else show(request, session, form=form, status=422)


@for_role("patient")
@require_POST
@intents.guard
def sitter(request: HttpRequest, session_id: uuid.UUID) -> HttpResponse:
    """Send the sitter their link."""
    session = own_session(request, session_id)
    form = SitterForm(request.POST)
    done, _ = tried(
        form, lambda: actions.invite_sitter(session, **form.cleaned_data, by=request.user, at=clock.now())
    )
    if not done:
        return show(request, session, form=form, status=422)
    messages.success(request, "The link is on its way to your sitter's phone.")
    return redirect(room_url(session_id))


@for_role("patient")
@require_POST
@intents.guard
def reading(request: HttpRequest, session_id: uuid.UUID) -> HttpResponse:
    """One cuff reading, before or after the dose."""
    session = own_session(request, session_id)
    form = ReadingForm(request.POST)
    done, outcome = tried(
        form,
        lambda: actions.take_reading(
            session, **form.cleaned_data, by=request.user, at=clock.now(), source=Reading.Source.PATIENT
        ),
    )
    if not done:
        return show(request, session, form=form, status=422)
    say_reading(request, outcome)
    return redirect(room_url(session_id))


def say_reading(request: HttpRequest, outcome: Any) -> None:
    """One sentence on what was saved; what it means stands on the page itself."""
    r = outcome.reading
    if r.rejected:
        messages.warning(request, HOLD_REJECTED)
    elif outcome.after_dose and outcome.reasons:
        from vitals.api import wording_of

        for code in sorted(outcome.reasons):
            messages.warning(request, wording_of(code))
    else:
        messages.success(request, f"Saved: {r.systolic_mmhg}/{r.diastolic_mmhg} mmHg, pulse {r.pulse_bpm}.")


HOLD_REJECTED = "That reading doesn't look right, so we kept it apart. Check the cuff and measure again."


@for_role("patient")
@require_POST
@intents.guard
def taken(request: HttpRequest, session_id: uuid.UUID) -> HttpResponse:
    """The medicine is placed."""
    session = own_session(request, session_id)
    form = TakenForm(request.POST)
    try:
        done, _ = tried(
            form,
            lambda: actions.confirm_dose_taken(
                session, units_taken=form.cleaned_data["units_taken"], by=request.user, at=clock.now(),
                already=request.POST.get("already") == "yes",
            ),
        )  # fmt: skip
    except Conflict as error:
        if error.code not in ("release_too_old", "held_since_release"):
            raise
        # The page says why, and asks whether it was taken already.
        return show(request, session, status=409)
    return redirect(room_url(session_id)) if done else show(request, session, form=form, status=422)


@for_role("patient")
@require_POST
@intents.guard
def music_end(request: HttpRequest, session_id: uuid.UUID) -> HttpResponse:
    """Sitting up again."""
    session = own_session(request, session_id)
    if session.state == states.DOSING:
        actions.end_music(session, by=request.user, at=clock.now())
    return redirect(room_url(session_id))


@for_role("patient")
@require_POST
@intents.guard
def end(request: HttpRequest, session_id: uuid.UUID) -> HttpResponse:
    """The questions at the end of the watch."""
    session = own_session(request, session_id)
    form = EndForm(request.POST)
    said = said_crisis(request)
    try:
        done, result = tried(
            form,
            lambda: actions.close_session(session, answers=form.answers(), by=request.user, at=clock.now()),
        )
    except Conflict:
        if not said:
            raise
        done = False
    if not done:
        return _heard(request, session, said) or show(request, session, form=form, status=422)
    if "suicide_answer_positive" in result.reasons:
        return crisis(request, HELP_PAGE, session, {"pregnant": False})
    return redirect(room_url(session_id))


@for_role("patient")
@require_POST
@intents.guard
def follow_up(request: HttpRequest, session_id: uuid.UUID) -> HttpResponse:
    """The morning after."""
    session = own_session(request, session_id)
    form = FollowUpForm(request.POST)

    def send() -> Any:
        told = form.cleaned_data
        return actions.record_follow_up(
            session, slept=told["slept"] == "yes", mood_0_10=told["mood_0_10"], effects=told["effects"],
            suicidal_thoughts=told["suicidal_thoughts"] == "yes", note=told["note"], by=request.user, at=clock.now(),
        )  # fmt: skip

    said = said_crisis(request, thoughts="suicidal_thoughts")
    try:
        done, _ = tried(form, send)
    except Conflict:
        if not said:
            raise
        done = False
    if not done:
        return _heard(request, session, said) or show(request, session, form=form, status=422)
    if form.cleaned_data["suicidal_thoughts"] == "yes":
        return crisis(request, HELP_PAGE, session, {"pregnant": False})
    messages.success(request, "Thank you. That is all for this session.")
    return redirect(room_url(session_id))


@for_role("patient")
@require_http_methods(["GET", "POST"])
@intents.guard
def symptoms(request: HttpRequest, session_id: uuid.UUID) -> HttpResponse:
    """How I am; a red flag answers with the page to call 911."""
    session = own_session(request, session_id)
    keep_alive(request, session)
    form = SymptomForm(request.POST or None)
    if request.method == "POST":
        done, result = tried(
            form,
            lambda: actions.record_symptoms(session, **form.cleaned_data, by=request.user, at=clock.now()),
        )
        if done:
            if result.emergency:
                return crisis(request, RED_PAGE, session, emergency_card(session))
            messages.success(request, "Thank you, that is noted.")
            return redirect(room_url(session_id))
    return render(
        request, "patient/sessions/symptoms.html", {"session": session, "form": form, "intent": intents.mint()},
        status=422 if form.errors else 200,
    )  # fmt: skip


def emergency_card(session: DosingSession) -> dict[str, Any]:
    """What somebody on the phone with 911 needs to read out."""
    order = session.course.order
    return {
        "address": session.location_address or session.patient.address,
        "medicine": f"Ketamine {order.dose_mg:g} mg, {order.get_form_display().lower()}",
        "dose_at": session.dose_at,
        "zone": session.patient.user.time_zone,
        "contact_name": session.emergency_contact_name or session.patient.emergency_contact_name,
        "contact_phone": session.emergency_contact_phone or session.patient.emergency_contact_phone,
    }


@for_role("patient")
@require_http_methods(["GET", "POST"])
@intents.guard
def get_help(request: HttpRequest, session_id: uuid.UUID) -> HttpResponse:
    """I need help: one press calls somebody, and the numbers stand on the page before and after."""
    session = own_session(request, session_id)
    keep_alive(request, session)
    if request.method == "POST":
        not_safe = request.POST.get("kind") == "not_safe"
        actions.ask_for_help(session, by=request.user, at=clock.now(), not_safe=not_safe)
        return crisis(request, HELP_PAGE, session, {"pregnant": False})
    return render(
        request, "patient/sessions/help.html",
        {"session": session, "intent": intents.mint(), "intent_2": intents.mint(), **emergency_card(session)},
    )  # fmt: skip


@for_role("patient")
@require_http_methods(["GET", "POST"])
@intents.guard
def stop(request: HttpRequest, session_id: uuid.UUID) -> HttpResponse:
    """Stopping is always all right."""
    session = own_session(request, session_id)
    keep_alive(request, session)
    form = StopForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        actions.stop_early(session, reason=form.cleaned_data["reason"], by=request.user, at=clock.now())
        return redirect(room_url(session_id))
    return render(
        request, "patient/sessions/stop.html", {"session": session, "form": form, "intent": intents.mint()},
        status=422 if form.errors else 200,
    )  # fmt: skip


@for_role("patient", "coach", "psychiatrist")
@require_http_methods(["GET", "POST"])
@intents.guard
def move(request: HttpRequest, session_id: uuid.UUID) -> HttpResponse:
    """Another day; always free."""
    session = own_session(request, session_id)
    if session.state not in ("scheduled", "preparing", "missed"):
        raise Conflict("This session can no longer be moved.")
    form = MoveForm(request.POST or None)
    if request.method == "POST":
        reason = "patient" if request.user.role == "patient" else "care_team"
        done, moved = tried(
            form,
            lambda: actions.reschedule_session(
                session, on=form.cleaned_data["on"], by=request.user, at=clock.now(), reason=reason
            ),
        )
        if done:
            messages.success(
                request, f"Moved to {local_when(moved.scheduled_at, session.patient.user.time_zone)}."
            )
            return redirect(room_url(session_id))
    return render(
        request, "patient/sessions/move.html",
        {
            "session": session, "form": form, "intent": intents.mint(), "staff": request.user.role != "patient",
            "when": local_when(session.scheduled_at, session.patient.user.time_zone),
        },
        status=422 if form.errors else 200,
    )  # fmt: skip


@for_role("patient")
@require_http_methods(["GET", "POST"])
@intents.guard
def journal(request: HttpRequest) -> HttpResponse:
    """My words, mine alone unless I share an entry."""
    patient = patient_of(request.user)
    at = clock.now()
    session = access.active_session(patient) or access.next_session(patient)
    if session is not None:
        keep_alive(request, session)
    form = JournalForm(request.POST or None)
    if request.method == "POST":
        own = session if session is not None and session.dose_at is not None else None
        done, _ = tried(
            form,
            lambda: actions.write_entry(
                patient,
                body=form.cleaned_data["body"],
                share=form.cleaned_data["share"],
                session=own,
                by=request.user,
                at=at,
            ),
        )
        if done:
            messages.success(request, "Kept.")
            return redirect(
                room_url(own.pk)
                if own is not None and own.state in states.ACTIVE
                else reverse("sessions:journal")
            )
    return render(
        request, "patient/sessions/journal.html",
        {
            "form": form, "entries": access.journal_of(patient)[:100], "intent": intents.mint(), "session": session,
            "zone": request.user.time_zone, "mint": intents.mint,
            "in_session": session is not None and session.state in states.WATCHED,
        },
        status=422 if form.errors else 200,
    )  # fmt: skip


@for_role("patient")
@require_POST
@intents.guard
def journal_share(request: HttpRequest, entry_id: uuid.UUID) -> HttpResponse:
    """Share one entry, or take it back."""
    patient = patient_of(request.user)
    verb = actions.share_entry if request.POST.get("to") == "share" else actions.unshare_entry
    verb(patient, entry_id=entry_id, by=request.user, at=clock.now())
    return redirect("sessions:journal")


@for_role("patient")
@require_GET
def room_part(request: HttpRequest, session_id: uuid.UUID) -> HttpResponse:
    """The part of the waiting page that asks again by itself."""
    session = own_session(request, session_id)
    room = access.room_of(session, at=clock.now())
    response = render(request, "patient/sessions/_waiting.html", {"room": room, "session": session})
    if room.step != "waiting":
        # Something happened: the whole page changes.
        response["HX-Refresh"] = "true"
    return response


def course_context(request: HttpRequest, at: datetime) -> dict[str, Any]:
    """The four sessions as a timeline."""
    patient = patient_of(request.user)
    course = access.course_of(patient)
    zone = request.user.time_zone
    steps = []
    if course is not None:
        for session in access.sessions_of(course):
            steps.append(
                {
                    "title": f"Session {session.number}",
                    "when": local_when(session.scheduled_at, zone),
                    "state": _timeline_state(session),
                    "text": "",
                    "href": room_url(session.pk),
                }
            )
    return {
        "course": course,
        "stop": access.stop_of(course),
        "steps": steps,
        "next": access.next_session(patient),
        "driving": access.driving_allowed(patient, at=at),
        "zone": zone,
    }


def _timeline_state(session: DosingSession) -> str:
    if session.state in (states.RELEASED, states.CLOSED):
        return "done"
    if session.state in states.ACTIVE:
        return "now"
    return "held" if session.state in (states.ABORTED, states.MISSED) else "later"
