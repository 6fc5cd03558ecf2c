"""A recording Twilio on loopback: checks what the real one would (Basic auth, form body, E.164, required parameters) and keeps
every request. Point TWILIO_API_BASE at `server.url`."""

import base64
import contextlib
import json
import re
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit

E164 = re.compile(r"^\+[1-9]\d{7,14}$")


@dataclass
class TwilioServer:
    """What it expects, how it shall misbehave, and what came."""

    account_sid: str = "AC" + "a" * 32
    user: str = "SK" + "b" * 32
    password: str = "secret"
    behave: str = "well"  # well | refuse:<status>:<code> | hang | accept-then-hang
    requests: list[dict] = field(default_factory=list)
    accepted: list[dict] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    url: str = ""

    def messages_to(self, number: str) -> list[dict]:
        return [m for m in self.accepted if m["to"] == number and m["kind"] == "Messages"]


def _handler(server: TwilioServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *args: object) -> None:
            pass

        def _answer(self, status: int, body: dict) -> None:
            raw = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        def _refuse(self, status: int, code: int, message: str) -> None:
            self._answer(status, {"status": status, "code": code, "message": message, "more_info": ""})

        def _authorised(self) -> bool:
            expected = "Basic " + base64.b64encode(f"{server.user}:{server.password}".encode()).decode()
            if self.headers.get("Authorization") != expected:
                server.problems.append("wrong or missing Authorization")
                self._refuse(401, 20003, "Authenticate")
                return False
            return True

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            query = dict(parse_qsl(parts.query))
            server.requests.append({"method": "GET", "path": parts.path, "form": query})
            if not self._authorised():
                return
            if not parts.path.startswith(f"/2010-04-01/Accounts/{server.account_sid}/Messages"):
                server.problems.append(f"unknown path {parts.path}")
                return self._refuse(404, 20404, "not found")
            found = [m["resource"] for m in server.messages_to(query.get("To", ""))]
            self._answer(
                200, {"messages": found, "next_page_uri": None, "page": 0, "page_size": 50, "uri": self.path}
            )

        def do_POST(self) -> None:
            raw = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
            form = dict(parse_qsl(raw, keep_blank_values=True))
            path = urlsplit(self.path).path
            server.requests.append({"method": "POST", "path": path, "form": form})
            if not self._authorised():
                return
            match = re.fullmatch(rf"/2010-04-01/Accounts/{server.account_sid}/(Messages|Calls)\.json", path)
            if match is None:
                server.problems.append(f"unknown path {path}")
                return self._refuse(404, 20404, "not found")
            if not self.headers.get("Content-Type", "").startswith("application/x-www-form-urlencoded"):
                server.problems.append("not a form")
            kind = match[1]
            if not E164.match(form.get("To", "")):
                return self._refuse(400, 21211, "Invalid 'To' Phone Number")
            if not (form.get("From") or form.get("MessagingServiceSid")):
                return self._refuse(400, 21603, "A 'From' phone number is required")
            if not form.get("Body" if kind == "Messages" else "Twiml"):
                return self._refuse(400, 21602 if kind == "Messages" else 21205, "Body or Twiml is required")
            if server.behave.startswith("refuse:"):
                _, status, code = server.behave.split(":")
                return self._refuse(int(status), int(code), "told to refuse")
            if server.behave == "hang":
                time.sleep(3)
                return
            sid = ("SM" if kind == "Messages" else "CA") + f"{len(server.accepted) + 1:032d}"
            resource = {
                "sid": sid, "account_sid": server.account_sid, "to": form["To"], "from": form.get("From"), "body": form.get("Body", ""),
                "status": "queued", "date_sent": None, "date_created": "Mon, 23 Nov 2026 17:00:00 +0000",
                "date_updated": "Mon, 23 Nov 2026 17:00:00 +0000", "direction": "outbound-api", "uri": path,
            }  # fmt: skip
            server.accepted.append(
                {"kind": kind, "to": form["To"], "sid": sid, "form": form, "resource": resource}
            )
            if server.behave == "accept-then-hang":
                time.sleep(3)
                return
            self._answer(201, resource)

    return Handler


@contextlib.contextmanager
def recording_twilio() -> Iterator[TwilioServer]:
    """Runs until the block ends."""
    server = TwilioServer()
    http = ThreadingHTTPServer(("127.0.0.1", 0), _handler(server))
    http.daemon_threads = True
    server.url = f"http://127.0.0.1:{http.server_address[1]}"
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        http.shutdown()
        http.server_close()
