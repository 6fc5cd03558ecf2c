"""Lines of the work list between visits: what is not booked, not written, not handed over, not sent, not arrived, or about to lapse."""

from datetime import datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import Exists, OuterRef, Q, Subquery
from django.urls import reverse

from accounts.models import CareTeam, Patient, Role, User
from common import protocol
from common.clock import local_date
from common.errors import Conflict
from common.work import LIMIT, WorkItem, clock_of, kinds, line, next_working_day
from consults.access.orders import flexibility_ends_on, is_to_call_back
from consults.access.parcels import proven, units_to_send
from consults.models import (
    Appointment,
    AuthorityBasis,
    Fulfilment,
    KitParcel,
    Order,
    ParcelProof,
    PharmacyStatus,
    StateRule,
    VisitNote,
)
from intake.models import ConsentWithdrawal, Intake
from safety.access import mine_or_unowned, stands_in_for
from safety.models import Task
from safety.task_access import is_own, lands

PATIENT, CARRIER, PHARMACY = "the patient", "the carrier", "the pharmacy"
HAPPENED = {
    str(PharmacyStatus.REJECTED): "The pharmacy sent an order back",
    str(PharmacyStatus.BLOCKED): "An order was stopped on its way to the pharmacy",
}
# Without a protocol in force nobody can say when a parcel is late; a list is shown all the same.
LATE_WITHOUT_PROTOCOL = timedelta(days=4)


def work_between_visits(*, user: User, at: datetime) -> list[WorkItem]:
    """Hook `work.items`: a coach brings people and parcels along, a psychiatrist writes and hands over, an administrator decides."""
    covers = stands_in_for(user, at=at)
    items: list[WorkItem] = []
    if user.role == Role.COACH or Role.COACH in covers:
        items += _unbooked(user, covers=covers, at=at)
        items += _to_send(user, covers=covers, at=at)
        items += _on_the_way(user, covers=covers, at=at)
        items += _unproven(user, covers=covers, at=at)
    if user.role == Role.PSYCHIATRIST or Role.PSYCHIATRIST in covers:
        items += _to_write(user, covers=covers)
        items += _to_hand_over(user, covers=covers, at=at)
        items += _basis(user, covers=covers, at=at)
    if user.role == Role.ADMINISTRATOR:
        items += _state_rules(user)
    return items


def _line(
    kind: str,
    user: User,
    patient: Patient,
    *,
    role: str,
    key: Any,
    due_at: datetime,
    url: str = "",
    **also: Any,
) -> WorkItem:
    return line(
        kind,
        key=str(key),
        owner=user,
        due_at=due_at,
        patient=patient,
        unowned=not is_own(user, patient, role),
        **lands(
            user,
            url or reverse("consults:treatment", args=[patient.pk]),
            kinds()[kind]["action"],
            patient.pk,
        ),
        **also,
    )


def _care_goes_on() -> Q:
    """Orders whose care was not stopped: of those that were, only their prescriber has work, to revoke them."""
    stopped = Task.objects.filter(
        kind="order.care_ended", about_type="consults.order", about_id=OuterRef("pk"), done_at__isnull=True
    )
    return Q(~Exists(stopped))


def _in_force(at: datetime) -> Q:
    # A day early or late at the edge of a zone hides or keeps a line for hours, never longer.
    return Q(
        signed_at__isnull=False,
        revoked_at__isnull=True,
        superseded_at__isnull=True,
        expires_on__gte=at.date(),
    )


# --- the coach's ---


def _unbooked(user: User, *, covers: frozenset[str], at: datetime) -> list[WorkItem]:
    """Accepted and not seen: the patient's move for some working days, then the coach rings. A missed consult counts as none."""
    accepted = Intake.objects.filter(patient=OuterRef("pk"), state="accepted").order_by("-decided_at")
    seen = Appointment.objects.filter(
        patient=OuterRef("pk"), visit_type="consult", state__in=["booked", "completed"]
    )
    stopped = ConsentWithdrawal.objects.filter(patient=OuterRef("pk"))
    decided = VisitNote.objects.filter(patient=OuterRef("pk"), signed_at__isnull=False)
    ordered = Order.objects.filter(patient=OuterRef("pk"), signed_at__isnull=False)
    rows = (
        CareTeam.objects.filter(
            mine_or_unowned(user, role=Role.COACH, covers=covers, path="patient__care_team"),
            ~Exists(seen),
            ~Exists(stopped),
            ~Exists(decided),
            ~Exists(ordered),
            patient__user__is_active=True,
        )
        .annotate(accepted_at=Subquery(accepted.values("decided_at")[:1]))
        .filter(accepted_at__isnull=False)
        .select_related("patient__user", "patient__care_team")
        .order_by("accepted_at", "pk")
    )
    items = []
    for team in rows[:LIMIT]:
        due_at = next_working_day(
            team.accepted_at,
            user.time_zone,
            days=kinds()["consult.unbooked"]["clock_working_days"],
        )
        items.append(
            _line(
                "consult.unbooked",
                user,
                team.patient,
                role="coach",
                key=team.pk,
                due_at=due_at,
                waiting_on=PATIENT if due_at >= at else "",
            )
        )
    return items


def _to_send(user: User, *, covers: frozenset[str], at: datetime) -> list[WorkItem]:
    """A kit for everybody with an order in force, and the medicine once the pharmacy has the order."""
    sent = Fulfilment.objects.filter(order=OuterRef("pk"), lost_at__isnull=True)
    kit = KitParcel.objects.filter(patient=OuterRef("patient"), lost_at__isnull=True)
    rows = (
        Order.objects.filter(
            _in_force(at), _care_goes_on(), mine_or_unowned(user, role=Role.COACH, covers=covers)
        )
        .annotate(has_parcel=Exists(sent), has_kit=Exists(kit))
        .filter(
            Q(has_kit=False)
            | Q(has_parcel=False, pharmacy_status__in=["handed_over", "accepted", "dispensed"])
        )
        .select_related("patient__user", "patient__care_team")
        .order_by("signed_at", "id")
    )
    items = []
    for order in rows[:LIMIT]:
        since = order.signed_at or at
        if not order.has_kit:
            items.append(
                _line(
                    "kit.unsent", user, order.patient, role="coach", key=order.patient_id,
                    due_at=since + clock_of("kit.unsent"),
                )
            )  # fmt: skip
        at_the_pharmacy = order.pharmacy_status in ("handed_over", "accepted", "dispensed")
        # What is at home from the order before may be all that this one is for.
        enough = order.supersedes_id is not None and not units_to_send(order, at=at)
        if not order.has_parcel and at_the_pharmacy and not enough:
            items.append(
                _line(
                    "medicine.unsent", user, order.patient, role="coach", key=order.pk,
                    due_at=(order.pharmacy_updated_at or since) + clock_of("medicine.unsent"),
                )
            )  # fmt: skip
    return items


def _late_after(at: datetime) -> timedelta:
    try:
        data = protocol.current(at=at).data["dosing"].get("delivery", {})
    except Conflict:
        return LATE_WITHOUT_PROTOCOL
    return timedelta(hours=data["late_after_hours"]) if "late_after_hours" in data else LATE_WITHOUT_PROTOCOL


def _on_the_way(user: User, *, covers: frozenset[str], at: datetime) -> list[WorkItem]:
    """Each parcel that left and is not counted in: the carrier's move, then the patient's, and the coach's once either is late."""
    mine = mine_or_unowned(user, role=Role.COACH, covers=covers)
    late_after = _late_after(at)
    items = []
    for name, model in (("Medicine", Fulfilment), ("Kit", KitParcel)):
        rows = (
            model.objects.filter(mine, confirmed_at__isnull=True, lost_at__isnull=True)  # type: ignore[attr-defined]
            .select_related("patient__user", "patient__care_team")
            .order_by("shipped_at", "id")
        )
        for parcel in rows[:LIMIT]:
            arrived = parcel.delivered_at is not None
            kind = "parcel.uncounted" if arrived else "parcel.late"
            due_at: datetime = getattr(parcel, "due_at", None) or parcel.shipped_at + late_after
            if parcel.delivered_at is not None:
                due_at = parcel.delivered_at + clock_of(kind)
            late = due_at < at
            what = (
                ("arrived and is not counted: ring them" if late else "arrived, to be counted")
                if arrived
                else ("has not arrived in time" if late else "is on its way")
            )
            items.append(
                _line(
                    kind, user, parcel.patient, role="coach", key=parcel.pk, due_at=due_at, title=f"{name} {what}",
                    waiting_on="" if late else PATIENT if arrived else CARRIER,
                )
            )  # fmt: skip
    return items


def _unproven(user: User, *, covers: frozenset[str], at: datetime) -> list[WorkItem]:
    """Medicine that was counted in, and nobody has written down which adult signed, or seen the count: no session opens with it."""
    runs = Order.objects.filter(_in_force(at), patient=OuterRef("patient"))
    rows = (
        Fulfilment.objects.filter(
            mine_or_unowned(user, role=Role.COACH, covers=covers),
            ~proven(at=at),
            Exists(runs),
            confirmed_at__isnull=False,
        )
        .annotate(signed=Exists(ParcelProof.objects.filter(parcel=OuterRef("pk"), adult=True)))
        .select_related("patient__user", "patient__care_team")
        .order_by("confirmed_at", "id")
    )
    return [
        _line(
            "parcel.unproven", user, parcel.patient, role="coach", key=parcel.pk,
            due_at=(parcel.confirmed_at or at) + clock_of("parcel.unproven"),
            title="Counted without a photo: look at it together on a video call" if parcel.signed
            else "Counted, and nobody has written down which adult signed",
        )
        for parcel in rows[:LIMIT]
    ]  # fmt: skip


# --- the psychiatrist's ---


def _to_write(user: User, *, covers: frozenset[str]) -> list[WorkItem]:
    """A consult found somebody suitable, and nobody has begun an order."""
    later = VisitNote.objects.filter(
        patient=OuterRef("patient"), signed_at__gt=OuterRef("signed_at"), suitable__isnull=False
    )
    any_order = Order.objects.filter(patient=OuterRef("patient"), revoked_at__isnull=True)
    stopped = ConsentWithdrawal.objects.filter(
        patient=OuterRef("patient"), withdrawn_at__gt=OuterRef("signed_at")
    )
    rows = (
        VisitNote.objects.filter(
            mine_or_unowned(user, role=Role.PSYCHIATRIST, covers=covers),
            ~Exists(later),
            ~Exists(any_order),
            ~Exists(stopped),
            signed_at__isnull=False,
            suitable=True,
        )
        .select_related("patient__user", "patient__care_team")
        .defer("body")
        .order_by("signed_at", "id")
    )
    return [
        _line(
            "order.unwritten", user, note.patient, role="psychiatrist", key=note.pk,
            due_at=(note.signed_at or note.saved_at) + clock_of("order.unwritten"),
        )
        for note in rows[:LIMIT]
    ]  # fmt: skip


def _to_hand_over(user: User, *, covers: frozenset[str], at: datetime) -> list[WorkItem]:
    """Signed and not with the pharmacy, stopped, sent back, or not answered by it; or over, and the pharmacy has it still. Its
    prescriber's; a stand-in's when they are gone."""
    mine = Q(prescriber=user)
    if Role.PSYCHIATRIST in covers:
        mine |= Q(prescriber__is_active=False)
    rows = (
        Order.objects.filter(
            mine,
            (
                _in_force(at)
                & _care_goes_on()
                & Q(pharmacy_status__in=["not_sent", "rejected", "blocked", "handed_over"])
            )
            | is_to_call_back(),
        )
        .select_related("patient__user", "patient__care_team", "prescriber")
        .order_by("signed_at", "id")
    )
    items = []
    for order in rows[:LIMIT]:
        ended_at = order.revoked_at or order.superseded_at
        asked = order.pharmacy_status == PharmacyStatus.HANDED_OVER
        kind = "order.call_back" if ended_at else "order.unanswered" if asked else "order.unsent"
        since = ended_at or order.pharmacy_updated_at or order.signed_at or at
        due_at = since + clock_of(kind)
        items.append(
            line(
                kind,
                key=str(order.pk),
                owner=user,
                due_at=due_at,
                patient=order.patient,
                title=HAPPENED.get(order.pharmacy_status, "") if kind == "order.unsent" else "",
                waiting_on=PHARMACY if kind == "order.unanswered" and due_at >= at else "",
                unowned=order.prescriber_id != user.pk,
                **lands(
                    user,
                    reverse("consults:order_pharmacy", args=[order.pk])
                    if ended_at or order.pharmacy_status != PharmacyStatus.NOT_SENT
                    else reverse("consults:treatment", args=[order.patient_id]),
                    kinds()[kind]["action"],
                    order.patient_id,
                ),
            )
        )
    return items


def _basis(user: User, *, covers: frozenset[str], at: datetime) -> list[WorkItem]:
    """Booked consults after the last day on which the practice may prescribe by telemedicine to somebody never examined in person.

    Whoever has an order on another basis is not among them. Due while the visit can still be brought forward.
    """
    last_day = flexibility_ends_on()
    zone = ZoneInfo(user.time_zone)
    ends_at = datetime.combine(last_day, time(23, 59), zone)
    mine = Q(clinician=user)
    if Role.PSYCHIATRIST in covers:
        mine |= Q(clinician__is_active=False)
    other_basis = Order.objects.filter(
        patient=OuterRef("patient"), signed_at__isnull=False, revoked_at__isnull=True
    ).exclude(authority_basis=AuthorityBasis.FLEXIBILITY)
    rows = (
        Appointment.objects.filter(
            mine,
            ~Exists(other_basis),
            state="booked",
            visit_type="consult",
            during__startswith__gt=max(ends_at, at),
        )
        .select_related("patient__user", "patient__care_team", "clinician")
        .order_by("during", "id")
    )
    days = int(kinds()["basis.lapses"]["clock_days_before"])
    items = []
    for visit in rows[:LIMIT]:
        lapsed = local_date(at, user.time_zone) > last_day
        items.append(
            line(
                "basis.lapses",
                key=str(visit.pk),
                owner=user,
                due_at=visit.starts_at if lapsed else ends_at - timedelta(days=days),
                patient=visit.patient,
                title=f"The consult of {local_date(visit.starts_at, user.time_zone):%B %-d} comes after the telemedicine flexibility ends",
                unowned=visit.clinician_id != user.pk,
                **lands(
                    user,
                    reverse("consults:visit", args=[visit.pk]),
                    kinds()["basis.lapses"]["action"],
                    visit.patient_id,
                ),
            )
        )
    return items


# --- the administrator's ---


def _state_rules(user: User) -> list[WorkItem]:
    """A change of what a state allows waits for a second administrator: the longest-serving one who did not propose it."""
    people = list(User.objects.filter(is_active=True, role=Role.ADMINISTRATOR).order_by("created_at", "pk"))
    decided = StateRule.objects.filter(state=OuterRef("state"), approved_at__gt=OuterRef("proposed_at"))
    newer = StateRule.objects.filter(state=OuterRef("state"), proposed_at__gt=OuterRef("proposed_at"))
    rows = StateRule.objects.filter(~Exists(decided), ~Exists(newer), approved_at__isnull=True)
    items = []
    for draft in rows.order_by("proposed_at", "pk")[:LIMIT]:
        decider = next((person for person in people if person.pk != draft.proposed_by_id), people[0])
        if decider.pk == user.pk:
            items.append(
                line(
                    "state_rule.draft",
                    key=str(draft.pk),
                    owner=user,
                    url=reverse("admin:consults_staterule_changelist"),
                    due_at=next_working_day(
                        draft.proposed_at,
                        user.time_zone,
                        days=kinds()["state_rule.draft"]["clock_working_days"],
                    ),
                    title=f"{draft.state}: {draft.get_rule_display().lower()}",
                    text="Nobody else may decide this: invite a second administrator"
                    if draft.proposed_by_id == user.pk
                    else "",
                )
            )
    return items
