"""Number fields whose every refusal is a plain sentence: what goes in, and what was probably meant."""

from decimal import Decimal
from typing import Any

from django import forms

# The likely mistake in a field of a blood-pressure reading.
TWO_IN_ONE = "Do two numbers stand in one field?"


def shown(number: Any) -> str:
    """A limit as people write it: 10,000 and 11.9, never 1E+4."""
    return f"{Decimal(str(number)).normalize():,f}"


class _Plain:
    """`slip`: the likely mistake when a number is out of range, in a sentence."""

    def __init__(self, *, slip: str = "", **kwargs: Any) -> None:
        given = kwargs.pop("error_messages", None) or {}
        label = str(kwargs.get("label") or "This number").rstrip("?:.").replace(": ", ", ")
        least, most = kwargs.get("min_value"), kwargs.get("max_value")
        places = kwargs.get("decimal_places", 0)
        unit = getattr(kwargs.get("widget"), "attrs", {}).get("data-unit", "")
        span = ""
        if least is not None and most is not None:
            span = f"from {shown(least)} to {shown(most)}"
        elif least is not None:
            span = f"of {shown(least)} or more"
        elif most is not None:
            span = f"of {shown(most)} or less"
        what = "a number" if places else "a whole number"
        said = " ".join(part for part in (f"{label}: write", what, span, unit) if part) + "."
        outside = f"{said} {slip}".strip()
        some = f"{label}: at most {places} {'digit' if places == 1 else 'digits'} after the point."
        super().__init__(  # type: ignore[call-arg]
            **kwargs,
            error_messages={
                "required": said,
                "invalid": f"{said} Use a point, as in 1.5." if places else said,
                "min_value": outside,
                "max_value": outside,
                "max_digits": outside,
                "max_whole_digits": outside,
                "max_decimal_places": some if places else said,
                **given,
            },
        )

    def clean(self, value: Any) -> Any:
        """As Django does; a number that breaks two limits at once is told of it once."""
        try:
            return super().clean(value)  # type: ignore[misc]
        except forms.ValidationError as refused:
            said = {str(message): one for one in refused.error_list for message in one.messages}
            raise forms.ValidationError(list(said.values())) from None


class WholeNumberField(_Plain, forms.IntegerField):
    """A whole number."""


class NumberField(_Plain, forms.DecimalField):
    """A number with digits after the point."""
