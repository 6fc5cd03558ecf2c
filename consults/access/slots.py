"""Free times. A fixed number of queries, whatever the number of clinicians and days."""

import heapq
import json
import uuid
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

from django.db import connection
from django.db.backends.postgresql.psycopg_any import DateTimeTZRange
from django.db.models import CharField, Q, UUIDField, Value
from django.db.models.expressions import RawSQL

from accounts.models import CareTeam, Licence, Patient, Role, User
from common import hooks, protocol
from common.clock import local_date
from common.errors import Invalid
from consults.access.state_rules import booking_refusal_in
from consults.models import Appointment, Availability, AvailabilityException, Introduction, VisitType
from consults.rules.slots import LOOK_BACK_DAYS, Hours, Span, merged, slots_in, windows

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


@dataclass(frozen=True, slots=True)
class Clinician:
    """Who may be offered, as a search needs them. `until` is the last day on which licence and DEA registration both hold."""

    pk: uuid.UUID
    name: str
    time_zone: str
    until: date
    gap_minutes: int
    wish_minutes: int | None


def prescribers_in(state: str, *, on: date) -> list[Clinician]:
    """Psychiatrists who may prescribe in a state on that day. One query, and no object of a model for each of hundreds."""
    rows = Licence.objects.filter(
        state=state,
        expires_on__gte=on,
        psychiatrist__is_active=True,
        psychiatrist__role=Role.PSYCHIATRIST,
        psychiatrist__dea_registrations__state=state,
        psychiatrist__dea_registrations__expires_on__gte=on,
    ).exclude(issued_on__gt=on)
    return [
        Clinician(pk, name or email, zone, min(licensed, registered), gap or 0, wish)
        for pk, name, email, zone, licensed, registered, gap, wish in rows.values_list(
            "psychiatrist_id",
            "psychiatrist__full_name",
            "psychiatrist__email",
            "psychiatrist__time_zone",
            "expires_on",
            "psychiatrist__dea_registrations__expires_on",
            "psychiatrist__calendar_settings__gap_minutes",
            "psychiatrist__calendar_settings__consult_minutes",
        )
    ]


def offered_clinicians(visit_type: str, patient: Patient, *, role: str, on: date) -> list[Clinician]:
    """Her own psychiatrist or coach where she has one who may; else, for psychiatrists, anybody who may prescribe in her state."""
    team = CareTeam.objects.select_related("coach__calendar_settings").filter(pk=patient.pk).first()
    if role == Role.COACH:
        coach = team.coach if team else None
        if coach is None or not coach.is_active:
            return []
        own = getattr(coach, "calendar_settings", None)
        gap, wish = (own.gap_minutes, own.consult_minutes) if own is not None else (0, None)
        return [Clinician(coach.pk, str(coach), coach.time_zone, NEVER, gap, wish)]
    able = prescribers_in(patient.state, on=on)
    if team is not None and team.psychiatrist_id is not None and visit_type != VisitType.INTRO:
        return [one for one in able if one.pk == team.psychiatrist_id] or able
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
    """Free times for this patient, earliest first: seven queries, whatever the number of clinicians and days.

    `moving` is a visit about to be rescheduled: its own time counts as free. `limit` ends the search after so many; `per_start`
    names at most so many clinicians for one time. Her own visits and sessions are in the way.
    Empty for a consult where the state's rule forbids it or is not known.
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
        able = [one for one in able if one.pk == clinician_id]
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
    clinician_id: uuid.UUID | None = None,
    moving: Introduction | None = None,
    limit: int | None = None,
    per_start: int | None = None,
) -> list[Slot]:
    """Free times for a first call with any psychiatrist who may prescribe in this state, or one of them: five queries."""
    rules = visit_settings(at)
    from_at = max(from_at, at + timedelta(minutes=rules["minimum_notice_minutes"]))
    to_at = min(to_at, at + timedelta(days=rules["horizon_days"]))
    if from_at >= to_at:
        return []
    able = prescribers_in(state, on=local_date(at, zone))
    if clinician_id is not None:
        able = [one for one in able if one.pk == clinician_id]
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
    visit_type: str, able: list[Clinician], patient: Patient | None, from_at: datetime, to_at: datetime, *, at: datetime,
    zone: str, moving: Appointment | Introduction | None, types: dict[str, Any], limit: int | None, per_start: int | None,
) -> list[Slot]:  # fmt: skip
    """The free times of these people, earliest first."""
    if not able:
        return []
    hours = _weekly(able, visit_type)
    extra, taken = _calendar(able, patient, visit_type, from_at, to_at, at=at, moving=moving, types=types)
    hers = taken[patient.pk] if patient is not None else []

    # People with the same hours in the same zone have the same grid: it is laid out once, and each looks only at what is taken.
    groups: dict[tuple[Any, ...], list[_Member]] = defaultdict(list)
    for one in able:
        if one.pk in hours or one.pk in extra:
            length = minutes_of(one.wish_minutes, visit_type, types)
            key = (one.time_zone, hours.get(one.pk, "[]"), tuple(extra.get(one.pk, ())), length)
            busy = merged([*taken.get(one.pk, ()), *hers])
            groups[key].append(_Member(one.name, one.pk, one.until, busy))

    def of(key: tuple[Any, ...], members: list[_Member]) -> Iterator[tuple[datetime, str, str, Slot]]:
        their_zone, weekly, more, length = key
        rows = _hours_in(weekly)
        members = sorted(members, key=lambda one: (one.name, str(one.pk)))
        begin = from_at
        while begin < to_at:
            end = min(begin + STRIDE, to_at)
            for span in slots_in(
                windows(rows, their_zone, begin, end, more),
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


def minutes_of(wish_minutes: int | None, visit_type: str, types: dict[str, Any]) -> int:
    """How long a visit of this kind takes with a clinician: their own wish for consults, within the protocol's bounds."""
    usual = int(types[visit_type]["minutes"])
    if wish_minutes is None or visit_type != VisitType.CONSULT:
        return usual
    return min(max(wish_minutes, types[visit_type].get("shortest_minutes", usual)), usual)


def _around(during: DateTimeTZRange, there: dict[str, Any], new: dict[str, Any], gap_minutes: int) -> Span:
    """A visit with the free time it needs before and after it, beside a new one: the longest wish counts."""
    before = max(there.get("before_minutes", 0), new.get("after_minutes", 0), gap_minutes)
    after = max(there.get("after_minutes", 0), new.get("before_minutes", 0), gap_minutes)
    return Span(during.lower - timedelta(minutes=before), during.upper + timedelta(minutes=after))


# One row a person, and one text for people with the same hours: the database compares and sorts, and each text is read once.
_WEEKLY = """
SELECT clinician_id, json_agg(json_build_array(weekday, starts, ends, effective_from, effective_until)
                              ORDER BY weekday, starts, ends, effective_from, effective_until)::text
FROM consults_availability WHERE clinician_id = ANY(%s::uuid[]) AND %s = ANY(visit_types) GROUP BY clinician_id
"""


def _weekly(people: list[Clinician], visit_type: str) -> dict[uuid.UUID, str]:
    """Weekly hours of these people for this kind of visit, as `_hours_in` reads them; nothing for whoever offers none."""
    with connection.cursor() as cursor:
        cursor.execute(_WEEKLY, [[str(one.pk) for one in people], visit_type])
        return dict(cursor.fetchall())


def _hours_in(weekly: str) -> list[Hours]:
    """The rows of one text of `_WEEKLY`."""
    return [
        Hours(
            weekday,
            time.fromisoformat(starts),
            time.fromisoformat(ends),
            date.fromisoformat(since) if since else None,
            date.fromisoformat(until) if until else None,
        )
        for weekday, starts, ends, since, until in json.loads(weekly)
    ]


def _calendar(
    people: list[Clinician], patient: Patient | None, visit_type: str, from_at: datetime, to_at: datetime, *, at: datetime,
    moving: Appointment | Introduction | None, types: dict[str, Any],
) -> tuple[dict[uuid.UUID, list[Span]], dict[uuid.UUID, list[Span]]]:  # fmt: skip
    """Extra hours, and time already taken with its buffers, by person: three queries, two where nobody asks for herself."""
    who = patient.pk if patient is not None else NOBODY
    theirs = RawSQL("SELECT unnest(%s::uuid[])", [[str(one.pk) for one in people]])
    around = DateTimeTZRange(from_at - timedelta(days=1), to_at + timedelta(days=1))
    extra: dict[uuid.UUID, list[Span]] = defaultdict(list)
    taken: dict[uuid.UUID, list[Span]] = defaultdict(list)
    gaps = {one.pk: one.gap_minutes for one in people}
    # Extra hours that are over may be where a stretch of hours begins, and with it the grid of starts.
    before = DateTimeTZRange(from_at - timedelta(days=LOOK_BACK_DAYS[-1] + 1), around.upper)
    for clinician_id, kind, during, visit_types in AvailabilityException.objects.filter(
        Q(during__overlap=around) | Q(kind="extra", during__overlap=before), clinician__in=theirs
    ).values_list("clinician_id", "kind", "during", "visit_types"):
        span = Span(during.lower, during.upper)
        if kind == "leave":
            taken[clinician_id].append(span)
        elif visit_type in visit_types:
            extra[clinician_id].append(span)
    # Introductory calls of people without an account stand beside appointments: they take the same time.
    calls = Introduction.objects.filter(
        clinician__in=theirs, during__overlap=around, state="booked"
    ).values_list(
        "pk",
        "clinician_id",
        Value(None, output_field=UUIDField()),
        "during",
        Value(str(VisitType.INTRO), output_field=CharField()),
    )
    booked = (
        Appointment.objects.filter(Q(clinician__in=theirs) | Q(patient=who), during__overlap=around)
        .filter(Q(state="booked") | Q(state="held", hold_expires_at__gt=at))
        # Her own hold is let go when she chooses another time; what is kept for her from the waiting list is not.
        .exclude(state="held", patient=who, for_offer=False)
        .values_list("pk", "clinician_id", "patient_id", "during", "visit_type")
        .union(calls, all=True)
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
    if patient is not None:
        taken[patient.pk] += busy_elsewhere(patient, from_at - timedelta(days=1), to_at + timedelta(days=1))
    return extra, taken


def busy_elsewhere(patient: Patient, from_at: datetime, to_at: datetime) -> list[Span]:
    """What else has this patient's time then: sessions, which the apps above tell (hook `patient.busy`)."""
    found = hooks.run("patient.busy", patient_id=patient.pk, from_at=from_at, to_at=to_at)
    return [Span(begin, end) for times in found for begin, end in times]


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
