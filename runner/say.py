"""What the runner tells people: short lines on the terminal, and one clear sentence when it cannot go on."""

from __future__ import annotations

import errno
import sys

DISK_FULL = "The disk is full: free at least 500 MB and try again."


class Trouble(Exception):
    """Something the person at the terminal can put right; its text is the one sentence they read."""


def say(line: str) -> None:
    """Print a line at once, whatever buffering the terminal or pipe has."""
    try:
        print(line, flush=True)
    except (BrokenPipeError, OSError):
        # The terminal is gone (closed window, `| head`): stopping cleanly matters more than telling about it.
        pass


def complain(line: str) -> None:
    """Print a line on the error stream."""
    try:
        print(line, file=sys.stderr, flush=True)
    except (BrokenPipeError, OSError):
        pass


def sentence_for(error: OSError) -> str | None:
    """The sentence for an operating-system error a person can put right, or None for a bug of ours."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return DISK_FULL
    where = f" ({error.filename})" if error.filename else ""
    if error.errno == errno.EROFS:
        return f"The disk is read-only{where}: Hearthside keeps its data in var/ and must be able to write there."
    if error.errno in (errno.EACCES, errno.EPERM):
        return f"This user may not write or run what Hearthside needs{where}: check its owner and rights."
    return None
