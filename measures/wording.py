"""What a person reads about a score, a change or a risk level."""

from __future__ import annotations

from collections.abc import Mapping

from measures.rules import Change, RiskLevel

SEVERITY_FOR_PATIENT: Mapping[str, str] = {
    "minimal": "few or no symptoms",
    "mild": "mild symptoms",
    "moderate": "moderate symptoms",
    "moderately_severe": "fairly strong symptoms",
    "severe": "strong symptoms",
    "low": "a low level",
    "some": "a level worth talking about",
    "high": "a high level",
    "below_cut": "below the range that calls for a closer look",
    "near_cut": "near the range that calls for a closer look",
    "above_cut": "in the range that calls for a closer look",
    "nothing_noticed": "nothing noticed",
    "something_noticed": "something that somebody will ask you about",
    "nothing_told": "nothing told",
    "something_told": "something that somebody will talk over with you",
}


def time_of(timepoint: str) -> str:
    """When something was asked, in words: "checkin" is what was answered in care beside the points of the course."""
    return "during care" if timepoint == "checkin" else timepoint.replace("_", " ")


RISK_FOR_STAFF: Mapping[RiskLevel, str] = {
    RiskLevel.NONE: "No risk answers",
    RiskLevel.LOW: "Low: wish to be dead or thoughts, nothing further",
    RiskLevel.MODERATE: "Moderate: a method considered, earlier behaviour, or a question left open",
    RiskLevel.HIGH: "High: intent, plan, or behaviour within three months",
}

HELP_HEADING = "Thank you for telling us. You deserve support right now."
HELP_LINES: tuple[str, ...] = (
    "If you are in danger or might act on these thoughts, call 911.",
    "Call or text 988 at any hour to talk with someone. It is free and private.",
    "A person from our team has been told and will reach out to you.",
)
HELP_WHILE_HELD = (
    "Sessions wait until you have talked with a clinician. That is to keep you safe, not a judgement."
)


def change_for_staff(change: Change) -> str:
    """One line with every name that applies, and the numbers behind it."""
    names = [
        name
        for name, holds in (
            ("response", change.response),
            ("remission", bool(change.remission)),
            ("clinically significant change", change.clinically_significant),
            ("improvement beyond error", change.reliable),
            ("deterioration", change.deterioration),
        )
        if holds
    ]
    percent = "" if change.percent is None else f", {change.percent:+.0f} %"
    return f"{change.baseline} to {change.follow_up} ({change.points:+d}{percent}): {', '.join(names) or 'none of the definitions met'}"


def change_for_patient(change: Change) -> str:
    """One plain sentence; it describes, and promises nothing."""
    if change.deterioration:
        return "Your score is clearly higher than when you started. Your psychiatrist will talk with you about it."
    if change.remission:
        return "Your score is now in the range of few or no symptoms."
    if change.response:
        return "Your score has dropped by half or more since you started."
    if change.any_improvement:
        return "Your score is lower than when you started."
    if change.points == 0:
        return "Your score is the same as when you started."
    return "Your score is a little higher than when you started."
