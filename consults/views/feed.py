"""The feed for a clinician's other calendar, its settings, and booking over a visit on purpose."""

import uuid
from zoneinfo import ZoneInfo

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_safe

from accounts.access import visible_patient
from accounts.guards import by_link, for_role
from common import clock, intents
from consults import actions
from consults.access.slots import role_types
from consults.access.waiting import calendar_settings, feed_rows
from consults.forms_booking import DoubleBookForm, FeedForm, GapForm
from consults.gateways.calendar import feed as feed_file
from consults.models import VisitType
from consults.rules.slots import instant_of, zone_words
from consults.views.common import banner_of


@by_link
@require_safe
def feed(request: HttpRequest, token: str) -> HttpResponse:
    """The visits as a calendar to subscribe to; whoever has the address reads it, so it names nobody by default."""
    at = clock.now()
    response = HttpResponse(
        feed_file(feed_rows(token, at), at=at), content_type="text/calendar; charset=utf-8; method=PUBLISH"
    )
    response["Cache-Control"] = "no-store, private"
    response["X-Robots-Tag"] = "noindex"
    return response


@for_role("psychiatrist", "coach")
@require_http_methods(["GET", "POST"])
@intents.guard
def calendar_options(request: HttpRequest) -> HttpResponse:
    """Free minutes between visits, and the feed's address: shown once, made anew or taken back at any time."""
    at = clock.now()
    own = calendar_settings(request.user)
    what = request.POST.get("what", "") if request.method == "POST" else ""
    gap_form = GapForm(
        request.POST if what == "gap" else None,
        initial={"gap_minutes": own.gap_minutes, "consult_minutes": own.consult_minutes or ""},
        role=request.user.role,
    )
    feed_form = FeedForm(request.POST if what == "feed" else None, initial={"shows": own.feed_shows})
    if what == "gap" and gap_form.is_valid():
        data = gap_form.cleaned_data
        actions.set_gap(
            gap_minutes=data["gap_minutes"],
            consult_minutes=data.get("consult_minutes"),
            by=request.user,
            at=at,
        )
        return redirect("consults:calendar_options")
    if what == "feed" and feed_form.is_valid():
        secret = actions.make_feed(shows=feed_form.cleaned_data["shows"], by=request.user, at=at)
        request.session["feed_secret"] = secret
        return redirect("consults:calendar_options")
    if what == "revoke":
        actions.revoke_feed(by=request.user, at=at)
        return redirect("consults:calendar_options")
    secret = request.session.pop("feed_secret", "")
    context = {
        "own": own,
        "gap_form": gap_form,
        "feed_form": feed_form,
        "address": settings.SITE_URL + reverse("consults:feed", args=[secret]) if secret else "",
        "mint": intents.mint,
    }
    bad = gap_form.errors or feed_form.errors
    return render(request, "psychiatrist/consults/options.html", context, status=422 if bad else 200)


@for_role("psychiatrist", "coach")
@require_http_methods(["GET", "POST"])
@intents.guard
def double_book(request: HttpRequest, patient_id: uuid.UUID) -> HttpResponse:
    """A visit in one's own calendar at a time that may be taken: with a reason, and never by accident."""
    at, zone = clock.now(), request.user.time_zone
    patient = visible_patient(request.user, patient_id)
    kinds = [
        (kind, VisitType(kind).label) for kind in role_types(request.user.role, at) if kind != VisitType.INTRO
    ]
    form = DoubleBookForm(request.POST or None, zone=ZoneInfo(zone), kinds=kinds)
    if request.method == "POST" and form.is_valid():
        data = form.cleaned_data
        row = actions.double_book(
            patient,
            visit_type=data["visit_type"],
            starts_at=instant_of(data["day"], data["time"], ZoneInfo(zone)),
            reason=data["reason"],
            by=request.user,
            at=at,
        )
        return redirect("consults:visit", row.pk)
    context = {
        "patient": patient,
        "banner": banner_of(patient, at),
        "form": form,
        "zone": zone_words(at, zone),
        "intent": intents.mint(),
    }
    return render(
        request, "psychiatrist/consults/double_book.html", context, status=422 if form.errors else 200
    )
