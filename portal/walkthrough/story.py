"""The steps in their order: the item of the journey, what happens, and the function that does and checks it."""

from collections.abc import Callable

from portal.walkthrough import beginning
from portal.walkthrough.walk import Walk

Step = tuple[str, str, Callable[[Walk], str]]
STEPS: list[Step] = [
    ("1", "A visitor takes the two-minute assessment", beginning.a_visitor_takes_the_assessment),
    ("2", "She opens an account", beginning.she_opens_an_account),
    ("2", "She answers the intake", beginning.she_answers_the_intake),
    ("4", "A crisis answer brings help and a person", beginning.a_crisis_answer_brings_help_and_a_person),
    ("2", "She signs and sends the intake", beginning.she_signs_and_sends),
    ("3, 5", "A psychiatrist claims, reads and accepts", beginning.a_psychiatrist_claims_and_accepts),
]
