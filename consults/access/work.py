"""Lines of the work list that follow from visits, notes and orders."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from django.db.models import Exists, OuterRef, Q
from django.urls import reverse

from accounts.models import Role, User
from common.work import LIMIT, SOON_DAYS, WorkItem, clock_of, kinds, line
from consults.models import Appointment, Order, VisitNote
from safety.access import stands_in_for
from safety.task_access import lands

MEDICAL = ("consult", "follow_up")
# Whose work a kind of visit is when the clinician who holds it is gone.
ROLE_OF = {"consult": Role.PSYCHIATRIST, "follow_up": Role.PSYCHIATRIST, "intro": Role.PSYCHIATRIST}


def work_items(*, user: User, at: datetime) -> list[WorkItem]:
    """Visits of the next seven days, visits that are over and not closed, notes and orders to sign."""
    covers = stands_in_for(user, at=at)
    if user.role not in (Role.PSYCHIATRIST, Role.COACH) and not covers & {Role.PSYCHIATRIST, Role.COACH}:
        return []
    return _visits(user, covers=covers, at=at) + _orders(user, covers=covers)


def _visits(user: User, *, covers: frozenset[str], at: datetime) -> list[WorkItem]:
    gone = Q(clinician__is_active=False)
    mine = Q(clinician=user)
    if Role.PSYCHIATRIST in covers:
        mine |= gone & Q(visit_type__in=list(ROLE_OF))
    if Role.COACH in covers:
        mine |= gone & ~Q(visit_type__in=list(ROLE_OF))
    signed = VisitNote.objects.filter(appointment=OuterRef("pk"), signed_at__isnull=False)
    today = at.astimezone(ZoneInfo(user.time_zone)).replace(hour=0, minute=0, second=0, microsecond=0)
    until = today + timedelta(days=SOON_DAYS + 1)
    over = Q(during__endswith__lt=at)
    unsigned = over & Q(visit_type__in=MEDICAL, state__in=["booked", "completed"]) & ~Exists(signed)
    unclosed = over & ~Q(visit_type__in=MEDICAL) & Q(state="booked")
    coming = Q(state="booked", during__endswith__gte=at, during__startswith__lt=until)
    rows = (
        Appointment.objects.filter(mine, coming | unsigned | unclosed)
        .select_related("patient__user", "clinician")
        .order_by("during", "id")
    )
    items = []
    for visit in rows[:LIMIT]:
        what = visit.get_visit_type_display()
        kind = (
            "visit.coming"
            if visit.ends_at >= at
            else "note.unsigned"
            if visit.visit_type in MEDICAL
            else "visit.unclosed"
        )
        unowned = visit.clinician_id != user.pk
        title = what if kind == "visit.coming" else f"{kinds()[kind]['title']}: {what.lower()}"
        items.append(
            line(
                kind,
                key=str(visit.pk),
                owner=user,
                due_at=visit.starts_at if kind == "visit.coming" else visit.ends_at + clock_of(kind),
                patient=visit.patient,
                title=f"{title}, {visit.clinician} is not here" if unowned else title,
                unowned=unowned,
                **lands(
                    user,
                    reverse("consults:visit", args=[visit.pk]),
                    kinds()[kind]["action"],
                    visit.patient_id,
                ),
            )
        )
    return items


def _orders(user: User, *, covers: frozenset[str]) -> list[WorkItem]:
    mine = Q(prescriber=user)
    if Role.PSYCHIATRIST in covers:
        mine |= Q(prescriber__is_active=False)
    rows = (
        Order.objects.filter(mine, signed_at__isnull=True)
        .select_related("patient__user", "prescriber")
        .order_by("created_at", "id")
    )
    items = []
    for order in rows[:LIMIT]:
        unowned = order.prescriber_id != user.pk
        # A draft is its prescriber's alone: whoever stands in writes a new one.
        url = (
            reverse("consults:treatment", args=[order.patient_id])
            if unowned
            else reverse("consults:order_review", args=[order.pk])
        )
        items.append(
            line(
                "order.unsigned",
                key=str(order.pk),
                owner=user,
                due_at=order.created_at + clock_of("order.unsigned"),
                patient=order.patient,
                unowned=unowned,
                **lands(user, url, kinds()["order.unsigned"]["action"], order.patient_id),
            )
        )
    return items
