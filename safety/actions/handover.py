"""A shift changes hands: offered and accepted, or passed on at once because its holder leaves."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import IntegrityError, transaction

from accounts.models import Role, User
from common import audit, states
from common.errors import Conflict, Invalid, NotPermitted
from notify.actions import promise
from safety.access import on_call_now
from safety.actions import escalation
from safety.models import Alert, OnCallShift
from safety.models_roster import ShiftHandover
from safety.roster_access import figures_of, may_not_hold, shifts_to_come
from safety.states import MOVES


def offer_handover(
    shift: OnCallShift,
    *,
    taker: User,
    by: User,
    at: datetime,
    starts_at: datetime | None = None,
    ends_at: datetime | None = None,
    note: str = "",
) -> ShiftHandover:
    """Ask a colleague to take a shift, or a part of it (by default what is left). Nothing moves before they accept.

    Raises NotPermitted for somebody else's shift, Invalid for a time outside it or a person who cannot hold it, Conflict when
    it is over, taken off, or offered already.
    """
    if by.pk != shift.person_id and by.role != Role.ADMINISTRATOR:
        raise NotPermitted("Only whoever holds a shift, or an administrator, hands it over.")
    begins = max(starts_at or shift.starts_at, shift.starts_at, at)
    ends = ends_at or shift.ends_at
    fields = {}
    if taker.pk == shift.person_id:
        fields["taker"] = "Choose somebody else."
    if ends <= begins or ends > shift.ends_at or (starts_at is not None and starts_at < shift.starts_at):
        fields["ends_at"] = "Choose a time within the shift."
    if "ends_at" not in fields and "taker" not in fields:
        why_not = may_not_hold(taker, level=shift.level, starts_at=begins, ends_at=ends)
        if why_not:
            fields["taker"] = why_not
    with transaction.atomic():
        current = OnCallShift.objects.select_for_update(of=("self",)).get(pk=shift.pk)
        if current.removed_at is not None or current.ends_at <= at:
            raise Conflict("This shift is over or off the roster.")
        if fields:
            raise Invalid("This hand-over cannot be offered as it is.", fields=fields)
        try:
            with transaction.atomic():
                offer = ShiftHandover.objects.create(
                    shift=current, giver_id=current.person_id, taker=taker, starts_at=begins, ends_at=ends, note=note.strip(),
                    offered_at=at, offered_by=by,
                )  # fmt: skip
        except IntegrityError:
            raise Conflict(
                "This shift is offered to somebody already. Take that offer back first.",
                code="offered_already",
            ) from None
        audit.record("handover.offered", by=by, at=at, about=offer, detail={"taker": str(taker.pk)})
        _tell([taker], "handover_offered", offer, at=at)
    return offer


def accept_handover(offer: ShiftHandover, *, by: User, at: datetime) -> OnCallShift:
    """The named colleague takes it: the roster changes in this transaction, live alerts go with it, and both are told."""
    if by.pk != offer.taker_id:
        raise NotPermitted("Only the person who was asked accepts this.")
    with transaction.atomic():
        shift = (
            OnCallShift.objects.select_for_update(of=("self",))
            .select_related("person")
            .get(pk=offer.shift_id)
        )
        row = _decide(offer, "accepted", by=by, at=at)
        begins = max(row.starts_at, at)
        if shift.removed_at is not None or row.ends_at <= at or row.ends_at > shift.ends_at:
            raise Conflict("The roster has changed since. Ask for a new hand-over.")
        taker = User.objects.get(pk=by.pk)
        why_not = may_not_hold(taker, level=shift.level, starts_at=begins, ends_at=row.ends_at)
        if why_not:
            raise Invalid(why_not, fields={"taker": why_not})
        new = _split(shift, taker, begins=begins, ends=row.ends_at, by=by, at=at)
        audit.record(
            "shift.handed_over", by=by, at=at, about=new, detail={"from": str(shift.person_id), "to": str(by.pk)}
        )  # fmt: skip
        _tell([row.giver, row.taker], "handover_accepted", row, at=at)
        if begins <= at:
            _carry_out(row, by=by, at=at)
    return new


def decline_handover(offer: ShiftHandover, *, by: User, at: datetime) -> None:
    """The colleague says no; the shift stays where it is and its holder is told."""
    if by.pk != offer.taker_id:
        raise NotPermitted("Only the person who was asked declines this.")
    with transaction.atomic():
        row = _decide(offer, "declined", by=by, at=at)
        _tell([row.giver], "handover_declined", row, at=at)


def withdraw_handover(offer: ShiftHandover, *, by: User, at: datetime) -> None:
    """Whoever offered it, or an administrator, takes it back."""
    if by.pk not in (offer.giver_id, offer.offered_by_id) and by.role != Role.ADMINISTRATOR:
        raise NotPermitted("Only whoever offered this takes it back.")
    with transaction.atomic():
        _decide(offer, "withdrawn", by=by, at=at)


def carry_out_handovers(*, at: datetime) -> int:
    """Accepted hand-overs whose time has begun: the giver's live alerts go to the taker. Safe with several pagers."""
    done = 0
    while True:
        with transaction.atomic():
            row = (
                ShiftHandover.objects.select_for_update(of=("self",), skip_locked=True)
                .select_related("giver", "taker")
                .filter(state="accepted", alerts_moved_at__isnull=True, starts_at__lte=at)
                .order_by("starts_at")
                .first()
            )
            if row is None:
                return done
            _carry_out(row, by="system:pager", at=at)
        done += 1


def pass_on_shifts(person: User, *, to: User, by: User, at: datetime) -> int:
    """Every shift this person still holds goes to the one named, in the caller's transaction. Answers how many.

    Raises Invalid when the successor cannot hold one of them, Conflict when they hold that level's time already.
    """
    count = 0
    with transaction.atomic():
        for shift in shifts_to_come(person, at=at).select_for_update():
            begins = max(shift.starts_at, at)
            why_not = may_not_hold(to, level=shift.level, starts_at=begins, ends_at=shift.ends_at)
            if to.pk == person.pk:
                why_not = "Choose somebody else."
            if why_not:
                raise Invalid(f"{to} cannot take over: {why_not}", fields={"successor": why_not})
            ShiftHandover.objects.filter(shift=shift, state="offered").update(
                state="withdrawn", decided_at=at, decided_by=by
            )
            row = ShiftHandover.objects.create(
                shift=shift, giver=person, taker=to, starts_at=begins, ends_at=shift.ends_at, state="accepted", offered_at=at,
                offered_by=by, decided_at=at, decided_by=by, alerts_moved_at=at,
            )  # fmt: skip
            new = _split(shift, to, begins=begins, ends=shift.ends_at, by=by, at=at)
            audit.record(
                "shift.reassigned", by=by, at=at, about=new, detail={"from": str(person.pk), "to": str(to.pk)}
            )  # fmt: skip
            _tell([to], "handover_accepted", row, at=at)
            count += 1
    return count


def move_alerts(giver: User, taker: User, *, by: Any, at: datetime) -> int:
    """Live alerts that the giver has taken become the taker's, who is paged for each. Answers how many."""
    count = 0
    held = Alert.objects.select_for_update(of=("self",)).filter(acknowledged_by=giver, state="acknowledged")
    for alert in held:
        states.move(
            alert, "acknowledged", moves=MOVES, by=by, at=at, reasons=["handed_over"], acknowledged_by=taker
        )  # fmt: skip
        audit.record(
            "alert.handed_over", by=by, at=at, about=alert, patient_id=alert.patient_id,
            detail={"from": str(giver.pk), "to": str(taker.pk)},
        )  # fmt: skip
        escalation.page([taker], alert, at=at)
        count += 1
    return count


def _decide(offer: ShiftHandover, state: str, *, by: User, at: datetime) -> ShiftHandover:
    changed = ShiftHandover.objects.filter(pk=offer.pk, state="offered").update(
        state=state, decided_at=at, decided_by=by
    )
    if not changed:
        raise Conflict("This hand-over was decided a moment ago.")
    row = ShiftHandover.objects.select_related("giver", "taker", "shift").get(pk=offer.pk)
    audit.record(f"handover.{state}", by=by, at=at, about=row)
    return row


def _split(
    shift: OnCallShift, taker: User, *, begins: datetime, ends: datetime, by: User, at: datetime
) -> OnCallShift:
    """Cut the taker's part out of a shift. What is before and after it stays with its holder; what has been stays history."""
    last = shift.ends_at
    if begins > shift.starts_at:
        OnCallShift.objects.filter(pk=shift.pk).update(ends_at=begins)
    else:
        OnCallShift.objects.filter(pk=shift.pk).update(removed_at=at)
    made = {
        "level": shift.level, "zone": shift.zone, "holiday_confirmed": shift.holiday_confirmed, "created_at": at, "created_by": by,
    }  # fmt: skip
    try:
        with transaction.atomic():
            new = OnCallShift.objects.create(person=taker, starts_at=begins, ends_at=ends, **made)
            if ends < last:
                OnCallShift.objects.create(person_id=shift.person_id, starts_at=ends, ends_at=last, **made)
    except IntegrityError:
        raise Conflict("Somebody holds this level for a part of that time.", code="shift_taken") from None
    return new


def _carry_out(row: ShiftHandover, *, by: Any, at: datetime) -> None:
    """Alerts that the giver took go along; alerts that nobody has taken ring with the new holder at once."""
    ShiftHandover.objects.filter(pk=row.pk).update(alerts_moved_at=at)
    # Between the yes and the hour the taker may have left or given it on: what counts is who holds the level now.
    holder = on_call_now(at=at, level=row.shift.level) if row.ends_at > at else row.taker
    if holder is None or not holder.is_active:
        # The giver still has what they took. Nobody to give it to is a hole in the roster, which pages by itself.
        return
    if holder.pk != row.giver_id:
        move_alerts(row.giver, holder, by=by, at=at)
    if row.ends_at <= at:
        return
    for alert in Alert.objects.select_for_update(of=("self",)).filter(
        state="open", level__gte=row.shift.level
    ):
        if not alert.is_the_practices:
            escalation.page([holder], alert, at=at)


def _tell(people: Iterable[User], kind: str, row: ShiftHandover, *, at: datetime) -> None:
    """By mail, and at once: a shift may begin tonight."""
    for person in people:
        zone = ZoneInfo(person.time_zone)
        promise(
            kind,
            to=person,
            channel="email",
            context={
                "giver": str(row.giver),
                "taker": str(row.taker),
                "begins_words": figures_of(row.starts_at, zone),
                "ends_words": figures_of(row.ends_at, zone),
                "link": f"{settings.SITE_URL}/alerts/roster/",
            },
            due_at=at,
            at=at,
            about=row,
            dedupe_key=f"{kind}:{row.pk}:{person.pk}",
            respect_quiet_hours=False,
        )
