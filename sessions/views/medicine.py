"""A sitter says that medicine is gone, or that somebody else took some (X15)."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from common import clock, intents
from safety.access import incident_kinds
from safety.actions import report_incident
from safety.event_access import kinds_for
from safety.incident_forms import IncidentForm
from sessions import states
from sessions.models import SitterLink
from sessions.views.sitter import sitter_page


@sitter_page
def report(request: HttpRequest, link: SitterLink, token: str) -> HttpResponse:
    """The form, and help in the very answer to it (PR-06). What was chosen is heard, whatever else of the form is wrong."""
    at = clock.now()
    session = link.session
    kinds = kinds_for("sitter", at=at)
    form = IncidentForm(
        request.POST if request.method == "POST" else None, zone=session.patient.user.time_zone, kinds=kinds
    )
    poison = incident_kinds(at=at)["poison_control"]
    if request.method == "POST":
        valid = form.is_valid()
        kind = request.POST.get("kind", "")
        if kind in dict(kinds):
            given = form.cleaned_data
            told = report_incident(
                patient=session.patient, kind=kind, by=f"sitter:{link.sitter_id}", at=at, session_id=session.pk,
                happened_at=given.get("happened_at"), units_missing=given.get("units_missing"),
                description=given.get("description") or "" if valid else request.POST.get("description", "")[:4000],
                in_session=session.state in states.ACTIVE,
            )  # fmt: skip
            answer = render(
                request,
                "sitter/medicine_reported.html",
                {"exposure": told.exposure, "poison": poison, "token": token, "link": link},
            )
            # A replay goes back to the form, which names the same numbers; the secret is not kept.
            answer.replay_url = "./"  # type: ignore[attr-defined]
            return answer
    return render(
        request,
        "sitter/medicine.html",
        {"form": form, "poison": poison, "token": token, "link": link, "intent": intents.mint()},
        status=422 if form.errors else 200,
    )
