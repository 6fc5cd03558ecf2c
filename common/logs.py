"""Logs carry an allow-list of fields: never a body, a query string or a person's words."""

import json
import logging

ALLOWED = ("event", "code", "app", "object_id", "status", "count", "seconds", "attempt", "channel", "task")


class AllowListFormatter(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        line = {"at": self.formatTime(record), "level": record.levelname, "logger": record.name}
        line["message"] = record.getMessage()
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
