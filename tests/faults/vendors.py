"""The vendors of a fault run, in a process of their own that nobody kills: the recording Twilio and a mail server.

    python -m tests.faults.vendors --journal FILE --control FILE --clock FILE

prints one JSON line with its addresses. What is taken goes into the journal before it is answered. The control file tells both
how to behave (`well`, `accept-then-hang`, `refuse:…`), so that a test can hold a sender at the point "vendor accepted".
"""

import argparse
import datetime as dt
import json
import random
import socketserver
import sys
import threading
import time
from email import message_from_string
from pathlib import Path

from tests.twilio_server import TwilioServer, recording_twilio, wall_clock


def behaviour(control: Path) -> str:
    try:
        return control.read_text().strip() or "well"
    except OSError:
        return "well"


class _Mail(socketserver.StreamRequestHandler):
    """As much of SMTP as a client needs who means well."""

    def say(self, text: str) -> None:
        self.wfile.write(text.encode() + b"\r\n")

    def handle(self) -> None:
        try:
            self._talk()
        except OSError:
            pass  # the sender was killed

    def _talk(self) -> None:
        server: MailServer = self.server  # type: ignore[assignment]
        self.say("220 recording")
        to = ""
        while line := self.rfile.readline().decode(errors="replace").strip():
            verb = line[:4].upper()
            if verb in ("EHLO", "HELO", "MAIL", "RSET", "NOOP"):
                self.say("250 ok")
            elif verb == "RCPT":
                to = line.partition("<")[2].partition(">")[0]
                self.say("250 ok")
            elif verb == "DATA":
                self.say("354 go on")
                self._take(server, to)
            else:
                self.say("221 bye" if verb == "QUIT" else "502 no")
                if verb == "QUIT":
                    return

    def _take(self, server: "MailServer", to: str) -> None:
        lines = []
        while True:
            raw = self.rfile.readline()
            if not raw:
                return  # broken off: not taken
            if raw == b".\r\n":
                break
            lines.append(raw.decode(errors="replace"))
        behave = behaviour(server.control)
        if behave.startswith("refuse"):
            return self.say("451 not now")
        if behave == "hang":
            time.sleep(server.twilio.hang_s)
            return
        mail = message_from_string("".join(lines))
        server.twilio.write(
            {
                "what": "accepted", "at": server.twilio.time().isoformat(), "vendor": "mail", "channel": "email", "to": to,
                "sid": str(mail["Message-ID"] or "").strip(), "words": f"{mail['Subject']}\n{mail.get_payload()}",
            }
        )  # fmt: skip
        if behave == "accept-then-hang":
            time.sleep(server.twilio.hang_s)
            return
        self.say("250 taken")


class MailServer(socketserver.ThreadingTCPServer):
    """Takes mail on loopback and writes it down."""

    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, twilio: TwilioServer, control: Path) -> None:
        self.twilio, self.control = twilio, control
        super().__init__(("127.0.0.1", 0), _Mail)


def main(words: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.vendors")
    parser.add_argument("--journal", type=Path, required=True)
    parser.add_argument("--control", type=Path, required=True)
    parser.add_argument("--clock", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=1)
    told = parser.parse_args(words)

    def now() -> dt.datetime:
        """The practice's own idea of the time, which tests move."""
        try:
            offset_s = float(told.clock.read_text() or 0)
        except (OSError, ValueError):
            offset_s = 0.0
        return wall_clock() + dt.timedelta(seconds=offset_s)

    with recording_twilio(
        journal=told.journal, now=now, hang_s=120.0, dice=random.Random(told.seed)
    ) as twilio:
        mail = MailServer(twilio, told.control)
        threading.Thread(target=mail.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True).start()
        print(
            json.dumps({"twilio": twilio.url, "mail": f"smtp://127.0.0.1:{mail.server_address[1]}?tls=0"}),
            flush=True,
        )
        problems = 0
        while True:
            wanted = behaviour(told.control).split()
            twilio.behave = wanted[0]
            twilio.reports = next(
                (word.removeprefix("reports=") for word in wanted if word.startswith("reports=")), ""
            )
            for problem in twilio.problems[problems:]:
                twilio.write({"what": "problem", "words": problem})
                problems += 1
            time.sleep(0.02)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
