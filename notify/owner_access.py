"""Whose work it is when a message got stuck or a text came back: one place for the lists, the pages and the letters themselves."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.db.models import Case, Q, When

from accounts.models import STAFF_ROLES, CareTeam, Role, User
from common import hooks
from notify.models import DeadLetter, InboundText


def first_administrator() -> User | None:
    """The longest-serving administrator who is here; in a practice without any, whoever of the staff serves longest."""
    here = User.objects.filter(role__in=STAFF_ROLES, is_active=True)
    return here.order_by(Case(When(role=Role.ADMINISTRATOR, then=0), default=1), "created_at", "pk").first()


def owners_for(patient_ids: Iterable[Any], *, at: datetime) -> tuple[dict[Any, User], User | None]:
    """Whose work a stuck message or a text is: the patient's coach, who can ring them, or whoever stands in while that one is
    away or gone (hook `coach.now`); else the longest-serving administrator."""
    ids = set(patient_ids) - {None}
    teams = CareTeam.objects.filter(patient_id__in=ids).select_related("coach")
    coaches = {t.patient_id: t.coach for t in teams if t.coach is not None and t.coach.is_active}
    for found in hooks.run("coach.now", patient_ids=ids, at=at) if ids else ():
        coaches.update(found)
    return coaches, first_administrator()


def _only_their_own(user: User, *, at: datetime) -> bool:
    """Coaches and administrators have such work by their role; a psychiatrist only while standing in for a coach."""
    return user.role == Role.PSYCHIATRIST and not any(hooks.run("coach.stands_in", user=user, at=at))


def senders_of(user: User, *, at: datetime) -> Q:
    """Which unread texts are this person's to read now."""
    if _only_their_own(user, at=at):
        return Q(pk__in=[])
    unread = InboundText.objects.filter(handled_at__isnull=True)
    senders = set(unread.order_by().values_list("sender_id", flat=True).distinct())
    if not senders:
        return Q(pk__in=[])
    coaches, administrator = owners_for(senders, at=at)
    mine = [one for one in senders if one is not None and (coaches.get(one) or administrator) == user]
    found = Q(handled_at__isnull=True, sender_id__in=mine)
    return found | Q(handled_at__isnull=True, sender__isnull=True) if administrator == user else found


def letters_of(user: User, *, at: datetime) -> Q:
    """Which living letters are this person's now: their own, and meanwhile those about patients whose coach is away."""
    if _only_their_own(user, at=at):
        return Q(owner=user)
    # One question while nothing is stuck, which is nearly always: this stands on everybody's list.
    live = list(
        DeadLetter.objects.filter(settled_at__isnull=True).values_list("pk", "owner_id", "patient_id")
    )
    away = {one for found in hooks.run("staff.away_now", at=at) for one in found} if live else set()
    absent = [patient for _, owner, patient in live if owner in away and patient is not None]
    coaches = owners_for(absent, at=at)[0] if absent else {}
    return Q(
        pk__in=[
            pk
            for pk, owner, patient in live
            if (coaches[patient].pk if owner in away and patient in coaches else owner) == user.pk
        ]
    )
