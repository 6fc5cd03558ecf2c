"""What somebody said during the course beside the scores: bladder, alcohol, use, side effects; newest first, flagged by the protocol.

Its own numbers decide what is flagged: the escalation table (X..), the time points' `calls`, and the rules E50 and E51.
A fixed number of queries, however long the history.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from accounts.models import Patient, Role, User
from common import hooks
from intake.rules import default_thresholds, thresholds_from_data
from intake.wording import rule_texts
from measures.models import InstrumentResponse
from measures.rules import instrument
from outcomes.access import label_of, timepoints
from safety.access import escalations
from sessions.actions.after import EFFECTS
from sessions.actions.preparing import ALARMS
from sessions.actions.watch import OTHER_FLAGS, SITTER_OTHER, SITTER_RED, SPEAKS_OF_DYING
from sessions.forms import EFFECT_WORDS, OTHERS, RED_FLAGS, SITTER_WORDS
from sessions.models import Checkpoint, Course, FollowUp, ReleaseCheck, SafetyCheck, SymptomReport
from sessions.rules.check import PositiveAnswer
from sessions.wording import CHECK

# So many rows fit on the page; each source gives at most so many.
ROWS = 60
ASKED = ("bladder", "use", "audit_c")
# What is between the person and the psychiatrist: a coach sees neither (privacy: what is needed for preparation, check-ins, safety).
FOR_PSYCHIATRISTS = frozenset({"use", "audit_c"})
MISUSE = "X22"
EMERGENCY = "X01"
MALE = "male"
# Severities of the escalation table from which a mark is red.
GRAVE = 3
# From here on a rating of 0 to 4 is strong, unless the protocol's row of X05 says otherwise.
STRONG_FROM = 3


@dataclass(frozen=True)
class Said:
    """One answer: when, who gave it, where it was asked, in words; `codes` are the protocol's rows that it met."""

    at: datetime
    actor: str
    where: str
    words: tuple[str, ...]
    codes: tuple[str, ...] = ()
    note: str = ""


@dataclass(frozen=True)
class Flag:
    """One row of the protocol that an answer met: its number, what follows, and how grave it is."""

    code: str
    words: str
    kind: str


@dataclass(frozen=True)
class Line:
    """One line of the page."""

    at: datetime
    who: str
    where: str
    words: tuple[str, ...]
    flags: tuple[Flag, ...]
    note: str


def noticed(patient: Patient, course: Course | None, *, reader: User, at: datetime) -> list[Line]:
    """What this reader may see of it, the newest first."""
    asked = [name for name in ASKED if reader.role == Role.PSYCHIATRIST or name not in FOR_PSYCHIATRISTS]
    data: Mapping[str, Any] = course.protocol.data if course is not None else {}
    table = {row["id"]: row for row in escalations(at=at)["triggers"]}
    strong_from = (table.get("X05", {}).get("limits") or {}).get("strong_from", STRONG_FROM)
    rows = [*_questionnaires(patient, asked, data), *_sessions(patient, strong_from)]
    for found in hooks.run("course.noticed", patient=patient, limit=ROWS):
        rows += [Said(**one) for one in found]
    rows = sorted(rows, key=lambda row: row.at, reverse=True)[:ROWS]
    names = _names(patient, {row.actor for row in rows})
    rules = rule_texts(data["eligibility"]) if "eligibility" in data else rule_texts()
    return [
        Line(
            row.at,
            names.get(row.actor, "The system"),
            row.where,
            row.words,
            tuple(_flag(code, table, rules) for code in dict.fromkeys(row.codes) if code),
            row.note,
        )
        for row in rows
    ]


def _flag(code: str, table: Mapping[str, Any], rules: Mapping[str, Any]) -> Flag:
    if code in rules:
        return Flag(code, rules[code].criterion, "pause")
    row = table.get(code, {})
    # A row of the table without a severity is read as a grave one.
    severity = row.get("severity", GRAVE)
    kind = "act" if severity >= GRAVE else "pause" if severity == 2 else "info"
    return Flag(code, row.get("automatic_action", ""), kind)


def _questionnaires(patient: Patient, asked: list[str], data: Mapping[str, Any]) -> Iterable[Said]:
    calls = timepoints()["calls"]
    limits = thresholds_from_data(data["eligibility"]) if "eligibility" in data else default_thresholds()
    rows = InstrumentResponse.objects.filter(
        patient=patient, instrument__in=asked, total__isnull=False
    ).order_by("-completed_at", "-id")[:ROWS]
    for row in rows:
        of = instrument(row.instrument)
        where = f"{of.title}, {label_of(row.timepoint).lower()}"
        if row.instrument == "audit_c":
            total = row.total or 0
            code = ""
            if total >= (
                limits.audit_c_positive_men_from
                if patient.sex == MALE
                else limits.audit_c_positive_others_from
            ):
                code = "E51"
            if total >= limits.audit_c_high_from:
                code = "E50"
            yield Said(row.completed_at, row.recorded_by, where, (f"{total} of {of.total_max}",), (code,))
            continue
        said = [item for item in of.items if row.items.get(item.code) == 1]
        codes = [calls[item.code].get("trigger", MISUSE) for item in said if item.code in calls]
        words = tuple(item.text for item in said) or (f"No to all {len(of.items)} questions",)
        yield Said(row.completed_at, row.recorded_by, where, words, tuple(sorted(codes)))


def _sessions(patient: Patient, strong_from: int) -> Iterable[Said]:
    of_patient = {"session__patient": patient}
    checks = (
        SafetyCheck.objects.filter(**of_patient)
        .exclude(positive=[])
        .select_related("session")
        .order_by("-answered_at")
    )
    for check in checks[:ROWS]:
        found = [PositiveAnswer(code) for code in check.positive]
        yield Said(
            check.answered_at,
            check.answered_by,
            f"Questions before session {check.session.number}",
            tuple(CHECK[one].staff for one in found),
            tuple(ALARMS[one][0] for one in found if one in ALARMS),
        )
    reports = SymptomReport.objects.filter(**of_patient).select_related("session").order_by("-reported_at")
    for report in reports[:ROWS]:
        rated = [
            f"{name} {value} of 4{', strong' if value >= strong_from else ''}"
            for name, value in (
                ("Dissociation", report.dissociation),
                ("Nausea", report.nausea),
                ("Sedation", report.sedation),
            )
            if value is not None
        ]
        words = [RED_FLAGS.get(code, code) for code in report.red_flags]
        words += [OTHERS.get(code, code) for code in report.other_flags]
        words += ["Vomited"] if report.vomited else []
        yield Said(
            report.reported_at,
            report.reported_by,
            f"During session {report.session.number}",
            (*words, *rated) or ("Nothing ticked",),
            (*([EMERGENCY] if report.red_flags else []), *(OTHER_FLAGS[code] for code in report.other_flags)),
            report.note,
        )
    seen = (
        Checkpoint.objects.filter(**of_patient, done_at__isnull=False)
        .exclude(findings=[])
        .select_related("session")
        .order_by("-done_at", "-due_at")
    )
    # One look may tick off several checks that were due: it is told once.
    for look in {(one.session_id, one.done_at): one for one in seen[:ROWS]}.values():
        yield Said(
            look.done_at,  # type: ignore[arg-type]
            look.done_by,
            f"The sitter's check in session {look.session.number}",
            tuple(SITTER_WORDS.get(code, code) for code in look.findings),
            tuple(sorted({_of_sitter(code) for code in look.findings})),
        )
    ends = ReleaseCheck.objects.filter(**of_patient).select_related("session").order_by("-answered_at")
    for end in ends[:ROWS]:
        if end.answers.get("severe_symptom") in (True, "yes"):
            yield Said(
                end.answered_at,
                end.answered_by,
                f"The end of session {end.session.number}",
                ("Something troubled them strongly",),
                ("X05",),
            )
    mornings = (
        FollowUp.objects.filter(**of_patient)
        .exclude(effects=[])
        .select_related("session")
        .order_by("-answered_at")
    )
    for morning in mornings[:ROWS]:
        yield Said(
            morning.answered_at,
            morning.answered_by,
            f"The morning after session {morning.session.number}",
            tuple(EFFECT_WORDS[code] for code in morning.effects),
            tuple(EFFECTS[code] for code in morning.effects),
            morning.note,
        )


def _of_sitter(code: str) -> str:
    """The row of the protocol that a sitter's finding met."""
    if code in SITTER_RED:
        return EMERGENCY
    return "X02" if code == SPEAKS_OF_DYING else SITTER_OTHER.get(code, "X16")


def _names(patient: Patient, actors: set[str]) -> dict[str, str]:
    """Actors of the record in words: one query for staff, none for the person themself."""
    found = {f"user:{patient.pk}": str(patient.user)}
    others = [actor.removeprefix("user:") for actor in actors - set(found) if actor.startswith("user:")]
    if others:
        found |= {f"user:{user.pk}": str(user) for user in User.objects.filter(pk__in=others)}
    found |= {actor: "The sitter" for actor in actors if actor.startswith("sitter:")}
    return found
