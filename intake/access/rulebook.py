"""The rules as the administration shows them: words, numbers, facts, how often each was true; and dry runs of drafts."""

import uuid
from dataclasses import dataclass
from typing import Any

from common.models import ProtocolVersion
from intake.models import DryRun, DryRunCase, RuleCount
from intake.rules import FACTS, Stage, rules_for, thresholds_from_data
from intake.wording import RuleText, fact_name, number_name, rule_texts

STAGE_WORDS = {
    Stage.ASSESSMENT: "two-minute assessment",
    Stage.INTAKE: "intake",
    Stage.DECISION: "psychiatrist",
}


# What is counted at each stage, in the order in which a person comes to it.
COUNTED = {
    Stage.ASSESSMENT: "assessments finished",
    Stage.INTAKE: "intakes sent",
    Stage.DECISION: "orders signed",
}


@dataclass(frozen=True)
class Rate:
    """How often a rule was true among `of` runs of one stage."""

    what: str
    hits: int
    of: int

    @property
    def share(self) -> float | None:
        """0 to 1; None while nothing was counted."""
        return self.hits / self.of if self.of else None


def _rates(counts: dict[tuple[str, str], int], rule_id: str, first: Stage) -> tuple[Rate, ...]:
    """The rates of the stages at which this rule is asked: its own, and those after it."""
    return tuple(
        Rate(words, counts.get((stage, rule_id), 0), counts.get((stage, RuleCount.ALL), 0))
        for stage, words in COUNTED.items()
        if stage.order >= first.order
    )


@dataclass(frozen=True)
class RuleRow:
    """One rule under one version, and how often it was true of whoever was asked under it."""

    text: RuleText
    stage: str
    facts: tuple[str, ...]
    thresholds: dict[str, float]
    # The same thresholds under the names that people read.
    numbers: dict[str, float]
    rates: tuple[Rate, ...]

    def share(self, stage: Stage) -> float | None:
        """Of the runs of this stage, the share in which it was true (0 to 1); None while there was none."""
        return next((rate.share for rate in self.rates if rate.what == COUNTED[stage]), None)


def rules_read(*, data: dict[str, Any]) -> list[str]:
    """Hook `protocol.read`: what stands against the eligibility rules of a proposed version."""
    if "eligibility" not in data:
        return []
    try:
        thresholds_from_data(data["eligibility"])
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        return [f"The eligibility rules cannot be read: {error}."]
    return []


def rule_rows(version: ProtocolVersion) -> list[RuleRow]:
    """All 71 rules of a version with their counts, in two queries at most, however many intakes there are."""
    document = version.data["eligibility"]
    texts = rule_texts(document)
    counts = {(row.stage, row.rule_id): row.hits for row in RuleCount.objects.filter(protocol=version)}
    known = {rule.id: rule for rule in rules_for(Stage.DECISION)}
    rows = []
    for raw in document["rules"]:
        rule = known.get(raw["id"])
        rows.append(
            RuleRow(
                text=texts[raw["id"]],
                stage=STAGE_WORDS[rule.stage] if rule is not None else "every stage",
                facts=tuple(
                    fact_name(name) for name in (rule.facts if rule is not None else every_required_fact())
                ),
                thresholds=dict(raw["thresholds"]),
                numbers={number_name(name): value for name, value in raw["thresholds"].items()},
                rates=_rates(counts, raw["id"], rule.stage if rule is not None else Stage.ASSESSMENT),
            )
        )
    return rows


def every_required_fact() -> tuple[str, ...]:
    """What E71 reads: everything that must be answered."""
    return tuple(spec.name for spec in FACTS if spec.required)


def rule_row(version: ProtocolVersion, rule_id: str) -> RuleRow | None:
    """One rule of a version; None when there is no such rule."""
    return next((row for row in rule_rows(version) if row.text.id == rule_id), None)


def counts_of_rule(rule_id: str, limit: int = 20) -> list[tuple[str, tuple[Rate, ...]]]:
    """How often a rule was true under each of the newest versions, by the version's name."""
    rule = next((one for one in rules_for(Stage.DECISION) if one.id == rule_id), None)
    found = RuleCount.objects.filter(rule_id__in=[rule_id, RuleCount.ALL]).select_related("protocol")
    by_version: dict[str, dict[tuple[str, str], int]] = {}
    for row in found.order_by("-protocol__proposed_at")[: limit * 2 * len(COUNTED)]:
        by_version.setdefault(row.protocol.version, {})[(row.stage, row.rule_id)] = row.hits
    first = rule.stage if rule is not None else Stage.ASSESSMENT
    return [(version, _rates(counts, rule_id, first)) for version, counts in by_version.items()]


def dry_run(run_id: uuid.UUID) -> DryRun | None:
    """A dry run with its two versions."""
    return DryRun.objects.select_related("draft", "base", "asked_by").filter(pk=run_id).first()


def newest_dry_run(draft: ProtocolVersion) -> DryRun | None:
    """The newest dry run of a draft."""
    return DryRun.objects.filter(draft=draft).order_by("-asked_at").first()


def cases_of(run: DryRun) -> list[DryRunCase]:
    """The cases that were kept, newest intake first."""
    return list(DryRunCase.objects.filter(run=run).order_by("-sent_at", "-id"))
