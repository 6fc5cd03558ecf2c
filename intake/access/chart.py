"""Everything the chart page shows, in few queries and however long the history is."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib.postgres.expressions import ArraySubquery
from django.db import connection
from django.db.models import Exists, OuterRef, Q, Subquery
from django.db.models.functions import JSONObject

from accounts.models import Patient
from common.encryption import lookup_digest
from intake import states
from intake.access.consents import withdrawn_at
from intake.access.people import active_medicines, excluded_before, sent_before
from intake.models import Decision, EligibilityEvaluation, Intake, Medicine
from intake.rules import Outcome
from intake.rules.eligibility import UNANSWERED
from intake.wording import RuleText, rule_texts
from measures.access import cssrs_of, responses_of, safety_plan_saved_at
from measures.models import InstrumentResponse
from notify.models import OptOut
from safety.access import holds_of
from vitals.access import recent_readings
from vitals.models import Reading
from vitals.rules import BpLimits, limits_from_data

# What fits on one page; older rows are a click away, so ten years of history cost what a month costs.
RESPONSES, READINGS, DECISIONS, FINDINGS = 40, 30, 10, 5


# Diagnosis, monitoring programme, signatures and identity are settled at the visit, so they say nothing about the person.
BEFORE_AN_ORDER = frozenset({"E08", "E55", "E69", "E70"})
DECIDED_AT_THE_VISIT = frozenset(
    {"clinician_dx", "pdmp", "consent_signed", "id_verified", "agreement_signed"}
)


@dataclass(frozen=True)
class Hold:
    """A hold that still stands, as the chart tells it."""

    reason_code: str
    placed_at: datetime


@dataclass(frozen=True)
class ClinicianFinding:
    """A signed C-SSRS result, as the chart tells it."""

    ideation_level: int
    risk_level: str
    signed_at: datetime
    signed_by: str


@dataclass(frozen=True)
class Signed:
    """A signed decision, as the chart tells it."""

    kind: str
    by: str
    at: datetime
    reasons: list[str]
    note: str
    letter: str


@dataclass(frozen=True)
class Chart:
    """One person, summary first."""

    patient: Patient
    intake: Intake
    evaluation: EligibilityEvaluation
    texts: Mapping[str, RuleText]
    limits: BpLimits
    medicines: list[Medicine]
    responses: list[InstrumentResponse]
    readings: list[Reading]
    decisions: list[Signed]
    holds: list[Hold]
    # The number has answered STOP: texts do not arrive, and the care team must know.
    opted_out: bool
    # When they used their right to stop, if nothing was signed after it.
    withdrawn_at: datetime | None
    # What psychiatrists found, the newest first, and when the safety plan was last saved.
    findings: list[ClinicianFinding]
    plan_saved_at: datetime | None
    # What opened the question again and is not settled.
    reopened: EligibilityEvaluation | None
    # By rule: what an earlier intake said that would exclude and this one does not say, and when it was sent.
    said_before: Mapping[str, datetime]

    def reasons(self, outcome: Outcome) -> list[RuleText]:
        """The rules about the person that are true and of this outcome, in words; what is unanswered stands in `unknown`."""
        found = [self.texts[id] for id in self.evaluation.reasons if id in self.texts]
        return [
            text
            for text in found
            if text.outcome is outcome and text.id not in BEFORE_AN_ORDER | {UNANSWERED}
        ]

    def said_before_in_words(self) -> list[tuple[RuleText, datetime]]:
        """What an earlier intake said and this one does not, in the words of its rule, and when that one was sent."""
        return [(self.texts[id], sent_at) for id, sent_at in self.said_before.items()]

    def before_an_order(self) -> list[RuleText]:
        """What must be settled at the visit before anything is prescribed."""
        return [self.texts[id] for id in self.evaluation.reasons if id in BEFORE_AN_ORDER]

    def unknown(self) -> list[str]:
        """Facts that the patient's own answers leave open."""
        return [name for name in self.evaluation.missing if name not in DECIDED_AT_THE_VISIT]

    def result(self) -> Outcome:
        """The screen result from what is known about the person."""
        if self.reasons(Outcome.EXCLUDE):
            return Outcome.EXCLUDE
        return Outcome.REVIEW if self.reasons(Outcome.REVIEW) or self.unknown() else Outcome.OK

    def of(self, instrument: str) -> list[InstrumentResponse]:
        """Finished responses of one instrument, newest first."""
        return [
            row
            for row in self.responses
            if row.instrument == instrument and (row.total is not None or row.risk_level)
        ]


def _read(name: str, sealed: str) -> str:
    """Words of a decision that came sealed within JSON."""
    field: Any = Decision._meta.get_field(name)
    words: str = field.from_db_value(sealed, None, connection)
    return words


def chart_of(patient: Patient) -> Chart | None:
    """The chart of somebody who has sent an intake; None before that."""
    all_of_them = EligibilityEvaluation.objects.filter(patient=patient).order_by("-at", "-id")
    # The newest, and the last that opened or settled the question again (often the same), in one query.
    rows = list(
        EligibilityEvaluation.objects.filter(
            Q(pk=Subquery(all_of_them.values("pk")[:1]))
            | Q(pk=Subquery(all_of_them.filter(cause__in=["reopened", "settled"]).values("pk")[:1]))
        )
        .select_related("intake__claimed_by", "protocol", "changed_by")
        # Asked on the way, so that the page needs no look-ups of their own for them.
        .annotate(
            withdrawn_at=withdrawn_at(patient),
            opted_out=Exists(OptOut.objects.filter(number_digest=lookup_digest(patient.user.phone))),
            holds=ArraySubquery(
                holds_of(patient)
                .select_related(None)
                .values(json=JSONObject(reason_code="reason_code", placed_at="placed_at"))
            ),
            findings=ArraySubquery(
                cssrs_of(patient)
                .filter(corrected_by__isnull=True)
                .select_related(None)
                .values(
                    json=JSONObject(
                        ideation_level="ideation_level",
                        risk_level="risk_level",
                        signed_at="signed_at",
                        signed_by="signed_by__full_name",
                    )
                )[:FINDINGS]
            ),
            decisions=ArraySubquery(
                Decision.objects.filter(intake__patient=patient)
                .order_by("-at")
                .values(
                    json=JSONObject(
                        kind="kind",
                        by="by__full_name",
                        mail="by__email",
                        at="at",
                        reasons="reasons",
                        note="note",
                        letter="letter",
                    )
                )[:DECISIONS]
            ),
            plan_saved_at=Subquery(safety_plan_saved_at(patient)),
            earlier=ArraySubquery(
                sent_before(OuterRef("intake"))
                .filter(patient=patient)
                .values(json=JSONObject(reasons="reasons", at="at"))
            ),
        )
        .order_by("-at", "-id")
    )
    evaluation = rows[0] if rows else None
    if evaluation is None or evaluation.intake.state in (states.DRAFT, states.WITHDRAWN):
        return None
    data: dict[str, Any] = evaluation.protocol.data
    return Chart(
        patient=patient,
        intake=evaluation.intake,
        evaluation=evaluation,
        texts=rule_texts(data["eligibility"]),
        limits=limits_from_data(data["bp"]),
        medicines=active_medicines(patient),
        responses=list(responses_of(patient)[:RESPONSES]),
        readings=recent_readings(patient, READINGS)[::-1],
        decisions=[
            Signed(
                row["kind"],
                row["by"] or row["mail"],
                datetime.fromisoformat(row["at"]),
                row["reasons"],
                note=_read("note", row["note"]),
                letter=_read("letter", row["letter"]),
            )
            for row in evaluation.decisions
        ],
        holds=[
            Hold(row["reason_code"], datetime.fromisoformat(row["placed_at"])) for row in evaluation.holds
        ],
        opted_out=bool(patient.user.phone) and evaluation.opted_out,
        withdrawn_at=evaluation.withdrawn_at,
        findings=[
            ClinicianFinding(**{**row, "signed_at": datetime.fromisoformat(row["signed_at"])})
            for row in evaluation.findings
        ],
        plan_saved_at=evaluation.plan_saved_at,
        reopened=next((row for row in rows if row.cause == "reopened"), None),
        said_before=excluded_before(
            ((row["reasons"], datetime.fromisoformat(row["at"])) for row in evaluation.earlier), evaluation
        ),
    )
