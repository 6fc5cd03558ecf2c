"""Names of outcomes, and the definition beside each name."""

from collections.abc import Mapping

from measures.rules import Change, ChangeDefinitions

TITLES = {
    "response": "Response",
    "remission": "Remission",
    "clinically_significant": "Clinically significant change",
    "any_improvement": "Any improvement",
    "reliable": "Improved beyond error",
    "deterioration": "Got worse",
}
SHORT = {"phq9": "PHQ-9", "gad7": "GAD-7", "pcl5": "PCL-5"}
INSTRUMENTS = {
    "phq9": "PHQ-9, depression",
    "gad7": "GAD-7, anxiety",
    "pcl5": "PCL-5, after a bad experience",
    "suicide_risk": "Safety questions",
    "bladder": "Bladder questions",
    "use": "Questions about use",
}
FOR_PATIENT = {
    "phq9": "Your mood over the last two weeks",
    "gad7": "Worry and tension over the last two weeks",
    "pcl5": "After a bad experience: the last month",
    "suicide_risk": "Questions about your safety",
    "bladder": "Your bladder in the last month",
    "use": "How you have got on with the medicine",
}
# What a person reads at once after a yes; whoever the protocol names is told in the same moment.
AFTER_A_YES = {
    "bladder": "Thank you for telling us. A clinician is told now and calls you about your bladder. Until then take no dose. Blood, strong pain, "
    "or no water at all for eight hours: go to urgent care today.",
    "use": "Thank you for being honest. Your psychiatrist is told and talks it over with you. Until then no parcel leaves.",
}
MAXIMUM = {"phq9": 27, "gad7": 21, "pcl5": 80}


def definitions(
    numbers: ChangeDefinitions, others: Mapping[str, ChangeDefinitions] | None = None
) -> dict[str, str]:
    """What each name means, in numbers of the protocol in force: of the PHQ-9, and where another differs, of that one."""
    others = others or {}

    def differs(name: str, words: str) -> str:
        found = [
            f" {title}: {words.format(getattr(one, name))}."
            for title, one in others.items()
            if getattr(one, name) not in (None, getattr(numbers, name))
        ]
        return "".join(found)

    return {
        "response": f"The total fell by at least {numbers.response_drop_from_fraction:.0%} from before the course.",
        "remission": (
            f"The total is below {numbers.remission_total_below}, and was {numbers.remission_baseline_from} or more before."
            f" Counted only for people who started at {numbers.remission_baseline_from} or more."
        ),
        "clinically_significant": (
            f"The total fell by {numbers.significant_drop_from} points or more, to below {numbers.significant_total_below}."
            + differs("significant_drop_from", "{} points or more")
            + differs("significant_total_below", "to below {}")
        ),
        "any_improvement": "The total is lower than before, by any amount. A weak test: scores also move by chance.",
        "deterioration": f"The total rose by {numbers.deterioration_rise_from} points or more from before the course."
        + differs("deterioration_rise_from", "{} points or more"),
        "reliable": (
            f"The total fell by {numbers.reliable_change_from} points or more: more than scores usually move by chance."
            + differs("reliable_change_from", "{} points or more")
        ),
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
