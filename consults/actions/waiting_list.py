"""Who would like an earlier time, and how a time that was given back goes round: one person at a time, nobody twice."""

import uuid
from collections.abc import Sequence
from datetime import datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import IntegrityError, transaction
from django.urls import reverse

from accounts.models import Patient, User
from common import audit, states
from common.errors import Conflict, Invalid, NotVisible, SlotTaken
from consults import wording
from consults.access.slots import bookable_types, visit_settings
from consults.actions.booking import (
    _check_blockers,
    confirm_booking,
    keep_slot,
    lock_times_of,
    release_expired_holds,
    slot_refusals,
)
from consults.actions.moving import reschedule
from consults.models import Appointment, FreedSlot, SlotOffer, WaitingListEntry
from consults.states import APPOINTMENT_MOVES
from notify.actions import promise

SYSTEM = "system:waiting_list"
# A letter about a time is sent, and a time kept, while people are awake where they are.
AWAKE = (time(8), time(20))
# Less than this is not enough to read a message and decide.
SHORTEST_OFFER = timedelta(minutes=30)


def join_waiting_list(
    patient: Patient, *, visit_type: str, weekdays: Sequence[int], from_time: time, until_time: time, by: User, at: datetime
) -> WaitingListEntry:  # fmt: skip
    """Ask for an earlier time of this kind. Asking again changes the wishes and keeps the place in line."""
    if by.pk != patient.pk:
        raise NotVisible("There is no such page.")
    if visit_type not in bookable_types(patient):
        raise Invalid("Choose one of the kinds of visit.", fields={"visit_type": "Choose one."})
    days = sorted(set(weekdays))
    if not days or not set(days) <= set(range(7)):
        raise Invalid("Choose at least one day.", fields={"weekdays": "Choose at least one day."})
    if until_time < from_time:
        raise Invalid(
            "The latest start is before the earliest.", fields={"until_time": "Choose a later time."}
        )
    with transaction.atomic():
        Patient.objects.select_for_update(no_key=True).get(pk=patient.pk)
        booked = (
            Appointment.objects.filter(
                patient=patient, visit_type=visit_type, state="booked", during__startswith__gt=at
            )
            .order_by("during")
            .first()
        )
        wishes: dict[str, Any] = {
            "appointment": booked,
            "weekdays": days,
            "from_time": from_time,
            "until_time": until_time,
        }
        row, made = WaitingListEntry.objects.update_or_create(
            patient=patient,
            visit_type=visit_type,
            state="waiting",
            defaults=wishes,
            create_defaults=wishes | {"created_at": at},
        )
        audit.record(
            "waiting_list.joined" if made else "waiting_list.changed",
            by=by, at=at, about=row, patient_id=patient.pk,
        )  # fmt: skip
    return row


def leave_waiting_list(entry: WaitingListEntry, *, by: User, at: datetime) -> WaitingListEntry:
    """No longer interested; a time that is kept for her goes to the next one."""
    if by.pk != entry.patient_id:
        raise NotVisible("There is no such page.")
    with transaction.atomic():
        row = WaitingListEntry.objects.select_for_update().get(pk=entry.pk)
        if row.state == "waiting":
            for offer in row.offers.filter(state="offered"):
                _settle(offer, "passed", by=by, at=at)
            row.state, row.ended_at = "left", at
            row.save(update_fields=["state", "ended_at"])
            audit.record("waiting_list.left", by=by, at=at, about=row, patient_id=row.patient_id)
    return row


def go_round(*, at: datetime, only: uuid.UUID | None = None, limit: int = 100) -> dict[str, int]:
    """Take back offers nobody answered, and offer each freed time to the next one who waits. Idempotent; safe side by side."""
    counts = {"over": 0, "offered": 0, "settled": 0}
    stale = SlotOffer.objects.filter(state="offered").exclude(hold__state="held", expires_at__gt=at)
    for offer in stale.order_by("expires_at")[:limit]:
        with transaction.atomic():
            counts["over"] += _settle(offer, "over" if offer.expires_at <= at else "gone", by=SYSTEM, at=at)
    freed = FreedSlot.objects.filter(settled_at__isnull=True).exclude(offers__state="offered")
    if only is not None:
        freed = freed.filter(pk=only)
    for pk in freed.order_by("freed_at", "id").values_list("pk", flat=True)[:limit]:
        with transaction.atomic():
            row = FreedSlot.objects.select_for_update(skip_locked=True).filter(pk=pk, settled_at=None).first()
            if row is None or row.offers.filter(state="offered").exists():
                continue
            outcome = _offer_to_next(row, at=at)
            if outcome:
                counts[outcome] += 1
    return counts


def _suits(entry: WaitingListEntry, freed: FreedSlot, at: datetime) -> bool:
    starts_at = freed.during.lower
    local = starts_at.astimezone(ZoneInfo(entry.patient.user.time_zone))
    if local.weekday() not in entry.weekdays or not entry.from_time <= local.time() <= entry.until_time:
        return False
    booked = entry.appointment
    return (
        booked is None or booked.state != "booked" or (at < booked.starts_at and starts_at < booked.starts_at)
    )


def _offer_to_next(freed: FreedSlot, *, at: datetime) -> str:
    """ "offered", "settled" when nobody is left who may have it, or "" when whoever is next sleeps, or the time is kept for a moment."""
    starts_at = freed.during.lower
    rules = visit_settings(at)
    minutes = rules.get("waiting_list", {}).get("offer_minutes", 0)
    until = min(
        at + timedelta(minutes=minutes), starts_at - timedelta(minutes=rules["minimum_notice_minutes"])
    )
    if until - at >= SHORTEST_OFFER:
        had_it = SlotOffer.objects.filter(clinician=freed.clinician_id, starts_at=starts_at).values("patient")
        if _kept_by_somebody(freed, at):
            return ""
        busy = set(SlotOffer.objects.filter(state="offered").values_list("patient", flat=True))
        waits = False
        waiting = (
            WaitingListEntry.objects.filter(visit_type=freed.visit_type, state="waiting")
            .exclude(patient__in=had_it)
            .select_related("patient__user", "appointment")
            .order_by("created_at", "id")
        )
        for entry in waiting:
            if not _suits(entry, freed, at):
                continue
            if entry.patient_id in busy:
                # She is asked about another time just now; when she passes it, this one is still there.
                waits = True
                continue
            here = at.astimezone(ZoneInfo(entry.patient.user.time_zone)).time()
            if not AWAKE[0] <= here < AWAKE[1]:
                return ""
            if _offer(entry, freed, until=until, at=at):
                return "offered"
        if waits:
            return ""
    freed.settled_at = at
    freed.save(update_fields=["settled_at"])
    return "settled"


def _kept_by_somebody(freed: FreedSlot, at: datetime) -> bool:
    """Somebody looks at this time just now. Not booked, it comes back within ten minutes and goes round then."""
    return Appointment.objects.filter(
        clinician=freed.clinician_id, during__overlap=freed.during, state="held", hold_expires_at__gt=at
    ).exists()


def _offer(entry: WaitingListEntry, freed: FreedSlot, *, until: datetime, at: datetime) -> SlotOffer | None:
    """Keep the time for this person and tell her. None when it is not hers to have, or another offer came in between."""
    patient = entry.patient
    try:
        with transaction.atomic(), slot_refusals():
            lock_times_of(freed.clinician_id, patient.pk)
            release_expired_holds(at=at, people=[freed.clinician_id, patient.pk])
            live = WaitingListEntry.objects.select_for_update().get(pk=entry.pk)
            if live.state != "waiting":
                return None
            if not _has_a_visit_to_move(entry, at):
                # What would be refused when she takes it is not kept for her, but for the next one.
                _check_blockers(patient, freed.visit_type, at)
            hold = keep_slot(
                patient, visit_type=freed.visit_type, clinician_id=freed.clinician_id, starts_at=freed.during.lower,
                until=until, by=SYSTEM, at=at, for_offer=True,
            )  # fmt: skip
            offer = SlotOffer.objects.create(
                entry=entry, patient=patient, freed=freed, hold=hold, clinician_id=freed.clinician_id,
                starts_at=freed.during.lower, offered_at=at, expires_at=until,
            )  # fmt: skip
            audit.record("waiting_list.offered", by=SYSTEM, at=at, about=offer, patient_id=patient.pk)
            _tell_of(offer, at=at)
            return offer
    except (SlotTaken, Conflict, Invalid):
        return None
    except IntegrityError as error:
        if "offer" not in str(error):
            raise
        return None


def take_offer(offer: SlotOffer, *, by: User, at: datetime) -> Appointment:
    """Yes. The visit she has moves there, keeping its place in her calendar; without one, the time is booked.

    Raises SlotTaken when the time to answer is over, Conflict for whatever stands against the booking.
    """
    if by.pk != offer.patient_id:
        raise NotVisible("There is no such page.")
    with transaction.atomic():
        lock_times_of(offer.clinician_id, offer.patient_id)
        row = (
            SlotOffer.objects.select_for_update(of=("self",))
            .select_related("entry__appointment__patient__user", "hold__patient__user", "freed")
            .get(pk=offer.pk)
        )
        entry, hold = row.entry, row.hold
        if row.state == "taken":
            return entry.appointment or hold
        if row.state != "offered" or row.expires_at <= at or hold.state != "held":
            raise SlotTaken(wording.OFFER_OVER)
        booked = entry.appointment
        if booked is not None and _has_a_visit_to_move(entry, at):
            _let_go(hold, "offer_taken", by=by, at=at)
            visit = reschedule(booked, starts_at=row.starts_at, clinician_id=row.clinician_id, by=by, at=at)
        else:
            visit = confirm_booking(hold, by=by, at=at)
        row.state, row.answered_at = "taken", at
        row.save(update_fields=["state", "answered_at"])
        row.freed.settled_at = at
        row.freed.save(update_fields=["settled_at"])
        WaitingListEntry.objects.filter(pk=entry.pk).update(state="done", ended_at=at)
        audit.record("waiting_list.taken", by=by, at=at, about=row, patient_id=row.patient_id)
    return visit


def pass_offer(offer: SlotOffer, *, by: User, at: datetime) -> SlotOffer:
    """No, thank you: she stays on the list, and the time goes to the next one."""
    if by.pk != offer.patient_id:
        raise NotVisible("There is no such page.")
    with transaction.atomic():
        _settle(offer, "passed", by=by, at=at)
    offer.refresh_from_db()
    return offer


def _settle(offer: SlotOffer, state: str, *, by: User | str, at: datetime) -> int:
    """End an offer that is still open; its hold with it. The next round takes the time on."""
    row = SlotOffer.objects.select_for_update(of=("self",)).select_related("hold").get(pk=offer.pk)
    if row.state != "offered":
        return 0
    row.state, row.answered_at = state, at
    row.save(update_fields=["state", "answered_at"])
    if row.hold.state == "held":
        _let_go(row.hold, f"offer_{state}", by=by, at=at)
    audit.record(f"waiting_list.{state}", by=by, at=at, about=row, patient_id=row.patient_id)
    freed = row.freed_id
    transaction.on_commit(lambda: go_round(at=at, only=freed), robust=True)
    return 1


def _has_a_visit_to_move(entry: WaitingListEntry, at: datetime) -> bool:
    booked = entry.appointment
    return booked is not None and booked.state == "booked" and booked.starts_at > at


def _let_go(hold: Appointment, why: str, *, by: User | str, at: datetime) -> None:
    states.move(
        hold, "cancelled", moves=APPOINTMENT_MOVES, by=by, at=at, reasons=[why], cancelled_at=at, cancel_reason=why
    )  # fmt: skip


def _tell_of(offer: SlotOffer, *, at: datetime) -> None:
    """That a time is free, until when it is kept, and where to answer; no word about what the visit is for."""
    link = settings.SITE_URL + reverse("consults:offer", args=[offer.pk])
    user = offer.patient.user
    for channel in ["email"] + (["sms"] if user.phone else []):
        promise(
            "visit_offered", to=user, channel=channel,
            context={"when_words": offer.starts_at, "until_words": offer.expires_at, "link": link},
            due_at=at, at=at, about=offer, patient=offer.patient, dedupe_key=f"visit_offered:{offer.pk}:{channel}",
            expires_at=offer.expires_at,
        )  # fmt: skip
