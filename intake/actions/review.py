"""Submission, the claim of one psychiatrist, and the decision that only a psychiatrist signs."""

import uuid
from collections.abc import Iterable, Mapping
from datetime import date, datetime, timedelta
from typing import Any

from django.db import transaction

from accounts.actions import assign_care_team
from accounts.models import Role, User
from common import audit, hooks, protocol
from common.errors import Conflict, Invalid, NotPermitted, NotVisible, StaleVersion
from common.notes import is_a_note
from common.states import move
from intake import states
from intake.access import (
    excluded_before,
    intake_readings,
    is_overdue_answer,
    open_clearances,
    queue_page,
    sent_before,
    signed_now,
    states_today,
)
from intake.access.asking import asked_steps
from intake.actions import clearance
from intake.actions.counts import count_rules
from intake.actions.eligibility import evaluate_now, reevaluate
from intake.letters import reason_codes
from intake.models import Decision, EligibilityEvaluation, Intake
from intake.rules import Stage
from intake.rules.branching import unanswered
from intake.rules.documents import DOCUMENTS
from intake.rules.steps import Step
from intake.rules.urgency import urgency_of
from intake.wording import rule_texts
from notify.actions import promise
from vitals.access import average_of
from vitals.rules import limits_from_data

LEASE = timedelta(minutes=states.LEASE_MINUTES)
# Open until the consult: they never stop somebody from being invited to one.
DECIDED_LATER = frozenset({"E08", "E55", "E69", "E70", "E71"})
MORE_INFO_DAYS = 14


def steps_left(intake: Intake) -> list[str]:
    """The steps that are not complete, in order; signatures and readings are looked up where they live."""
    left = [
        step.id
        for step in asked_steps()
        if step.id not in ("bp", "consent") and not _answered(step, intake.answers.get(step.id, {}))
    ]
    if not _two_readings(intake):
        left.append("bp")
    if signed_now(intake.patient) != frozenset(DOCUMENTS):
        left.append("consent")
    order = [step.id for step in asked_steps()]
    return sorted(left, key=order.index)


def _answered(step: Step, entry: Mapping[str, Any]) -> bool:
    """Finished, also by the questions of today: one that came since is asked."""
    return bool(entry.get("complete")) and not unanswered(step.questions, entry.get("data", {}))


def _two_readings(intake: Intake) -> bool:
    # Where the psychiatrist asked to measure again, what was measured before does not answer.
    asked_at = None
    if "bp" in intake.more_info_items:
        asked = Decision.objects.filter(intake=intake, kind=Decision.Kind.ASK_MORE)
        asked_at = asked.order_by("-at").values_list("at", flat=True).first()
    since = asked_at or intake.created_at
    readings = [r for r in intake_readings(intake.patient) if r.received_at >= since]
    if len(readings) < 2:
        return False
    limits = limits_from_data(protocol.current(at=readings[-1].received_at).data["bp"])
    return average_of(readings, limits).systolic_mmhg is not None


def submit(intake: Intake, *, by: Any, at: datetime) -> Intake:
    """Hand the intake to the psychiatrists: evaluated under the protocol in force, urgent ones first.

    Raises Invalid naming the steps that are not complete, MoveNotAllowed when it is not the patient's turn.
    """
    with transaction.atomic():
        row = Intake.objects.select_for_update(of=("self",)).select_related("patient__user").get(pk=intake.pk)
        if row.state not in states.PATIENT_WRITES:
            raise Conflict("Your intake was already sent. You can see where it stands on your intake page.")
        if left := steps_left(row):
            raise Invalid("Some steps are not finished yet.", fields=dict.fromkeys(left, "Not finished yet."))
        if open_clearances(row.patient_id).exists():
            raise Invalid(
                "A specialist’s answer is still awaited. Send it, or say that you cannot get it.",
                fields={"clearance": "Still awaited."},
            )
        found = evaluate_now(row, by=by, at=at, cause="submit")
        if row.submitted_at is None:
            count_rules(found.reasons, stage=Stage.INTAKE, protocol_id=found.protocol_id)
        move(
            row,
            states.SUBMITTED,
            moves=states.MOVES,
            by=by,
            at=at,
            reasons=found.reasons,
            submitted_at=row.submitted_at or at,
            urgency=urgency_of(found.reasons, found.missing),
            outcome=found.outcome,
            protocol=found.protocol,
            more_info_items=[],
            more_info_due_on=None,
        )
        # `move` has a parameter of this name, so the column follows in a statement of its own.
        Intake.objects.filter(pk=row.pk).update(reasons=found.reasons)
        row.reasons = found.reasons
        audit.record(
            "intake.submitted",
            by=by,
            at=at,
            about=row,
            patient_id=row.patient_id,
            detail={"outcome": found.outcome},
        )
        clearance.no_more_reminders(row, at=at)
        promise(
            "intake_received", to=row.patient.user, channel="email", due_at=at, at=at, about=row, patient=row.patient,
            dedupe_key=f"intake_received:{row.pk}:{found.pk}",
        )  # fmt: skip
    return row


def claim(intake_id: uuid.UUID, *, by: User, at: datetime) -> Intake:
    """Take an intake to work on it alone, for half an hour; taking one's own again renews it (PR-09).

    Raises NotVisible when it is not of a state this psychiatrist is licensed in today, Conflict when somebody holds it.
    """
    codes = states_today(by, at) if by.role == Role.PSYCHIATRIST else frozenset()
    with transaction.atomic():
        row = (
            Intake.objects.select_for_update(of=("self",))
            .select_related("patient__user")
            .filter(pk=intake_id, care_state__in=codes)
            .exclude(state__in=(states.DRAFT, states.WITHDRAWN))
            .first()
        )
        if row is None:
            raise NotVisible("There is no such page.")
        if row.state not in states.IN_QUEUE and not is_overdue_answer(row, at):
            raise Conflict("This intake is not waiting any more.", code="not_waiting")
        if row.state == states.CLAIMED and row.claimed_by_id == by.pk:
            return _renewed(row, at)
        if row.state == states.CLAIMED:
            if row.claim_expires_at is not None and row.claim_expires_at > at:
                raise Conflict("Somebody else is working on this intake.", code="claimed")
            move(
                row,
                states.SUBMITTED,
                moves=states.MOVES,
                by="system:lease",
                at=at,
                claimed_by=None,
                claimed_at=None,
                claim_expires_at=None,
            )
        move(
            row,
            states.CLAIMED,
            moves=states.MOVES,
            by=by,
            at=at,
            claimed_by=by,
            claimed_at=at,
            claim_expires_at=at + LEASE,
        )
        audit.record("intake.claimed", by=by, at=at, about=row, patient_id=row.patient_id)
        return _read_anew(row, at=at)


def _read_anew(row: Intake, *, at: datetime) -> Intake:
    """The rules once more, under the version in force and the licences of today: the chart shows what a decision will see."""
    if EligibilityEvaluation.objects.filter(intake=row).exists():
        reevaluate(row.patient, by="system:rules", at=at)
        row.refresh_from_db(fields=["outcome", "reasons", "urgency"])
    return row


def take_up(patient_id: uuid.UUID, *, by: User, at: datetime) -> None:
    """Whoever holds the claim goes on: the lease anew, also when it has ended and nobody else took it, and the rules once more.

    Nothing happens for anybody else, or where this psychiatrist may not prescribe today.
    """
    if by.role != Role.PSYCHIATRIST:
        return
    with transaction.atomic():
        row = (
            Intake.objects.select_for_update(of=("self",))
            .select_related("patient__user")
            .filter(patient=patient_id, state=states.CLAIMED, claimed_by=by)
            .first()
        )
        if row is None or row.care_state not in states_today(by, at):
            return
        if row.claim_expires_at is None or row.claim_expires_at < at + LEASE - timedelta(minutes=1):
            _renewed(row, at)
        _read_anew(row, at=at)


def claim_next(*, by: User, at: datetime) -> Intake | None:
    """Take the first of the queue that nobody else has taken meanwhile; None when nobody waits (PR-09)."""
    after = None
    while True:
        rows, after = queue_page(states_today(by, at), at=at, after=after)
        for row in rows:
            try:
                return claim(row["id"], by=by, at=at)
            except (Conflict, NotVisible):
                continue  # a colleague was a moment quicker
        if after is None:
            return None


def renew_claim(intake: Intake, *, by: User, at: datetime) -> None:
    """Whoever holds the claim is still working: give the lease its full length again."""
    Intake.objects.filter(pk=intake.pk, state=states.CLAIMED, claimed_by=by).update(
        claim_expires_at=at + LEASE
    )


def _renewed(row: Intake, at: datetime) -> Intake:
    row.claim_expires_at = at + LEASE
    row.save(update_fields=["claim_expires_at"])
    return row


def release_claim(intake: Intake, *, by: User, at: datetime) -> Intake:
    """Put it back for a colleague. Raises Conflict when somebody else holds it now."""
    with transaction.atomic():
        row = _held(intake, by)
        move(
            row,
            states.SUBMITTED,
            moves=states.MOVES,
            by=by,
            at=at,
            claimed_by=None,
            claimed_at=None,
            claim_expires_at=None,
        )
        audit.record("intake.released", by=by, at=at, about=row, patient_id=row.patient_id)
    return row


def withdraw(intake: Intake, *, by: Any, at: datetime) -> Intake:
    """The patient takes the intake back; what was answered stays in the record."""
    with transaction.atomic():
        row = Intake.objects.select_for_update(of=("self",)).select_related("patient__user").get(pk=intake.pk)
        move(row, states.WITHDRAWN, moves=states.MOVES, by=by, at=at)
        clearance.no_more_reminders(row, at=at)
        clearance.close_open(row, outcome="the intake was taken back", by=by, at=at)
        audit.record("intake.withdrawn", by=by, at=at, about=row, patient_id=row.patient_id)
    return row


def decide(
    intake: Intake,
    kind: str,
    *,
    by: User,
    at: datetime,
    reasons: Iterable[str] = (),
    note: str = "",
    letter: str = "",
    items: Iterable[str] = (),
    seen: uuid.UUID | None = None,
    due_on: date | None = None,
    question: str = "",
) -> Decision:
    """Sign a decision: accept for a consult, decline, ask for more, ask a specialist. The edge has asked for the second factor.

    `seen` is the evaluation that was on the page. Raises NotPermitted for anybody who is not a psychiatrist licensed there
    today or where a rule is absolute, Conflict when the claim is gone, StaleVersion when the facts changed meanwhile (HZ-20).
    """
    if by.role != Role.PSYCHIATRIST:
        raise NotPermitted("Only a psychiatrist decides.")
    with transaction.atomic():
        row = _held(intake, by)
        if row.care_state not in states_today(by, at):
            raise NotPermitted(
                "Your licence or DEA registration for this state is not in force today.", code="not_licensed"
            )
        newest = EligibilityEvaluation.objects.filter(intake=row).order_by("-at", "-id").first()
        if seen is not None and newest is not None and newest.pk != seen:
            raise StaleVersion(
                "Something on this chart changed after you opened it. Read it again, then decide."
            )
        found = evaluate_now(row, by=by, at=at, cause="decide", stage="decision")
        chosen = _checked(kind, found, list(reasons), note=note, letter=letter, items=list(items))
        if kind in (Decision.Kind.ASK_MORE, Decision.Kind.ASK_CLEARANCE):
            clearance.check_due_on(due_on, intake=row, at=at)
        # What was asked before is decided without, or asked anew: nobody is reminded of it any more.
        clearance.no_more_reminders(row, at=at)
        clearance.close_open(row, outcome="decided without it", by=by, at=at)
        decision = Decision.objects.create(
            intake=row, kind=kind, reasons=chosen, items=list(items), note=note.strip(), letter=letter.strip(),
            evaluation=found, by=by, at=at, signed_at=at,
        )  # fmt: skip
        _carry_out(row, decision, due_on=due_on, question=question)
        audit.record(
            "intake.decided",
            by=by,
            at=at,
            about=decision,
            patient_id=row.patient_id,
            detail={"kind": kind, "reasons": chosen},
        )
    return decision


def _held(intake: Intake, by: User) -> Intake:
    row = Intake.objects.select_for_update(of=("self",)).select_related("patient__user").get(pk=intake.pk)
    if row.state != states.CLAIMED or row.claimed_by_id != by.pk:
        raise Conflict(
            "You do not hold this intake any more. Open the queue and take it again.", code="claim_lost"
        )
    return row


def _checked(
    kind: str, found: EligibilityEvaluation, reasons: list[str], *, note: str, letter: str, items: list[str]
) -> list[str]:
    """The reasons that are kept with the decision; raises where the decision cannot stand."""
    texts = rule_texts(found.protocol.data["eligibility"])
    against = [id for id in found.reasons if id not in DECIDED_LATER and texts[id].outcome == "exclude"]
    if kind == Decision.Kind.ACCEPT:
        if absolute := [id for id in against if not texts[id].may_ask_clinician]:
            raise NotPermitted(
                f"{', '.join(absolute)}: this rule is absolute and cannot be overridden.",
                code="absolute_rule",
            )
        if against and not is_a_note(note):
            raise Invalid(
                f"{', '.join(against)} would exclude. To accept, write why in the note.",
                fields={"note": "Write why you accept against these rules."},
            )
        earlier = sent_before(found.intake_id).filter(patient=found.patient_id).values_list("reasons", "at")
        if (said := excluded_before(earlier, found)) and not is_a_note(note):
            raise Invalid(
                f"{', '.join(said)} would have excluded by an earlier intake, and this one does not say so. To accept, write in the "
                "note what has changed.",
                fields={"note": "Write what has changed since the earlier intake."},
            )
        return [id for id in found.reasons if id not in DECIDED_LATER]
    if kind == Decision.Kind.DECLINE:
        if not reasons or not set(reasons) <= {*texts, *reason_codes()}:
            raise Invalid("Choose at least one reason.", fields={"reasons": "Choose at least one reason."})
        if not letter.strip():
            raise Invalid(
                "Write a letter.", fields={"letter": "Write a few kind sentences: the patient reads them."}
            )
        return reasons
    if kind == Decision.Kind.ASK_MORE:
        known = {step.id for step in asked_steps()}
        if not items or not set(items) <= known:
            raise Invalid("Choose the pages to look at again.", fields={"items": "Choose at least one page."})
        if not letter.strip():
            raise Invalid("Say what you need.", fields={"letter": "Say what you need: the patient reads it."})
        return reasons
    if kind == Decision.Kind.ASK_CLEARANCE:
        clearance.check_specialties(items)
        if not letter.strip():
            raise Invalid("Say what you need.", fields={"letter": "Say what you need: the patient reads it."})
        return found.reasons
    raise Invalid(
        "There is no such decision.", fields={"kind": "Choose accept, decline, ask_more or clearance."}
    )


def _carry_out(row: Intake, decision: Decision, *, due_on: date | None, question: str = "") -> None:
    by, at = decision.by, decision.at
    target = {
        Decision.Kind.ACCEPT.value: states.ACCEPTED,
        Decision.Kind.DECLINE.value: states.DECLINED,
        Decision.Kind.ASK_MORE.value: states.MORE_INFO,
        Decision.Kind.ASK_CLEARANCE.value: states.MORE_INFO,
    }[decision.kind]
    due = due_on or (at + timedelta(days=MORE_INFO_DAYS)).date()
    also: dict[str, Any] = {"decided_at": at}
    if decision.kind == Decision.Kind.ASK_CLEARANCE:
        due = due_on or clearance.usual_due_on(row, at)
        also = {"more_info_items": [], "more_info_due_on": due}
    elif target == states.MORE_INFO:
        answers = dict(row.answers)
        for step in decision.items:
            if step in answers:
                answers[step] = {**answers[step], "complete": False}
        also = {
            "answers": answers,
            "more_info_items": decision.items,
            "more_info_due_on": due,
        }
    move(
        row, target, moves=states.MOVES, by=by, at=at, reasons=decision.reasons,
        claimed_by=None, claimed_at=None, claim_expires_at=None, **also,
    )  # fmt: skip
    if target == states.ACCEPTED:
        assign_care_team(row.patient, psychiatrist=by, by=by, at=at)
        hooks.run("intake.accepted", intake=row, by=by, at=at)
    elif target == states.DECLINED:
        hooks.run("intake.declined", intake=row, by=by, at=at)
    elif decision.kind == Decision.Kind.ASK_CLEARANCE:
        clearance.ask_for_clearance(row, decision, question=question, due_on=due, by=by, at=at)
    else:
        clearance.remind(decision, patient=row.patient, due_on=due, at=at)
    promise(
        "intake_news", to=row.patient.user, channel="email", due_at=at, at=at, about=decision, patient=row.patient,
        dedupe_key=f"intake_news:{decision.pk}",
    )  # fmt: skip
