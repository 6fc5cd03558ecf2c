"""Celery's edge of intake: what goes on in bounded pieces while nobody waits for it."""

from celery import shared_task

from common import clock
from intake import actions


@shared_task(name="intake.tasks.dry_runs")
def dry_runs() -> int:
    """One batch of the oldest dry run that is not finished; answers how many intakes it looked at."""
    return actions.continue_dry_runs(at=clock.now())


@shared_task(name="intake.tasks.unserved_states")
def unserved_states() -> int:
    """A task for an administrator for each state in which people wait and nobody may prescribe; answers how many."""
    return actions.check_unserved_states(at=clock.now())


@shared_task(name="intake.tasks.ask_for_new_signatures")
def ask_for_new_signatures() -> int:
    """A message to everybody in care whose wording or state is new; once each. Answers how many stand to be signed."""
    return actions.ask_for_new_signatures(at=clock.now())
