"""A recording push service on loopback: checks what a real one would (RFC 8030, 8291, 8292) and opens the notice as the browser would."""

import base64
import contextlib
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import http_ece
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from py_vapid import Vapid02


def words(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def raw(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


@dataclass
class Browser:
    """One browser's own keys, which never leave it."""

    key: Any = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    secret: bytes = b"0123456789abcdef"

    @property
    def p256dh(self) -> str:
        return words(self.key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint))

    @property
    def auth(self) -> str:
        return words(self.secret)


@dataclass
class PushServer:
    """What came, and how it shall answer."""

    browser: Browser = field(default_factory=Browser)
    answer: int = 201
    notices: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    claims: list[dict[str, Any]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    host: str = ""

    @property
    def endpoint(self) -> str:
        return f"http://{self.host}/push/one"


def _handler(server: PushServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *args: object) -> None:
            pass

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            headers = {k.lower(): v for k, v in self.headers.items()}
            server.headers.append(headers)
            if headers.get("content-encoding") != "aes128gcm":
                server.problems.append("not encrypted as aes128gcm")
            if not headers.get("ttl", "").isdigit():
                server.problems.append("no TTL")
            if len(headers.get("topic", "")) > 32:
                server.problems.append("a topic of more than 32 characters")
            scheme, _, parts = headers.get("authorization", "").partition(" ")
            given = dict(pair.strip().split("=", 1) for pair in parts.split(",") if "=" in pair)
            if scheme != "vapid" or not Vapid02.verify(headers["authorization"]):
                server.problems.append("the VAPID signature does not fit")
            else:
                server.claims.append(json.loads(raw(given["t"].split(".")[1])))
            opened = http_ece.decrypt(
                body, private_key=server.browser.key, auth_secret=server.browser.secret, version="aes128gcm"
            )
            server.notices.append(json.loads(opened))
            self.send_response(server.answer)
            if server.answer in (301, 307):
                self.send_header("Location", "http://169.254.169.254/latest/")
            else:
                self.send_header("Location", f"http://{server.host}/message/1")
            self.send_header("Content-Length", "0")
            self.end_headers()

    return Handler


@contextlib.contextmanager
def recording_push_service() -> Iterator[PushServer]:
    """Runs until the block ends."""
    server = PushServer()
    http = ThreadingHTTPServer(("127.0.0.1", 0), _handler(server))
    http.daemon_threads = True
    server.host = f"127.0.0.1:{http.server_address[1]}"
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        http.shutdown()
        http.server_close()
