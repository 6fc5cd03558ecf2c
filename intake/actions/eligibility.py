"""Running the rules on a person's facts, keeping what they said, and asking again when the facts change."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import Max
from django.db.models.functions import Greatest

from accounts.access import patients_visible_to, states_with_prescriber
from accounts.models import Patient, Role, User
from common import audit, protocol
from common.clock import age_years, local_date
from common.errors import Conflict, Invalid, NotPermitted
from common.models import ProtocolVersion
from common.notes import is_a_note
from common.states import move
from intake import states
from intake.access import (
    LISTED,
    UNREAD_COUNT,
    current_intake,
    decision_facts,
    facts_of,
    latest_evaluation,
    open_question,
    states_today,
)
from intake.actions.counts import count_rules
from intake.models import EligibilityEvaluation, Intake, Medicine
from intake.rules import (
    EligibilityResult,
    Outcome,
    Stage,
    Thresholds,
    evaluate,
    parse_facts,
    read_facts,
    thresholds_from_data,
)
from intake.rules.eligibility import UNANSWERED, UNKNOWN_CLASS, UNREAD, evaluate_read
from intake.rules.facts import FACTS_BY_NAME
from intake.rules.urgency import urgency_of
from intake.wording import rule_texts
from measures.access import newest_high_risk_at
from safety.access import trigger_of
from safety.actions import place_hold, raise_alert
from safety.models import Alert

# The rule of pregnancy, which has a clock of its own (X17).
PREGNANT = "E10"
# Beside the facts of what was settled: when they were found.
FOUND_AT = "found_at"
# After these states an answer that changes is news to somebody.
WATCHED = (states.SUBMITTED, states.CLAIMED, states.ACCEPTED)


@lru_cache(maxsize=8)
def _thresholds_of(version_id: UUID) -> Thresholds:
    return thresholds_from_data(
        ProtocolVersion.objects.values_list("data", flat=True).get(pk=version_id)["eligibility"]
    )


def thresholds_in(version: ProtocolVersion) -> Thresholds:
    """The thresholds of an approved version, which never change and so are kept; a draft's are read anew."""
    if version.state == "draft":
        return thresholds_from_data(version.data["eligibility"])
    return _thresholds_of(version.pk)


def result_for(
    facts: Mapping[str, str], *, stage: str, version: ProtocolVersion, at: datetime
) -> EligibilityResult:
    """What the rules of this version say. A value that cannot be read counts as unknown, and unknown means review."""
    typed, _ = read_facts(facts, stage=stage)
    return evaluate_read(
        typed,
        stage=stage,
        states=states_with_prescriber(local_date(at, "UTC")),
        thresholds=thresholds_in(version),
        ptsd_pathway=settings.PTSD_PATHWAY,
    )


def assess(
    facts: Mapping[str, object], *, at: datetime
) -> tuple[EligibilityResult, Mapping[str, Any] | None]:
    """The two-minute assessment for a stranger, and the rule document its words come from; nothing is kept.

    Uses the protocol in force, or the one that ships while none is approved. Raises FactsError for values that cannot be read.
    """
    try:
        version: ProtocolVersion | None = protocol.current(at=at)
    except Conflict:
        version = None
    found = evaluate(
        parse_facts(facts, stage=Stage.ASSESSMENT),
        stage=Stage.ASSESSMENT,
        states=states_with_prescriber(local_date(at, "UTC")),
        thresholds=thresholds_in(version) if version is not None else None,
    )
    return found, version.data["eligibility"] if version is not None else None


def _next_instant(before: EligibilityEvaluation | None, at: datetime) -> datetime:
    """`at`, or just past the newest evaluation where that is not earlier.

    The newest row decides whether eligibility stands (gate G5). Two of one instant, or one that waited for the other's lock,
    would leave which one is newest to chance.
    """
    return at if before is None or at > before.at else before.at + timedelta(microseconds=1)


def evaluate_now(
    intake: Intake,
    *,
    by: Any,
    at: datetime,
    cause: str,
    extra: Mapping[str, str] | None = None,
    stage: str = "intake",
) -> EligibilityEvaluation:
    """Run the rules under the protocol in force and keep result, reasons, version and the facts they saw."""
    version = protocol.current(at=at)
    facts: Any = facts_of(intake, at=at, version=version)
    if stage == Stage.DECISION:
        facts.update(decision_facts(intake.patient))
    facts.update({name: value for name, value in (extra or {}).items() if value})
    result = result_for(facts, stage=stage, version=version, at=at)
    with transaction.atomic():
        if cause == "order":
            # Here at last all of them could be true or false: diagnosis, monitoring programme and papers are known.
            count_rules(result.reasons, stage=Stage.DECISION, protocol_id=version.pk)
        kept = EligibilityEvaluation.objects.create(
            intake=intake,
            patient=intake.patient,
            at=_next_instant(latest_evaluation(intake.patient), at),
            stage=stage,
            cause=cause,
            outcome=str(result.outcome),
            reasons=list(result.reasons),
            missing=list(result.missing),
            rule_version=result.rule_version,
            protocol=version,
            facts=facts,
        )
        audit.record(
            "eligibility.evaluated",
            by=by,
            at=at,
            about=kept,
            patient_id=intake.patient_id,
            detail={
                "outcome": kept.outcome,
                "reasons": kept.reasons,
                "rule_version": kept.rule_version,
                "cause": cause,
            },
        )
    return kept


def reevaluate(patient: Patient, *, by: Any, at: datetime) -> EligibilityEvaluation | None:
    """Ask the rules again after medicines, history, pregnancy or place changed; None while nobody has decided to look yet.

    A new reason that excludes or needs review, on somebody already accepted, alerts (X21) and holds every dose until a
    psychiatrist has settled it (HZ-12).
    """
    current = current_intake(patient)
    if current is None or current.state not in WATCHED:
        return None
    with transaction.atomic():
        intake = (
            Intake.objects.select_for_update(of=("self",)).select_related("patient__user").get(pk=current.pk)
        )
        before = latest_evaluation(patient)
        version = protocol.current(at=at)
        stage = before.stage if before is not None else "intake"
        facts: Any = facts_of(intake, at=at, version=version)
        if stage == Stage.DECISION:
            facts = {**_carried(before), **facts, **decision_facts(patient)}
        result = result_for(facts, stage=stage, version=version, at=at)
        old = set(before.reasons) if before is not None else set()
        unread = _another_unread(before, facts)
        changes = _changed(before, facts, at)
        same = before is not None and old == set(result.reasons) and before.missing == list(result.missing)
        if same and not unread and not changes:
            return before
        outcomes = thresholds_in(version).outcomes
        fresh = set(result.reasons) - old
        if before is not None:
            fresh |= _for_something_else(before, facts, changes, found=result.reasons, version=version, at=at)
        if before is not None and (unread or set(result.missing) - set(before.missing)):
            fresh.add(UNANSWERED)  # true before for another answer, and true again for this one
        added = sorted(reason for reason in fresh if outcomes[reason] is not Outcome.OK)
        reopens = bool(added) and intake.state == states.ACCEPTED
        cause = "reopened" if reopens else "change"
        found = EligibilityEvaluation.objects.create(
            intake=intake, patient=patient, at=_next_instant(before, at), stage=stage, cause=cause, outcome=str(result.outcome),
            reasons=list(result.reasons), missing=list(result.missing), rule_version=result.rule_version,
            protocol=version, facts=facts, changes=changes,
            changed_by=by if isinstance(by, User) else None,
        )  # fmt: skip
        if intake.state in states.IN_QUEUE:
            intake.outcome, intake.reasons = found.outcome, found.reasons
            intake.urgency = max(intake.urgency, urgency_of(found.reasons, found.missing))
            intake.save(update_fields=["outcome", "reasons", "urgency"])
        audit.record(
            "eligibility.changed",
            by=by,
            at=at,
            about=found,
            patient_id=patient.pk,
            detail={"before": sorted(old), "after": found.reasons, "added": added},
        )
        if reopens:
            alert = raise_alert(
                patient=patient, trigger="X21", source=found, at=at, by=by, detail_codes=tuple(added)
            )
            place_hold(patient, reason_code="eligibility_reopened", at=at, by=by, alert=alert)
            if PREGNANT in added:
                # A clinician the same day, not before the next dose; and nothing more leaves the pharmacy (X17).
                heard = raise_alert(
                    patient=patient, trigger="X17", source=found, at=at, by=by, detail_codes=("pregnant",)
                )
                hold = trigger_of("X17", at=at)["hold"] or "pregnancy"
                place_hold(patient, reason_code=hold, at=at, by=by, alert=heard)
    return found


def _another_unread(before: EligibilityEvaluation | None, facts: Mapping[str, str]) -> bool:
    """Whether there is a medicine nobody has read besides those that were there the last time."""
    earlier = before.facts.get(UNREAD_COUNT, "0") if before is not None else "0"
    return UNKNOWN_CLASS in _newly_listed(before, facts) or int(facts.get(UNREAD_COUNT, "0")) > int(earlier)


def _newly_listed(before: EligibilityEvaluation | None, facts: Mapping[str, str]) -> set[str]:
    """The classes of the medicines that were not on the list the last time."""
    then = before.facts if before is not None else {}
    if LISTED not in then:  # kept before each medicine was: only a class that is new can be told
        return set(facts.get(UNREAD, "").split()) - set(then.get(UNREAD, "").split()) - {"none"}
    new = set(facts.get(LISTED, "").split()) - set(then[LISTED].split())
    return {one for listed in new for one in listed.partition(":")[2].split("+")}


def _for_something_else(
    before: EligibilityEvaluation,
    facts: Mapping[str, str],
    changes: list[list[str]],
    *,
    found: Iterable[str],
    version: ProtocolVersion,
    at: datetime,
) -> set[str]:
    """The rules that are true of what changed alone, or were not without it: a second cause is as much news as the first (HZ-12).

    Of the medicines only those newly listed count: one that was taken off speaks against nobody.
    """
    changed = {name for name, _, _ in changes} & set(FACTS_BY_NAME) - {UNREAD}
    alone = {name: facts[name] for name in changed if name in facts}
    if listed := _newly_listed(before, facts):
        alone[UNREAD] = " ".join(sorted(listed))
    if not alone:
        return set()
    others = {name: value for name, value in facts.items() if name not in changed}
    by_it, without = (
        set(result_for(some, stage=before.stage, version=version, at=at).reasons) for some in (alone, others)
    )
    return (set(found) & by_it | set(found) - without) - {UNANSWERED}


def _changed(before: EligibilityEvaluation | None, facts: Mapping[str, Any], at: datetime) -> list[list[str]]:
    """What the person changed since; what only grew older with the days is no change."""
    if before is None:
        return changes_between({}, facts)
    days = (at - _found_at(before)).days

    def grew(name: str, old: str, new: str) -> bool:
        if not (old.isdigit() and new.isdigit()):
            return False
        more = int(new) - int(old)
        if name == "age_years":
            return more > 0 and old == _age_at(before)
        return name == "cardiac_event_days" and abs(more - days) <= 1

    found = [one for one in changes_between(before.facts, facts) if not grew(*one)]
    if LISTED in before.facts and before.facts.get(UNREAD) == facts.get(UNREAD):
        found += _list_between(before.facts[LISTED], facts.get(LISTED, ""))
    return found


def _found_at(row: EligibilityEvaluation) -> datetime:
    """When the facts of an evaluation were found: what was settled carries those of the one before."""
    kept = row.facts.get(FOUND_AT)
    return datetime.fromisoformat(kept) if kept else row.at


def _age_at(found: EligibilityEvaluation) -> str:
    """How old this person was then, by the date of birth that is on file now."""
    born, zone = found.patient.date_of_birth, found.patient.user.time_zone
    return str(age_years(born, local_date(_found_at(found), zone))) if born else ""


def _list_between(old: str, new: str) -> list[list[str]]:
    """Another medicine of the same classes, by name: [[LISTED, what was listed, what is]], or nothing."""
    if set(old.split()) == set(new.split()):
        return []
    ids = [[one.partition(":")[0] for one in listed.split()] for listed in (old, new)]
    names = {str(m.pk): m.name for m in Medicine.objects.filter(pk__in={id for some in ids for id in some})}
    return [[LISTED, *(", ".join(names.get(id, "") for id in some) or "none" for some in ids)]]


def changes_between(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[list[str]]:
    """[[fact, old answer, new answer], …] in order of the facts' names; empty text where nothing was known."""
    names = sorted({*old, *new} & set(FACTS_BY_NAME))
    return [
        [name, str(old.get(name, "")), str(new.get(name, ""))]
        for name in names
        if str(old.get(name, "")) != str(new.get(name, ""))
    ]


def facts_changed(patient: Patient, by: Any, at: datetime) -> None:
    """Hook `patient.facts_changed`: state, sex or date of birth is different now."""
    intake = current_intake(patient)
    # Whoever moves while the intake waits is read by people licensed where they are now.
    lives_on = intake is not None and intake.state in (*states.OPEN, states.ACCEPTED)
    if intake is not None and lives_on and patient.state and intake.care_state != patient.state:
        Intake.objects.filter(pk=intake.pk).update(care_state=patient.state)
        _released(intake, patient.state, at=at)
    reevaluate(patient, by=by, at=at)


def _released(intake: Intake, care_state: str, *, at: datetime) -> None:
    """A claim of somebody who may not prescribe where the person lives now ends, so that those who may need not wait for it."""
    row = (
        Intake.objects.select_for_update(of=("self",))
        .select_related("claimed_by")
        .filter(pk=intake.pk, state=states.CLAIMED)
        .first()
    )
    if row is not None and row.claimed_by is not None and care_state not in states_today(row.claimed_by, at):
        move(
            row, states.SUBMITTED, moves=states.MOVES, by="system:moved", at=at,
            claimed_by=None, claimed_at=None, claim_expires_at=None,
        )  # fmt: skip


def on_instrument_completed(*, response: Any, by: Any, at: datetime) -> None:
    """Hook `instrument.completed`: what was said on any page is asked of the rules."""
    reevaluate(response.patient, by=by, at=at)


@dataclass(frozen=True)
class Barrier:
    """An absolute rule that is true. `until` is the day from which a psychiatrist may look again; None: never while it is true."""

    rule_id: str
    criterion: str
    until: date | None

    @property
    def words(self) -> str:
        """As staff read it."""
        again = (
            f"a psychiatrist may look again from {self.until:%B} {self.until.day}, {self.until.year}"
            if self.until
            else ""
        )
        return f"{self.rule_id} {self.criterion}: " + (again or "absolute, nobody signs against it")


def barriers(found: EligibilityEvaluation, *, at: datetime) -> list[Barrier]:
    """The absolute rules of an evaluation that no signature lifts on that day (HZ-12).

    A danger that passes (E19, E20) may be looked at again after its stable days, counted from the newest sign: an answer, an
    interview, or an alert X02 of any source. Every other one stands as long as it is true.
    """
    texts = rule_texts(found.protocol.data["eligibility"])
    absolute = [texts[id] for id in found.reasons if id in texts and texts[id].is_absolute]
    if not absolute:
        return []
    patient = found.patient
    today = local_date(at, patient.user.time_zone)
    newest = _newest_sign_at(patient) or found.at
    kept = []
    for text in absolute:
        until = None
        if text.reassess_after_days is not None:
            until = local_date(newest, patient.user.time_zone) + timedelta(days=text.reassess_after_days)
            if today >= until:
                continue
        kept.append(Barrier(text.id, text.criterion, until))
    return kept


def _newest_sign_at(patient: Patient) -> datetime | None:
    alarmed = Alert.objects.filter(patient=patient, trigger="X02").aggregate(
        newest=Max(Greatest("escalating_since_at", "got_worse_at"))
    )
    times = (newest_high_risk_at(patient), alarmed["newest"])
    return max((time for time in times if time is not None), default=None)


def settle(
    patient: Patient, *, note: str, by: User, at: datetime, seen: UUID | None = None
) -> EligibilityEvaluation:
    """A psychiatrist of this patient has looked at what changed and finds that care may go on.

    `seen`: the evaluation that was on the page. Raises NotPermitted for anybody else and while an absolute rule is true, Invalid
    without a note, Conflict when nothing is open, and when there is a newer evaluation than the one that was read (HZ-20).
    """
    if by.role != Role.PSYCHIATRIST or not patients_visible_to(by).filter(pk=patient.pk).exists():
        raise NotPermitted("Only a psychiatrist who cares for this person settles this.")
    if not is_a_note(note):
        raise Invalid("Say why care may go on.", fields={"note": "Write a sentence."})
    with transaction.atomic():
        Intake.objects.select_for_update(of=("self",)).filter(patient=patient, state=states.ACCEPTED).first()
        before = latest_evaluation(patient)
        if before is None or open_question(patient) is None:
            raise Conflict("Nothing is open here any more. Reload the page.")
        if standing := barriers(before, at=at):
            raise NotPermitted(
                f"{'; '.join(one.words for one in standing)}. Care cannot go on while this is true.",
                code="absolute_rule",
            )
        if seen is not None and before.pk != seen:
            raise Conflict(
                "Something changed since you opened this chart. Read it again, then sign.",
                code="chart_changed",
            )
        facts: Any = {**before.facts, "settled_note": note.strip(), FOUND_AT: _found_at(before).isoformat()}
        settled = EligibilityEvaluation.objects.create(
            intake=before.intake, patient=patient, at=_next_instant(before, at), stage=before.stage, cause="settled",
            outcome=before.outcome,
            reasons=before.reasons, missing=before.missing, rule_version=before.rule_version, protocol=before.protocol,
            facts=facts,
        )  # fmt: skip
        audit.record(
            "eligibility.settled",
            by=by,
            at=at,
            about=settled,
            patient_id=patient.pk,
            detail={"reasons": before.reasons},
        )
    return settled


def _carried(before: EligibilityEvaluation | None) -> dict[str, str]:
    """What a clinician found earlier stays known when an answer of the patient changes."""
    if before is None:
        return {}
    return {name: before.facts[name] for name in ("clinician_dx", "pdmp") if before.facts.get(name)}
