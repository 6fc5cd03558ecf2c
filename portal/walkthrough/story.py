"""The steps in their order: the item of the journey, what happens, and the function that does and checks it."""

from collections.abc import Callable

from portal.walkthrough import afterwards, beginning, session_day, treatment
from portal.walkthrough.walk import Walk

Step = tuple[str, str, Callable[[Walk], str]]
STEPS: list[Step] = [
    ("4", "Somebody is on call", session_day.somebody_is_on_call),
    ("1", "A visitor takes the two-minute assessment", beginning.a_visitor_takes_the_assessment),
    ("2", "She opens an account", beginning.she_opens_an_account),
    ("2", "She answers the intake", beginning.she_answers_the_intake),
    ("4", "A crisis answer brings help and a person", beginning.a_crisis_answer_brings_help_and_a_person),
    ("2", "She signs and sends the intake", beginning.she_signs_and_sends),
    ("3, 5", "A psychiatrist claims, reads and accepts", beginning.a_psychiatrist_claims_and_accepts),
    ("9", "She sees the price and pays", treatment.she_sees_the_price_and_pays),
    ("6", "She books a consult", treatment.she_books_a_consult),
    ("6", "The consult takes place, the note is signed", treatment.the_consult_takes_place),
    ("6", "The order is signed", treatment.the_order_is_signed),
    ("11", "A coach joins the team", treatment.a_coach_joins_the_team),
    ("6", "The parcel arrives", treatment.the_parcel_arrives),
    ("10", "Reminders go out", session_day.reminders_go_out),
    ("7", "The on-call roster is staffed", session_day.the_roster_is_staffed),
    ("7", "Session 1", session_day.session(1)),
    ("7", "Session 2", session_day.session(2)),
    ("8", "Scores after session 2", afterwards.scores(2, 1, 1)),
    ("7", "Session 3", session_day.session(3)),
    ("7", "Session 4", session_day.session(4)),
    ("8", "Scores after session 4", afterwards.scores(4, 0, 0)),
    ("8", "The four weeks are summed up", afterwards.the_four_weeks_are_summed_up),
    (
        "11",
        "Administrators read, and cannot change history",
        afterwards.administrators_read_and_cannot_change,
    ),
    ("11", "A protocol version needs two people", afterwards.a_protocol_needs_two),
    ("all", "The audit trail holds", afterwards.the_trail_holds),
]
