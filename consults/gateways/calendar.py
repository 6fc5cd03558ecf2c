"""Invitations as RFC 5545: one UID for the life of a visit, a rising SEQUENCE, so that a calendar updates what it has.

Nothing in them says what the visit is for: calendars are shared, synchronised and shown on lock screens.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from django.conf import settings
from django.urls import reverse
from icalendar import Alarm, Calendar, Event, vCalAddress, vText

from consults.models import Appointment, Introduction


def uid_of(appointment: Appointment | Introduction) -> str:
    """The same for the life of the visit, wherever it moves."""
    return f"{appointment.pk}@{urlsplit(settings.SITE_URL).hostname}"


def invitation(appointment: Appointment, *, at: datetime) -> bytes:
    """The calendar file of a visit as it stands: REQUEST while it is booked, CANCEL once it is not."""
    address = reverse("consults:appointment", args=[appointment.pk])
    return _file(appointment, address, appointment.patient.user.email, at)


def introduction_invitation(call: Introduction, *, address: str, at: datetime) -> bytes:
    """The same for the introductory call of somebody without an account; `address` is the path of their own page."""
    return _file(call, address, call.email, at)


def _file(appointment: Appointment | Introduction, address: str, attendee_email: str, at: datetime) -> bytes:
    cancelled = appointment.state == "cancelled"
    calendar = Calendar()
    calendar.add("prodid", "-//Hearthside//Visits//EN")
    calendar.add("version", "2.0")
    calendar.add("method", "CANCEL" if cancelled else "REQUEST")
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
