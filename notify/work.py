"""Messages' part of everybody's work list: what got stuck, and texts that nobody has read yet."""

from datetime import datetime, timedelta

from django.urls import reverse

from accounts.models import User
from common.work import LIMIT, WorkItem
from notify.models import DeadLetter, InboundText
from notify.owner_access import letters_of, senders_of
from notify.wording import TASK_WORDS

STUCK_HOURS = 24
REPLY_HOURS = 4


def work_items(*, user: User, at: datetime) -> list[WorkItem]:
    """Hook `work.items`: stuck messages and tasks of this owner, and unread texts that are theirs to read."""
    return [*_stuck(user, at), *_replies(user, at)][:LIMIT]


def _stuck(user: User, at: datetime) -> list[WorkItem]:
    rows = (
        DeadLetter.objects.filter(letters_of(user, at=at), settled_at__isnull=True)
        .select_related("patient__user")
        .order_by("opened_at")[:LIMIT]
    )
    return [
        WorkItem(
            key=f"letter:{row.pk}",
            kind=f"{row.what}.stuck",
            title="A message could not be sent"
            if row.what == "message"
            else f"A task fails: {TASK_WORDS.get(row.name, row.name)}",
            url=f"{reverse('notify:stuck')}#letter-{row.pk}",
            action="See why",
            due_at=row.opened_at + timedelta(hours=STUCK_HOURS),
            owner_id=user.pk,
            owner_name=str(user),
            patient_label=str(row.patient.user) if row.patient else None,
        )
        for row in rows
    ]


def _replies(user: User, at: datetime) -> list[WorkItem]:
    """A text belongs to the sender's coach or whoever stands in; one from a number nobody knows to the longest-serving administrator."""
    rows = (
        InboundText.objects.filter(senders_of(user, at=at)).select_related("sender").order_by("received_at")
    )
    return [
        WorkItem(
            key=f"reply:{row.pk}",
            kind="reply.read",
            title="A text came back",
            url=reverse("notify:replies"),
            action="Read it",
            due_at=row.received_at + timedelta(hours=REPLY_HOURS),
            owner_id=user.pk,
            owner_name=str(user),
            patient_label=str(row.sender) if row.sender else None,
        )
        for row in rows[:LIMIT]
    ]
