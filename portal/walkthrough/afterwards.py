"""Scores, the four-week summary, what administrators see, and the trail that still holds."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from io import StringIO

from django.core.management import call_command

from portal.walkthrough.beginning import answered_plainly
from portal.walkthrough.pages import NotThere
from portal.walkthrough.session_day import coach_calls
from portal.walkthrough.walk import Walk, proves


def scores(after: int, phq9: int, gad7: int) -> Callable[[Walk], str]:
    """The step for the questionnaires after a session."""

    def step(walk: Walk) -> str:
        """Item 8."""
        walk.goes_to(walk.at_hour(walk.known["dates"][after - 1] + timedelta(days=3), 11))
        patient = walk.browser("patient")
        for instrument, value in (("phq9", phq9), ("gad7", gad7)):
            page = patient.opens(f"/outcomes/questionnaire/{instrument}/")
            page.must_say(f"After session {after}")
            form = page.form(to=page.path)
            answers: dict[str, object] = {
                name: str(value) for name in form.names() if name.startswith(f"{instrument}_")
            }
            if instrument == "phq9":
                answers["phq9_9"] = "0"
            page = patient.sends(form, **answered_plainly(form, **answers))
        page = patient.opens("/outcomes/")
        page.must_say(f"After session {after}")
        calls = coach_calls(walk)
        return proves(page, f"PHQ-9 and GAD-7 answered when they were due; {calls} coach calls written down")

    return step


def the_four_weeks_are_summed_up(walk: Walk) -> str:
    """Item 8: baseline, after two, after four; response and remission."""
    patient_id = walk.known["patient_id"]
    page = walk.staff("dana").opens(f"/outcomes/{patient_id}/")
    page.must_say("Before the course", "After session 2", "After session 4", "response", "remission")
    own = walk.browser("patient").opens("/outcomes/")
    own.must_say("After session 4")
    if walk.known.get("calls", 0) < 4:
        raise NotThere(f"only {walk.known.get('calls', 0)} coach calls came due in four sessions")
    return proves(
        page,
        f"three points for each score, with response and remission; {walk.known['calls']} coach calls in the course",
    )


def administrators_read_and_cannot_change(walk: Walk) -> str:
    """Item 11: people, licences, protocol, outbox, alerts, trail; history is read-only."""
    admin = walk.staff("ann")
    page = admin.opens("/admin/")
    read_only = 0
    for path in (
        "common/auditentry",
        "notify/outboxmessage",
        "safety/alert",
        "accounts/licence",
        "common/protocolversion",
        "accounts/user",
    ):
        page = admin.opens(f"/admin/{path}/")
        if path in ("common/auditentry", "notify/outboxmessage", "safety/alert"):
            if f"/admin/{path}/add/" in page.html:
                raise NotThere(f"{path} can be added to by hand")
            read_only += 1
    walk.staff("cole").opens("/admin/", expect=404)
    return proves(
        page,
        f"people, licences, protocol versions; {read_only} histories without an add button; closed to a coach",
    )


def the_trail_holds(walk: Walk) -> str:
    """Every page that was read and every change: the chain is unbroken."""
    said = StringIO()
    call_command("verify_audit", stdout=said)
    return said.getvalue().strip()
