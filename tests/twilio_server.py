"""A recording Twilio on loopback, for tests and by hand. It checks what the real one would, keeps every request, and reports back.

    python -m tests.twilio_server --port 8099 --journal /tmp/twilio.jsonl

prints the settings that point a running practice at it (TWILIO_API_BASE and the made-up keys). It refuses, with Twilio's own
error numbers: a wrong Basic log-in, an unknown account or path, a body that is no form, numbers that are not E.164, a missing
sender, text or TwiML, a text over 1,600 characters, TwiML that does not parse, callback addresses that are none, numbers that
said STOP. What it takes it writes to the journal, one JSON line each, before it answers; then it reports the statuses, signed
with the account's token as Twilio signs, in order or not (`reports`). `behave` makes it refuse, hang, or take and never answer.
"""

import argparse
import base64
import contextlib
import datetime as dt
import email.utils
import hashlib
import hmac
import json
import random
import re
import sys
import threading
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qsl, urlencode, urlsplit
from xml.etree import ElementTree

E164 = re.compile(r"^\+[1-9]\d{7,14}$")
SERVICE = re.compile(r"^MG[0-9a-z]{32}$")
LONGEST_TEXT = 1600
LONGEST_TWIML = 4000
TEXT_STATUSES = ("queued", "sent", "delivered")
CALL_STATUSES = ("initiated", "ringing", "in-progress", "completed")
CALL_EVENTS = frozenset({"initiated", "ringing", "answered", "completed"})
KNOWN = {
    "Messages": frozenset({"To", "From", "MessagingServiceSid", "Body", "StatusCallback", "ValidityPeriod"}),
    "Calls": frozenset(
        {
            "To", "From", "Twiml", "Url", "Method", "Timeout", "StatusCallback", "StatusCallbackEvent",
            "StatusCallbackMethod", "MachineDetection",
        }
    ),
}  # fmt: skip


def signature(token: str, url: str, form: dict[str, str]) -> str:
    """Twilio's signature of a form sent to an address, by its public description: the address, then names and values sorted."""
    text = url + "".join(name + form[name] for name in sorted(form))
    return base64.b64encode(hmac.new(token.encode(), text.encode(), hashlib.sha1).digest()).decode()


def wall_clock() -> dt.datetime:
    """The vendor's own time, whatever the practice's test clock says."""
    return dt.datetime.now(dt.UTC)  # noqa: TID251


@dataclass
class TwilioServer:
    """What it expects, how it shall misbehave, and what came."""

    account_sid: str = "AC" + "a" * 32
    user: str = "SK" + "b" * 32
    password: str = "secret"
    auth_token: str = "the-account-token"
    behave: str = "well"  # well | refuse:<status>:<code> | hang | accept-then-hang
    hang_s: float = 3.0
    # How statuses are reported to StatusCallback: "" not at all, in-order, or any of doubled, shuffled, late joined by "+".
    reports: str = ""
    stopped: set[str] = field(default_factory=set)
    journal: Path | None = None
    # The vendor's own idea of the time; None lets every date filter pass, and then nothing it lists has a date.
    now: Callable[[], dt.datetime] | None = None
    dice: random.Random = field(default_factory=lambda: random.Random(1))
    requests: list[dict] = field(default_factory=list)
    accepted: list[dict] = field(default_factory=list)
    # Reports and what they were answered with: (sid, status, HTTP status or 0).
    reported: list[tuple[str, str, int]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    url: str = ""
    # What an address answered last, as the carrier would say it.
    heard: dict[str, str] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def messages_to(self, number: str) -> list[dict]:
        return [m for m in self.accepted if m["to"] == number and m["kind"] == "Messages"]

    def write(self, line: dict) -> None:
        """Into the journal, whole and at once."""
        if self.journal is not None:
            with self.lock, self.journal.open("a") as out:
                out.write(json.dumps(line) + "\n")

    def time(self) -> dt.datetime:
        return self.now() if self.now is not None else wall_clock()

    # --- what the real one would say no to ---

    def fault(self, kind: str, form: dict[str, str]) -> tuple[int, str] | None:
        """Twilio's error number and words for a request it would not take, or None."""
        to, sender = form.get("To", ""), form.get("From", "")
        service = form.get("MessagingServiceSid", "")
        if not E164.match(to):
            return 21211, "Invalid 'To' Phone Number"
        if not sender and not service:
            return (
                (21603, "A 'From' phone number is required")
                if kind == "Messages"
                else (21213, "'From' is required")
            )
        if sender and not E164.match(sender):
            return 21212, "Invalid 'From' Phone Number"
        if service and not SERVICE.match(service):
            return 21703, "The Messaging Service does not exist"
        if to == sender:
            return 21266, "'To' and 'From' cannot be the same"
        callback = form.get("StatusCallback", "")
        if callback and not _is_address(callback):
            return 21609, "Invalid 'StatusCallback' URL"
        if kind == "Messages":
            return self._fault_of_text(to, form)
        return _fault_of_call(form)

    def _fault_of_text(self, to: str, form: dict[str, str]) -> tuple[int, str] | None:
        if not form.get("Body"):
            return 21602, "Message body is required"
        if len(form["Body"]) > LONGEST_TEXT:
            return 21617, "The concatenated message body exceeds the 1600 character limit"
        if to in self.stopped:
            return 21610, "Attempt to send to unsubscribed recipient"
        return None

    # --- calling back ---

    def call_back(self, url: str, form: dict[str, str], *, token: str | None = None) -> int:
        """Send a signed form as Twilio does; the HTTP status, 0 when nobody answered."""
        signed = signature(self.auth_token if token is None else token, url, form)
        request = urllib.request.Request(
            url, data=urlencode(form).encode(), headers={"X-Twilio-Signature": signed}, method="POST"
        )
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                self.heard[url] = answer.read().decode(errors="replace")
                return int(answer.status)
        except urllib.error.HTTPError as refused:
            return refused.code
        except (OSError, ValueError):
            return 0

    def report(self, taken: dict, statuses: tuple[str, ...] | None = None) -> None:
        """Tell the StatusCallback how far it has come, as `reports` says."""
        url = taken["form"].get("StatusCallback", "")
        if not url:
            return
        text = taken["kind"] == "Messages"
        order = list(statuses or (TEXT_STATUSES if text else CALL_STATUSES))
        if "doubled" in self.reports:
            order = [status for status in order for _ in range(2)]
        if "shuffled" in self.reports:
            with self.lock:
                self.dice.shuffle(order)
        if "late" in self.reports:
            time.sleep(1 + self.dice.random() * 4)
        names = ("MessageSid", "MessageStatus") if text else ("CallSid", "CallStatus")
        for status in order:
            if text and status == "sent" and taken["resource"]["date_sent"] is None:
                taken["resource"]["date_sent"] = taken["resource"]["date_created"]
            form = {
                names[0]: taken["sid"],
                names[1]: status,
                "AccountSid": self.account_sid,
                "To": taken["to"],
            }
            answered = self.call_back(url, form)
            self.reported.append((taken["sid"], status, answered))
            self.write({"what": "reported", "sid": taken["sid"], "status": status, "answered": answered})


def _is_address(text: str) -> bool:
    parts = urlsplit(text)
    return parts.scheme in ("http", "https") and bool(parts.netloc) and len(text) <= 4000


def _fault_of_call(form: dict[str, str]) -> tuple[int, str] | None:
    twiml, address = form.get("Twiml", ""), form.get("Url", "")
    if not twiml and not address:
        return 21205, "Url or Twiml is required"
    if address and not _is_address(address):
        return 21205, "Url is not a valid URL"
    if len(twiml) > LONGEST_TWIML:
        return 21624, "Twiml is too long"
    if twiml:
        try:
            root = ElementTree.fromstring(twiml)  # noqa: S314  (from our own product, on loopback)
        except ElementTree.ParseError:
            return 12100, "Document parse failure"
        if root.tag != "Response":
            return 12100, "Document parse failure: no Response"
        if any(not _is_address(one.get("action", "http://none")) for one in root.iter("Gather")):
            return 13325, "Gather: invalid action"
    if not 1 <= int(form.get("Timeout", "60")) <= 600:
        return 21222, "Invalid timeout"
    return None


def _handler(server: TwilioServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *args: object) -> None:
            pass

        def _answer(self, status: int, body: dict) -> None:
            raw = json.dumps(body).encode()
            with contextlib.suppress(OSError):  # whoever asked may be dead by now
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(raw)))
                self.end_headers()
                self.wfile.write(raw)

        def _refuse(self, status: int, code: int, message: str) -> None:
            more = f"https://www.twilio.com/docs/errors/{code}"
            self._answer(status, {"status": status, "code": code, "message": message, "more_info": more})

        def _nonsense(self, status: int = 201) -> None:
            """A gateway's page in place of an answer, with a status that says all is well."""
            raw = b"<html>Service page</html>"
            with contextlib.suppress(OSError):
                self.send_response(status)
                self.send_header("Content-Type", "text/html")
                self.send_header("Content-Length", str(len(raw)))
                self.end_headers()
                self.wfile.write(raw)

        def _authorised(self) -> bool:
            expected = "Basic " + base64.b64encode(f"{server.user}:{server.password}".encode()).decode()
            if not hmac.compare_digest(self.headers.get("Authorization") or "", expected):
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
            if parts.path != f"/2010-04-01/Accounts/{server.account_sid}/Messages.json":
                server.problems.append(f"unknown path {parts.path}")
                return self._refuse(404, 20404, "not found")
            if server.behave.startswith("refuse:401"):
                return self._refuse(401, 20003, "told to refuse")
            if server.behave == "nonsense":
                return self._nonsense(200)
            since = query.get("DateSent>")
            after = dt.datetime.fromisoformat(since) if since and server.now is not None else None
            found = [
                m["resource"]
                for m in server.messages_to(query.get("To", ""))
                # What waits in the queue has no date of sending, and is not listed by one.
                if after is None or (m["resource"]["date_sent"] is not None and m["at"] >= after)
            ]
            # Newest first and a page at a time, as Twilio has it.
            size = min(int(query.get("PageSize", "50")), 1000)
            number = int(query.get("Page", "0"))
            page = list(reversed(found))[number * size : (number + 1) * size]
            more = (number + 1) * size < len(found)
            following = f"{parts.path}?{urlencode(query | {'Page': str(number + 1)})}" if more else None
            self._answer(
                200,
                {
                    "messages": page,
                    "next_page_uri": following,
                    "page": number,
                    "page_size": size,
                    "uri": self.path,
                },
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
                return self._refuse(400, 20001, "not a form")
            kind = match[1]
            server.problems += [
                f"{kind}: unknown parameter {name}" for name in sorted(set(form) - KNOWN[kind])
            ]
            if not set(filter(None, form.get("StatusCallbackEvent", "").split())) <= CALL_EVENTS:
                server.problems.append(f"unknown StatusCallbackEvent {form['StatusCallbackEvent']}")
            fault = server.fault(kind, form)
            if fault is not None:
                return self._refuse(400, *fault)
            if server.behave.startswith("refuse:"):
                _, status, code = server.behave.split(":")
                return self._refuse(int(status), int(code), "told to refuse")
            if server.behave == "nonsense":
                return self._nonsense()
            if server.behave == "hang":
                time.sleep(server.hang_s)
                return
            taken = self._take(kind, form, path)
            if server.behave == "accept-then-hang":
                time.sleep(server.hang_s)
                return
            self._answer(201, taken["resource"])
            if server.reports:
                threading.Thread(target=server.report, args=(taken,), daemon=True).start()

        def _take(self, kind: str, form: dict[str, str], path: str) -> dict:
            at = server.time()
            with server.lock:
                sid = (
                    "SM" if kind == "Messages" else "CA"
                ) + f"{len(server.accepted) + 1:08d}{uuid.uuid4().hex[:24]}"
                stamp = email.utils.format_datetime(at) if server.now is not None else None
                resource = {
                    "sid": sid, "account_sid": server.account_sid, "to": form["To"], "from": form.get("From"),
                    "body": form.get("Body", ""), "status": "queued", "date_sent": None, "date_created": stamp,
                    "date_updated": stamp, "direction": "outbound-api", "uri": f"{path.removesuffix('.json')}/{sid}.json",
                }  # fmt: skip
                taken = {
                    "kind": kind,
                    "to": form["To"],
                    "sid": sid,
                    "form": form,
                    "resource": resource,
                    "at": at,
                }
                server.accepted.append(taken)
            words = form.get("Body") or form.get("Twiml", "")
            server.write(
                {
                    "what": "accepted", "at": at.isoformat(), "vendor": "twilio",
                    "channel": "sms" if kind == "Messages" else "voice", "to": form["To"], "sid": sid, "words": words,
                }
            )  # fmt: skip
            return taken

    return Handler


class _Http(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: object, client_address: object) -> None:
        """A sender that was killed in the middle is no news."""


@contextlib.contextmanager
def recording_twilio(port: int = 0, **settings: object) -> Iterator[TwilioServer]:
    """Runs until the block ends."""
    server = TwilioServer(**settings)  # type: ignore[arg-type]
    http = _Http(("127.0.0.1", port), _handler(server))
    server.url = f"http://127.0.0.1:{http.server_address[1]}"
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        http.shutdown()
        http.server_close()


def environment(server: TwilioServer, sender: str = "+15005550006") -> dict[str, str]:
    """What a practice must be told to send here."""
    return {
        "TWILIO_API_BASE": server.url,
        "TWILIO_ACCOUNT_SID": server.account_sid,
        "TWILIO_API_KEY": server.user,
        "TWILIO_API_SECRET": server.password,
        "TWILIO_AUTH_TOKEN": server.auth_token,
        "TWILIO_FROM": sender,
    }


def main(words: list[str]) -> int:
    """Stand there until Ctrl-C, saying in a line what came."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.twilio_server", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--port", type=int, default=8099)
    parser.add_argument("--journal", type=Path, help="append what was taken and reported, one JSON line each")
    parser.add_argument(
        "--behave", default="well", help="well, refuse:<status>:<code>, nonsense, hang, accept-then-hang"
    )
    parser.add_argument(
        "--reports", default="in-order", help="in-order, or doubled, shuffled, late joined by +, or none"
    )
    told = parser.parse_args(words)
    with recording_twilio(
        told.port,
        journal=told.journal,
        behave=told.behave,
        reports="" if told.reports == "none" else told.reports,
        now=wall_clock,
    ) as server:
        print("Start the practice with:\n")
        print(
            " ".join(f"{name}={value}" for name, value in environment(server).items()),
            "make up\n",
            flush=True,
        )
        shown = told_of = 0
        with contextlib.suppress(KeyboardInterrupt):
            while True:
                time.sleep(0.5)
                for taken in server.accepted[shown:]:
                    words_of = taken["form"].get("Body") or taken["form"].get("Twiml", "")
                    print(
                        f"{taken['at']:%H:%M:%S}  {taken['kind']:<8}  {taken['to']:<15}  {words_of}",
                        flush=True,
                    )
                    shown += 1
                for problem in server.problems[told_of:]:
                    print(f"PROBLEM   {problem}", flush=True)
                    told_of += 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
