"""Lines of the work list that follow from visits, notes and orders."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from django.db.models import Exists, OuterRef, Q
from django.urls import reverse

from accounts.models import Role, User
from common.work import LIMIT, SOON_DAYS, WorkItem, clock_of, kinds, line
from consults import wording
from consults.access.doubt import doubts_of
from consults.access.waiting import door_words
from consults.models import Appointment, Order, VisitNote
from safety.access import stands_in_for
from safety.task_access import absent, lands

MEDICAL = ("consult", "follow_up")
# Whose work a kind of visit is when the clinician who holds it is gone.
ROLE_OF = {"consult": Role.PSYCHIATRIST, "follow_up": Role.PSYCHIATRIST, "intro": Role.PSYCHIATRIST}


def work_items(*, user: User, at: datetime) -> list[WorkItem]:
    """Visits of the next seven days, visits that cannot be held or are over and not closed, notes and orders to sign."""
    covers = stands_in_for(user, at=at)
    if user.role not in (Role.PSYCHIATRIST, Role.COACH) and not covers & {Role.PSYCHIATRIST, Role.COACH}:
        return []
    return (
        _visits(user, covers=covers, at=at)
        + _in_doubt(user, covers=covers, at=at)
        + _orders(user, covers=covers)
    )


def _theirs(user: User, covers: frozenset[str]) -> Q:
    """Visits that are this person's: their own, and of somebody who is gone those of patients they care for or stand in for."""
    medical = Q(visit_type__in=list(ROLE_OF))
    mine = Q(clinician=user)
    for role, kind in ((Role.PSYCHIATRIST, medical), (Role.COACH, ~medical)):
        gone = kind & (Q(clinician__is_active=False) | ~Q(clinician__role=role))
        if user.role == role:
            mine |= gone & Q(**{f"patient__care_team__{role}": user})
        if role in covers:
            mine |= gone & absent(role)
    return mine


def _in_doubt(user: User, *, covers: frozenset[str], at: datetime) -> list[WorkItem]:
    rows = (
        Appointment.objects.filter(_theirs(user, covers), state="booked", during__startswith__gt=at)
        .select_related("patient__user", "clinician")
        .order_by("during", "id")[:LIMIT]
    )
    visits = {row.pk: row for row in rows}
    items = []
    for key, reasons in doubts_of(visits.values(), at=at).items():
        visit = visits[key]
        table = wording.DOUBT_YOURS if visit.clinician_id == user.pk else wording.DOUBT
        words = table[reasons[0]].format(clinician=visit.clinician, state=visit.patient.state)
        items.append(
            line(
                "visit.in_doubt",
                key=str(key),
                owner=user,
                due_at=visit.starts_at - clock_of("visit.in_doubt"),
                patient=visit.patient,
                title=f"{kinds()['visit.in_doubt']['title']}: {visit.get_visit_type_display().lower()}, {words}",
                unowned=visit.clinician_id != user.pk,
                **lands(
                    user,
                    reverse("consults:visit_move", args=[key]),
                    kinds()["visit.in_doubt"]["action"],
                    visit.patient_id,
                ),
            )
        )
    return items


def _visits(user: User, *, covers: frozenset[str], at: datetime) -> list[WorkItem]:
    mine = _theirs(user, covers)
    signed = VisitNote.objects.filter(appointment=OuterRef("pk"), signed_at__isnull=False)
    today = at.astimezone(ZoneInfo(user.time_zone)).replace(hour=0, minute=0, second=0, microsecond=0)
    until = today + timedelta(days=SOON_DAYS + 1)
    over = Q(during__endswith__lt=at)
    unsigned = over & Q(visit_type__in=MEDICAL, state__in=["booked", "completed"]) & ~Exists(signed)
    unclosed = over & ~Q(visit_type__in=MEDICAL) & Q(state="booked")
    coming = Q(state="booked", during__endswith__gte=at, during__startswith__lt=until)
    rows = (
        Appointment.objects.filter(mine, coming | unsigned | unclosed)
        .select_related("patient__user", "clinician", "entry")
        .order_by("during", "id")
    )
    items = []
    for visit in rows[:LIMIT]:
        what = visit.get_visit_type_display()
        # Of a visit that somebody closed its note is what is left; of an open one also what the door saw.
        seen = door_words(visit, user.time_zone) if visit.state == "booked" else ""
        kind = (
            "visit.coming"
            if visit.ends_at >= at
            else "visit.turned_away"
            if seen and visit.patient_arrived_at is None
            else "note.unsigned"
            if visit.visit_type in MEDICAL
            else "visit.unclosed"
        )
        unowned = visit.clinician_id != user.pk
        title = what if kind == "visit.coming" else f"{kinds()[kind]['title']}: {what.lower()}"
        title = f"{title}, {seen}" if seen else title
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
