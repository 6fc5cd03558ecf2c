"""Where a session stands, for the people in the room: the one step that is now, and what it needs."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from common.clock import local_date
from safety.access import holds_of
from sessions import rules, states
from sessions.access.facts import (
    checks_of_today,
    numbers_of,
    reading_facts,
    readings_of_today,
    release_lapsed,
    timeline_for,
    zone_for,
)
from sessions.models import (
    Checkpoint,
    DoseRelease,
    DosingSession,
    FollowUp,
    ReleaseCheck,
    SafetyCheck,
    SitterLink,
    SymptomReport,
)
from sessions.rules import GateFacts, GateReason
from sessions.rules.gate import RELEASABLE, reading_reasons
from vitals.actions import limits_of
from vitals.models import Reading
from vitals.rules import NO_DOSE_REASONS, Band, HoldReason, band

MINUTE = timedelta(minutes=1)
# More of the same set is wanted: the form comes again at once.
GO_ON_MEASURING = frozenset({"reading_missing", "second_reading_missing", "third_reading_missing"})
MEASURE_AGAIN = frozenset(
    {
        "reading_too_old",
        "reading_in_future",
        "readings_too_close",
        "claimed_time_differs",
        "reading_used",
        "bp_implausible",
    }
)


@dataclass
class Room:
    """One session as its room shows it."""

    session: DosingSession
    step: str
    at: datetime
    today: bool = False
    check: SafetyCheck | None = None
    positive: list[str] = field(default_factory=list)
    open_checks: list[SafetyCheck] = field(default_factory=list)
    link: SitterLink | None = None
    readings: list[Reading] = field(default_factory=list)
    reading_codes: frozenset[str] = frozenset()
    no_dose: bool = False
    measure_from: datetime | None = None
    release: DoseRelease | None = None
    lapsed: str = ""
    due: list[Checkpoint] = field(default_factory=list)
    done: list[Checkpoint] = field(default_factory=list)
    latest: Reading | None = None
    symptoms: SymptomReport | None = None
    end_check: ReleaseCheck | None = None
    follow_up: FollowUp | None = None
    follow_up_open: bool = False
    held: bool = False

    @property
    def next_reading(self) -> Checkpoint | None:
        """The next reading to take."""
        kinds = (Checkpoint.Kind.T40, Checkpoint.Kind.T65, Checkpoint.Kind.T120, Checkpoint.Kind.RECHECK)
        return next((c for c in self.due if c.kind in kinds), None)

    @property
    def reading_now(self) -> bool:
        """Is a reading due now (or within ten minutes)?"""
        found = self.next_reading
        return found is not None and found.due_at <= self.at + 10 * MINUTE

    @property
    def may_end(self) -> bool:
        """Has the shortest watch passed, with its last reading?"""
        return (
            self.session.dose_at is not None
            and self.at >= self.session.dose_at + 120 * MINUTE
            and not self.reading_now
        )

    @property
    def minutes_since_dose(self) -> int:
        return int((self.at - self.session.dose_at) / MINUTE) if self.session.dose_at else 0


def room_of(session: DosingSession, *, at: datetime) -> Room:
    """Work out the step that is now."""
    zone = zone_for(session)
    room = Room(
        session=session,
        step=session.state,
        at=at,
        today=local_date(session.scheduled_at, zone) == local_date(at, zone),
    )
    room.link = (
        SitterLink.objects.filter(session=session, revoked_at__isnull=True).select_related("sitter").first()
    )
    room.held = holds_of(session.patient).exists()
    if session.state == states.PREPARING:
        _preparing(room)
    elif session.dose_at is not None:
        room.due = [c for c in session.checkpoints.all() if c.done_at is None and c.cancelled_at is None]
        room.due.sort(key=lambda c: c.due_at)
        room.done = sorted((c for c in session.checkpoints.all() if c.done_at), key=lambda c: c.due_at)
        room.latest = (
            Reading.objects.filter(session_id=session.pk, received_at__gt=session.dose_at)
            .order_by("-received_at")
            .first()
        )
        room.symptoms = SymptomReport.objects.filter(session=session).order_by("-reported_at").first()
        room.end_check = ReleaseCheck.objects.filter(session=session).order_by("-answered_at").first()
        room.follow_up = FollowUp.objects.filter(session=session).first()
        due_at = session.dose_at + timedelta(hours=timeline_for(session).follow_up_after_hours)
        next_day = local_date(at, zone) > local_date(session.dose_at, zone)
        room.follow_up_open = (
            room.follow_up is None and session.released_at is not None and (at >= due_at or next_day)
        )
        if session.stopped_at and session.released_at:
            room.step = "released" if room.follow_up is None else "closed"
    if session.state == states.READY:
        room.release = DoseRelease.objects.filter(session=session).select_related("released_by").first()
        if room.release is not None:
            room.lapsed = release_lapsed(session, room.release, at=at)
    return room


def _preparing(room: Room) -> None:
    """Questions, place, sitter, readings, then the wait for the release."""
    session = room.session
    opened_at = session.opened_at or room.at
    checks = checks_of_today(session, at=room.at)
    own = [c for c in checks if c.session_id == session.pk and c.answered_at >= opened_at]
    room.check = own[-1] if own else None
    clinician = set(map(str, rules.CLINICIAN_CLEARS))
    room.open_checks = [c for c in checks if c.cleared_at is None and set(c.positive) & clinician]
    open_answers = {code for c in room.open_checks for code in c.positive if code in clinician}
    soft = set(room.check.positive) - set(map(str, rules.CLINICIAN_CLEARS)) if room.check else set()
    room.positive = sorted(open_answers | soft)
    room.readings = readings_of_today(session, at=room.at)
    if room.check is None:
        room.step = "check"
    elif room.positive:
        room.step = "hold"
    elif session.location_confirmed_at is None or session.emergency_confirmed_at is None:
        room.step = "place"
    elif room.link is None:
        room.step = "sitter"
    else:
        _readings(room)


def _readings(room: Room) -> None:
    session, order = room.session, room.session.course.order
    limits, _ = limits_of(session.course.protocol)
    numbers = numbers_of(session)
    facts = GateFacts(
        at=room.at,
        readings=tuple(reading_facts(r, session) for r in room.readings),
        order_systolic_max_mmhg=order.systolic_max_mmhg,
        order_diastolic_max_mmhg=order.diastolic_max_mmhg,
    )
    room.reading_codes = reading_reasons(facts, numbers, limits)
    room.no_dose = bool(room.reading_codes & frozenset(map(str, NO_DOSE_REASONS)))
    last = room.readings[-1] if room.readings else None
    if room.no_dose:
        room.step = "no_dose"
        if last is not None:
            wait = (
                5
                if band(last.systolic_mmhg, last.diastolic_mmhg, limits) is Band.CRISIS
                else numbers.recheck_after_minutes
            )
            room.measure_from = last.received_at + wait * MINUTE
    elif not room.reading_codes:
        room.step = "waiting"
    elif room.reading_codes & (RELEASABLE | {str(HoldReason.BP_LOW), str(HoldReason.SPO2_CAUTION)}) and not (
        room.reading_codes & GO_ON_MEASURING
    ):
        room.step = "reading_hold"
        if last is not None:
            room.measure_from = last.received_at + numbers.recheck_after_minutes * MINUTE
        if "rechecks_used" in room.reading_codes:
            room.measure_from = None
    else:
        room.step = "reading"
        if "second_reading_missing" in room.reading_codes or "third_reading_missing" in room.reading_codes:
            assert last is not None
            room.measure_from = last.received_at + limits.readings_apart_min_minutes * MINUTE


def gate_rows(reasons: frozenset[GateReason]) -> list[dict[str, object]]:
    """The sixteen conditions with what is missing from each, for the staff page."""
    from sessions.wording import CONDITION, words_of

    return [
        {
            "code": condition,
            "name": CONDITION[condition],
            "ok": not any(r.condition == condition for r in reasons),
            "why": " ".join(words_of(r).staff for r in sorted(reasons) if r.condition == condition),
        }
        for condition in rules.CONDITIONS
    ]
