"""The ordinary lane's workers. Losing any of this loses nothing: what is due are rows (docs/architecture.md)."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

app = Celery("hearthside")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
