"""Which steps the practice asks now: a pathway that is off is not asked about."""

from django.conf import settings

from intake.rules.steps import Step, intake_steps, step

PTSD = "ptsd"


def asked_steps() -> tuple[Step, ...]:
    """The steps of the intake, in order, with those of the pathways that are on."""
    return intake_steps(PTSD) if settings.PTSD_PATHWAY else intake_steps()


def asked_step(id: str) -> Step:
    """One of these steps; KeyError for one that does not exist or is not asked."""
    found = step(id)
    if found.pathway and found not in asked_steps():
        raise KeyError(id)
    return found
