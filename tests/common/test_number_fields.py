"""Every number a person types is refused in a plain sentence that says what goes in, whatever was wrong with it."""

import importlib
import pkgutil
from collections.abc import Iterator
from typing import Any

import pytest
from django import forms

from common.number_fields import NumberField, WholeNumberField, shown
from intake.forms.questions import step_form
from intake.rules.steps import intake_steps, step

OWN_APPS = [
    "accounts",
    "billing",
    "coaching",
    "consults",
    "intake",
    "measures",
    "notify",
    "outcomes",
    "safety",
    "sessions",
    "vitals",
    "video",
]
# What Django says by itself.
DJANGO = ("Ensure", "Enter a number", "Enter a whole number", "digits in total", "decimal place")


def modules() -> Iterator[str]:
    for app in OWN_APPS:
        package = importlib.import_module(app)
        for found in pkgutil.walk_packages(package.__path__, f"{app}."):
            if "form" in found.name and ".migrations" not in found.name:
                yield found.name


def number_fields() -> Iterator[tuple[str, forms.Field]]:
    """Every number field of every form in the house, and those of the intake's pages, whose forms are made from data. Hidden fields nobody types."""
    classes = {
        thing
        for name in modules()
        for thing in vars(importlib.import_module(name)).values()
        if isinstance(thing, type) and issubclass(thing, forms.BaseForm)
    }
    classes |= {step_form(one) for one in intake_steps() if one.is_form}
    for form in sorted(classes, key=lambda one: (one.__module__, one.__qualname__)):
        for name, field in form.base_fields.items():
            if isinstance(field, forms.IntegerField) and not field.widget.is_hidden and name != "version":
                yield f"{form.__name__}.{name}", field


FIELDS = dict(number_fields())


def refusals(field: Any) -> list[str]:
    """Everything this field says to letters, to numbers out of range, and to too many digits."""
    typed = ["twelve", "1e9", "12/80", "99999999999", "-99999999999", "1.23456789"]
    if field.min_value is not None:
        typed.append(str(field.min_value - 1))
    if field.max_value is not None:
        typed.append(str(field.max_value + 1))
    found = []
    for text in typed:
        with pytest.raises(forms.ValidationError) as refused:
            field.clean(text)
        found += refused.value.messages
    return found


@pytest.mark.parametrize("name", sorted(FIELDS))
def test_no_number_is_refused_in_the_words_of_the_framework(name: str) -> None:
    for sentence in refusals(FIELDS[name]):
        assert not any(words in sentence for words in DJANGO), sentence
        assert sentence[0].isupper() and sentence.rstrip()[-1] in ".?"


def test_the_walk_finds_the_fields_it_is_about() -> None:
    for name in (
        "AboutForm.height_in",
        "AboutForm.weight",
        "OrderForm.weight_kg",
        "ReadingForm.systolic_mmhg",
        "GapForm.gap_minutes",
    ):
        assert name in FIELDS
    assert len(FIELDS) > 25


@pytest.mark.parametrize(
    ("name", "typed", "said"),
    [
        ("height_in", "12", "Height, inches: write a number from 0 to 11.9. Twelve inches are one foot more."),
        ("height_ft", "170", "Height, feet: write a whole number from 3 to 8. Centimetres go into their own field below."),
        ("height_cm", "5", "Height, centimetres: write a number from 100 to 250. Feet and inches go into the two fields above."),
        ("weight", "12", "Weight: write a number from 20 to 1,000. Check the number, and whether it is pounds or kilograms."),
    ],
)  # fmt: skip
def test_height_and_weight_say_what_was_probably_meant(name: str, typed: str, said: str) -> None:
    field = step_form(step("about")).base_fields[name]
    with pytest.raises(forms.ValidationError) as refused:
        field.clean(typed)
    assert refused.value.messages == [said]


def test_a_weight_in_pounds_on_an_order_is_named_as_such() -> None:
    with pytest.raises(forms.ValidationError, match=r"in pounds, divide it by 2\.2"):
        FIELDS["OrderForm.weight_kg"].clean("420")


def test_limits_are_written_as_people_write_them() -> None:
    assert [shown(one) for one in ("1E+4", 0.001, 11.9, 500)] == ["10,000", "0.001", "11.9", "500"]
    assert WholeNumberField(label="How many?").error_messages["invalid"] == "How many: write a whole number."
    field = NumberField(label="Volume", max_value=2, decimal_places=1)
    assert field.error_messages["max_decimal_places"] == "Volume: at most 1 digit after the point."


def test_a_number_that_breaks_two_limits_at_once_is_told_of_it_once() -> None:
    field = NumberField(label="Strength", min_value=0, max_value=10_000, max_digits=6, decimal_places=1)
    with pytest.raises(forms.ValidationError) as refused:
        field.clean("99999999")
    assert refused.value.messages == ["Strength: write a number from 0 to 10,000."]
