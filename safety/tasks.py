"""Celery's edge of safety. The pager does the same check, so losing Celery loses nothing."""

from celery import shared_task

from common import clock
from safety import actions


@shared_task(name="safety.tasks.check_coverage")
def check_coverage() -> None:
    """Is somebody on call for the next 72 hours?"""
    actions.check_coverage(at=clock.now())


@shared_task(name="safety.tasks.digests")
def digests() -> None:
    """Who has overdue work and has not been told today?"""
    actions.send_digests(at=clock.now())
