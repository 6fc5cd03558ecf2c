"""A small load generator: clients that keep their connection, rounds that take turns, medians of the rounds."""

import socket
import statistics
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Round:
    """What one round measured."""

    per_second: float
    p50_ms: float
    p99_ms: float


def request_bytes(method: str, path: str, headers: dict[str, str], body: bytes = b"") -> bytes:
    lines = [
        f"{method} {path} HTTP/1.1",
        "Host: 127.0.0.1",
        *(f"{name}: {value}" for name, value in headers.items()),
    ]
    if method != "GET":
        lines.append(f"Content-Length: {len(body)}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + body


def _read_answer(connection: socket.socket, buffer: bytearray) -> int:
    """Read one answer; its status."""
    while (end := buffer.find(b"\r\n\r\n")) < 0:
        part = connection.recv(65536)
        if not part:
            raise ConnectionError("the server hung up")
        buffer += part
    head = bytes(buffer[:end]).lower()
    status = int(head[9:12])
    at = head.find(b"content-length:")
    if at < 0:
        raise ValueError("an answer without a length")
    length = int(head[at + 15 : head.find(b"\r\n", at) if head.find(b"\r\n", at) > 0 else None])
    total = end + 4 + length
    while len(buffer) < total:
        part = connection.recv(65536)
        if not part:
            raise ConnectionError("the server hung up")
        buffer += part
    del buffer[:total]
    return status


def one_round(port: int, make: Callable[[], bytes], *, clients: int, seconds: float, expect: int) -> Round:
    """Send for some seconds from several clients. Raises RuntimeError for any answer that is not the expected one."""
    took_ms: list[list[float]] = [[] for _ in range(clients)]
    wrong: list[int] = []
    until = time.perf_counter() + seconds

    def client(mine: list[float]) -> None:
        with socket.create_connection(("127.0.0.1", port)) as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            buffer = bytearray()
            while (started := time.perf_counter()) < until:
                connection.sendall(make())
                status = _read_answer(connection, buffer)
                if status != expect:
                    wrong.append(status)
                    return
                mine.append((time.perf_counter() - started) * 1000)

    threads = [threading.Thread(target=client, args=(mine,)) for mine in took_ms]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if wrong:
        raise RuntimeError(f"answered {wrong[0]}, not {expect}")
    everything = sorted(ms for mine in took_ms for ms in mine)
    return Round(
        per_second=len(everything) / seconds,
        p50_ms=statistics.median(everything),
        p99_ms=everything[int(len(everything) * 0.99)],
    )


def in_turns(sides: dict[str, Callable[[], Round]], *, rounds: int) -> dict[str, list[Round]]:
    """A, B, A, B, …: whatever the machine does meanwhile happens to both."""
    for side in sides.values():
        side()  # warm
    results: dict[str, list[Round]] = {name: [] for name in sides}
    for _ in range(rounds):
        for name, side in sides.items():
            results[name].append(side())
    return results


def median_ratio(
    results: dict[str, list[Round]], ours: str, theirs: str, value: Callable[[Round], float]
) -> tuple[float, float, float]:
    """Median of ours, median of theirs, median of the ratios round by round."""
    mine, other = [value(r) for r in results[ours]], [value(r) for r in results[theirs]]
    return (
        statistics.median(mine),
        statistics.median(other),
        statistics.median(a / b for a, b in zip(mine, other, strict=True)),
    )
