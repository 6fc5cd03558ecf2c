"""What the home pages need and no single app below knows: work that spans apps. Bounded queries; nothing is written here."""

from datetime import date, datetime, timedelta
from typing import Any

from django.db.models import Count, Q, QuerySet

from accounts.models import DeaRegistration, Licence, User
from notify.models import OutboxMessage


def people_by_role() -> dict[str, int]:
    """How many open accounts each role has."""
    rows = User.objects.filter(is_active=True).values("role").annotate(n=Count("pk")).order_by("role")
    return {row["role"]: row["n"] for row in rows}


def papers_running_out(on: date, days: int = 60) -> list[dict[str, Any]]:
    """Licences and DEA registrations of active psychiatrists that end within `days`, or have ended; soonest first."""
    until = on + timedelta(days=days)
    found: list[dict[str, Any]] = []
    kinds: tuple[tuple[str, QuerySet[Any], str], ...] = (
        ("Licence", Licence.objects.all(), "admin:accounts_licence_change"),
        ("DEA registration", DeaRegistration.objects.all(), "admin:accounts_dearegistration_change"),
    )
    for name, rows, url_name in kinds:
        for row in (
            rows.filter(expires_on__lte=until, psychiatrist__is_active=True)
            .select_related("psychiatrist")
            .order_by("expires_on")[:20]
        ):
            found.append({"kind": name, "row": row, "url_name": url_name, "days": (row.expires_on - on).days})
    return sorted(found, key=lambda one: one["row"].expires_on)


def outbox_trouble(*, at: datetime) -> dict[str, int]:
    """Messages that failed, and those more than ten minutes late."""
    found: dict[str, int] = OutboxMessage.objects.filter(
        state__in=["failed", "scheduled"], created_at__gte=at - timedelta(days=30)
    ).aggregate(
        failed=Count("pk", filter=Q(state="failed")),
        late=Count("pk", filter=Q(state="scheduled", due_at__lt=at - timedelta(minutes=10))),
    )
    return found
