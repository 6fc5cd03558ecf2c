"""After the dose: the sitter's checks, how somebody is, help, stopping, and the end by rule."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from common import audit, hooks
from common import states as common_states
from common.errors import Conflict, Invalid
from consults.actions import ask_for_count
from notify.actions import cancel_for
from safety.access import late_or_alone_allowed, trigger_of
from safety.actions import misuse_signal
from safety.models import Alert
from sessions import states
from sessions.access.late_or_alone import late_or_alone
from sessions.actions.course import PRACTICE, REMINDERS
from sessions.actions.shared import alarm, hold_course, lock_session, stay_together
from sessions.models import Checkpoint, DoseRelease, DosingSession, ReleaseCheck, SitterLink, SymptomReport
from vitals.access import measurement
from vitals.actions import limits_of
from vitals.models import Reading
from vitals.rules import Measurement, ReleaseFacts, ReleaseReason, release_reasons

MINUTE = timedelta(minutes=1)
# What else somebody may feel, and which row of the escalation table it is.
OTHER_FLAGS: dict[str, str] = {
    "vomiting_often": "X05",
    "confused": "X05",
    "hearing_or_seeing_things": "X06",
    "panic": "X07",
    "blood_in_urine": "X08",
    "burning_urine": "X09",
    "throat": "X10",
    "fell": "X11",
    "dizzy": "X11",
    "headache": "X13",
    "double_vision": "X13",
    "sitter_gone": "X16",
}
# A fall or a blow is a clinician's, light-headedness alone the coach's (X11).
GRAVER: dict[str, int] = {"fell": 3}
# What a sitter may find at a check.
SITTER_RED = frozenset({"breathing", "colour", "not_responding"})
SITTER_OTHER: dict[str, str] = {"distressed": "X07", "unsafe": "X11", "fell": "X11"}
# What a sitter may hear: a high risk, whatever else the evening is like (X02).
SPEAKS_OF_DYING = "speaks_of_dying"
BY_HAND = frozenset({"sitter_cannot_stay", "alcohol", "leaves_or_drives", "in_water"})


@dataclass(frozen=True)
class SymptomResult:
    """What a report came to. `emergency`: the page to call 911 is this very answer; `self_harm`: the page with 988 is."""

    report: SymptomReport | None
    emergency: bool
    alerts: tuple[Alert, ...] = ()
    self_harm: bool = False


@dataclass(frozen=True)
class CloseResult:
    """Either the session is over, or every reason why it is not yet."""

    closed: bool
    reasons: frozenset[str] = field(default_factory=frozenset)


def end_music(session: DosingSession, *, by: Any, at: datetime) -> DosingSession:
    """The music is over; the person sits up slowly."""
    with transaction.atomic():
        session = lock_session(session)
        common_states.move(
            session, states.OBSERVING, moves=states.SESSION_MOVES, by=by, at=at, music_ended_at=at
        )
        audit.record("session.music_ended", by=by, at=at, about=session, patient_id=session.patient_id)
    return session


def sitter_check(session: DosingSession, *, findings: Iterable[str], by: str, at: datetime) -> SymptomResult:
    """The sitter looked. Ticks off every check whose time has come; what is not well calls somebody."""
    found = frozenset(findings)
    unknown = found - SITTER_RED - set(SITTER_OTHER) - BY_HAND - {SPEAKS_OF_DYING}
    if unknown:
        raise Invalid("Please tick what you see.", fields={"findings": "Choose from the list."})
    with transaction.atomic():
        session = lock_session(session)
        if session.state not in states.WATCHED and not found:
            raise Conflict("There is nothing to check now.", code="step_over")
        # What is not well calls somebody in every state of the session; only "all is well" needs something to tick off.
        due = Checkpoint.objects.filter(
            session=session, kind=Checkpoint.Kind.SITTER, done_at__isnull=True, cancelled_at__isnull=True,
            due_at__lte=at + 7 * MINUTE,
        )  # fmt: skip
        due.update(done_at=at, done_by=by, findings=sorted(found), next_ladder_at=None)
        audit.record(
            "sitter.checked",
            by=by,
            at=at,
            about=session,
            patient_id=session.patient_id,
            detail={"findings": sorted(found)},
        )
        alerts = []
        if found & SITTER_RED:
            alerts.append(
                alarm(session, "X01", source=session, by=by, at=at, codes=tuple(sorted(found & SITTER_RED)))
            )
            hold_course(session.course, by="system:protocol", at=at, reason="red_flag")
        if SPEAKS_OF_DYING in found:
            alerts.append(hear_of_dying(session, by=by, at=at))
        for code in sorted(found & set(SITTER_OTHER)):
            alerts.append(
                alarm(session, SITTER_OTHER[code], source=session, by=by, at=at, codes=(code,), severity=GRAVER.get(code))
            )  # fmt: skip
        if found & BY_HAND:
            alerts.append(
                alarm(session, "X16", source=session, by=by, at=at, codes=tuple(sorted(found & BY_HAND)))
            )
            stay_together(session, at=at, key=f"{session.pk}:{':'.join(sorted(found & BY_HAND))}")
    return SymptomResult(
        report=None,
        emergency=bool(found & SITTER_RED),
        alerts=tuple(alerts),
        self_harm=SPEAKS_OF_DYING in found,
    )


def record_symptoms(
    session: DosingSession,
    *,
    by: Any,
    at: datetime,
    red_flags: Iterable[str] = (),
    other_flags: Iterable[str] = (),
    dissociation: int | None = None,
    nausea: int | None = None,
    sedation: int | None = None,
    vomited: bool = False,
    note: str = "",
) -> SymptomResult:
    """Keep how somebody is. A red flag answers with the 911 page, pages the person on call and holds the course."""
    _, data = limits_of(session.course.protocol)
    red = frozenset(red_flags)
    other = frozenset(other_flags)
    if red - frozenset(data["red_flag_symptoms"]) or other - frozenset(OTHER_FLAGS):
        raise Invalid("Please choose from the list.", fields={"red_flags": "Choose from the list."})
    for name, value in (("dissociation", dissociation), ("nausea", nausea), ("sedation", sedation)):
        if value is not None and not 0 <= value <= 4:
            raise Invalid("Choose 0 to 4.", fields={name: "Choose 0 to 4."})
    with transaction.atomic():
        session = lock_session(session)
        report = SymptomReport.objects.create(
            session=session, reported_at=at, reported_by=audit.actor_name(by), red_flags=sorted(red), other_flags=sorted(other),
            dissociation=dissociation, nausea=nausea, sedation=sedation, vomited=vomited, note=note.strip(),
        )  # fmt: skip
        audit.record(
            "symptoms.reported", by=by, at=at, about=report, patient_id=session.patient_id,
            detail={"red": sorted(red), "other": sorted(other)},
        )  # fmt: skip
        alerts = []
        if red:
            alerts.append(alarm(session, "X01", source=report, by=by, at=at, codes=tuple(sorted(red))))
            hold_course(session.course, by="system:protocol", at=at, reason="red_flag")
        for code in sorted(other):
            alerts.append(
                alarm(session, OTHER_FLAGS[code], source=report, by=by, at=at, codes=(code,), severity=GRAVER.get(code))
            )  # fmt: skip
        if "sitter_gone" in other:
            stay_together(session, at=at, key=f"{session.pk}:sitter_gone")
        for code, trigger in _by_degree(session, report, at=at):
            alerts.append(alarm(session, trigger, source=report, by=by, at=at, codes=(code,)))
    return SymptomResult(report=report, emergency=bool(red), alerts=tuple(alerts))


def _by_degree(session: DosingSession, report: SymptomReport, *, at: datetime) -> list[tuple[str, str]]:
    """What only becomes a sign by its degree, its count or how long it lasts (X05, X13), by the numbers of X05's row."""
    limits = trigger_of("X05", at=at).get("limits") or {}
    minutes = (at - session.dose_at) / MINUTE if session.dose_at is not None else 0
    found = []
    if report.vomited:
        times = SymptomReport.objects.filter(session=session, vomited=True).count()
        found.append(
            ("vomited_often", "X05") if times > limits.get("vomiting_over_times", 3) else ("vomited", "X13")
        )
    if (report.nausea or 0) >= limits.get("strong_from", 3):
        found.append(("nausea", "X13"))
    if (report.sedation or 0) >= limits.get("strong_from", 3) and minutes > limits.get(
        "sedation_over_minutes", 180
    ):
        found.append(("sleepy_too_long", "X05"))
    if (report.dissociation or 0) >= limits.get("strong_from", 3) and minutes > limits.get(
        "dissociation_over_minutes", 240
    ):
        found.append(("dissociation_too_long", "X05"))
    return found


def ask_for_help(session: DosingSession, *, by: Any, at: datetime, not_safe: bool = False) -> Alert:
    """Somebody pressed for help: a person is called at once, in every state of the session."""
    with transaction.atomic():
        alert = alarm(
            session, "X02" if not_safe else "X07", source=session, by=by, at=at,
            codes=("not_safe" if not_safe else "asked_for_help",), severity=None if not_safe else 3,
        )  # fmt: skip
        audit.record("session.help_asked", by=by, at=at, about=session, patient_id=session.patient_id)
    return alert


def hear_of_dying(session: DosingSession, *, by: str, at: datetime) -> Alert:
    """The sitter says that the person speaks of dying or of harming themselves: a high risk, called in every state (X02)."""
    with transaction.atomic():
        alert = alarm(session, "X02", source=session, by=by, at=at, codes=(SPEAKS_OF_DYING,))
        audit.record("sitter.heard_of_dying", by=by, at=at, about=session, patient_id=session.patient_id)
    return alert


def abort(session: DosingSession, *, reason: str, by: Any, at: datetime) -> DosingSession:
    """Call a session off before any medicine was taken. Raises Conflict afterwards: then it is stopped, and still watched."""
    with transaction.atomic():
        session = lock_session(session)
        if session.dose_at is not None:
            raise Conflict(
                "Medicine was taken: stop the session instead, so that the watch goes on.", code="dose_taken"
            )
        common_states.move(
            session, states.ABORTED, moves=states.SESSION_MOVES, by=by, at=at, reasons=[reason],
            stopped_at=at, stopped_by=audit.actor_name(by), stopped_reason=reason,
        )  # fmt: skip
        cancel_for(session, kinds=[*REMINDERS, PRACTICE], at=at, why="called off")
        if DoseRelease.objects.filter(session=session).exists():
            ask_for_count(session.course.order, why="A released dose was not taken", by=by, at=at)
        audit.record(
            "session.called_off", by=by, at=at, about=session, patient_id=session.patient_id, reason=reason
        )
    return session


def stop_early(
    session: DosingSession, *, reason: str, by: Any, at: datetime, note: str = ""
) -> DosingSession:
    """Stop, at any time and without a reason being needed. After the dose the watch goes on to its end by rule."""
    if session.dose_at is None:
        return abort(session, reason=reason, by=by, at=at)
    with transaction.atomic():
        session = lock_session(session)
        if session.state not in states.WATCHED:
            raise Conflict("This session is over.", code="step_over")
        if session.stopped_at is None:
            DosingSession.objects.filter(pk=session.pk).update(
                stopped_at=at, stopped_by=audit.actor_name(by), stopped_reason=reason
            )
            session.stopped_at, session.stopped_reason = at, reason
            if note.strip():
                session.stopped_note = note.strip()
                session.save(update_fields=["stopped_note"])
            alarm(session, "X07", source=session, by=by, at=at, codes=("stopped_early", reason), severity=3)
            hold_course(session.course, by="system:protocol", at=at, reason="stopped_early")
            ask_for_count(session.course.order, why="A session was stopped", by=by, at=at)
            audit.record(
                "session.stopped", by=by, at=at, about=session, patient_id=session.patient_id, reason=reason
            )
        if session.state == states.DOSING:
            common_states.move(
                session,
                states.OBSERVING,
                moves=states.SESSION_MOVES,
                by=by,
                at=at,
                reasons=[reason],
                music_ended_at=at,
            )
    return session


def sign_as_sitter(link: SitterLink, *, at: datetime) -> DosingSession:
    """The sitter signs that they stayed and that the person is well enough to be left to rest."""
    with transaction.atomic():
        session = lock_session(link.session)
        if session.state != states.OBSERVING:
            raise Conflict("You can sign at the end of the watch.", code="not_open")
        DosingSession.objects.filter(pk=session.pk).update(sitter_signed_at=at)
        session.sitter_signed_at = at
        audit.record(
            "sitter.signed",
            by=f"sitter:{link.sitter_id}",
            at=at,
            about=session,
            patient_id=session.patient_id,
        )
    return session


def closing_facts(
    session: DosingSession, answers: Mapping[str, bool | None], *, at: datetime
) -> ReleaseFacts:
    """What the rule of the end looks at."""
    assert session.dose_at is not None
    after = list(
        Reading.objects.filter(
            session_id=session.pk, received_at__gt=session.dose_at, rejected=False
        ).order_by("-received_at", "-id")[:2]
    )
    measured: list[Measurement] = [measurement(r) for r in after]
    vomit = SymptomReport.objects.filter(session=session, vomited=True).order_by("-reported_at").first()
    return ReleaseFacts(
        minutes_since_dose=(at - session.dose_at) / MINUTE,
        last=measured[0] if measured else None,
        previous=measured[1] if len(measured) > 1 else None,
        minutes_since_last=(at - measured[0].taken_at) / MINUTE if measured else None,
        awake=answers.get("awake"),
        oriented=answers.get("oriented"),
        walks_unaided=answers.get("walks_unaided"),
        minutes_since_vomiting=(at - vomit.reported_at) / MINUTE if vomit else None,
        severe_symptom=answers.get("severe_symptom"),
        suicide_answer=answers.get("suicidal"),
        sitter_signed=session.sitter_signed_at is not None,
    )


def close_session(
    session: DosingSession, *, answers: Mapping[str, bool | None], by: Any, at: datetime
) -> CloseResult:
    """End the watch if the rule allows it, else answer why not yet. Runs `session.closed` and, after the last, `course.completed`."""
    with transaction.atomic():
        session = lock_session(session)
        if session.state != states.OBSERVING:
            raise Conflict("This session is not at its end.", code="step_over")
        limits, _ = limits_of(session.course.protocol)
        reasons = release_reasons(closing_facts(session, answers, at=at), limits)
        check = ReleaseCheck.objects.create(
            session=session,
            answered_at=at,
            answered_by=audit.actor_name(by),
            answers=dict(answers),  # type: ignore[misc]
            reasons=sorted(map(str, reasons)),
        )
        if ReleaseReason.SUICIDE_ANSWER_POSITIVE in reasons:
            alarm(session, "X03", source=check, by=by, at=at, codes=("suicidal_after_dose",), severity=3)
        if ReleaseReason.SEVERE_SYMPTOM in reasons and answers.get("severe_symptom"):
            alarm(session, "X05", source=check, by=by, at=at, codes=("severe_symptom_at_end",))
        audit.record(
            "session.end_checked", by=by, at=at, about=session, patient_id=session.patient_id,
            detail={"reasons": sorted(map(str, reasons))},
        )  # fmt: skip
        if reasons:
            return CloseResult(closed=False, reasons=frozenset(map(str, reasons)))
        target = states.ABORTED if session.stopped_at else states.RELEASED
        common_states.move(session, target, moves=states.SESSION_MOVES, by=by, at=at, released_at=at)
        open_rows = Checkpoint.objects.filter(
            session=session, done_at__isnull=True, cancelled_at__isnull=True
        )
        open_rows.filter(kind=Checkpoint.Kind.RELEASE).update(
            done_at=at, done_by=audit.actor_name(by), next_ladder_at=None
        )
        open_rows.exclude(kind__in=[Checkpoint.Kind.RELEASE, Checkpoint.Kind.FOLLOW_UP]).update(
            cancelled_at=at, next_ladder_at=None
        )
        _count_late_or_alone(session, at=at)
        hooks.run("session.closed", session=session, by=by, at=at)
        _finish_course(session, by=by, at=at)
    return CloseResult(closed=True)


def _count_late_or_alone(session: DosingSession, *, at: datetime) -> None:
    """Protocol 8.3: the session with which a course has more of them than allowed is a sign of misuse, told once (X22)."""
    among = late_or_alone(session.course, at=at)
    if session.pk in among and len(among) == late_or_alone_allowed(at=at) + 1:
        misuse_signal(
            session.patient, code="sessions_late_or_alone", source=session, by="system:protocol", at=at
        )


def _finish_course(session: DosingSession, *, by: Any, at: datetime) -> None:
    course = session.course
    course.refresh_from_db(fields=["state"])
    left = DosingSession.objects.filter(course=course).exclude(
        state__in=[states.RELEASED, states.CLOSED, states.ABORTED]
    )
    if course.state == states.ACTIVE_COURSE and not left.exists():
        common_states.move(course, states.COMPLETED, moves=states.COURSE_MOVES, by=by, at=at, ended_at=at)
        hooks.run("course.completed", course=course, by=by, at=at)
