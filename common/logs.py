"""Logs carry an allow-list of fields: never a body, a query string or a person's words."""

import json
import logging
import re

ALLOWED = ("event", "code", "app", "object_id", "status", "count", "seconds", "attempt", "channel", "task")


# An address that is itself a key (a sitter's link, an invitation, a reset) must not open anything for a reader of logs.
KEYS_IN_PATHS = re.compile(r"/(s|invitation|confirm-email|reset/key|introduction/link)/[^/\s]+")


def _said(record: logging.LogRecord) -> str:
    """The message without what an exception said: a worker's own line repeats it, and it may hold a row's values."""
    if record.name == "celery.app.trace" and isinstance(record.args, dict):
        return f"task {record.args.get('name', '')} {record.args.get('description', 'ran')}"
    return KEYS_IN_PATHS.sub(r"/\1/-", record.getMessage())


class AllowListFormatter(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        line = {"at": self.formatTime(record), "level": record.levelname, "logger": record.name}
        line["message"] = _said(record)
        line.update({key: getattr(record, key) for key in ALLOWED if hasattr(record, key)})
        if record.exc_info and record.exc_info[0] is not None:
            # The traceback names places in the code; the exception's own text may hold an answer, so it stays out.
            line["exception"] = record.exc_info[0].__name__
            tb = record.exc_info[2]
            while tb is not None and tb.tb_next is not None:
                tb = tb.tb_next
            if tb is not None:
                line["raised_in"] = f"{tb.tb_frame.f_code.co_filename}:{tb.tb_lineno}"
        return json.dumps(line, default=str)
