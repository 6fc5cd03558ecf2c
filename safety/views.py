"""Pages of alerts."""

import uuid
from typing import Any
from xml.sax.saxutils import escape

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import is_valid_path
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET, require_POST

from accounts.access import patients_visible_to
from accounts.guards import for_role, public
from common import audit, clock, intents
from common.errors import Conflict, DomainError, Invalid
from notify.access import has_opted_out, text_about
from notify.views import from_twilio, twiml
from notify.wording import CHANNEL_WORDS
from safety import access, actions, alert_story, wording
from safety.forms import ClearHoldForm, CloseForm, TakeForm
from safety.models import Alert

STAFF = ("psychiatrist", "coach", "administrator")
PAGE_SIZE = 25
# Only what may be a danger now is red.
KINDS = {4: "act", 3: "pause", 2: "pause", 1: "info"}
STATE_WORDS = {"open": "Nobody has it yet", "acknowledged": "Taken", "closed": "Closed"}


def _card(alert: Alert, user: Any = None) -> dict[str, Any]:
    """What a page says about one alert, or a list of `user`."""
    return {
        "alert": alert,
        "title": access.alert_title(alert) if user is None else access.alert_title_for(user, alert),
        "who": alert_story.whom(alert),
        "severity": f"S{alert.severity} {wording.SEVERITY_WORDS[alert.severity]}",
        "kind": KINDS[alert.severity] if alert.is_live else "info",
        "state": f"Taken by {alert.acknowledged_by}"
        if alert.state == "acknowledged"
        else STATE_WORDS[alert.state],
        "level": wording.LEVEL_WORDS[alert.level],
    }


@for_role(*STAFF)
@require_GET
def alerts(request: HttpRequest) -> HttpResponse:
    """Live alerts, gravest first; closed ones on a second page."""
    at = clock.now()
    closed = request.GET.get("show") == "closed"
    if closed:
        rows, older = access.closed_alerts_for(
            request.user, before=request.GET.get("before", ""), limit=PAGE_SIZE
        )
    else:
        rows, older = list(access.open_alerts_for(request.user)[: PAGE_SIZE * 4]), ""
    return render(
        request,
        "psychiatrist/alerts.html",
        {
            "groups": [
                [_card(alert, request.user) for alert in group]
                for group in ([[row] for row in rows] if closed else alert_story.grouped(rows))
            ],
            "failing": [] if closed else alert_story.failing_channels(at=at),
            "closed": closed,
            "older": older,
            "on_call": [
                (words, access.on_call_now(at=at, level=level))
                for level, words in ((1, "First on call"), (2, "Second on call"))
            ],
            "at": at,
            "mint": intents.mint,
        },
    )


def _alert_page(
    request: HttpRequest, alert: Alert, *, close_form: CloseForm, status: int = 200
) -> HttpResponse:
    at = clock.now()
    patient = alert.patient
    if patient is not None and not alert.is_synthetic:
        close_form.about_a_person()
    visible = patient is not None and patients_visible_to(request.user).filter(pk=patient.pk).exists()
    chart = f"/chart/{alert.patient_id}/"
    holds = list(access.holds_of(patient)) if patient is not None else []
    return render(
        request,
        "psychiatrist/alert.html",
        {
            **_card(alert),
            "row": access.trigger_of(alert.trigger, at=at),
            "patient": patient,
            "team": getattr(patient, "care_team", None) if patient is not None else None,
            "chart_url": chart if visible and is_valid_path(chart) else "",
            "pages": access.pages_of(alert),
            "story": alert_story.story_of(alert),
            "signs": ", ".join(wording.sign_words(code) for code in alert.detail_codes),
            "sees": access.trigger_of(alert.trigger, at=at).get("patient_sees", ""),
            "opted_out": patient is not None and has_opted_out(patient),
            "text": text_about(alert.source_type, alert.source_id),
            "channel_words": CHANNEL_WORDS,
            "holds": [{"hold": hold, "words": wording.hold_for_staff(hold.reason_code)} for hold in holds],
            "may_act": alert.is_the_practices
            or alert.is_synthetic
            or request.user.role in access.CLINICAL_ROLES,
            "viewer_id": request.user.pk,
            "may_take": access.may_take(request.user, alert, at=at),
            "may_close": access.may_close(request.user, alert, at=at),
            "may_clear": visible and request.user.role == "psychiatrist" and not alert.is_live,
            "form": close_form,
            "clear_form": ClearHoldForm(),
            "disposition": wording.DISPOSITION_WORDS.get(alert.disposition, ""),
            "minutes": max(0, round((at - alert.opened_at).total_seconds() / 60)),
            "target_minutes": max(1, round((alert.acknowledge_by_at - alert.opened_at).total_seconds() / 60)),
            "at": at,
            "mint": intents.mint,
        },
        status=status,
    )


@for_role(*STAFF)
@require_GET
def alert(request: HttpRequest, alert_id: uuid.UUID) -> HttpResponse:
    """One alert: whom it concerns, how to reach them, who was paged, and the next thing to do."""
    found = access.visible_alert(request.user, alert_id)
    audit.record("alert.opened", by=request.user, at=clock.now(), about=found, patient_id=found.patient_id)
    return _alert_page(request, found, close_form=CloseForm(initial={"signs_seen": found.signs}))


@for_role(*STAFF)
@require_POST
@intents.guard
def acknowledge(request: HttpRequest, alert_id: uuid.UUID) -> HttpResponse:
    """Take it, as it stood on the page that was looked at."""
    found = access.visible_alert(request.user, alert_id)
    form = TakeForm(request.POST)
    if not form.is_valid():
        raise Invalid("This form is damaged. Reload the page and send it again.")
    try:
        actions.acknowledge(found, by=request.user, at=clock.now(), **form.cleaned_data)
    except Conflict as refused:
        if refused.code != "further_sign":
            raise
        # The alert as it is now, with a button for what it has become.
        messages.warning(request, refused.detail)
        now = access.visible_alert(request.user, alert_id)
        return _alert_page(
            request, now, close_form=CloseForm(initial={"signs_seen": now.signs}), status=refused.status
        )
    messages.success(request, "You have taken this. Nobody else is paged for it now.")
    return redirect("safety:alert", found.pk)


@for_role(*STAFF)
@require_POST
@intents.guard
def reached(request: HttpRequest, alert_id: uuid.UUID) -> HttpResponse:
    """Somebody has talked with the person; the alert still waits for its close."""
    found = access.visible_alert(request.user, alert_id)
    actions.record_contact(found, by=request.user, at=clock.now())
    messages.success(request, "Noted. Close the alert when it is clear what comes of it.")
    return redirect("safety:alert", found.pk)


@for_role(*STAFF)
@require_POST
@intents.guard
def take_over(request: HttpRequest, alert_id: uuid.UUID) -> HttpResponse:
    """Take it from whoever has it and does not get through."""
    found = access.visible_alert(request.user, alert_id)
    actions.take_over(found, holder=request.POST.get("holder", ""), by=request.user, at=clock.now())
    messages.success(request, "This is yours now. Whoever had it sees that on the page.")
    return redirect("safety:alert", found.pk)


@for_role(*STAFF)
@require_POST
@intents.guard
def close(request: HttpRequest, alert_id: uuid.UUID) -> HttpResponse:
    """End it, with what came of it."""
    found = access.visible_alert(request.user, alert_id)
    form = CloseForm(request.POST)
    if form.is_valid():
        try:
            actions.close(found, by=request.user, at=clock.now(), **form.cleaned_data)
        except Conflict as refused:
            if refused.code != "further_sign":
                raise
            form.add_error(None, refused.detail)
            # What is looked at now includes the further sign; the words that were written stay.
            now_seen = request.POST.copy()
            found = access.visible_alert(request.user, alert_id)
            now_seen["signs_seen"] = str(found.signs)
            form.data = now_seen
        except Invalid as refused:
            for name, words in refused.fields.items():
                form.add_error(name if name in form.fields else None, words)
        else:
            messages.success(request, "The alert is closed.")
            return redirect("safety:alert", found.pk)
    return _alert_page(request, found, close_form=form, status=422)


@for_role("psychiatrist")
@require_POST
@intents.guard
def clear_hold(request: HttpRequest, hold_id: uuid.UUID) -> HttpResponse:
    """Let a course go on."""
    hold = access.visible_hold(request.user, hold_id)
    form = ClearHoldForm(request.POST)
    if not form.is_valid():
        raise Invalid("Say why it is safe to go on, in a sentence.", fields={"note": "Write a sentence."})
    actions.clear_hold(hold, by=request.user, at=clock.now(), note=form.cleaned_data["note"])
    messages.success(request, "The hold is cleared. The course may go on.")
    if hold.alert_id:
        return redirect("safety:alert", hold.alert_id)
    return redirect("safety:alerts")


@csrf_exempt
@public
@require_POST
def answer(request: HttpRequest, alert_id: uuid.UUID, person_id: uuid.UUID, round_key: int) -> HttpResponse:
    """The key that somebody pressed on a page's call: 1 means that this person takes it."""
    refusal = from_twilio(request)
    if refusal is not None:
        return refusal
    if request.POST.get("Digits") != "1":
        return twiml("<Say>Nothing was changed. The next person is called.</Say>")
    alert, person = access.paged_alert(alert_id, person_id)
    if alert is None or person is None:
        return twiml("<Say>This is over.</Say>")
    try:
        actions.acknowledge(alert, by=person, at=clock.now(), round_key=round_key)
    except DomainError as refused:
        return twiml(f"<Say>{escape(refused.detail)}</Say>")
    return twiml("<Say>You have taken it. Open your list now.</Say>")
