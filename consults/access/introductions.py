"""Introductory calls: who may look at which, and the link that opens one without an account."""

import json
import uuid
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from django.core import signing
from django.db.backends.postgresql.psycopg_any import DateTimeTZRange
from django.db.models import Q, QuerySet
from django.urls import reverse

from accounts.models import Role, User
from common.errors import NotVisible
from common.work import LIMIT, SOON_DAYS, WorkItem, clock_of, kinds, line
from consults import wording
from consults.access.doubt import doubts_of_call, is_gone, with_doubts
from consults.models import Introduction
from consults.rules.doubt import Doubt
from safety.access import stands_in_for

DATA = Path(__file__).resolve().parent.parent / "data" / "introductions.json"
_signer = signing.Signer(salt="consults.introduction", sep="~")


@cache
def introduction_settings() -> dict[str, Any]:
    """How many calls one contact and one clinician may have, and when a caller is forgotten."""
    found: dict[str, Any] = json.loads(DATA.read_text(encoding="utf-8"))
    return found


def introduction_token(row: Introduction) -> str:
    """The secret of a call's link: its number, signed. It opens this call and nothing else."""
    return _signer.sign(row.pk.hex)


def introduction_by_token(token: str) -> Introduction:
    """The call behind a link, or NotVisible for a wrong, changed or forgotten one."""
    try:
        key = uuid.UUID(hex=_signer.unsign(token))
    except (signing.BadSignature, ValueError):
        raise NotVisible("There is no such page.") from None
    row = with_doubts(Introduction.objects.filter(pk=key, forgotten_at__isnull=True)).first()
    if row is None:
        raise NotVisible("There is no such page.")
    return row


def may_hold_introduction(user: Any, row: Introduction, *, at: datetime) -> bool:
    """The clinician of this call; when they are gone, whoever stands in for a psychiatrist."""
    if row.clinician_id == user.pk:
        return True
    return is_gone(row) and Role.PSYCHIATRIST in stands_in_for(user, at=at)


def visible_introduction(user: Any, introduction_id: uuid.UUID, *, at: datetime) -> Introduction:
    """A call that this person holds, or NotVisible."""
    row = with_doubts(Introduction.objects.filter(pk=introduction_id)).first()
    if row is None or not may_hold_introduction(user, row, at=at):
        raise NotVisible("There is no such page.")
    return row


def introductions_between(user: User, from_at: datetime, to_at: datetime) -> QuerySet[Introduction]:
    """A clinician's own calls in a stretch of time, in order."""
    return (
        Introduction.objects.filter(clinician=user, during__overlap=DateTimeTZRange(from_at, to_at))
        .exclude(state="cancelled")
        .order_by("during")
    )


def _in_doubt(user: User, mine: Q, *, at: datetime) -> list[WorkItem]:
    """Calls that cannot be held as booked, however far ahead: their psychiatrist rings the visitor, or calls it off."""
    rows = with_doubts(Introduction.objects.filter(mine, state="booked", during__startswith__gt=at))
    kind = kinds()["visit.in_doubt"]
    return [
        line(
            "visit.in_doubt",
            key=str(row.pk),
            owner=user,
            url=reverse("consults:introduction_call", args=[row.pk]),
            due_at=row.starts_at - clock_of("visit.in_doubt"),
            title=f"{kind['title']}: introductory call, {doubt_words(row, reasons[0], reader=user)}",
            action="Open the call",
            unowned=row.clinician_id != user.pk,
        )
        for row in rows.order_by("during", "pk")[:LIMIT]
        if (reasons := doubts_of_call(row, at=at))
    ]


def doubt_words(row: Introduction, doubt: Doubt, *, reader: User) -> str:
    """Why a call cannot be held as booked, for staff."""
    table = wording.DOUBT_YOURS if row.clinician_id == reader.pk else wording.DOUBT
    return table[doubt].format(clinician=row.clinician, state=row.state_of_care)


def introduction_work(*, user: User, at: datetime) -> list[WorkItem]:
    """Hook `work.items`: calls of the next week, and calls that are over and not closed. Those of a psychiatrist who is gone come
    to whoever stands in, who rings the visitor or finds a colleague."""
    covers = Role.PSYCHIATRIST in stands_in_for(user, at=at)
    if user.role != Role.PSYCHIATRIST and not covers:
        return []
    mine = Q(clinician=user) if user.role == Role.PSYCHIATRIST else Q(pk__in=[])
    if covers:
        mine |= Q(clinician__is_active=False) | ~Q(clinician__role=Role.PSYCHIATRIST)
    around = DateTimeTZRange(at - timedelta(days=60), at + timedelta(days=SOON_DAYS))
    rows = Introduction.objects.filter(mine, during__overlap=around, state="booked")
    items = _in_doubt(user, mine, at=at)
    for row in rows.select_related("clinician").order_by("during", "pk")[:100]:
        kind = "introduction.coming" if row.ends_at > at else "introduction.unclosed"
        gone = row.clinician_id != user.pk
        items.append(
            line(
                kind,
                key=str(row.pk),
                owner=user,
                url=reverse("consults:introduction_call", args=[row.pk]),
                due_at=row.starts_at if row.ends_at > at else row.ends_at + clock_of(kind),
                title=f"Introductory call, {row.clinician} is not here" if gone else "",
                unowned=gone,
            )
        )
    return items
