"""Lines of the work list that follow from money: refunds that did not go through, and news that could not be worked off."""

from datetime import datetime, timedelta

from django.db.models import Q
from django.urls import reverse

from accounts.models import Role, User
from billing.models import Refund, WebhookEvent
from common.work import LIMIT, WorkItem, clock_of, line
from safety.access import stands_in_for

# The provider is asked again by itself; after this long a person looks.
BY_ITSELF = timedelta(hours=1)
TRIED_TO_THE_END = 5


def work_items(*, user: User, at: datetime) -> list[WorkItem]:
    """For the supervising administrator."""
    if Role.ADMINISTRATOR not in stands_in_for(user, at=at):
        return []
    late = Q(state="pending", created_at__lt=at - BY_ITSELF, attempts__gt=0)
    refunds = (
        Refund.objects.filter(late | Q(state="failed"))
        .select_related("payment__invoice__patient__user")
        .order_by("created_at", "pk")
    )
    items = [
        line(
            "refund.waiting",
            key=str(refund.pk),
            owner=user,
            url=reverse("admin:billing_refund_change", args=[refund.pk]),
            due_at=refund.created_at + clock_of("refund.waiting"),
            patient=refund.payment.invoice.patient,
            title=f"Refund of ${refund.amount_cents / 100:,.2f}: "
            + ("failed" if refund.state == "failed" else "not gone through yet"),
        )
        for refund in refunds[:LIMIT]
    ]
    stuck = WebhookEvent.objects.filter(processed_at__isnull=True, attempts__gte=TRIED_TO_THE_END).defer(
        "payload"
    )
    items += [
        line(
            "payment.event",
            key=str(event.pk),
            owner=user,
            url=reverse("admin:billing_webhookevent_change", args=[event.pk]),
            due_at=event.received_at + clock_of("payment.event"),
            title=f"News of the payment provider could not be worked off: {event.kind}",
        )
        for event in stuck.order_by("received_at", "pk")[:LIMIT]
    ]
    return items
