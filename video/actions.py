"""Opening rooms, coming in, being let in, leaving, closing. The WebSocket only carries news: what is true stands in the rows."""

import secrets
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer
from django.conf import settings
from django.db import transaction
from django.urls import reverse

from accounts.models import Patient, User
from common import audit
from common.errors import Conflict, Invalid, NotPermitted
from notify.actions import promise
from video import access, gateways, rules, states
from video.models import Room, Seat, SeatEvent


def open_room(
    *,
    about_type: str,
    about_id: UUID,
    patient: Patient | None,
    people: Iterable[tuple[User, str]],
    opens_at: datetime,
    closes_at: datetime,
    by: Any,
    at: datetime,
) -> Room:
    """The room of a visit, made at the first call; later calls answer the same one, with its hours and people as they are now.

    A room that was ended opens again when its clinician opens it within its hours; everybody else is let in anew.
    """
    people = list(people)
    with transaction.atomic():
        room, made = Room.objects.get_or_create(
            about_type=about_type,
            about_id=about_id,
            defaults={
                "patient": patient,
                "vendor": gateways.chosen(),
                "opens_at": opens_at,
                "closes_at": closes_at,
                "created_at": at,
            },
        )
        if not made:
            room = move_room(room, opens_at=opens_at, closes_at=closes_at, at=at)
            hosts = {user.pk for user, role in people if role == Seat.Role.CLINICIAN}
            if room.closed_at is not None and getattr(by, "pk", None) in hosts and at < closes_at:
                _begin_again(room, at=at)
                room.closed_at, room.vendor_room, room.vendor_closed_at = None, "", None
                room.save(update_fields=["closed_at", "vendor_room", "vendor_closed_at"])
                audit.record("room.reopened", by=by, at=at, about=room, patient_id=room.patient_id)
        for user, role in people:
            Seat.objects.update_or_create(
                room=room,
                user=user,
                defaults={"role": role, "removed_at": None},
                create_defaults={"role": role, "created_at": at},
            )
        # Whoever held the visit before it went to somebody else has no place there any more.
        gone = room.seats.filter(user__isnull=False, removed_at__isnull=True)
        gone.exclude(user__in=[user for user, _ in people]).update(removed_at=at, connection="")
        if made:
            audit.record("room.opened", by=by, at=at, about=room, patient_id=room.patient_id)
    return room


def move_room(room: Room, *, opens_at: datetime, closes_at: datetime, at: datetime) -> Room:
    """Give a room other hours. Who was let in at the old time is let in anew; links of guests go along."""
    if room.opens_at == opens_at and room.closes_at >= closes_at:
        return room  # The same visit; one that overruns has a later end already.
    with transaction.atomic():
        _begin_again(room, at=at)
        room.opens_at, room.closes_at = opens_at, closes_at
        room.late_minutes, room.late_said_at = 0, None
        room.save(update_fields=["opens_at", "closes_at", "late_minutes", "late_said_at"])
    return room


def _begin_again(room: Room, *, at: datetime) -> None:
    """Nobody sits there; the book stays as it is."""
    for seat in room.seats.exclude(connection="").filter(admitted_at__isnull=False):
        _write(seat, states.LEFT, at)
    room.seats.update(connection="", waiting_since_at=None, admitted_at=None, phone_asked_at=None)


def prepare_carrier(room: Room) -> Room:
    """Make the room at its vendor, outside any transaction. A vendor that does not answer is left for the browsers' own way."""
    if room.vendor == Room.Vendor.PEER or room.vendor_room:
        return room
    try:
        room.vendor_room = gateways.of_room(room.vendor).open(room)
    except Conflict:
        room.vendor, room.vendor_room = Room.Vendor.PEER, ""
    Room.objects.filter(pk=room.pk, vendor_room="").update(vendor=room.vendor, vendor_room=room.vendor_room)
    return room


def come(seat: Seat, *, at: datetime) -> Seat:
    """Sit down in the waiting room; a clinician comes straight in. The clinician hears of the first who waits at once."""
    access.may_come_in(seat, at=at)
    with transaction.atomic():
        seat = Seat.objects.select_for_update(of=("self",)).select_related("room", "user").get(pk=seat.pk)
        if seat.role == Seat.Role.CLINICIAN and seat.admitted_at is None:
            seat.admitted_at = at
            seat.save(update_fields=["admitted_at"])
            _write(seat, states.ADMITTED, at)
        elif seat.waiting_since_at is None and seat.admitted_at is None:
            seat.waiting_since_at = at
            seat.save(update_fields=["waiting_since_at"])
            _write(seat, states.WAITING, at)
            audit.record("room.waiting", by=_actor(seat), at=at, about=seat, patient_id=seat.room.patient_id)
            tell_clinician(seat, at=at)
            _tell_room_on_commit(seat.room, {"type": "room.waiting"})
    return seat


def tell_clinician(waiting: Seat, *, again: bool = False, at: datetime) -> None:
    """Whoever holds the visit hears that somebody waits, and `again` once more of somebody who waits in vain.

    What every page of theirs shows follows from the rows.
    """
    room = waiting.room
    for seat in access.seats_of(room).filter(role=Seat.Role.CLINICIAN):
        if seat.user is not None:
            visit = access.visit_of(seat, at=at)
            tell_who_holds_it(
                seat.user, about=room, about_id=room.about_id, patient=room.patient, starts_at=visit.starts_at,
                ends_at=visit.ends_at, sequence=visit.sequence, path=visit.back_url, again=again, at=at,
            )  # fmt: skip


def tell_who_holds_it(
    clinician: User, *, about: Any, about_id: UUID, patient: Patient | None, starts_at: datetime, ends_at: datetime,
    sequence: int, path: str, again: bool = False, at: datetime,
) -> None:  # fmt: skip
    """By text and mail, once for a visit at one time, whichever says it first: the question at its door, or its waiting room.

    Whoever comes anew to a visit that has moved is heard of anew. Whoever is connected in its room sees it there.
    """
    room = Room.objects.filter(about_id=about_id, closed_at__isnull=True).first()
    if room is not None and clinician.pk in {one.user_id for one in access.connected_in(room, at=at)}:
        return
    for channel in ("sms", "email") if clinician.phone else ("email",):
        promise(
            "visit_waiting",
            to=clinician,
            channel=channel,
            context={"when_words": starts_at, "link": f"{settings.SITE_URL}{path}"},
            due_at=at,
            at=at,
            about=about,
            patient=patient,
            dedupe_key=f"visit_waiting:{about_id}:{starts_at.timestamp():.0f}:{sequence}:{channel}"
            + (":again" if again else ""),
            respect_quiet_hours=False,
            expires_at=ends_at,
        )


def come_by_link(seat: Seat, *, at: datetime) -> tuple[Seat, str]:
    """A guest comes in from this browser: the seat, and the secret that the browser shows from now on.

    Whoever sat there with the same link in another browser loses the place, and the clinician lets the newcomer in anew: a link
    that was passed on takes nobody's place unseen.
    """
    access.may_come_in(seat, at=at)
    secret = secrets.token_urlsafe(32)
    with transaction.atomic():
        seat = Seat.objects.select_for_update(of=("self",)).select_related("room", "user").get(pk=seat.pk)
        if seat.browser_digest:
            if seat.connection and seat.admitted_at is not None:
                _write(seat, states.LEFT, at)
            seat.connection, seat.admitted_at, seat.waiting_since_at = "", None, None
            audit.record(
                "room.guest_other_browser",
                by=_actor(seat),
                at=at,
                about=seat,
                patient_id=seat.room.patient_id,
            )
            _tell_seat_on_commit(seat, {"type": "seat.replaced"})
            _tell_room_on_commit(seat.room, {"type": "room.left", "seat": seat.pk.hex})
        seat.browser_digest = access.digest(secret)
        seat.save(update_fields=["browser_digest", "connection", "admitted_at", "waiting_since_at"])
        seat = come(seat, at=at)
    return seat, secret


def note_page(seat: Seat, *, at: datetime) -> None:
    """A sign of life of a page in the waiting room that has no WebSocket."""
    Seat.objects.filter(pk=seat.pk, connection="").update(seen_at=at)


def admit(seat: Seat, *, by: User, at: datetime) -> Seat:
    """The clinician lets somebody in who waits."""
    _only_the_clinician(seat.room, by)
    if seat.removed_at is not None:
        raise Conflict("That place was ended.", code="removed")
    with transaction.atomic():
        changed = Seat.objects.filter(
            pk=seat.pk, admitted_at__isnull=True, waiting_since_at__isnull=False
        ).update(admitted_at=at)
        if changed:
            seat.admitted_at = at
            _write(seat, states.ADMITTED, at)
            audit.record("room.admitted", by=by, at=at, about=seat, patient_id=seat.room.patient_id)
            _tell_seat_on_commit(seat, {"type": "seat.admitted"})
            _tell_room_on_commit(seat.room, {"type": "room.waiting"})
        elif Seat.objects.filter(pk=seat.pk, admitted_at__isnull=True).exists():
            raise Conflict("They have not come to the waiting room yet.", code="not_waiting")
    return seat


def remove(seat: Seat, *, by: User, at: datetime) -> Seat:
    """Show a guest out, or take an invitation back; the link does not open again. The clinician or the patient decides it.

    A patient is not shown out: the visit is ended instead.
    """
    if not seat.room.seats.filter(user=by, removed_at__isnull=True).exists():
        raise NotPermitted("Only the people of this visit can do that.")
    if seat.role != Seat.Role.GUEST:
        raise NotPermitted("Only a guest can be shown out. End the visit instead.")
    with transaction.atomic():
        if Seat.objects.filter(pk=seat.pk, removed_at__isnull=True).update(removed_at=at, connection=""):
            _write(seat, states.REMOVED, at)
            audit.record("room.removed", by=by, at=at, about=seat, patient_id=seat.room.patient_id)
            _tell_seat_on_commit(seat, {"type": "seat.removed"})
            _tell_room_on_commit(seat.room, {"type": "room.left", "seat": seat.pk.hex})
            transaction.on_commit(lambda: gateways.of_room(seat.room.vendor).show_out(seat))
    return seat


def invite_guest(
    room: Room, *, kind: str, name: str, by: User, at: datetime, phone: str = ""
) -> tuple[Seat, str]:
    """A place for an interpreter or somebody of the family. Answers the seat and the secret of its link, which is shown once.

    It can be made days before: the link opens with the room. With a phone number it also goes there as a text. Raises Invalid, or
    Conflict when the room is full or over.
    """
    for code, sentence in access.refusals(access.seat_of(by, room.pk), at=at):
        if code in rules.NO_GUESTS:
            raise Conflict(sentence, code=code)
    name = name.strip()
    if kind not in Seat.GuestKind.values or kind == Seat.GuestKind.CALLER:
        raise Invalid("Say who the guest is.", fields={"kind": "Choose one."})
    if not name or len(name) > 80:
        raise Invalid("Give the guest's name.", fields={"name": "A name of at most 80 characters."})
    secret = secrets.token_urlsafe(32)
    with transaction.atomic():
        Room.objects.select_for_update().get(pk=room.pk)
        if access.seats_of(room).count() >= rules.MAX_SEATS:
            raise Conflict(
                f"At most {rules.MAX_SEATS} people can be in a visit. Show a guest out first.",
                code="room_full",
            )
        seat = Seat.objects.create(
            room=room,
            role=Seat.Role.GUEST,
            guest_kind=kind,
            guest_name=name,  # type: ignore[misc]
            token_digest=access.digest(secret),
            created_by=by,
            created_at=at,
        )
        audit.record(
            "room.guest_invited",
            by=by,
            at=at,
            about=seat,
            patient_id=room.patient_id,
            detail={"kind": kind, "texted": bool(phone)},
        )
        if phone:
            promise(
                "visit_guest",
                to=phone,
                channel="sms",
                context={"link": f"{settings.SITE_URL}{reverse('video:guest', args=[secret])}"},
                due_at=at,
                at=at,
                about=room,
                patient=room.patient,
                expires_at=room.closes_at,
                # The visit is about to begin, and the person invited waits for the link.
                respect_quiet_hours=False,
            )
    return seat, secret


def seat_for_caller(room: Room, *, name: str, at: datetime) -> str:
    """The place of somebody without an account who has booked a call; answers a fresh secret of its link, older ones end.

    Whoever asks has shown the call's own link; the browser that comes in with the new one is let in by the clinician.
    """
    secret = secrets.token_urlsafe(32)
    with transaction.atomic():
        Room.objects.select_for_update().get(pk=room.pk)
        seat = room.seats.filter(guest_kind=Seat.GuestKind.CALLER).first()
        if seat is None:
            seat = Seat(room=room, role=Seat.Role.GUEST, guest_kind=Seat.GuestKind.CALLER, created_at=at)
        seat.guest_name, seat.token_digest = name, access.digest(secret)  # type: ignore[misc]
        seat.save()
    return secret


def forget_callers(*, about_type: str, about_ids: Iterable[UUID]) -> None:
    """The names of people without an account go when their call is forgotten."""
    Seat.objects.filter(
        room__about_type=about_type, room__about_id__in=list(about_ids), guest_kind=Seat.GuestKind.CALLER
    ).update(guest_name="")


def say_late(room: Room, *, minutes: int, by: User, at: datetime) -> Room:
    """The clinician runs late: the waiting room shows it at once, and the patient is told once for each new figure."""
    _only_the_clinician(room, by)
    if minutes not in (0, *rules.LATE_MINUTES):
        raise Invalid("Choose how late.", fields={"minutes": "Choose one."})
    visit = access.visit_of(access.seat_of(by, room.pk), at=at)
    with transaction.atomic():
        Room.objects.filter(pk=room.pk).update(late_minutes=minutes, late_said_at=at)
        room.late_minutes, room.late_said_at = minutes, at
        audit.record(
            "room.late", by=by, at=at, about=room, patient_id=room.patient_id, detail={"minutes": minutes}
        )
        for channel, to in visit.reach if minutes else ():
            promise(
                "visit_late",
                to=to,
                channel=channel,
                context={
                    "when_words": visit.starts_at + timedelta(minutes=minutes),
                    "link": f"{settings.SITE_URL}{visit.reach_url}",
                },
                due_at=at,
                at=at,
                about=room,
                patient=room.patient,
                dedupe_key=f"visit_late:{room.pk}:{visit.starts_at:%Y%m%d%H%M}:{minutes}:{channel}",
                expires_at=visit.ends_at,
                respect_quiet_hours=False,
            )
        _tell_room_on_commit(room, {"type": "room.late", "minutes": minutes})
        for seat in access.waiting_in(room):
            _tell_seat_on_commit(seat, {"type": "room.late", "minutes": minutes})
    return room


def ask_for_phone(seat: Seat, *, by: User, at: datetime) -> Seat:
    """The patient would rather be called: the clinician reads it on the page at once, with her number."""
    access.may_come_in(seat, at=at)
    with transaction.atomic():
        if Seat.objects.filter(pk=seat.pk, phone_asked_at__isnull=True).update(phone_asked_at=at):
            seat.phone_asked_at = at
            _write(seat, states.PHONE, at)
            audit.record("room.phone_asked", by=by, at=at, about=seat, patient_id=seat.room.patient_id)
        _tell_room_on_commit(seat.room, {"type": "room.phone", "seat": seat.pk.hex})
    return seat


def close_room(room: Room, *, by: Any, at: datetime) -> Room:
    """The visit is over for everybody in it, here and at the vendor; a second call changes nothing."""
    if isinstance(by, User):
        _only_the_clinician(room, by)
    with transaction.atomic():
        if Room.objects.filter(pk=room.pk, closed_at__isnull=True).update(closed_at=at):
            for seat in access.seats_of(room).filter(connection__gt=""):
                _write(seat, states.LEFT, at)
            room.seats.update(connection="")
            audit.record("room.closed", by=by, at=at, about=room, patient_id=room.patient_id)
            _tell_room_on_commit(room, {"type": "room.closed"})
            for seat in access.waiting_in(room):
                _tell_seat_on_commit(seat, {"type": "room.closed"})
            transaction.on_commit(lambda: end_at_vendor(room.pk, at=at))
    room.refresh_from_db()
    return room


def end_at_vendor(room_id: UUID, *, at: datetime) -> bool:
    """End the room where its pictures went, outside any transaction. One that does not answer is asked again by the sweep."""
    room = Room.objects.get(pk=room_id)
    if room.vendor_room:
        try:
            gateways.of_room(room.vendor).close(room)
        except Conflict:
            return False
    Room.objects.filter(pk=room_id, closed_at__isnull=False).update(vendor_closed_at=at)
    return True


def close_rooms_over(*, at: datetime, limit: int = 100) -> int:
    """Close what is past its last minute, and end at the vendor what it had not ended when it was asked."""
    done = 0
    over = Room.objects.filter(closed_at__isnull=True, closes_at__lte=at + timedelta(minutes=5))
    for room in over.order_by("closes_at")[:limit]:
        forgotten = at >= room.opens_at + timedelta(hours=rules.ROOM_HOURS_MAX)
        if not forgotten and access.they_still_talk(room, at=at):
            # A visit that overruns goes on while both are there; nobody is cut off in the middle of a sentence.
            until = at + timedelta(minutes=rules.OVERRUN_MINUTES)
            if Room.objects.filter(pk=room.pk, closed_at__isnull=True).update(closes_at=until):
                audit.record(
                    "room.overruns", by="system:sweep", at=at, about=room, patient_id=room.patient_id
                )
            continue
        if room.closes_at > at:
            continue
        close_room(room, by="system:sweep", at=at)
        done += 1
    left = Room.objects.filter(closed_at__isnull=False, vendor_closed_at__isnull=True).exclude(vendor_room="")
    for room in left.order_by("closed_at")[:limit]:
        end_at_vendor(room.pk, at=at)
    return done


# --- one connection of one seat: called by the WebSocket alone ---


def take_seat(seat: Seat, *, connection: str, page: str, at: datetime) -> Seat:
    """This connection speaks for the seat from now on; an older one does not any more."""
    seat = come(seat, at=at)
    with transaction.atomic():
        row = Seat.objects.select_for_update(of=("self",)).select_related("room", "user").get(pk=seat.pk)
        silent = row.seen_at is not None and row.seen_at < at - timedelta(seconds=rules.SILENT_SECONDS)
        if row.connection and silent and row.admitted_at is not None:
            # Its server died without a word: the book closes where it was last heard of.
            _write(row, states.LEFT, row.seen_at)  # type: ignore[arg-type]
        if row.admitted_at is not None and (not row.connection or silent):
            _write(row, states.JOINED, at)
        row.connection, row.page, row.seen_at = connection, page, at
        row.save(update_fields=["connection", "page", "seen_at"])
    return row


def still_there(seat_id: Any, *, connection: str, at: datetime) -> Seat | None:
    """Note a sign of life; answers the seat as it stands, or None when this connection does not speak for it any more."""
    if not Seat.objects.filter(pk=seat_id, connection=connection).update(seen_at=at):
        return None
    return Seat.objects.select_related("room", "user").get(pk=seat_id)


def note_joined(seat: Seat, *, at: datetime) -> None:
    """Somebody who was connected in the waiting room has been let in: from here on they are in the visit."""
    with transaction.atomic():
        Seat.objects.select_for_update().get(pk=seat.pk)
        last = seat.events.order_by("-at", "-id").values_list("kind", flat=True).first()
        if last not in (states.JOINED, states.SOUND_ONLY):
            _write(seat, states.JOINED, at)


def leave_seat(seat_id: Any, *, connection: str, at: datetime) -> bool:
    """The connection is gone. Nothing happens when a newer one has the seat."""
    with transaction.atomic():
        if not Seat.objects.filter(pk=seat_id, connection=connection).update(connection=""):
            return False
        seat = Seat.objects.get(pk=seat_id)
        if seat.admitted_at is not None:
            _write(seat, states.LEFT, at)
    return True


# --- small ---


def _write(seat: Seat, kind: str, at: datetime) -> None:
    SeatEvent.objects.create(seat=seat, kind=kind, at=at)


def _actor(seat: Seat) -> Any:
    return seat.user if seat.user is not None else f"guest:{seat.pk}"


def _only_the_clinician(room: Room, by: User) -> None:
    if not room.seats.filter(user=by, role=Seat.Role.CLINICIAN, removed_at__isnull=True).exists():
        raise NotPermitted("Only the clinician of this visit can do that.")


def room_group(room_id: UUID) -> str:
    return f"room_{room_id.hex}"


def seat_group(seat_id: UUID) -> str:
    return f"seat_{seat_id.hex}"


def _tell(group: str, news: dict[str, Any]) -> None:
    """News may be lost (Redis down): each connection also looks at the rows every few seconds."""
    layer = get_channel_layer()
    try:
        if layer is not None:
            async_to_sync(layer.group_send)(group, news)
    except Exception:  # noqa: S110
        pass


def _tell_room_on_commit(room: Room, news: dict[str, Any]) -> None:
    transaction.on_commit(lambda: _tell(room_group(room.pk), news))


def _tell_seat_on_commit(seat: Seat, news: dict[str, Any]) -> None:
    transaction.on_commit(lambda: _tell(seat_group(seat.pk), news))
