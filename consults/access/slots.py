"""Free times. A fixed number of queries, whatever the number of clinicians and days."""

import heapq
import uuid
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from django.db.backends.postgresql.psycopg_any import DateTimeTZRange
from django.db.models import CharField, Q, UUIDField, Value

from accounts.models import CareTeam, DeaRegistration, Licence, Patient, Role, User
from common import protocol
from common.clock import local_date
from common.errors import Invalid
from consults.access.state_rules import booking_refusal_in
from consults.models import Appointment, Availability, AvailabilityException, Introduction, VisitType
from consults.rules.slots import Hours, Span, merged, slots_in, windows

NEVER = date.max
NOBODY = uuid.UUID(int=0)
# A search works through the calendar in strides of this length, so that the first free times never wait for the last ones.
STRIDE = timedelta(days=4)


@dataclass(frozen=True, slots=True)
class Slot:
    """A free time with one clinician; both instants in UTC."""

    clinician_id: uuid.UUID
    clinician_name: str
    visit_type: str
    starts_at: datetime
    ends_at: datetime


def visit_settings(at: datetime) -> dict[str, Any]:
    """How long visits are and how they are held: the protocol's "dosing.visits" in force."""
    return protocol.current(at=at).data["dosing"]["visits"]


def bookable_types(patient: Patient) -> list[str]:
    """What this patient could book; a call with a coach needs a coach."""
    team = CareTeam.objects.filter(pk=patient.pk).first()
    types = [VisitType.CONSULT, VisitType.INTRO, VisitType.FOLLOW_UP]
    if team is not None and team.coach_id is not None:
        types += [VisitType.PREP, VisitType.INTEGRATION]
    return [str(one) for one in types]


def prescribers_in(state: str, *, on: date) -> dict[User, date]:
    """Psychiatrists who may prescribe in a state, with the last day on which licence and DEA registration both hold."""
    until: dict[uuid.UUID, date] = {}
    people: dict[uuid.UUID, User] = {}
    licences = Licence.objects.filter(
        state=state,
        expires_on__gte=on,
        psychiatrist__is_active=True,
        psychiatrist__role=Role.PSYCHIATRIST,
    ).exclude(issued_on__gt=on)
    for licence in licences.select_related("psychiatrist__calendar_settings"):
        people[licence.psychiatrist_id] = licence.psychiatrist
        until[licence.psychiatrist_id] = licence.expires_on
    able: dict[User, date] = {}
    for registration in DeaRegistration.objects.filter(
        state=state, expires_on__gte=on, psychiatrist__in=list(people)
    ):
        key = registration.psychiatrist_id
        able[people[key]] = min(until[key], registration.expires_on)
    return able


def offered_clinicians(visit_type: str, patient: Patient, *, role: str, on: date) -> dict[User, date]:
    """Who may be offered, with the last day on which their licence and DEA registration in the patient's state both hold.

    Her own psychiatrist or coach where she has one who may; else, for psychiatrists, anybody who may prescribe in her state.
    """
    team = (
        CareTeam.objects.select_related("psychiatrist__calendar_settings", "coach__calendar_settings")
        .filter(pk=patient.pk)
        .first()
    )
    if role == Role.COACH:
        coach = team.coach if team else None
        return {coach: NEVER} if coach is not None and coach.is_active else {}
    able = prescribers_in(patient.state, on=on)
    own = team.psychiatrist if team else None
    if own is not None and own in able and visit_type != VisitType.INTRO:
        return {own: able[own]}
    return able


def open_slots(
    visit_type: str,
    patient: Patient,
    from_at: datetime,
    to_at: datetime,
    *,
    at: datetime,
    clinician_id: uuid.UUID | None = None,
    moving: Appointment | None = None,
    limit: int | None = None,
    per_start: int | None = None,
) -> list[Slot]:
    """Free times for this patient, earliest first: eight queries at most, whatever the number of clinicians and days.

    `moving` is a visit about to be rescheduled: its own time counts as free. `limit` ends the search after so many; `per_start`
    names at most so many clinicians for one time. Empty for a consult where the state's rule forbids it or is not known.
    Raises Invalid for a kind that is not offered or a patient whose state is not known.
    """
    rules = visit_settings(at)
    kind = rules["types"].get(visit_type)
    if kind is None:
        raise Invalid(
            "Choose one of the kinds of visit.", fields={"visit_type": "This kind of visit is not known."}
        )
    if not patient.state:
        raise Invalid(
            "Tell us first which state you are in.",
            code="state_unknown",
            fields={"state": "Your state is not known."},
        )
    from_at = max(from_at, at + timedelta(minutes=rules["minimum_notice_minutes"]))
    to_at = min(to_at, at + timedelta(days=rules["horizon_days"]))
    if from_at >= to_at:
        return []
    if visit_type == VisitType.CONSULT and booking_refusal_in(patient.state, at=at):
        return []
    zone = patient.user.time_zone
    able = offered_clinicians(visit_type, patient, role=kind["role"], on=local_date(at, zone))
    if clinician_id is not None:
        able = {person: until for person, until in able.items() if person.pk == clinician_id}
    return _free(
        visit_type, able, patient, from_at, to_at, at=at, zone=zone, moving=moving, types=rules["types"], limit=limit,
        per_start=per_start,
    )  # fmt: skip


def introduction_slots(
    state: str,
    zone: str,
    from_at: datetime,
    to_at: datetime,
    *,
    at: datetime,
    moving: Introduction | None = None,
    limit: int | None = None,
    per_start: int | None = None,
) -> list[Slot]:
    """Free times for a first call with any psychiatrist who may prescribe in this state: six queries, nobody's record."""
    rules = visit_settings(at)
    from_at = max(from_at, at + timedelta(minutes=rules["minimum_notice_minutes"]))
    to_at = min(to_at, at + timedelta(days=rules["horizon_days"]))
    if from_at >= to_at:
        return []
    able = prescribers_in(state, on=local_date(at, zone))
    return _free(
        VisitType.INTRO, able, None, from_at, to_at, at=at, zone=zone, moving=moving, types=rules["types"], limit=limit,
        per_start=per_start,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Member:
    """One of those who offer the same hours; `busy` is in order and without overlaps."""

    name: str
    pk: uuid.UUID
    until: date
    busy: list[Span]

    def is_free(self, span: Span) -> bool:
        index = bisect_left(self.busy, span.ends_at, key=lambda taken: taken.starts_at) - 1
        return index < 0 or self.busy[index].ends_at <= span.starts_at


def _free(
    visit_type: str, able: dict[User, date], patient: Patient | None, from_at: datetime, to_at: datetime, *, at: datetime,
    zone: str, moving: Appointment | Introduction | None, types: dict[str, Any], limit: int | None, per_start: int | None,
) -> list[Slot]:  # fmt: skip
    """The free times of these people, earliest first."""
    if not able:
        return []
    hours, extra, taken = _calendar(
        list(able), patient, visit_type, from_at, to_at, at=at, moving=moving, types=types
    )
    hers = taken[patient.pk] if patient is not None else []

    # People with the same hours in the same zone have the same grid: it is laid out once, and each looks only at what is taken.
    groups: dict[tuple[Any, ...], list[_Member]] = defaultdict(list)
    for person, until in able.items():
        if hours[person.pk] or extra[person.pk]:
            length = minutes_of(person, visit_type, types)
            key = (person.time_zone, tuple(hours[person.pk]), tuple(extra[person.pk]), length)
            groups[key].append(_Member(str(person), person.pk, until, merged(taken[person.pk] + hers)))

    def of(key: tuple[Any, ...], members: list[_Member]) -> Iterator[tuple[datetime, str, str, Slot]]:
        their_zone, rows, more, length = key
        members = sorted(members, key=lambda one: (one.name, str(one.pk)))
        begin = from_at
        while begin < to_at:
            end = min(begin + STRIDE, to_at)
            for span in slots_in(
                windows(rows, their_zone, begin, end) + list(more),
                [],
                minutes=length,
                step_minutes=types[visit_type]["step_minutes"],
                from_at=begin,
                to_at=end,
            ):
                named = 0
                for one in members:
                    if one.is_free(span) and (
                        one.until is NEVER or local_date(span.starts_at, zone) <= one.until
                    ):
                        slot = Slot(one.pk, one.name, visit_type, span.starts_at, span.ends_at)
                        yield span.starts_at, one.name, str(one.pk), slot
                        named += 1
                        if per_start is not None and named >= per_start:
                            break
            begin = end

    found: list[Slot] = []
    at_once: Counter[datetime] = Counter()
    for starts_at, _, _, slot in heapq.merge(*(of(key, members) for key, members in groups.items())):
        at_once[starts_at] += 1
        if per_start is not None and at_once[starts_at] > per_start:
            continue
        found.append(slot)
        if limit is not None and len(found) >= limit:
            break
    return found


def calls_of(people: list[User], around: DateTimeTZRange) -> Any:
    """Introductory calls of people without an account, as rows beside appointments: they take the same time."""
    return Introduction.objects.filter(
        clinician__in=people, during__overlap=around, state="booked"
    ).values_list(
        "pk",
        "clinician_id",
        Value(None, output_field=UUIDField()),
        "during",
        Value(str(VisitType.INTRO), output_field=CharField()),
    )


def gap_of(person: User) -> int:
    """Free minutes that this clinician wants between visits."""
    own = getattr(person, "calendar_settings", None)
    return own.gap_minutes if own is not None else 0


def minutes_of(person: User, visit_type: str, types: dict[str, Any]) -> int:
    """How long a visit of this kind takes with this clinician: their own wish for consults, within the protocol's bounds."""
    usual = int(types[visit_type]["minutes"])
    own = getattr(person, "calendar_settings", None)
    wish = own.consult_minutes if own is not None and visit_type == VisitType.CONSULT else None
    return usual if wish is None else min(max(wish, types[visit_type].get("shortest_minutes", usual)), usual)


def _around(during: DateTimeTZRange, there: dict[str, Any], new: dict[str, Any], gap_minutes: int) -> Span:
    """A visit with the free time it needs before and after it, beside a new one: the longest wish counts."""
    before = max(there.get("before_minutes", 0), new.get("after_minutes", 0), gap_minutes)
    after = max(there.get("after_minutes", 0), new.get("before_minutes", 0), gap_minutes)
    return Span(during.lower - timedelta(minutes=before), during.upper + timedelta(minutes=after))


def _calendar(
    people: list[User],
    patient: Patient | None,
    visit_type: str,
    from_at: datetime,
    to_at: datetime,
    *,
    at: datetime,
    moving: Appointment | Introduction | None,
    types: dict[str, Any],
) -> tuple[dict[uuid.UUID, list[Hours]], dict[uuid.UUID, list[Span]], dict[uuid.UUID, list[Span]]]:
    """Weekly hours, extra hours, and time already taken with its buffers, by person: three queries."""
    who = patient.pk if patient is not None else NOBODY
    around = DateTimeTZRange(from_at - timedelta(days=1), to_at + timedelta(days=1))
    hours: dict[uuid.UUID, list[Hours]] = defaultdict(list)
    extra: dict[uuid.UUID, list[Span]] = defaultdict(list)
    taken: dict[uuid.UUID, list[Span]] = defaultdict(list)
    gaps = {person.pk: gap_of(person) for person in people}
    for clinician_id, weekday, starts, ends, since, until in Availability.objects.filter(
        clinician__in=people, visit_types__contains=[visit_type]
    ).values_list("clinician_id", "weekday", "starts", "ends", "effective_from", "effective_until"):
        hours[clinician_id].append(Hours(weekday, starts, ends, since, until))
    for exception in AvailabilityException.objects.filter(clinician__in=people, during__overlap=around).only(
        "clinician_id", "kind", "during", "visit_types"
    ):
        span = Span(exception.during.lower, exception.during.upper)
        if exception.kind == "leave":
            taken[exception.clinician_id].append(span)
        elif visit_type in exception.visit_types:
            extra[exception.clinician_id].append(span)
    booked = (
        Appointment.objects.filter(Q(clinician__in=people) | Q(patient=who), during__overlap=around)
        .filter(Q(state="booked") | Q(state="held", hold_expires_at__gt=at))
        # Her own hold is let go when she chooses another time; what is kept for her from the waiting list is not.
        .exclude(state="held", patient=who, for_offer=False)
        .values_list("pk", "clinician_id", "patient_id", "during", "visit_type")
        .union(calls_of(people, around), all=True)
    )
    for pk, clinician_id, patient_id, during, kind in booked:
        if moving is not None and pk == moving.pk:
            continue
        if clinician_id in gaps:
            taken[clinician_id].append(
                _around(during, types.get(kind, {}), types[visit_type], gaps[clinician_id])
            )
        if patient is not None and patient_id == patient.pk:
            taken[patient.pk].append(Span(during.lower, during.upper))
    return hours, extra, taken


def hours_of(user: User) -> list[Availability]:
    """A clinician's weekly timetable, in order."""
    return list(Availability.objects.filter(clinician=user).order_by("weekday", "starts"))


def exceptions_of(user: User, at: datetime) -> list[AvailabilityException]:
    """Exceptions that are not over yet, in order."""
    return list(
        AvailabilityException.objects.filter(clinician=user, during__endswith__gt=at).order_by("during")
    )


def role_types(role: str, at: datetime) -> list[str]:
    """The kinds of visit that people of this role hold."""
    return [name for name, kind in visit_settings(at)["types"].items() if kind["role"] == role]
