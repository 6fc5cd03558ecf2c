"""Book, move, cancel, close and forget the introductory call of somebody without an account."""

import uuid
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.db import IntegrityError, connection, transaction
from django.db.backends.postgresql.psycopg_any import DateTimeTZRange
from django.urls import reverse

from accounts.access import licensed_states
from accounts.models import Role, User
from common import audit
from common.clock import local_date
from common.encryption import lookup_digest
from common.errors import Conflict, Invalid, NotPermitted, SlotTaken
from consults import wording
from consults.access.introductions import introduction_settings, introduction_token, may_hold_introduction
from consults.access.leave import is_away
from consults.access.rooms import INTRODUCTION
from consults.access.slots import Slot, introduction_slots
from consults.actions.booking import _first_at, lock_times_of, release_expired_holds
from consults.actions.freed import note_freed
from consults.actions.rooms import follow_visit
from consults.models import Introduction, VisitType
from consults.rules.slots import when_words
from notify.actions import cancel_for, promise
from notify.rules import next_allowed
from video.actions import forget_callers

VISITOR = "visitor:introduction"
DAY = timedelta(days=1)


def _slot(
    state: str, zone: str, clinician_id: uuid.UUID, starts_at: datetime, *, at: datetime, moving: Introduction | None = None
) -> Slot:  # fmt: skip
    if starts_at.tzinfo is None:
        raise Invalid("Choose one of the times.", fields={"slot": "Choose one of the times."})
    until = starts_at + timedelta(microseconds=1)
    found = introduction_slots(state, zone, starts_at, until, at=at, clinician_id=clinician_id, moving=moving)
    if not found:
        raise SlotTaken(wording.SLOT_GONE)
    return found[0]


def book_introduction(
    *, state: str, clinician_id: uuid.UUID, starts_at: datetime, name: str, email: str = "", phone: str = "", time_zone: str,
    address: str = "", at: datetime,
) -> Introduction:  # fmt: skip
    """Book a free twenty minutes with a psychiatrist who may care for somebody in this state.

    Raises SlotTaken when the time is gone, Invalid without a name and a way to reach the person, Conflict past the number of
    calls that one contact, one network address or one clinician's day can have. Another address is never refused for it.
    """
    if not name.strip() or not (email or phone):
        raise Invalid("Give a name, and a phone number or an e-mail address.")
    limits = introduction_settings()
    digest = lookup_digest(phone or email)
    address_digest = lookup_digest(address) if address else ""
    slot = _slot(state, time_zone, clinician_id, starts_at, at=at)
    try:
        with transaction.atomic():
            _refuse_a_flood(address_digest, limits["calls_per_address_and_day"], at=at)
            _first_at(clinician_id, starts_at)
            lock_times_of(clinician_id)
            release_expired_holds(at=at, people=[clinician_id])
            _still_here(clinician_id, slot)
            live = Introduction.objects.filter(state="booked", during__endswith__gt=at)
            if live.filter(contact_digest=digest).count() >= limits["calls_per_contact"]:
                raise Conflict(
                    "We could not book one more call. Please call us, and we find a time with you.",
                    code="too_many_calls",
                )
            around = DateTimeTZRange(slot.starts_at - DAY / 2, slot.starts_at + DAY / 2)
            if (
                live.filter(clinician_id=clinician_id, during__overlap=around).count()
                >= limits["calls_per_clinician_and_day"]
            ):
                raise SlotTaken(wording.SLOT_TAKEN)
            row = Introduction.objects.create(
                clinician_id=clinician_id, during=DateTimeTZRange(slot.starts_at, slot.ends_at), state_of_care=state,
                time_zone=time_zone, name=name.strip(), email=email, phone=phone, contact_digest=digest,
                address_digest=address_digest, created_at=at,
            )  # fmt: skip
            audit.record("introduction.booked", by=VISITOR, at=at, about=row)
            _tell(row, "visit_booked", at=at)
            _promise_reminders(row, at=at)
    except IntegrityError as error:
        if "at_a_time" not in str(error):
            raise
        raise SlotTaken(wording.SLOT_TAKEN) from None
    return row


def _still_here(clinician_id: uuid.UUID, slot: Slot) -> None:
    """Asked under the lock that leave is written under: nobody books a call into it."""
    if is_away(clinician_id, DateTimeTZRange(slot.starts_at, slot.ends_at)):
        raise SlotTaken(wording.SLOT_GONE)


def _refuse_a_flood(address_digest: str, most: int, *, at: datetime) -> None:
    """One address books so many calls in 24 hours, taken back or not; what others book is not counted."""
    if not address_digest:
        return
    with connection.cursor() as cursor:
        # One after the other, so that pressing everything at once is no way around the number.
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [address_digest])
    if Introduction.objects.filter(address_digest=address_digest, created_at__gt=at - DAY).count() >= most:
        raise Conflict(
            "Many calls were booked from your connection today. Please call us, and we find a time with you.",
            code="too_many_calls",
        )


def move_introduction(
    row: Introduction, *, clinician_id: uuid.UUID, starts_at: datetime, at: datetime
) -> Introduction:
    """Another time for a booked call, with the same or another psychiatrist. The old time stays until the new one is sure."""
    slot = _slot(row.state_of_care, row.time_zone, clinician_id, starts_at, at=at, moving=row)
    try:
        with transaction.atomic():
            _first_at(clinician_id, starts_at)
            lock_times_of(clinician_id, row.clinician_id)
            release_expired_holds(at=at, people=[clinician_id])
            _still_here(clinician_id, slot)
            kept = _live(row, at)
            before, before_during = kept.clinician, kept.during
            kept.during = DateTimeTZRange(slot.starts_at, slot.ends_at)
            kept.clinician_id = clinician_id
            kept.sequence += 1
            with transaction.atomic():
                kept.save(update_fields=["during", "clinician_id", "sequence"])
            kept = Introduction.objects.select_related("clinician").get(pk=kept.pk)
            audit.record("introduction.moved", by=VISITOR, at=at, about=kept)
            cancel_for(kept, at=at, why="the call moved")
            follow_visit(kept, at=at)
            if before.pk != kept.clinician_id:
                _tell_clinician(kept, before, "visit_cancelled", at=at)
            _tell(kept, "visit_moved", at=at)
            _promise_reminders(kept, at=at)
            _note_freed(before, before_during, at=at)
    except IntegrityError as error:
        if "at_a_time" not in str(error):
            raise
        raise SlotTaken(wording.SLOT_TAKEN) from None
    return kept


def take_introduction(row: Introduction, *, by: User, at: datetime) -> Introduction:
    """Whoever stands in holds the call of a psychiatrist who is gone, at the time it has. Its visitor hears of it by day.

    Raises Conflict for somebody who may not see people of that state then, SlotTaken for one who is busy or away then.
    """
    if by.role != Role.PSYCHIATRIST or not may_hold_introduction(by, row, at=at):
        raise NotPermitted("Only the psychiatrist who stands in takes a call over.")
    try:
        with transaction.atomic():
            lock_times_of(by.pk, row.clinician_id)
            kept = _locked(row)
            if kept.clinician_id == by.pk:
                return kept
            if kept.state != "booked" or at >= kept.ends_at:
                raise Conflict("This call can no longer be changed.", code="cannot_be_changed")
            if kept.state_of_care not in licensed_states(by, local_date(kept.starts_at, kept.time_zone)):
                raise Conflict(
                    wording.TAKER_NOT_LICENSED.format(state=kept.state_of_care), code="not_licensed_there"
                )
            if is_away(by.pk, kept.during):
                raise SlotTaken(wording.TAKER_BUSY)
            release_expired_holds(at=at, people=[by.pk])
            kept.clinician_id, kept.sequence = by.pk, kept.sequence + 1
            with transaction.atomic():
                kept.save(update_fields=["clinician_id", "sequence"])
            kept = Introduction.objects.select_related("clinician").get(pk=kept.pk)
            audit.record("introduction.taken_over", by=by, at=at, about=kept)
            _tell(kept, "visit_moved", at=at, by_day=True)
    except IntegrityError as error:
        if "at_a_time" not in str(error):
            raise
        raise SlotTaken(wording.TAKER_BUSY) from None
    return kept


def cancel_introduction(row: Introduction, *, by: User | str, at: datetime) -> Introduction:
    """Give the time back; reminders are taken back and both people hear of it. A second press changes nothing."""
    if isinstance(by, User) and not may_hold_introduction(by, row, at=at):
        raise NotPermitted("Only the clinician of this call may do that.")
    with transaction.atomic():
        kept = _locked(row)
        if kept.state == "cancelled":
            return kept
        kept = _live(row, at)
        kept.state, kept.cancelled_at, kept.sequence = "cancelled", at, kept.sequence + 1
        kept.save(update_fields=["state", "cancelled_at", "sequence"])
        audit.record("introduction.cancelled", by=by, at=at, about=kept)
        cancel_for(kept, at=at, why="the call was cancelled")
        follow_visit(kept, at=at)
        _tell(kept, "visit_cancelled", at=at, by_day=isinstance(by, User))
        _note_freed(kept.clinician, kept.during, at=at)
    return kept


def close_introduction(row: Introduction, *, happened: bool, by: User, at: datetime) -> Introduction:
    """The clinician's word on whether the call took place; it stands over what the room's book said."""
    if not may_hold_introduction(by, row, at=at):
        raise NotPermitted("Only the clinician of this call may do that.")
    with transaction.atomic():
        kept = _locked(row)
        if kept.state == "cancelled" or at < kept.starts_at:
            raise Conflict("This call cannot be closed now.", code="cannot_be_closed")
        kept.state = "completed" if happened else "no_show"
        kept.save(update_fields=["state"])
        audit.record("introduction.closed", by=by, at=at, about=kept, detail={"state": kept.state})
        cancel_for(kept, at=at, why="the call is over")
    return kept


def set_introduction_room(row: Introduction, *, url: str, by: User, at: datetime) -> Introduction:
    """Where the caller meets the clinician by video; https only. Empty: the clinician telephones."""
    if not may_hold_introduction(by, row, at=at):
        raise NotPermitted("Only the clinician of this call may do that.")
    parts = urlsplit(url)
    if url and (parts.scheme != "https" or not parts.netloc):
        raise Invalid(
            "Give the whole address, beginning with https://.",
            fields={"meeting_url": "Not an https address."},
        )
    with transaction.atomic():
        Introduction.objects.filter(pk=row.pk).update(meeting_url=url)
        audit.record("introduction.room_set", by=by, at=at, about=row)
    row.meeting_url = url
    return row


def forget_introductions(*, at: datetime) -> int:
    """Empty name, e-mail and phone of calls that were over so many days ago. The time and who held it stay for the tally.

    The digest of the address goes as soon as it counts no more.
    """
    Introduction.objects.filter(created_at__lte=at - DAY).exclude(address_digest="").update(address_digest="")
    over = at - timedelta(days=introduction_settings()["forgotten_after_days"])
    rows = Introduction.objects.filter(forgotten_at__isnull=True, during__endswith__lt=over)
    forget_callers(about_type=INTRODUCTION, about_ids=rows.values_list("pk", flat=True))
    return rows.update(name="", email="", phone="", contact_digest="", meeting_url="", forgotten_at=at)


def _note_freed(clinician: User, during: DateTimeTZRange, *, at: datetime) -> None:
    """Patients wait for an introduction on the list that callers cannot be on: a call's time goes round among them."""
    note_freed(clinician_id=clinician.pk, visit_type=VisitType.INTRO, during=during, at=at)


def _locked(row: Introduction) -> Introduction:
    return Introduction.objects.select_for_update(of=("self",)).select_related("clinician").get(pk=row.pk)


def _live(row: Introduction, at: datetime) -> Introduction:
    kept = _locked(row)
    if kept.state != "booked" or kept.starts_at <= at:
        raise Conflict("This call can no longer be changed.", code="cannot_be_changed")
    return kept


def _words(row: Introduction, zone: str, link: str) -> dict[str, Any]:
    return {"when_words": when_words(row.starts_at, zone), "link": f"{settings.SITE_URL}{link}"}


def _ways(row: Introduction) -> list[tuple[str, str]]:
    return [(way, to) for way, to in (("email", row.email), ("sms", row.phone)) if to]


def _to_visitor(row: Introduction, kind: str, way: str, to: str, *, due_at: datetime, at: datetime) -> None:
    link = reverse("consults:introduction_link", args=[introduction_token(row)])
    # Whoever has no account has no quiet hours of their own for the outbox to look up: `due_at` is in their day already, or is
    # now because they pressed the button themselves and wait for the answer.
    promise(
        kind, to=to, channel=way, context=_words(row, row.time_zone, link), due_at=due_at, at=at, about=row,
        dedupe_key=f"{kind}:{row.pk}:{row.sequence}:{way}", respect_quiet_hours=False,
        expires_at=row.starts_at if due_at > at else None,
    )  # fmt: skip


def _tell_clinician(row: Introduction, person: User, kind: str, *, at: datetime) -> None:
    link = reverse("consults:introduction_call", args=[row.pk])
    promise(
        kind, to=person, channel="email", context=_words(row, person.time_zone, link), due_at=at, at=at, about=row,
        dedupe_key=f"{kind}:{row.pk}:{row.sequence}:{person.pk}", respect_quiet_hours=False,
    )  # fmt: skip


def _tell(row: Introduction, kind: str, *, at: datetime, by_day: bool = False) -> None:
    """Both people hear of it, each in their own zone; no word about what the call is for.

    `by_day`: the visitor did not ask for it, so nothing by night where they are, unless the call would begin before their morning.
    """
    due_at = next_allowed(at, row.time_zone) if by_day else at
    for way, to in _ways(row):
        _to_visitor(row, kind, way, to, due_at=due_at if due_at < row.starts_at else at, at=at)
    _tell_clinician(row, row.clinician, kind, at=at)


def _promise_reminders(row: Introduction, *, at: datetime) -> None:
    """The day before, and an hour before by text; a moved or cancelled call takes them back. Nothing by night where the visitor is:
    a psychiatrist's nine o'clock may be their six."""
    for way, to in _ways(row):
        planned = [("visit_tomorrow", DAY)] + ([("visit_soon", timedelta(hours=1))] if way == "sms" else [])
        for kind, before in planned:
            due_at = next_allowed(row.starts_at - before, row.time_zone)
            if at < due_at < row.starts_at:
                _to_visitor(row, kind, way, to, due_at=due_at, at=at)
