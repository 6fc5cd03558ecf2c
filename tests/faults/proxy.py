"""A door in front of a server that can be shut or made to swallow: the way a broken network looks to a client."""

import contextlib
import socket
import threading
from collections.abc import Iterator


class Door:
    """Passes bytes to and fro; `mode` is `open`, `shut` (connections are refused) or `swallow` (taken, and never a word)."""

    def __init__(self, port: int) -> None:
        self.to_port = port
        self.mode = "open"
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self._listener.getsockname()[1]
        self._open: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def be(self, mode: str) -> None:
        """From now on; what is connected already is cut off when the door is shut, and left hanging when it swallows."""
        self.mode = mode
        if mode != "swallow":
            self._cut()

    def close(self) -> None:
        self.mode = "shut"
        self._listener.close()
        self._cut()

    def _cut(self) -> None:
        for one in self._open:
            with contextlib.suppress(OSError):
                one.close()
        self._open.clear()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if self.mode == "shut":
                client.close()
                continue
            self._open.append(client)
            if self.mode == "swallow":
                continue
            try:
                server = socket.create_connection(("127.0.0.1", self.to_port), timeout=2)
            except OSError:
                client.close()
                continue
            server.settimeout(None)
            self._open.append(server)
            for source, target in ((client, server), (server, client)):
                threading.Thread(target=self._pump, args=(source, target), daemon=True).start()

    def _pump(self, source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if self.mode != "swallow":
                    target.sendall(data)
        # A client behind a swallowing door is told nothing, not even that the other side is gone.
        if self.mode != "swallow":
            for one in (source, target):
                with contextlib.suppress(OSError):
                    one.close()


@contextlib.contextmanager
def door_to(port: int) -> Iterator[Door]:
    door = Door(port)
    try:
        yield door
    finally:
        door.close()
