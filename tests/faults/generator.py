"""The people of a storm, as clients of the running site: each wish is sent until it is answered, under one number, and written
into the ledger before it is sent and when it is answered."""

import datetime as dt
import http.client
import json
import random
import re
import threading
import time
import uuid
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import psycopg2

from tests.faults.conftest import World
from tests.faults.ledger import Ledger
from tests.twilio_server import TwilioServer, wall_clock

CSRF = "c" * 32
# Whoever is not answered tries again after this long, for this long.
AGAIN_S = 0.4
PATIENCE_S = 120.0
PHQ9 = {f"phq9_{n}": 1 for n in range(1, 9)}
ALERT = re.compile(r"/(?:alerts|answer)/([0-9a-f-]{36})/")


class Generator:
    """Threads that mean things. `stop()` lets each finish what it has begun."""

    def __init__(
        self, world: World, practice: dict[str, Any], ledger: Ledger, *, seed: int, seconds: float
    ) -> None:
        self.world, self.practice, self.ledger = world, practice, ledger
        self.dice = random.Random(seed)
        self.seconds = seconds
        self.stopping = threading.Event()
        self.threads: list[threading.Thread] = []
        self.trouble: list[str] = []
        self.vendor = TwilioServer()
        self.answered: set[str] = set()

    def start(self) -> None:
        for work in (
            self._crises,
            self._measure,
            self._measure,
            self._visits,
            self._leave,
            self._take_alerts,
        ):
            thread = threading.Thread(
                target=self._safely, args=(work, random.Random(self.dice.random())), daemon=True
            )
            self.threads.append(thread)
            thread.start()

    def stop(self) -> None:
        """No new wishes; what is under way is sent until it is answered."""
        self.stopping.set()
        for thread in self.threads:
            thread.join(timeout=PATIENCE_S + 30)
            if thread.is_alive():
                self.trouble.append("a client is still waiting for its answer")

    def _safely(self, work: Callable[[random.Random], None], dice: random.Random) -> None:
        try:
            work(dice)
        except Exception as error:
            self.trouble.append(f"{work.__name__}: {error!r}")

    # --- sending ---

    def _once(self, method: str, path: str, body: bytes, headers: dict[str, str]) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.world.web_port, timeout=10)
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def wish(
        self, kind: str, path: str, body: bytes, headers: dict[str, str], *, key: str, **about: Any
    ) -> Any:
        """Send it until it is answered with anything but trouble of the server; the answer, or None when patience ended."""
        self.ledger.write(what="meant", kind=kind, key=key, **about)
        until = time.monotonic() + PATIENCE_S
        tries = 0
        while time.monotonic() < until:
            tries += 1
            try:
                status, answer = self._once("POST", path, body, headers)
            except (OSError, http.client.HTTPException) as error:
                self.ledger.write(what="tried", key=key, why=type(error).__name__)
                time.sleep(AGAIN_S)
                continue
            if status >= 500:
                self.ledger.write(what="tried", key=key, why=status)
                time.sleep(AGAIN_S)
                continue
            if status in (200, 201, 302):
                self.ledger.write(what="told", key=key, status=status, tries=tries)
                try:
                    return json.loads(answer)
                except ValueError:
                    return {}
            self.ledger.write(
                what="refused",
                key=key,
                status=status,
                body=answer[:200].decode(errors="replace"),
            )
            return None
        return None

    def _api(self, token: str, key: str) -> dict[str, str]:
        return {"Authorization": f"Token {token}", "Content-Type": "application/json", "Idempotency-Key": key}

    # --- what people mean ---

    def _crises(self, dice: random.Random) -> None:
        """One person after the other says that they are not safe; each in a thread, because nobody waits for another."""
        gap_s = self.seconds / len(self.practice["crises"])
        for person in self.practice["crises"]:
            if self.stopping.wait(gap_s * (0.5 + dice.random())):
                return
            body = {
                "instrument": "phq9",
                "timepoint": "baseline",
                "answers": {**PHQ9, "phq9_9": dice.randint(1, 3)},
            }
            thread = threading.Thread(
                target=self._safely, args=(self._one_crisis(person, body), dice), daemon=True
            )
            self.threads.append(thread)
            thread.start()

    def _one_crisis(self, person: dict[str, str], body: dict[str, Any]) -> Callable[[random.Random], None]:
        def say(_dice: random.Random) -> None:
            key = f"crisis-{uuid.uuid4().hex}"
            answer = self.wish(
                "crisis", "/api/v1/questionnaire-responses/", json.dumps(body).encode(), self._api(person["token"], key),
                key=key, patient=person["id"],
            )  # fmt: skip
            if answer is not None and "988" not in (answer.get("help") or {}).get("call", ()):
                self.trouble.append(f"{key}: answered without help (PR-06)")

        return say

    def _measure(self, dice: random.Random) -> None:
        while not self.stopping.wait(0.3 + dice.random() * 0.6):
            person = dice.choice(self.practice["measurers"])
            taken_at = (wall_clock() - dt.timedelta(seconds=1)).isoformat()
            body = {
                "systolic_mmhg": dice.randrange(105, 135), "diastolic_mmhg": dice.randrange(62, 85),
                "pulse_bpm": dice.randrange(55, 95), "taken_at": taken_at, "source": "device",
            }  # fmt: skip
            key = f"reading-{uuid.uuid4().hex}"
            self.wish(
                "reading", "/api/v1/readings/", json.dumps(body).encode(), self._api(person["token"], key),
                key=key, patient=person["id"], taken_at=taken_at,
            )  # fmt: skip

    def _visits(self, dice: random.Random) -> None:
        """Book; then move some, cancel some, leave some."""
        for number, person in enumerate(self.practice["visitors"]):
            if self.stopping.wait(self.seconds / len(self.practice["visitors"]) * 0.8):
                return
            cookies = f"{person['cookie']}; csrf={CSRF}"
            reading = {"Cookie": cookies}
            writing = {**reading, "X-CSRFToken": CSRF, "Content-Type": "application/json"}
            free = self._free_times(reading)
            if len(free) < 40:
                continue
            first, other = dice.sample(free, 2)
            key = f"visit-{uuid.uuid4().hex}"
            wanted = {
                "visit_type": "intro",
                "clinician": first["clinician"],
                "starts_at": first["starts_at"],
            }
            booked = self.wish(
                "booked", "/api/v1/appointments/", json.dumps(wanted).encode(), {**writing, "Idempotency-Key": key},
                key=key, patient=person["id"],
            )  # fmt: skip
            if not booked or number % 3 == 0:
                continue
            if number % 3 == 1:
                form = {
                    "intent": str(uuid.uuid4()),
                    "csrfmiddlewaretoken": CSRF,
                    "slot": f"{other['clinician']}|{other['starts_at']}",
                }
                self.wish(
                    "moved", f"/consults/{booked['id']}/move/", urlencode(form).encode(),
                    {**reading, "Content-Type": "application/x-www-form-urlencoded"},
                    key=form["intent"], visit=booked["id"],
                )  # fmt: skip
            else:
                key = f"cancel-{uuid.uuid4().hex}"
                self.wish(
                    "cancelled", f"/api/v1/appointments/{booked['id']}/cancel/", b"{}", {**writing, "Idempotency-Key": key},
                    key=key, visit=booked["id"],
                )  # fmt: skip

    def _leave(self, dice: random.Random) -> None:
        """Cancel visits just before their reminder falls due; each in a thread, because the next one's instant comes too."""
        for person in sorted(self.practice["leavers"], key=lambda one: one["due_at_s"]):
            if not person["cancels"]:
                continue
            ahead_s = 1 + dice.random() * 12
            if self.stopping.wait(max(0.0, person["due_at_s"] - ahead_s - wall_clock().timestamp())):
                return
            thread = threading.Thread(
                target=self._safely, args=(self._one_cancels(person), dice), daemon=True
            )
            self.threads.append(thread)
            thread.start()

    def _one_cancels(self, person: dict[str, Any]) -> Callable[[random.Random], None]:
        def cancel(_dice: random.Random) -> None:
            key = f"cancel-{uuid.uuid4().hex}"
            headers = {
                "Cookie": f"{person['cookie']}; csrf={CSRF}", "X-CSRFToken": CSRF, "Content-Type": "application/json",
                "Idempotency-Key": key,
            }  # fmt: skip
            self.wish(
                "cancelled", f"/api/v1/appointments/{person['visit']}/cancel/", b"{}", headers,
                key=key, visit=person["visit"],
            )  # fmt: skip

        return cancel

    def _free_times(self, headers: dict[str, str]) -> list[dict[str, str]]:
        for _ in range(100):
            try:
                status, answer = self._once("GET", "/api/v1/slots/?visit_type=intro", b"", headers)
            except (OSError, http.client.HTTPException):
                status, answer = 0, b""
            if status == 200:
                return list(json.loads(answer))
            time.sleep(AGAIN_S)
        return []

    def _take_alerts(self, dice: random.Random) -> None:
        """Whoever is paged presses 1 a little later, and the vendor tells it twice."""
        while not self.stopping.wait(0.5):
            self.take_what_was_paged(dice)

    def take_what_was_paged(self, dice: random.Random) -> None:
        for line in self.world.journal.lines():
            if line["what"] != "accepted" or line["to"] not in self.practice["on_call"]:
                continue
            found = ALERT.search(line["words"])
            if found is None or found[1] in self.answered:
                continue
            self.answered.add(found[1])
            thread = threading.Thread(
                target=self._safely,
                args=(self._press_one(found[1], self.practice["on_call"][line["to"]]), dice),
                daemon=True,
            )
            self.threads.append(thread)
            thread.start()

    def _press_one(self, alert: str, person: str) -> Callable[[random.Random], None]:
        def press(_dice: random.Random) -> None:
            time.sleep(1)
            key = f"taken-{alert}"
            self.ledger.write(what="meant", kind="taken", key=key, alert=alert)
            until = time.monotonic() + PATIENCE_S
            while time.monotonic() < until:
                url = self._address_of_call(alert, person)
                status = self.vendor.call_back(url, {"Digits": "1", "CallSid": "CA" + "0" * 32}) if url else 0
                # It got worse in this instant: the next call has another address.
                if status == 200 and "got worse" not in self.vendor.heard.get(url, ""):
                    self.ledger.write(what="told", key=key, status=status)
                    self.vendor.call_back(url, {"Digits": "1", "CallSid": "CA" + "0" * 32})
                    return
                time.sleep(AGAIN_S)

        return press

    def _address_of_call(self, alert: str, person: str) -> str:
        """Where a call about this alert sends its key now; whoever has only the text so far is called within the minute."""
        try:
            [(round_key,)] = self.world.ask(
                "SELECT (extract(epoch FROM greatest(escalating_since_at, got_worse_at)) * 1000000)::bigint FROM safety_alert WHERE id = %s", alert
            )  # fmt: skip
        except psycopg2.Error:
            return ""
        return f"{self.world.environment['SITE_URL']}/webhooks/twilio/answer/{alert}/{person}/{round_key}/"
