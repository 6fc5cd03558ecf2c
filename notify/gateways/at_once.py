"""Several messages to slow vendors at the same time, with one end for all of them.

A vendor's own time limit holds for each of its addresses and each read, so one that swallows everything can keep a caller for
minutes. Here each message has a thread that nobody waits for past the end: it dies with the process, and meanwhile keeps one
line to its channel. When a channel has no line left, its vendor lets go of nothing, and the page takes its next way at once.
"""

import queue
import threading
from collections.abc import Iterator, Sequence
from typing import Any

from common import clock
from notify.gateways.base import Envelope, Gateway, InDoubt, Refused, Result

MOST_LINES = 64
_lines: dict[str, threading.BoundedSemaphore] = {}


def send_at_once(
    pairs: Sequence[tuple[Gateway, Envelope]], *, within_s: float
) -> Iterator[list[tuple[Any, Result]]]:
    """Each message's reference and what became of it, as answers come; whoever has none in time is in doubt."""
    answers: queue.SimpleQueue[tuple[Any, Result]] = queue.SimpleQueue()
    waiting = {envelope.reference for _, envelope in pairs}
    until_s = clock.monotonic_s() + within_s
    for gateway, envelope in pairs:
        line = _lines.setdefault(envelope.channel, threading.BoundedSemaphore(MOST_LINES))
        if line.acquire(blocking=False):
            # A daemon: neither the pager's end nor a single turn of it waits for a vendor.
            threading.Thread(target=_send, args=(gateway, envelope, line, answers), daemon=True).start()
        else:
            answers.put((envelope.reference, Refused(f"every line for {envelope.channel} hangs")))
    while waiting:
        try:
            come = [answers.get(timeout=max(until_s - clock.monotonic_s(), 0.001))]
        except queue.Empty:
            yield [(one, InDoubt(f"no answer within {within_s:g} s")) for one in waiting]
            return
        while not answers.empty():
            come.append(answers.get())
        waiting -= {reference for reference, _ in come}
        yield come


def _send(
    gateway: Gateway,
    envelope: Envelope,
    line: threading.BoundedSemaphore,
    answers: "queue.SimpleQueue[tuple[Any, Result]]",
) -> None:
    result: Result = InDoubt("its thread ended")
    try:
        (result,) = gateway.send_many([envelope])
    finally:
        line.release()
        answers.put((envelope.reference, result))
