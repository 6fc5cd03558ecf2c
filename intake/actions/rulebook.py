"""The rules as a practice keeps them: a proposed change of one, and its dry run over past intakes."""

import copy
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, OuterRef, Q

from accounts.access import states_with_prescriber
from accounts.models import Role, User
from common import audit, protocol
from common.clock import local_date
from common.errors import Conflict, Invalid, NotPermitted
from common.models import ProtocolVersion
from intake.actions.eligibility import thresholds_in
from intake.models import Decision, DryRun, DryRunCase, EligibilityEvaluation
from intake.rules import Outcome, read_facts, thresholds_from_data
from intake.rules.dry_run import difference

# One batch is a second's work at most; a small practice is done within the first, a large one goes on in the worker.
BATCH = 500
# A run looks at the newest intakes only, and keeps the newest cases; the counts are of everything it looked at.
LONGEST_RUN = 20_000
CASES_KEPT = 500
# The evaluations that a person judged by: the answers as they were sent, and all facts as an order was signed on them.
JUDGED = ("submit", "order")


def _changed(rule: dict[str, Any], change: Mapping[str, Any]) -> dict[str, Any]:
    """The rule with what was proposed put in; raises Invalid for what a rule does not have."""
    texts = {name: str(change[name]).strip() for name in ("patient", "clinician") if name in change}
    if empty := [name for name, text in texts.items() if not text]:
        raise Invalid(
            "A rule needs words for the patient and for the clinician.",
            fields=dict.fromkeys(empty, "Write a sentence."),
        )
    outcome = change.get("outcome", rule["outcome"])
    if outcome not in list(Outcome):
        raise Invalid(
            "A rule excludes, asks for review or informs.", fields={"outcome": "Choose one of the three."}
        )
    numbers: dict[str, float] = dict(rule["thresholds"])
    for name, value in dict(change.get("thresholds", {})).items():
        if name not in numbers:
            raise Invalid(f"{rule['id']} has no number called {name}.", fields={name: "Unknown number."})
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 10_000:
            raise Invalid("That is not a number a rule can use.", fields={name: "A number from 0 to 10,000."})
        numbers[name] = int(value) if float(value).is_integer() else float(value)
    return {**rule, **texts, "outcome": str(outcome), "thresholds": numbers}


def propose_rule_change(
    rule_id: str, change: Mapping[str, Any], *, version: str, note: str, by: User, at: datetime
) -> tuple[ProtocolVersion, DryRun]:
    """A draft of the whole protocol in force in which one rule has other numbers, severity or words, with its dry run begun.

    A second administrator approves it (HZ-28). Raises NotPermitted for anybody but an administrator, Invalid for a change
    that is none or that a rule cannot have, Conflict while no protocol is in force or the name is taken.
    """
    if by.role != Role.ADMINISTRATOR:
        raise NotPermitted("Only the people who administer the protocol propose a change of it.")
    if len(note.strip()) < 10:
        raise Invalid("Say why.", fields={"note": "Why, and from which source? The second person reads it."})
    name = version.strip()
    if not name or ProtocolVersion.objects.filter(version=name).exists():
        raise Invalid(
            "Choose a name that no version has yet.", fields={"version": "Another version has this name."}
        )
    base = protocol.current(at=at)
    data = copy.deepcopy(base.data)
    rules = data["eligibility"]["rules"]
    place = next((index for index, rule in enumerate(rules) if rule["id"] == rule_id), None)
    if place is None:
        raise Invalid("There is no such rule.", fields={"rule": "E01 to E71."})
    changed = _changed(rules[place], change)
    if changed == rules[place]:
        raise Invalid(
            "Nothing differs from the version in force.", fields={"note": "Change something first."}
        )
    rules[place] = changed
    data["eligibility"]["version"] = name
    thresholds_from_data(data["eligibility"])
    with transaction.atomic():
        draft = protocol.propose(version=name, data=data, by=by, at=at, note=note.strip())
        run = start_dry_run(draft, by=by, at=at)
    return draft, run


def start_dry_run(draft: ProtocolVersion, *, by: User, at: datetime) -> DryRun:
    """Lay a draft beside the version in force; the first batch at once, the rest in the worker.

    Raises NotPermitted for anybody but an administrator, Conflict when it is a draft no more or a run of it is under way.
    """
    if by.role != Role.ADMINISTRATOR:
        raise NotPermitted("Only the people who administer the protocol run it dry.")
    if draft.state != "draft":
        raise Conflict("Only a draft is run dry.")
    with transaction.atomic():
        # One run of a draft at a time: two people who press at once get one.
        ProtocolVersion.objects.select_for_update().get(pk=draft.pk)
        if DryRun.objects.filter(draft=draft, finished_at__isnull=True).exists():
            raise Conflict("A dry run of this draft is under way.")
        run = DryRun.objects.create(draft=draft, base=protocol.current(at=at), asked_by=by, asked_at=at)
        audit.record("protocol.dry_run", by=by, at=at, about=draft, detail={"run": str(run.pk)})
        _batch(run, at=at)
    return run


def continue_dry_runs(*, at: datetime) -> int:
    """One batch of the oldest run that is not finished; answers how many intakes it looked at. Safe to run anywhere, twice."""
    with transaction.atomic():
        run = (
            DryRun.objects.select_for_update(skip_locked=True, of=("self",))
            .select_related("draft", "base")
            .filter(finished_at__isnull=True)
            .order_by("asked_at")
            .first()
        )
        return _batch(run, at=at) if run is not None else 0


def _batch(run: DryRun, *, at: datetime) -> int:
    found = _next_judged(run)
    draft, base = thresholds_in(run.draft), thresholds_in(run.base)
    states = states_with_prescriber(local_date(at, "UTC"))
    differing = []
    for row in found:
        facts, _ = read_facts(row.facts, stage=row.stage)
        other = difference(
            facts, stage=row.stage, states=states, base=base, draft=draft, ptsd_pathway=settings.PTSD_PATHWAY
        )
        if other is not None:
            differing.append((row, other))
    room = max(0, CASES_KEPT - run.changed)
    kept = differing[:room]
    decided = dict(
        Decision.objects.filter(
            intake__in=[row.intake_id for row, _ in kept], kind__in=["accept", "decline"]
        ).values_list("intake_id", "kind")
    )
    DryRunCase.objects.bulk_create(
        DryRunCase(
            run=run, intake_id=row.intake_id, sent_at=row.at, decided=decided.get(row.intake_id, ""), old_outcome=str(other.old),
            new_outcome=str(other.new), gained=list(other.gained), lost=list(other.lost),
        )
        for row, other in kept
    )  # fmt: skip
    run.looked += len(found)
    run.changed += len(differing)
    run.stricter += sum(other.stricter for _, other in differing)
    run.milder += sum(other.milder for _, other in differing)
    if found:
        run.at_evaluation_at, run.at_evaluation_id = found[-1].at, found[-1].pk
    run.stopped_at_limit = run.looked >= LONGEST_RUN and len(found) == BATCH
    if len(found) < BATCH or run.stopped_at_limit:
        run.finished_at = at
    run.save()
    return len(found)


def _next_judged(run: DryRun) -> list[EligibilityEvaluation]:
    """The newest evaluation on which each intake was sent or an order decided, going on from where the run stands."""
    sent = EligibilityEvaluation.objects.filter(cause__in=JUDGED, at__lte=run.asked_at)
    # Sent twice, after a question of ours: the answers as they were sent last. Ordered for: what the consult found as well, which
    # some rules are about.
    again = sent.filter(intake=OuterRef("intake"), at__gt=OuterRef("at"))
    if run.at_evaluation_at is not None:
        # `at <=` tells the index where to go on; the rest only decides among rows of that very instant.
        sent = sent.filter(at__lte=run.at_evaluation_at).filter(
            Q(at__lt=run.at_evaluation_at) | Q(pk__lt=run.at_evaluation_id)
        )
    rows = sent.filter(~Exists(again)).order_by("-at", "-pk")
    return list(rows.only("id", "at", "stage", "facts", "intake_id")[:BATCH])
