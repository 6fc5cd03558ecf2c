"""Scores, the four-week summary, what administrators see, and the trail that still holds."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from io import StringIO
from typing import Any

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
        for instrument, value in (("phq9", phq9), ("gad7", gad7), ("bladder", 0)):
            page = patient.opens(f"/outcomes/questionnaire/{instrument}/")
            page.must_say(f"After session {after}")
            form = page.form(to=page.path)
            answers: dict[str, Any] = {
                name: str(value) for name in form.names() if name.startswith(f"{instrument}_")
            }
            if instrument == "phq9":
                answers["phq9_9"] = "0"
            page = patient.sends(form, **answered_plainly(form, **answers))
        page = patient.opens("/outcomes/")
        page.must_say(f"After session {after}")
        calls = coach_calls(walk)
        return proves(
            page,
            f"PHQ-9, GAD-7 and bladder questions answered when they were due; {calls} coach calls written down",
        )

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


def a_protocol_needs_two(walk: Walk) -> str:
    """Item 11: one administrator proposes, cannot approve it herself, another one reads and approves."""
    ann, ben = walk.staff("ann"), walk.staff("ben")
    page = ann.opens("/admin/common/protocolversion/add/")
    version = f"walk-{walk.stamp.lower()}"
    page = ann.sends(
        page.form(has=["version", "data"]),
        version=version,
        note="The same numbers again, to show the two signatures.",
    )
    page = ann.opens("/admin/common/protocolversion/")
    change = next(href for words, href in page.links if words == version)
    review = change.split("/change/")[0] + "/review/"
    own = ann.opens(review)
    own.must_say("Another administrator must read and approve it")
    page = ben.opens(review)
    page = walk.signed("ben", lambda p: p.form(button="Approve"))
    page.must_say("is in force")
    return proves(page, f"{version} proposed by Ann, refused to her own hand, read and approved by Ben")


def the_trail_holds(walk: Walk) -> str:
    """Every page that was read and every change: the chain is unbroken."""
    said = StringIO()
    call_command("verify_audit", stdout=said)
    return said.getvalue().strip()
