"""Names of outcomes, and the definition beside each name."""

from measures.rules import Change, ChangeDefinitions

TITLES = {
    "response": "Response",
    "remission": "Remission",
    "clinically_significant": "Clinically significant change",
    "any_improvement": "Any improvement",
    "deterioration": "Got worse",
}
INSTRUMENTS = {"phq9": "PHQ-9, depression", "gad7": "GAD-7, anxiety", "suicide_risk": "Safety questions"}
FOR_PATIENT = {
    "phq9": "Your mood over the last two weeks",
    "gad7": "Worry and tension over the last two weeks",
    "suicide_risk": "Questions about your safety",
}
MAXIMUM = {"phq9": 27, "gad7": 21}


def definitions(numbers: ChangeDefinitions) -> dict[str, str]:
    """What each name means, in numbers of the protocol in force."""
    return {
        "response": f"The total fell by at least {numbers.response_drop_from_fraction:.0%} from before the course.",
        "remission": (
            f"The total is below {numbers.remission_total_below}, and was {numbers.remission_baseline_from} or more before."
            f" Counted only for people who started at {numbers.remission_baseline_from} or more."
        ),
        "clinically_significant": (
            f"The total fell by {numbers.significant_drop_from} points or more, to below {numbers.significant_total_below}."
        ),
        "any_improvement": "The total is lower than before, by any amount. A weak test: scores also move by chance.",
        "deterioration": f"The total rose by {numbers.deterioration_rise_from} points or more from before the course.",
    }


def words(change: Change) -> list[tuple[str, str, str]]:
    """(code, yes/no/does not apply, pill kind) for one person's change, for lists."""
    rows = []
    for code in TITLES:
        value = getattr(change, code)
        if value is None:
            rows.append((code, "Does not apply", "neutral"))
        elif code == "deterioration":
            rows.append((code, "Yes" if value else "No", "pause" if value else "ok"))
        else:
            rows.append((code, "Yes" if value else "No", "ok" if value else "neutral"))
    return rows
