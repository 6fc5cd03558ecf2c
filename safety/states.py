"""An alert's states. It never closes by itself: a named person acknowledges it, and a named person closes it with a reason."""

MOVES: dict[tuple[str, str], str] = {
    ("", "open"): "the cause, in its own transaction",
    ("open", "acknowledged"): "a named person who may see it",
    # A worse sign in an episode that somebody already holds puts it back to everybody; so does its holder's leaving.
    ("acknowledged", "open"): "a worse sign of the same episode, or its holder left",
    ("acknowledged", "acknowledged"): "handed over with the shift, or taken over by a named person",
    ("acknowledged", "closed"): "a named person, with a disposition and a note",
}

DISPOSITIONS = (
    "contacted_safe",
    "contacted_plan_made",
    "emergency_services",
    "sent_to_urgent_care",
    "unreachable_welfare_check",
    "clinical_review_done",
    "not_an_emergency",
    "entered_by_mistake",
    "drill",
    "roster_filled",
    "lane_restored",
)
# What can come of the practice's own alerts, and never of an alert about a person.
PRACTICE_DISPOSITIONS = frozenset({"drill", "roster_filled", "lane_restored"})
