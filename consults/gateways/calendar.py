"""Invitations as RFC 5545: one UID for the life of a visit, a rising SEQUENCE, so that a calendar updates what it has.

Nothing in them says what the visit is for: calendars are shared, synchronised and shown on lock screens.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.urls import reverse
from icalendar import Alarm, Calendar, Event, vCalAddress, vText

from accounts.models import User
from consults.access.introductions import introduction_token
from consults.models import Appointment, Introduction

# Mails that change what stands in a calendar carry the file that changes it.
WITH_FILE = ("visit_booked", "visit_moved", "visit_cancelled")


def uid_of(appointment: Appointment | Introduction) -> str:
    """The same for the life of the visit, wherever it moves."""
    return f"{appointment.pk}@{urlsplit(settings.SITE_URL).hostname}"


def method_of(appointment: Appointment | Introduction, reader: User | None = None) -> str:
    """REQUEST while it is booked, CANCEL once it is not, or for somebody who has no part in it any more."""
    people: list[Any] = [None, appointment.clinician_id]
    if isinstance(appointment, Appointment):
        people.append(appointment.patient_id)
    out = reader is not None and reader.pk not in people
    return "CANCEL" if out or appointment.state == "cancelled" else "REQUEST"


def invitation(appointment: Appointment, *, at: datetime, reader: User | None = None) -> bytes:
    """The calendar file of a visit as it stands, for the patient or another reader: it names nobody but whoever reads it."""
    address = reverse("consults:appointment", args=[appointment.pk])
    email = (reader or appointment.patient.user).email
    return _file(appointment, address, email, at, method_of(appointment, reader))


def introduction_invitation(
    call: Introduction, *, address: str, at: datetime, reader: User | None = None
) -> bytes:
    """The same for the introductory call of somebody without an account; `address` is the path of the reader's page."""
    return _file(call, address, reader.email if reader else call.email, at, method_of(call, reader))


def _file(
    appointment: Appointment | Introduction, address: str, attendee_email: str, at: datetime, method: str
) -> bytes:
    cancelled = method == "CANCEL"
    calendar = Calendar()
    calendar.add("prodid", "-//Hearthside//Visits//EN")
    calendar.add("version", "2.0")
    calendar.add("method", method)
    event = Event()
    event.add("uid", uid_of(appointment))
    event.add("sequence", appointment.sequence)
    event.add("dtstamp", at)
    event.add("dtstart", appointment.starts_at)
    event.add("dtend", appointment.ends_at)
    event.add("summary", f"Appointment with {settings.PRACTICE['name']}")
    event.add("status", "CANCELLED" if cancelled else "CONFIRMED")
    event.add("url", settings.SITE_URL + address)
    event.add("class", "PRIVATE")
    organizer = vCalAddress(f"mailto:{settings.DEFAULT_FROM_EMAIL.split('<')[-1].rstrip('>')}")
    organizer.params["cn"] = vText(settings.PRACTICE["name"])
    event["organizer"] = organizer
    if attendee_email:
        attendee = vCalAddress(f"mailto:{attendee_email}")
        attendee.params["partstat"] = vText("ACCEPTED")
        attendee.params["role"] = vText("REQ-PARTICIPANT")
        event.add("attendee", attendee)
    if not cancelled:
        alarm = Alarm()
        alarm.add("action", "DISPLAY")
        alarm.add("description", "Appointment")
        alarm.add("trigger", timedelta(minutes=-15))
        event.add_component(alarm)
    calendar.add_component(event)
    return calendar.to_ical()


def feed(rows: Iterable[tuple[Appointment | Introduction, str]], *, at: datetime) -> bytes:
    """A clinician's calendar to subscribe to: visits and the words that may stand there. Same UID and SEQUENCE as the invitations."""
    calendar = Calendar()
    calendar.add("prodid", "-//Hearthside//Visits//EN")
    calendar.add("version", "2.0")
    calendar.add("method", "PUBLISH")
    calendar.add("x-wr-calname", settings.PRACTICE["name"])
    for row, words in rows:
        event = Event()
        event.add("uid", uid_of(row))
        event.add("sequence", row.sequence)
        event.add("dtstamp", at)
        event.add("dtstart", row.starts_at)
        event.add("dtend", row.ends_at)
        event.add("summary", words)
        event.add("status", "CONFIRMED")
        event.add("class", "PRIVATE")
        calendar.add_component(event)
    return calendar.to_ical()


def files_of(*, message: Any, reader: User | None, at: datetime) -> list[tuple[str, bytes, str]]:
    """Hook `message.files`: the calendar file that goes with the mail about a visit or a call, as it stands now."""
    if message.kind not in WITH_FILE:
        return []
    if message.about_type == Appointment._meta.label_lower:
        visit = Appointment.objects.filter(pk=message.about_id).select_related("patient__user").first()
        if visit is None or reader is None:
            return []
        return [_attached(invitation(visit, at=at, reader=reader), method_of(visit, reader))]
    if message.about_type == Introduction._meta.label_lower:
        call = Introduction.objects.filter(pk=message.about_id).first()
        if call is None:
            return []
        address = (
            reverse("consults:introduction_call", args=[call.pk])
            if reader
            else reverse("consults:introduction_link", args=[introduction_token(call)])
        )
        content = introduction_invitation(call, address=address, at=at, reader=reader)
        return [_attached(content, method_of(call, reader))]
    return []


def _attached(content: bytes, method: str) -> tuple[str, bytes, str]:
    return "appointment.ics", content, f"text/calendar; method={method}"
