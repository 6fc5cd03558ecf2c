"""The ordinary lane's workers. Losing any of this loses nothing: what is due are rows (docs/architecture.md)."""

import logging.config
import os
from typing import Any

from celery import Celery
from celery.signals import setup_logging, worker_ready

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

# Every task counts its beginnings in the database: what kills or fails each worker ends before a person (notify/poison.py).
app = Celery("hearthside", task_cls="notify.poison:CountedTask")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@setup_logging.connect
def _our_own_lines(**_: Any) -> None:
    """The worker and beat write the same allow-listed lines as the pages; the library's own would print exceptions whole."""
    from django.conf import settings

    logging.config.dictConfig(settings.LOGGING)


@worker_ready.connect
def _second_pair_of_eyes(sender: Any, **_: Any) -> None:
    """Beat is a single point, and a worker can lose its connection unnoticed: notify/watchdog.py looks after both."""
    from notify import watchdog

    watchdog.start(sender.hostname)
