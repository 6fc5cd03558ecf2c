"""The waiting list and the calendar feed: who may look at what."""

import hashlib
import uuid
from datetime import datetime, timedelta

from accounts.models import Patient, Role, User
from common.errors import NotVisible
from consults import wording
from consults.access.introductions import introductions_between
from consults.access.visits import appointments_between
from consults.models import (
    Appointment,
    CalendarSettings,
    Introduction,
    SlotOffer,
    VisitEntry,
    WaitingListEntry,
)
from consults.rules.slots import time_words

FEED_BACK, FEED_AHEAD = timedelta(days=30), timedelta(days=120)


def waiting_entry(patient: Patient, visit_type: str) -> WaitingListEntry | None:
    """Her place in line for this kind of visit."""
    return WaitingListEntry.objects.filter(patient=patient, visit_type=visit_type, state="waiting").first()


def visible_offer(patient: Patient, offer_id: uuid.UUID) -> SlotOffer:
    """An offer made to this patient, or NotVisible."""
    row = (
        SlotOffer.objects.filter(pk=offer_id, patient=patient)
        .select_related("entry__appointment__clinician", "hold__clinician", "patient__user", "clinician")
        .first()
    )
    if row is None:
        raise NotVisible("There is no such page.")
    return row


def offer_of_hold(row: Appointment) -> SlotOffer | None:
    """The offer that a hold belongs to."""
    return SlotOffer.objects.filter(hold=row).first() if row.for_offer else None


def entry_to(row: Appointment) -> VisitEntry | None:
    """What the patient said when she came to this visit."""
    return VisitEntry.objects.filter(pk=row.pk).first()


def seen_at_the_door(row: Appointment) -> bool:
    """Did the patient come to this visit, let in or turned away? Then nobody but a person says that it was missed."""
    return (
        row.patient_arrived_at is not None
        or VisitEntry.objects.filter(pk=row.pk, turned_away_at__isnull=False).exists()
    )


def door_words(row: Appointment, zone: str) -> str:
    """What the door saw of the patient, for staff in their zone; empty when nobody came. Read with `entry`."""
    if row.patient_arrived_at is not None:
        return wording.AT_THE_DOOR_HERE.format(time=time_words(row.patient_arrived_at, zone))
    entry = getattr(row, "entry", None)
    if entry is None or entry.turned_away_at is None:
        return ""
    why = wording.TURNED_AWAY.get(entry.turned_away_why, entry.turned_away_why)
    return wording.AT_THE_DOOR_TURNED_AWAY.format(
        time=time_words(entry.turned_away_at, zone),
        why=why.format(clinician=row.clinician, state=entry.state or row.state_of_care),
    )


def nobody_knows_who(row: Appointment) -> bool:
    """Somebody came in with nothing on file to compare, and the clinician has not said who it is."""
    return VisitEntry.objects.filter(
        pk=row.pk, at_address_on_file__isnull=False, confirmed_at__isnull=True
    ).exists()


def feed_digest(secret: str) -> str:
    """What is kept of the secret in a feed's address."""
    return hashlib.sha256(secret.encode()).hexdigest()


def calendar_settings(user: User) -> CalendarSettings:
    """A clinician's settings; unsaved defaults until they are changed."""
    return CalendarSettings.objects.filter(clinician=user).first() or CalendarSettings(clinician=user)


def feed_rows(secret: str, at: datetime) -> list[tuple[Appointment | Introduction, str]]:
    """What stands behind a feed's address, in order: three queries. NotVisible for a wrong or revoked one, or who has left."""
    own = (
        CalendarSettings.objects.filter(
            feed_digest=feed_digest(secret),
            clinician__is_active=True,
            clinician__role__in=[Role.PSYCHIATRIST, Role.COACH],
        )
        .select_related("clinician")
        .first()
    )
    if own is None:
        raise NotVisible("There is no such page.")
    initials = own.feed_shows == CalendarSettings.Shows.INITIALS
    rows: list[tuple[Appointment | Introduction, str]] = [
        (row, "Visit" + (f" {initials_of(str(row.patient.user))}" if initials else ""))
        for row in appointments_between(own.clinician, at - FEED_BACK, at + FEED_AHEAD)
    ]
    rows += [(row, "Call") for row in introductions_between(own.clinician, at - FEED_BACK, at + FEED_AHEAD)]
    return sorted(rows, key=lambda pair: pair[0].starts_at)


def initials_of(name: str) -> str:
    """ "Alice Lindqvist" is "A.L."."""
    return "".join(f"{part[0].upper()}." for part in name.split()[:3] if part)
