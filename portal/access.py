"""What the home pages need and no single app below knows: work that spans apps. Bounded queries; nothing is written here."""

from datetime import date, datetime, timedelta
from typing import Any

from django.db.models import Count, Exists, OuterRef, Q, QuerySet

from accounts.access import patients_visible_to
from accounts.models import DeaRegistration, Licence, RoleGrant, User
from common.models import ProtocolVersion
from consults.models import Appointment, Order, VisitNote
from notify.models import OutboxMessage
from sessions.models import DosingSession

# A review of the dose is due after the first and the second one (protocol 8.1); a signed note or order after the dose settles it.
REVIEWED_DOSES = (1, 2)


def unsigned_notes(psychiatrist: User, *, at: datetime, limit: int = 20) -> list[Appointment]:
    """Visits that are over and whose note is not signed yet, oldest first."""
    signed = VisitNote.objects.filter(appointment=OuterRef("pk"), signed_at__isnull=False)
    return list(
        Appointment.objects.filter(
            clinician=psychiatrist,
            visit_type__in=["consult", "follow_up"],
            state__in=["booked", "completed"],
            during__endswith__lt=at,
        )
        .filter(~Exists(signed))
        .select_related("patient__user")
        .order_by("during")[:limit]
    )


def dose_reviews_due(psychiatrist: User, *, at: datetime, limit: int = 20) -> list[DosingSession]:
    """First and second doses, a day old or more, that this psychiatrist has neither noted nor ordered upon since."""
    later = DosingSession.objects.filter(
        course=OuterRef("course"), number__gt=OuterRef("number"), dose_at__isnull=False
    )
    note = VisitNote.objects.filter(patient=OuterRef("patient"), signed_at__gt=OuterRef("dose_at"))
    order = Order.objects.filter(patient=OuterRef("patient"), signed_at__gt=OuterRef("dose_at"))
    return list(
        DosingSession.objects.filter(
            patient__in=patients_visible_to(psychiatrist),
            course__state__in=["active", "on_hold"],
            number__in=REVIEWED_DOSES,
            dose_at__lt=at - timedelta(days=1),
        )
        .filter(~Exists(later), ~Exists(note), ~Exists(order))
        .select_related("patient__user", "course")
        .order_by("dose_at")[:limit]
    )


def draft_orders(psychiatrist: User, limit: int = 20) -> list[Order]:
    """Orders begun and not signed."""
    return list(
        Order.objects.filter(prescriber=psychiatrist, signed_at__isnull=True)
        .select_related("patient__user")
        .order_by("created_at")[:limit]
    )


def people_by_role() -> dict[str, int]:
    """How many open accounts each role has."""
    rows = User.objects.filter(is_active=True).values("role").annotate(n=Count("pk")).order_by("role")
    return {row["role"]: row["n"] for row in rows}


def role_requests(by: User) -> list[RoleGrant]:
    """Requests that wait for a second administrator, with whether this one may decide."""
    return list(
        RoleGrant.objects.filter(decided_at__isnull=True)
        .select_related("user", "requested_by")
        .order_by("requested_at")[:20]
    )


def protocol_drafts() -> list[ProtocolVersion]:
    """Proposals that wait for a second administrator."""
    return list(
        ProtocolVersion.objects.filter(state="draft")
        .defer("data")
        .select_related("proposed_by")
        .order_by("proposed_at")[:10]
    )


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
