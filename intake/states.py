"""Where an intake can go, and who moves it."""

from typing import Final

DRAFT: Final = "draft"
SUBMITTED: Final = "submitted"
CLAIMED: Final = "claimed"
MORE_INFO: Final = "more_info"
ACCEPTED: Final = "accepted"
DECLINED: Final = "declined"
WITHDRAWN: Final = "withdrawn"

MOVES: Final = {
    ("", DRAFT): "patient",
    (DRAFT, SUBMITTED): "patient",
    (SUBMITTED, CLAIMED): "psychiatrist",
    (CLAIMED, SUBMITTED): "psychiatrist, or the end of the lease",
    (CLAIMED, ACCEPTED): "psychiatrist",
    (CLAIMED, DECLINED): "psychiatrist",
    (CLAIMED, MORE_INFO): "psychiatrist",
    (MORE_INFO, SUBMITTED): "patient",
    (MORE_INFO, CLAIMED): "psychiatrist, once the day asked for is over",
    (DRAFT, WITHDRAWN): "patient",
    (SUBMITTED, WITHDRAWN): "patient",
    (MORE_INFO, WITHDRAWN): "patient",
}

# One of these at a time per patient.
OPEN: Final = (DRAFT, SUBMITTED, CLAIMED, MORE_INFO)
# In these the patient holds the pen.
PATIENT_WRITES: Final = (DRAFT, MORE_INFO)
# What a person in care may still change: health moves on, and the rules are asked again each time (HZ-12).
UPDATABLE_STEPS: Final = ("heart", "body", "mind", "substances", "home")
# In these a psychiatrist may find it in the queue (a claim whose lease has ended is waiting again).
IN_QUEUE: Final = (SUBMITTED, CLAIMED)

# A claim is held this long without a touch; then somebody else may take the intake.
LEASE_MINUTES: Final = 30
