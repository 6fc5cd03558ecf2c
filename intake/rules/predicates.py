"""The 70 rules over facts, in order of number (E71, "something is unanswered", belongs to the evaluation).

Each is true, false or unknown (None) of a person's facts; no rule looks at another. The numbers come with
the thresholds; the facts each rule reads are declared beside it, and a test holds the declarations to it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from intake.rules.facts import Facts, Stage
from intake.rules.logic import Truth, at_least, below, both, either, has, is_one_of, negated, within
from intake.rules.thresholds import Thresholds


@dataclass(frozen=True, slots=True)
class Practice:
    """What a practice brings: states with a licensed prescriber (None: all), and its open pathways."""

    states: frozenset[str] | None = None
    ptsd_pathway: bool = False


Predicate = Callable[[Facts, Thresholds, Practice], Truth]


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule: its number, the stage it belongs to, the facts it reads, and its predicate."""

    id: str
    stage: Stage
    facts: tuple[str, ...]
    holds: Predicate


RULES: list[Rule] = []


def _rule(id: str, stage: Stage, *facts: str) -> Callable[[Predicate], Predicate]:
    def register(predicate: Predicate) -> Predicate:
        RULES.append(Rule(id, stage, facts, predicate))
        return predicate

    return register


def _yes(id: str, stage: Stage, fact: str) -> None:
    """A rule that is true when the answer is yes."""
    RULES.append(Rule(id, stage, (fact,), lambda f, t, p: getattr(f, fact)))


def _no(id: str, stage: Stage, fact: str) -> None:
    """A rule that is true when the answer is no."""
    RULES.append(Rule(id, stage, (fact,), lambda f, t, p: negated(getattr(f, fact))))


def _is(id: str, stage: Stage, fact: str, *choices: str) -> None:
    """A rule that is true when the answer is one of these."""
    RULES.append(Rule(id, stage, (fact,), lambda f, t, p: is_one_of(getattr(f, fact), *choices)))


def _takes(id: str, medicine_class: str) -> None:
    """A rule that is true when the person takes a medicine of this class."""
    RULES.append(Rule(id, Stage.INTAKE, ("rx_classes",), lambda f, t, p: has(f.rx_classes, medicine_class)))


_A, _I, _D = Stage.ASSESSMENT, Stage.INTAKE, Stage.DECISION


# --- who, where, and the room -------------------------------------------------------------------------


@_rule("E01", _A, "age_years")
def under_age(f: Facts, t: Thresholds, p: Practice) -> Truth:
    """Too young."""
    return below(f.age_years, t.minimum_age_years)


@_rule("E02", _A, "age_years")
def older_adult(f: Facts, t: Thresholds, p: Practice) -> Truth:
    """Old enough to need a closer look."""
    return at_least(f.age_years, t.older_adult_age_years)


@_rule("E03", _A, "state")
def no_prescriber_in_state(f: Facts, t: Thresholds, p: Practice) -> Truth:
    """Nobody is licensed where the person is."""
    if f.state is None:
        return None
    return p.states is not None and f.state not in p.states


_no("E04", _A, "has_internet_video")
_no("E05", _A, "monitor_available")
_no("E06", _A, "home_safe")


@_rule("E07", _I, "phq9_total", "gad7_total", "pcl5_total")
def symptoms_too_mild(f: Facts, t: Thresholds, p: Practice) -> Truth:
    """Every scale that is read lies below its qualifying level.

    The PTSD score is optional. Where the pathway is open and no score was given, the other two decide: an
    absent score must not qualify a person whom the others do not.
    """
    mild = both(below(f.phq9_total, t.phq9_qualifying_from), below(f.gad7_total, t.gad7_qualifying_from))
    if p.ptsd_pathway and f.pcl5_total is not None:
        return both(mild, f.pcl5_total < t.pcl5_qualifying_from)
    return mild


_is("E08", _D, "clinician_dx", "none")
_yes("E09", _A, "ketamine_allergy")
_yes("E10", _A, "pregnant")
_yes("E11", _A, "breastfeeding")


@_rule("E12", _I, "pregnancy_possible", "contraception")
def pregnancy_possible_without_contraception(f: Facts, t: Thresholds, p: Practice) -> Truth:
    """Could become pregnant, and nothing prevents it."""
    return both(f.pregnancy_possible, negated(f.contraception))


# --- mind ---------------------------------------------------------------------------------------------

_yes("E13", _A, "psychosis_history")
_yes("E14", _I, "fhx_psychosis")
_yes("E15", _A, "mania_history")


@_rule("E16", _I, "mania_screen_positive", "bipolar2")
def bipolar_two(f: Facts, t: Thresholds, p: Practice) -> Truth:
    """Bipolar II, or a positive screen."""
    return either(f.mania_screen_positive, f.bipolar2)


_yes("E17", _I, "dissociative_disorder")
_yes("E18", _I, "severe_pd")


@_rule("E19", _I, "cssrs_q4", "cssrs_q5")
def suicidal_intent_or_plan(f: Facts, t: Thresholds, p: Practice) -> Truth:
    """Intent, or a plan with intent."""
    return either(f.cssrs_q4, f.cssrs_q5)


_yes("E20", _I, "cssrs_q6_3mo")


@_rule("E21", _I, "cssrs_q3", "cssrs_q6_life", "cssrs_q6_3mo")
def moderate_suicide_risk(f: Facts, t: Thresholds, p: Practice) -> Truth:
    """Thought of a method, or behaviour in the past but not in the last three months."""
    return either(f.cssrs_q3, both(f.cssrs_q6_life, negated(f.cssrs_q6_3mo)))


@_rule("E22", _I, "cssrs_q1", "cssrs_q2", "phq9_item9")
def suicidal_thoughts(f: Facts, t: Thresholds, p: Practice) -> Truth:
    """A wish to be dead, thoughts of suicide, or a positive ninth item."""
    return either(either(f.cssrs_q1, f.cssrs_q2), at_least(f.phq9_item9, t.phq9_item9_positive_from))


# --- heart, vessels and pressure ----------------------------------------------------------------------

_yes("E23", _A, "aneurysm")
_yes("E24", _A, "avm")
_yes("E25", _A, "ich_history")


@_rule("E26", _I, "cardiac_event_days", "cardiac_unstable")
def recent_or_unstable_heart(f: Facts, t: Thresholds, p: Practice) -> Truth:
    """An event within the window (its last day included), or unstable now."""
    days = f.cardiac_event_days
    recent = None if days is None else days <= t.cardiac_event_recent_days
    return either(recent, f.cardiac_unstable)


@_rule("E27", _I, "cardiac_history", "cardiac_unstable")
def stable_heart_disease(f: Facts, t: Thresholds, p: Practice) -> Truth:
    """Heart disease, known to be stable."""
    return both(f.cardiac_history, negated(f.cardiac_unstable))


@_rule("E28", _I, "htn", "bp_systolic_mmhg", "bp_diastolic_mmhg")
def controlled_hypertension(f: Facts, t: Thresholds, p: Practice) -> Truth:
    """Hypertension with both pressures below the limit."""
    controlled = both(
        below(f.bp_systolic_mmhg, t.controlled_below_systolic_mmhg),
        below(f.bp_diastolic_mmhg, t.controlled_below_diastolic_mmhg),
    )
    return both(f.htn, controlled)


@_rule("E29", _I, "bp_systolic_mmhg", "bp_diastolic_mmhg")
def pressure_raised(f: Facts, t: Thresholds, p: Practice) -> Truth:
    """One of the pressures lies in the raised band."""
    return either(
        within(f.bp_systolic_mmhg, t.raised_from_systolic_mmhg, t.raised_below_systolic_mmhg),
        within(f.bp_diastolic_mmhg, t.raised_from_diastolic_mmhg, t.raised_below_diastolic_mmhg),
    )


@_rule("E30", _I, "bp_systolic_mmhg", "bp_diastolic_mmhg")
def pressure_uncontrolled(f: Facts, t: Thresholds, p: Practice) -> Truth:
    """One of the pressures has reached the uncontrolled level."""
    return either(
        at_least(f.bp_systolic_mmhg, t.uncontrolled_from_systolic_mmhg),
        at_least(f.bp_diastolic_mmhg, t.uncontrolled_from_diastolic_mmhg),
    )


@_rule("E31", _I, "hyp_enceph", "pheo")
def small_rises_are_dangerous(f: Facts, t: Thresholds, p: Practice) -> Truth:
    """Hypertensive encephalopathy, or phaeochromocytoma."""
    return either(f.hyp_enceph, f.pheo)


# --- body ---------------------------------------------------------------------------------------------

_yes("E32", _I, "raised_icp")
_is("E33", _I, "glaucoma", "angle_closure", "uncontrolled")
_is("E34", _I, "glaucoma", "controlled")
_is("E35", _I, "seizures", "uncontrolled")
_is("E36", _I, "seizures", "controlled")
_is("E37", _I, "hyperthyroid", "uncontrolled")
_yes("E38", _I, "thyroid_treated")
_is("E39", _I, "liver", "severe")
_is("E40", _I, "liver", "moderate")


@_rule("E41", _I, "egfr", "kidney")
def severe_kidney_disease(f: Facts, t: Thresholds, p: Practice) -> Truth:
    """Filtration below the limit where it was measured, severe disease by the person's own word, or not sure of that."""
    if f.kidney is None or (f.egfr is not None and f.kidney == "unknown"):
        return below(f.egfr, t.egfr_severe_below)
    told = is_one_of(f.kidney, "severe", "unknown")
    return told if f.egfr is None else either(told, below(f.egfr, t.egfr_severe_below))


_is("E42", _I, "cystitis", "active")


@_rule("E43", _I, "luts_score", "cystitis")
def bladder_symptoms_or_history(f: Facts, t: Thresholds, p: Practice) -> Truth:
    """Symptoms now, or cystitis in the past."""
    return either(at_least(f.luts_score, t.luts_symptoms_from), is_one_of(f.cystitis, "past"))


_is("E44", _I, "resp", "severe")
_is("E45", _I, "resp", "mild_mod")


@_rule("E46", _I, "bmi")
def weight_outside_range(f: Facts, t: Thresholds, p: Practice) -> Truth:
    """Above the limit; the limit itself is still inside."""
    return None if f.bmi is None else f.bmi > t.bmi_above


# --- substances ---------------------------------------------------------------------------------------

_yes("E47", _A, "sud_current")
_yes("E48", _A, "oud_history")
_yes("E49", _I, "ketamine_misuse")


@_rule("E50", _I, "audit_c")
def alcohol_high(f: Facts, t: Thresholds, p: Practice) -> Truth:
    """A high alcohol score."""
    return at_least(f.audit_c, t.audit_c_high_from)


@_rule("E51", _I, "audit_c", "sex")
def alcohol_positive(f: Facts, t: Thresholds, p: Practice) -> Truth:
    """At or over the cut-off for this sex; where the sex is unknown, known only if both cut-offs agree."""
    for_men = at_least(f.audit_c, t.audit_c_positive_men_from)
    for_others = at_least(f.audit_c, t.audit_c_positive_others_from)
    if f.sex is None:
        return for_men if for_men == for_others else None
    return for_men if f.sex == "male" else for_others


@_rule("E52", _I, "dast10")
def drugs_high(f: Facts, t: Thresholds, p: Practice) -> Truth:
    """A high drug score."""
    return at_least(f.dast10, t.dast10_high_from)


@_rule("E53", _I, "dast10", "sud_past")
def drugs_moderate_or_past(f: Facts, t: Thresholds, p: Practice) -> Truth:
    """A moderate drug score, or a past disorder in remission."""
    score = f.dast10
    moderate = None if score is None else t.dast10_moderate_from <= score <= t.dast10_moderate_to
    return either(moderate, f.sud_past)


_yes("E54", _I, "cannabis_daily")

# --- medicines, and the paperwork of the decision -----------------------------------------------------

_is("E55", _D, "pdmp", "not_checked", "discrepancy")
_takes("E56", "maoi")
_takes("E57", "stimulant")
_takes("E58", "benzo")
_takes("E59", "opioid")
_takes("E60", "cns_depressant")
_takes("E61", "lamotrigine")
_takes("E62", "naltrexone")
_takes("E63", "cyp_inhibitor")
_takes("E64", "cyp_inducer")
_takes("E65", "theophylline")
_takes("E66", "antidepressant")
_yes("E67", _I, "porphyria")
_yes("E68", _I, "other_neuromod")


@_rule("E69", _D, "consent_signed", "id_verified")
def consent_or_identity_open(f: Facts, t: Thresholds, p: Practice) -> Truth:
    """Consent not signed, or identity not verified."""
    return either(negated(f.consent_signed), negated(f.id_verified))


_no("E70", _D, "agreement_signed")
