"""Questions in data, what is typed, and the facts the rules read of it. No database."""

from datetime import date
from decimal import Decimal

import pytest

from intake.forms import step_form
from intake.rules import FACTS_BY_NAME, Stage, required_facts
from intake.rules.answers import (
    body_mass_index,
    facts_from,
    height_cm,
    prefill_from,
    rx_classes_fact,
    weight_kg,
    worst_answer,
)
from intake.rules.documents import DOCUMENTS, document, read_document
from intake.rules.facts import RX_CLASSES
from intake.rules.steps import assessment_screens, formulary, intake_steps, known_medicine
from intake.rules.steps import step as step_of
from intake.rules.urgency import urgency_of
from measures.forms import instrument_form
from measures.rules import risk_screen
from tests.intake.builders import plain_answers

ON = date(2026, 11, 23)


def test_every_question_of_a_fact_offers_exactly_the_values_the_rules_know():
    for step in (*intake_steps(), *assessment_screens()):
        for question in step.questions:
            spec = FACTS_BY_NAME.get(question.name)
            if spec is None or question.kind in ("number", "us_state"):
                continue
            offered = {value for value, _ in question.choices} or {"yes", "no"}
            assert offered == set(spec.choices), question.name


def test_whatever_the_rules_let_be_unknown_can_be_said_to_be_unknown_where_it_is_asked():
    """E71: “I am not sure” is an answer wherever the vocabulary has it; only a person's sex and numbers are without."""
    asked = set()
    for step in (*intake_steps(), *assessment_screens()):
        fields = step_form(step).base_fields
        for question in step.questions:
            spec = FACTS_BY_NAME.get(question.name)
            if spec is not None and spec.expects.endswith("unsure") and question.name != "sex":
                assert "unsure" in dict(fields[question.name].choices), (step.id, question.name)
                asked.add(question.name)
    safety = instrument_form("suicide_risk").base_fields
    assert all("unsure" in dict(field.choices) for field in safety.values())
    asked |= set(safety)
    vocabulary = {
        name
        for name in required_facts(Stage.INTAKE)
        if FACTS_BY_NAME[name].expects.endswith("unsure") and name != "sex"
    }
    assert vocabulary <= asked


def test_every_required_fact_has_a_place_where_it_is_asked():
    asked = {question.name for step in intake_steps() for question in step.questions}
    derived = {
        "age_years": "date_of_birth", "bmi": "weight", "luts_score": "luts", "cardiac_event_days": "cardiac_event",
        "dast10": "drug_use_12mo",
    }  # fmt: skip
    elsewhere = {
        "phq9_total",
        "phq9_item9",
        "gad7_total",
        "audit_c",
        "rx_classes",
        "bp_systolic_mmhg",
        "bp_diastolic_mmhg",
    }
    elsewhere |= {name for name in FACTS_BY_NAME if name.startswith("cssrs_")}
    for name in required_facts(Stage.INTAKE):
        assert name in asked or derived.get(name) in asked or name in elsewhere, name


@pytest.mark.parametrize(
    ("event", "when", "days"),
    [
        ("no", None, "none"),
        ("yes", "2026-11-23", "0"),
        ("yes", "2026-05-27", "180"),
        ("yes", "2026-05-26", "181"),
        ("yes", None, None),
        ("unsure", None, None),
    ],
)
def test_days_since_a_heart_event_count_from_its_date(event, when, days):
    data = {"cardiac_event": event} | ({"cardiac_event_on": when} if when else {})
    assert facts_from({"heart": data}, on=ON).get("cardiac_event_days") == days


@pytest.mark.parametrize(
    ("born", "age"), [("2008-11-23", "18"), ("2008-11-24", "17"), ("1961-11-23", "65"), ("1961-11-24", "64")]
)
def test_age_turns_on_the_birthday(born, age):
    assert facts_from({"about": {"date_of_birth": born}}, on=ON)["age_years"] == age


@pytest.mark.parametrize(
    ("luts", "score"),
    [(["none"], "0"), (["pain"], "1"), (["pain", "night", "leak"], "3"), (["unsure"], None), ([], None)],
)
def test_bladder_signs_are_counted(luts, score):
    assert facts_from({"body": {"luts": luts}}, on=ON).get("luts_score") == score


@pytest.mark.parametrize(
    ("data", "score"),
    [
        ({"drug_use_12mo": "no"}, "0"),
        ({"drug_use_12mo": "yes"}, None),
        ({"drug_use_12mo": "yes", "dast10": "7"}, "7"),
        ({"drug_use_12mo": "unsure"}, None),
    ],
)
def test_dast_is_zero_without_any_drug_use_and_otherwise_a_clinicians_number(data, score):
    assert facts_from({"substances": data}, on=ON).get("dast10") == score


def test_unsure_and_empty_are_unknown():
    assert facts_from({"heart": {"htn": "unsure", "avm": "", "pheo": "no"}}, on=ON) == {"pheo": "no"}


def test_units_people_use():
    assert weight_kg(Decimal(150), "lb") == Decimal("68.0") and weight_kg(Decimal(70), "kg") == Decimal(
        "70.0"
    )
    assert height_cm(Decimal(5), Decimal(6), None) == Decimal("167.6")
    assert (
        height_cm(Decimal(5), None, Decimal(180)) == Decimal("180.0")
        and height_cm(None, Decimal(3), None) is None
    )
    assert body_mass_index(Decimal("68.0"), Decimal("167.6")) == Decimal("24.2")


def test_a_yes_stays_a_yes_whatever_came_after():
    """HZ-27."""
    assert worst_answer(["yes", "no"]) == "yes" and worst_answer(["no", "unsure"]) == "unsure"
    assert worst_answer(["no"]) == "no" and worst_answer([]) == ""


@pytest.mark.parametrize(
    ("typed", "classes"),
    [
        ("Zoloft 50 mg", ("antidepressant",)), ("  sertraline ", ("antidepressant",)), ("st john’s wort", ("cyp_inducer", "antidepressant")),
        ("ADDERALL XR 20", ("stimulant",)), ("Theo-24", ("theophylline",)), ("Tylenol with codeine", ("opioid",)),
        ("Grandmother's tonic", None), ("", None), ("🦊", None), ("x" * 10_000, None),
    ],
)  # fmt: skip
def test_medicines_are_known_by_brand_or_name(typed, classes):
    found = known_medicine(typed)
    assert (found.classes if found else None) == classes


def test_the_formulary_covers_every_class_and_nothing_else():
    classes = {one for known in formulary() for one in known.classes}
    assert classes == set(RX_CLASSES) - {"other"}
    names = [name.casefold() for known in formulary() for name in (known.name, *known.brands)]
    assert len(names) == len(set(names))
    assert all(known.rxnorm.isdigit() for known in formulary() if known.rxnorm)


def test_the_classes_fact():
    assert rx_classes_fact([]) == "none" and rx_classes_fact(["opioid", "benzo", "opioid"]) == "benzo opioid"


@pytest.mark.parametrize(
    ("reasons", "level"),
    [
        ([], 0),
        (["E57"], 0),
        (["E22"], 1),
        (["E21", "E22"], 2),
        (["E30"], 2),
        (["E19"], 3),
        (["E22", "E20"], 3),
    ],
)
def test_urgency_follows_the_gravest_reason(reasons, level):
    assert urgency_of(reasons) == level


@pytest.mark.parametrize(
    ("reasons", "missing", "level"),
    [
        (["E71"], [], 0),
        (["E71"], ["liver", "phq9_total"], 0),
        (["E22", "E71"], ["liver"], 1),
        *((["E71"], [question.code], 2) for question in risk_screen().questions),
        (["E22", "E71"], ["cssrs_q4"], 2),
        (["E19", "E71"], ["cssrs_q5"], 3),
    ],
)
def test_not_sure_about_safety_is_read_as_early_as_a_moderate_answer(reasons, missing, level):
    assert urgency_of(reasons, missing) == level
    assert urgency_of(["E21"]) == 2


def test_texts_to_sign_name_the_warnings_and_ask_for_each_point():
    text = document("treatment-consent", "NV")
    assert {"off_label", "compounded", "fda_2022", "fda_2023", "risks", "alternatives"} < set(
        text.acknowledge
    )
    for words in (
        "2022",
        "2023",
        "not approved by the FDA",
        "compounded",
        "Call 911 at once",
        "right to stop",
        "Spravato",
    ):
        assert words in text.body
    assert {"no_driving", "no_water", "sitter", "storage"} <= set(
        document("safety-agreement", "NV").acknowledge
    )
    assert len({document(name, "NV").sha256 for name in DOCUMENTS}) == 2


def test_a_changed_letter_is_another_text():
    body = document("treatment-consent", "NV").body
    assert (
        read_document(body.replace("slowly", "Slowly")).sha256 != document("treatment-consent", "NV").sha256
    )


@pytest.mark.parametrize(
    "broken",
    ["", "no front matter", "---\ntitle: x\n---\nbody", "---\ndocument: a\nversion: 1\ntitle: t\n---\nbody"],
)
def test_a_text_without_its_parts_is_refused(broken):
    with pytest.raises(ValueError):
        read_document(broken)


def test_prefill_puts_the_assessment_where_it_is_asked():
    assert prefill_from({"avm": "no", "state": "CA", "home_safe": "yes", "age_years": "30"}) == {
        "about": {"state": "CA"}, "heart": {"avm": "no"}, "home": {"home_safe": "yes"},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"weight": "300", "weight_unit": "kg", "height_ft": "5", "height_in": "4"}, "weight"),
        ({"weight": "20", "weight_unit": "kg"}, "weight"),
        ({"height_ft": "12"}, "height_ft"),
        ({"date_of_birth": "2026-11-24"}, "date_of_birth"),
    ],
)
def test_numbers_that_do_not_fit_are_asked_again(changes, field):
    form = step_form(step_of("about"))(plain_answers("about") | changes, on=ON)
    assert field in form.errors


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        ({"weight": "300", "weight_unit": "kg", "height_ft": "5", "height_in": "4"}, "Did you mean 300 lb?"),
        ({"weight": "200", "weight_unit": "kg"}, "Did you mean 200 lb?"),
        ({"weight": "68", "weight_unit": "lb"}, "Did you mean 68 kg?"),
        ({"weight": "72,5", "weight_unit": "lb"}, "Did you mean 72.5 kg?"),
    ],
)
def test_a_weight_in_the_wrong_unit_is_asked_about(typed, says):
    form = step_form(step_of("about"))(plain_answers("about") | typed, on=ON)
    assert says in form.errors["weight"][0]


def test_an_unusual_weight_that_is_right_can_be_sent_again():
    typed = plain_answers("about") | {"weight": "200", "weight_unit": "kg"}
    first = step_form(step_of("about"))(typed, on=ON)
    assert not first.is_valid() and first.doubt == "200 kg"
    again = step_form(step_of("about"))(typed | {"weight_sure": first.doubt}, on=ON)
    assert again.is_valid() and again.answers()["weight_kg"] == "200.0"
    other = step_form(step_of("about"))(typed | {"weight_sure": "200 kg", "weight": "210"}, on=ON)
    assert not other.is_valid()


@pytest.mark.parametrize(
    ("typed", "read"), [("72,5", "72.5"), (" 150 ", "150"), ("150.0", "150.0"), ("1,000", None), ("1e2", None), ("NaN", None), ("１５０", None), ("-150", None)],
)  # fmt: skip
def test_numbers_as_people_write_them(typed, read):
    form = step_form(step_of("about"))(plain_answers("about") | {"weight": typed, "weight_unit": "kg"}, on=ON)
    form.is_valid()
    assert (
        str(form.cleaned_data["weight"]) if "weight" in form.cleaned_data else None
    ) == read or "fit" in str(form.errors)
    assert read is not None or "weight" in form.errors


def test_none_and_something_contradict_each_other():
    form = step_form(step_of("body"))(plain_answers("body") | {"luts": ["none", "pain"]}, on=ON)
    assert "luts" in form.errors


def test_a_half_filled_page_can_be_saved_and_a_wrong_one_cannot():
    part = step_form(step_of("home"), part=True)
    assert part({"home_safe": "yes"}, on=ON).is_valid()
    assert not part({"home_safe": "perhaps"}, on=ON).is_valid()
