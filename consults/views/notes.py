"""The psychiatrist's side of a visit: the note, its signature, addenda; the PDMP check; a patient's notes and orders in one place."""

import uuid
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts.access import visible_patient
from accounts.actions import open_chart
from accounts.guards import for_role
from accounts.step_up import require_step_up
from common import clock, intents
from common.errors import Invalid, NotVisible
from consults import access, actions, wording
from consults.access.waiting import door_words, nobody_knows_who
from consults.actions.notes import BODY_FIELDS, WITH_NOTE
from consults.forms import AddendumForm, NoteForm, PdmpForm, ReopenForm, RoomForm
from consults.forms_booking import WhoForm
from consults.models import Appointment, VisitNote
from consults.rules.signing import minimum_minutes, note_gaps
from consults.rules.slots import time_words, when_words
from consults.views.common import banner_of, visit_row
from intake.access import active_medicines, latest_evaluation
from safety.access import holds_of
from video.forms import LateForm


def _visit(request: HttpRequest, appointment_id: uuid.UUID) -> Appointment:
    row = access.visible_appointment(request.user, appointment_id)
    if row.state == "held":
        raise NotVisible("There is no such page.")
    return row


def _words(note: VisitNote) -> dict[str, str]:
    """The written parts of a note; what is not written yet is empty."""
    return {name: (note.body or {}).get(name, "") for name in BODY_FIELDS}


def _initial(note: VisitNote) -> dict[str, Any]:
    return {
        **_words(note),
        "diagnosis": note.diagnosis,
        "suitable": {True: "yes", False: "no", None: ""}[note.suitable],
        "identity_confirmed": note.identity_confirmed,
        "date_of_birth_seen": note.date_of_birth_seen,
        "location_confirmed": note.location_confirmed,
        "location_state": note.location_state,
        "duration_minutes": note.duration_minutes,
        "held_by": note.held_by,
    }


@for_role("psychiatrist", "coach")
@require_http_methods(["GET", "POST"])
@intents.guard
def visit(request: HttpRequest, appointment_id: uuid.UUID) -> HttpResponse:
    """A visit as its clinician works on it: who, where, the way to meet, and for consults the note."""
    row, at = _visit(request, appointment_id), clock.now()
    own = row.clinician_id == request.user.pk
    writes = (
        own
        and request.user.role == "psychiatrist"
        and row.visit_type in WITH_NOTE
        and row.state != "cancelled"
    )
    note = getattr(row, "note", None)
    if writes and note is None:
        note = actions.open_note(row, by=request.user, at=at)
    form = None
    if writes and note is not None and note.signed_at is None:
        form = NoteForm(request.POST or None, initial=_initial(note))
        if request.method == "POST" and form.is_valid():
            saved = actions.save_note(
                note, version=_version(request), changes=form.values(), by=request.user, at=at
            )
            # What was typed is kept first; the prompts go into what is still empty.
            if template := request.POST.get("template", ""):
                actions.use_template(saved, code=template, by=request.user, at=at)
                return redirect("consults:visit", row.pk)
            if request.POST.get("then") == "sign":
                return redirect("consults:sign_note", row.pk)
            return redirect("consults:visit", row.pk)
    elif request.method == "POST":
        raise NotVisible("There is no such page.")
    if request.method == "GET":
        open_chart(row.patient, by=request.user, at=at, why="visit")
    zone = request.user.time_zone
    may_read = request.user.role == "psychiatrist"
    context = {
        "visit": visit_row(row, zone),
        "door": door_words(row, zone),
        "patient_when": when_words(row.starts_at, row.patient.user.time_zone),
        "banner": banner_of(row.patient, at),
        "patient": row.patient,
        "has_chart": may_read and latest_evaluation(row.patient) is not None,
        "own": own,
        "note": note if may_read else None,
        "body": _words(note) if note is not None and may_read else {},
        "form": form,
        "signed": note is not None and note.signed_at is not None,
        "addenda": list(note.addenda.select_related("written_by"))
        if note is not None and may_read and note.signed_at
        else [],
        "addendum_form": AddendumForm(),
        "room": access.room_of(row) if own else None,
        "late_form": LateForm(),
        "who_form": WhoForm() if own and nobody_knows_who(row) else None,
        "kept": list(note.kept_signatures.select_related("signed_by", "opened_by"))
        if note is not None and may_read
        else [],
        "templates": access.templates_for(row.visit_type) if form is not None else [],
        "together": access.minutes_together(row) if form is not None else None,
        "room_form": RoomForm(initial={"meeting_url": row.meeting_url}),
        "saved_words": time_words(note.saved_at, zone) if note is not None else "",
        "begun": at >= row.starts_at,
        "zone": zone,
        "mint": intents.mint,
        "phone": row.patient.user.phone,
    }
    return render(
        request,
        "psychiatrist/consults/visit.html",
        context,
        status=422 if form is not None and form.errors else 200,
    )


def _version(request: HttpRequest) -> int:
    text = request.POST.get("version", "")
    return int(text) if text.isdecimal() and len(text) < 9 else 0


@for_role("psychiatrist")
@require_POST
@intents.guard
def autosave(request: HttpRequest, appointment_id: uuid.UUID) -> HttpResponse:
    """What is typed so far, kept without leaving the page; answers the next version and the next intent."""
    row, at = _visit(request, appointment_id), clock.now()
    note = getattr(row, "note", None)
    form = NoteForm(request.POST)
    if note is None or not form.is_valid():
        return JsonResponse({"saved": False}, status=422)
    saved = actions.save_note(note, version=_version(request), changes=form.values(), by=request.user, at=at)
    response = JsonResponse(
        {
            "saved": True,
            "version": saved.version,
            "words": time_words(at, request.user.time_zone),
            "intent": intents.mint(),
        }
    )
    response.replay_url = reverse("consults:visit", args=[row.pk])  # type: ignore[attr-defined]
    return response


@for_role("psychiatrist")
@require_http_methods(["GET", "POST"])
@intents.guard
def sign_note(request: HttpRequest, appointment_id: uuid.UUID) -> HttpResponse:
    """What will be signed, what is still missing, and the signature."""
    row, at = _visit(request, appointment_id), clock.now()
    note = getattr(row, "note", None)
    if note is None or note.author_id != request.user.pk:
        raise NotVisible("There is no such page.")
    if note.signed_at is not None:
        return redirect("consults:visit", row.pk)
    require_step_up(request)
    if request.method == "POST":
        signed = actions.sign_note(note, by=request.user, at=at)
        return redirect(
            "consults:treatment" if signed.suitable else "consults:visit",
            row.patient_id if signed.suitable else row.pk,
        )
    gaps = note_gaps(access.note_facts(note, by=request.user, at=at), note.protocol.data["dosing"]["note"])
    context = {
        "visit": visit_row(row, request.user.time_zone),
        "banner": banner_of(row.patient, at),
        "note": note,
        "body": _words(note),
        "together": access.minutes_together(row),
        "minimum": minimum_minutes(note.protocol.data["dosing"]["note"], row.visit_type),
        "gaps": wording.sentences(frozenset(map(str, gaps)), wording.NOTE_GAPS),
        "intent": intents.mint(),
    }
    return render(request, "psychiatrist/consults/sign_note.html", context)


@for_role("psychiatrist")
@require_http_methods(["GET", "POST"])
@intents.guard
def reopen(request: HttpRequest, appointment_id: uuid.UUID) -> HttpResponse:
    """Open a signed note for a correction; the earlier signature is kept."""
    row, at = _visit(request, appointment_id), clock.now()
    note = getattr(row, "note", None)
    if note is None or note.author_id != request.user.pk:
        raise NotVisible("There is no such page.")
    if note.signed_at is None:
        return redirect("consults:visit", row.pk)
    require_step_up(request)
    form = ReopenForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            actions.reopen_note(note, reason=form.cleaned_data["reason"], by=request.user, at=at)
            return redirect("consults:visit", row.pk)
        except Invalid as error:
            form.add_error("reason", error.detail)
    context = {
        "visit": visit_row(row, request.user.time_zone),
        "banner": banner_of(row.patient, at),
        "note": note,
        "form": form,
        "zone": request.user.time_zone,
        "intent": intents.mint(),
    }
    return render(
        request, "psychiatrist/consults/reopen_note.html", context, status=422 if form.errors else 200
    )


@for_role("psychiatrist")
@require_POST
@intents.guard
def addendum(request: HttpRequest, appointment_id: uuid.UUID) -> HttpResponse:
    """Something more under a signed note."""
    row = _visit(request, appointment_id)
    note = getattr(row, "note", None)
    if note is None:
        raise NotVisible("There is no such page.")
    actions.add_addendum(note, text=request.POST.get("text", "")[:20_000], by=request.user, at=clock.now())
    return redirect("consults:visit", row.pk)


@for_role("psychiatrist", "coach")
@require_POST
@intents.guard
def room(request: HttpRequest, appointment_id: uuid.UUID) -> HttpResponse:
    """The clinician's own video room for this visit."""
    row = _visit(request, appointment_id)
    form = RoomForm(request.POST)
    form.is_valid()
    url = form.cleaned_data.get("meeting_url") or request.POST.get("meeting_url", "")
    actions.set_meeting_url(row, url=url[:300], by=request.user, at=clock.now())
    return redirect("consults:visit", row.pk)


@for_role("psychiatrist", "coach")
@require_POST
@intents.guard
def video(request: HttpRequest, appointment_id: uuid.UUID) -> HttpResponse:
    """Open the video room of this visit and go there."""
    row = _visit(request, appointment_id)
    return redirect("video:room", actions.open_visit_room(row, by=request.user, at=clock.now()).pk)


@for_role("psychiatrist", "coach")
@require_POST
@intents.guard
def late(request: HttpRequest, appointment_id: uuid.UUID) -> HttpResponse:
    """Running late, said from the visit's page."""
    row, form = _visit(request, appointment_id), LateForm(request.POST)
    minutes = form.cleaned_data["minutes"] if form.is_valid() else -1
    actions.say_late(row, minutes=minutes, by=request.user, at=clock.now())
    return redirect("consults:visit", row.pk)


@for_role("psychiatrist", "coach")
@require_POST
@intents.guard
def close(request: HttpRequest, appointment_id: uuid.UUID) -> HttpResponse:
    """The clinician's word on whether it took place."""
    row = _visit(request, appointment_id)
    actions.close_visit(row, happened=request.POST.get("happened") == "yes", by=request.user, at=clock.now())
    return redirect("consults:calendar")


@for_role("psychiatrist")
@require_http_methods(["GET", "POST"])
@intents.guard
def pdmp(request: HttpRequest, patient_id: uuid.UUID) -> HttpResponse:
    """Attest to a look at the monitoring programme."""
    patient, at = visible_patient(request.user, patient_id), clock.now()
    form = PdmpForm(request.POST or None, initial={"states": [patient.state]})
    if request.method == "POST" and form.is_valid():
        data = form.cleaned_data
        actions.record_pdmp_check(
            patient, states=data["states"], finding=data["finding"], note=data["note"], by=request.user, at=at
        )
        return redirect("consults:treatment", patient.pk)
    context = {
        "banner": banner_of(patient, at),
        "patient": patient,
        "form": form,
        "latest": access.latest_pdmp_check(patient),
        "zone": request.user.time_zone,
        "intent": intents.mint(),
    }
    return render(request, "psychiatrist/consults/pdmp.html", context, status=422 if form.errors else 200)


@for_role("psychiatrist", "coach")
@require_POST
@intents.guard
def who(request: HttpRequest, appointment_id: uuid.UUID) -> HttpResponse:
    """Nothing on file could be compared: the clinician says how they know who came."""
    row = _visit(request, appointment_id)
    form = WhoForm(request.POST)
    if not form.is_valid():
        raise Invalid("Say how you know who this is, in a sentence.", fields={"how": "Write a sentence."})
    actions.identify(row, how=form.cleaned_data["how"], by=request.user, at=clock.now())
    return redirect("consults:visit", row.pk)


@for_role("psychiatrist", "coach")
@require_GET
def treatment(request: HttpRequest, patient_id: uuid.UUID) -> HttpResponse:
    """Visits, notes, checks, orders and parcels of one patient. A coach sees no notes and no PDMP."""
    patient, at = visible_patient(request.user, patient_id), clock.now()
    open_chart(patient, by=request.user, at=at, why="treatment")
    md = request.user.role == "psychiatrist"
    zone = request.user.time_zone
    order = access.active_order(patient, at)
    stopped = access.last_stop(order) if order else None
    context = {
        "banner": banner_of(patient, at),
        "patient": patient,
        "has_chart": md and latest_evaluation(patient) is not None,
        "visits": [visit_row(row, zone) for row in access.appointments_of(patient)[:20]],
        "notes": list(access.notes_of(patient)) if md else [],
        "check": access.latest_pdmp_check(patient) if md else None,
        "order": order,
        "stopped": stopped,
        "stopped_why": wording.sentences(frozenset(stopped.reasons), wording.STOPPED) if stopped else [],
        "orders": list(access.orders_of(patient)),
        "drafts": access.drafts_of(patient, request.user) if md else [],
        "parcels": list(access.fulfilments_of(patient)),
        "kits": access.kits_of(patient),
        "stocks": access.stocks_of(patient, at=at),
        "address_changed": order is not None and access.address_changed(order),
        "address_check": access.address_checked(patient),
        "practice_days": access.practice_days(patient),
        "holds": list(holds_of(patient)),
        "medicines": active_medicines(patient),
        "flexibility_days": (access.flexibility_ends_on() - clock.local_date(at, zone)).days,
        "md": md,
        "zone": zone,
        "mint": intents.mint,
        "at": at,
    }
    return render(request, "psychiatrist/consults/treatment.html", context)
