"""PR-14: a line of the log holds places, names and counts; never an exception's words, nor an address that is a key."""

import logging
import sys

from common.logs import AllowListFormatter


def line(name, level, message, args, *, error=None):
    info = None
    if error is not None:
        try:
            raise error
        except ValueError:
            info = sys.exc_info()
    record = logging.LogRecord(name, level, __file__, 1, message, args, info)
    return AllowListFormatter().format(record)


def test_pr_14_a_workers_own_line_leaves_out_what_the_exception_said():
    said = line(
        "celery.app.trace", logging.ERROR, "Task %(name)s[%(id)s] %(description)s: %(exc)s\n%(traceback)s",
        ({"name": "sessions.tasks.sweep_overdue", "id": "1", "description": "raised unexpected",
          "exc": "Failing row contains (CANARY)", "traceback": "CANARY"},),
        error=ValueError("CANARY"),
    )  # fmt: skip
    assert "CANARY" not in said and "sweep_overdue" in said and "ValueError" in said


def test_pr_14_a_failing_page_behind_a_secret_link_does_not_log_the_secret():
    for path in ("/s/CANARY/check/", "/accounts/invitation/CANARY/", "/accounts/password/reset/key/CANARY/"):
        said = line("django.request", logging.ERROR, "%s: %s", ("Internal Server Error", path))
        assert "CANARY" not in said, path


def test_pr_14_worker_and_beat_write_through_the_same_formatter():
    from celery.signals import setup_logging

    import config.celery  # noqa: F401

    assert setup_logging.receivers
