"""A dosing day from the first question to the morning after, told by the pages of patient, sitter, coach and psychiatrist."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

from common import clock
from portal.walkthrough.beginning import answered_plainly
from portal.walkthrough.browser import Browser
from portal.walkthrough.pages import NotThere, Page
from portal.walkthrough.walk import Walk, proves

SITTER_LINK = re.compile(r"(https?://[^\s\"<]+)?(/s/[\w-]{20,}/)")


def reminders_go_out(walk: Walk) -> str:
    """Item 10: what is due goes out through the outbox, in her own hours."""
    first = walk.known["dates"][0]
    walk.goes_to(walk.at_hour(first - timedelta(days=1), 10, 20))
    coach = walk.staff("cole")
    walk.until(
        "the reminder of the day before", lambda: _reminder_is_sent(coach, walk.patient_name), seconds=60
    )
    return proves(coach.page, "the reminder of the day before session 1 stands on the outbox page as sent")


def _reminder_is_sent(coach: Browser, name: str) -> bool:
    """Look through the messages that have gone, newest first."""
    page = coach.opens("/outbox/?state=sent")
    for _ in range(10):
        for row in page.html.split("<tr>")[1:]:
            if name in row and "session tomorrow" in row:
                return True
        older = page.links_to("before=")
        if not older:
            return False
        page = coach.opens(older[-1])
    return False


def the_roster_is_staffed(walk: Walk) -> str:
    """No dose without somebody on call: an administrator fills the weeks that the demo left open."""
    admin = walk.staff("ann")
    filled = sum(_fill(admin, day) for day in walk.known["dates"])
    page = admin.opens("/alerts/roster/")
    return proves(
        page, f"{filled} shifts added by an administrator; what overlaps a shift on the roster was refused"
    )


def somebody_is_on_call(walk: Walk) -> str:
    """An administrator sees to it that today and tomorrow are covered."""
    admin = walk.staff("ann")
    filled = _fill(admin, walk.today()) + _fill(admin, walk.today() + timedelta(days=1))
    return proves(
        admin.opens("/alerts/roster/"), f"{walk.on_call().title()} is first on call; {filled} shifts added"
    )


def _fill(admin: Browser, day: date) -> int:
    """Both levels for one day, in three parts; a part that overlaps a shift on the roster is refused, and that is fine."""
    added = 0
    tomorrow = day + timedelta(days=1)
    parts = (
        (f"{day}T00:00", f"{day}T08:00"),
        (f"{day}T08:00", f"{day}T16:00"),
        (f"{day}T16:00", f"{tomorrow}T00:00"),
    )
    for level, who in ((1, "Dana"), (2, "Priya")):
        for starts_at, ends_at in parts:
            form = admin.opens("/alerts/roster/").form(has=["person", "level"])
            person = next(value for value, words in form.choices("person") if who in words)
            page = admin.sends(
                form,
                expect=(200, 422, 409),
                person=person,
                level=str(level),
                starts_at=starts_at,
                ends_at=ends_at,
            )
            added += page.status == 200
    return added


class Day:
    """One session with everybody in it."""

    def __init__(self, walk: Walk, number: int) -> None:
        self.walk, self.number = walk, number
        self.patient, self.doctor, self.coach = (
            walk.browser("patient"),
            walk.staff("dana"),
            walk.staff("cole"),
        )
        self.sitter = walk.browser(f"sitter of session {number}")
        page = self.patient.opens("/sessions/")
        rooms = [href for href in dict.fromkeys(page.links_to("/sessions/")) if href.count("-") == 4]
        self.room = walk.known.setdefault("rooms", rooms)[number - 1]
        self.link = ""

    def dose_is_decided(self) -> None:
        """Same dose, signed by the psychiatrist after the session before."""
        address = f"{self.room}decide/"
        self.walk.staff("dana").opens(address)
        page = self.walk.signed(
            "dana",
            lambda p: p.form(has=["review"]),
            kind="same",
            review="Calm session, slept well, readings back to usual.",
        )
        if page.path == address:
            raise NotThere(f"{address}: the decision was not signed. {page.words[:1500]}")

    def begins(self) -> None:
        """The day's questions, the place, the sitter."""
        patient = self.patient
        page = patient.opens(self.room)
        page = patient.sends(page.form(to="/start/"))
        form = page.form(to="/check/")
        page = patient.sends(
            form, **answered_plainly(form, fasted="yes", holds_followed="yes", safe_now="yes")
        )
        page = patient.sends(
            page.form(to="/place/"), address="12 Alder Street, Oakland, CA 94601", state="CA"
        )
        page = patient.sends(page.form(to="/sitter/"), name="Sam Sitter", phone="(415) 555-0188")
        page.must_say("blood pressure")

    def sitter_confirms(self) -> None:
        """The link comes from the outbox page of the care team, as the text message would bring it."""
        page = self.coach.opens("/outbox/")
        found = SITTER_LINK.findall(page.words)
        if not found:
            raise NotThere(f"/outbox/ shows no sitter's link: {page.words[:1500]}")
        self.link = found[0][1]
        page = self.sitter.opens(self.link)
        page.must_say("988", "911", "Sam")
        form = page.form(to="/confirm/")
        page = self.sitter.sends(form, attested=[value for value, _ in form.choices("attested")])
        page.must_say("You are confirmed")
        if self.number == 1:
            Browser(self.walk.site, "a stranger").opens("/s/" + "x" * 32 + "/", expect=404)

    def measures(self, *pressures: tuple[int, int]) -> Page:
        """Readings before the dose, two minutes apart."""
        for turn, (systolic, diastolic) in enumerate(pressures):
            self.walk.goes_on(minutes=6 if turn == 0 else 2)
            page = self.patient.opens(self.room)
            self.patient.sends(
                page.form(to="/reading/"), systolic_mmhg=systolic, diastolic_mmhg=diastolic, pulse_bpm=70
            )
        return self.patient.page

    def is_held_then_goes(self) -> None:
        """145/92 holds the dose; nobody of the coaches can release it; after a rest the readings are go."""
        page = self.measures((145, 92), (145, 92))
        page.must_say("wait a little")
        desk = self.coach.opens(self.room)
        desk.must_say("The dose stays locked")
        if list(desk.matching_forms(to="/release/")):
            raise NotThere("a coach is offered the release at 145/92")
        self.walk.goes_on(minutes=16)
        self.measures((126, 80), (122, 78))

    def dose_is_released(self) -> None:
        """By the coach, when everything is go; the second factor is asked for."""
        page = self.coach.opens(self.room)
        if not list(page.matching_forms(to="/release/")):
            raise NotThere(f"{self.room}: no release is offered. {page.words[:2500]}")
        name = "cole" if self.number > 1 else "dana"
        self.walk.staff(name).opens(self.room)
        page = self.walk.signed(name, lambda p: p.form(to="/release/"))
        page.must_say("Released: 100 mg")
        page = self.patient.opens(self.room)
        page.must_say("100", "mg of ketamine")
        page = self.patient.sends(page.form(to="/taken/"), read_by_two=True, units_taken=2)
        page.must_say("looked after")
        self.taken_at = clock.now()

    def at_minute(self, minute: int) -> None:
        self.walk.goes_to(self.taken_at + timedelta(minutes=minute))

    def sitter_looks_in(self) -> int:
        """Tick the look-in that the sitter's page asks for now; answers how many there were (none or one)."""
        page = self.sitter.opens(self.link)
        if not list(page.matching_forms(has=["well"])):
            return 0
        self.sitter.sends(page.form(has=["well"]), well="yes")
        return 1

    def reads(self, who: Browser, where: str, systolic: int, diastolic: int) -> None:
        """A reading after the dose, by the patient or the sitter."""
        page = who.opens(where)
        who.sends(page.form(to="/reading/"), systolic_mmhg=systolic, diastolic_mmhg=diastolic, pulse_bpm=72)

    def is_watched(self) -> None:
        """Music, the quarter-hour checks, the readings, how she is, the journal."""
        patient = self.patient
        looked = 0
        for minute in (15, 30, 40, 45, 60):
            self.at_minute(minute)
            if minute == 40 and not self.early:
                continue
            looked += self.sitter_looks_in()
            if minute == 40:
                self.reads(self.sitter, self.link, 134, 84)
        if looked != 4:
            raise NotThere(f"the sitter was asked to look in {looked} times instead of four")
        self.at_minute(61)
        page = patient.opens(self.room)
        patient.sends(page.form(to="/music/end/"))
        self.at_minute(65)
        self.reads(patient, self.room, 132, 83)
        self.at_minute(90)
        page = patient.opens(f"{self.room}symptoms/")
        page = patient.sends(page.form(has=["dissociation"]), dissociation="2", nausea="1", sedation="1")
        page = patient.opens("/sessions/journal/")
        patient.sends(
            page.form(has=["body"]), body="A warm room with many doors.", share=self.number % 2 == 0
        )
        self.at_minute(120)
        self.reads(patient, self.room, 124, 78)

    @property
    def early(self) -> bool:
        """Does the sitter's page speak of a reading at T+40?"""
        return "T+40" in self.coach.opens(self.room).words

    def closes(self) -> None:
        """Too early it stays open; with the sitter's signature and every answer well it closes by rule."""
        self.at_minute(122)
        form_of = lambda page: page.form(to="/end/")  # noqa: E731
        well: dict[str, Any] = {
            "awake": "yes",
            "oriented": "yes",
            "walks_unaided": "yes",
            "severe_symptom": "no",
            "suicidal": "no",
        }
        page = self.patient.opens(self.room)
        if self.number == 1:
            page = self.patient.sends(form_of(page), **well)
            page.must_say("A little longer")
        signs = self.sitter.opens(self.link)
        self.sitter.sends(signs.form(to="/sign/"))
        page = self.patient.opens(self.room)
        page = self.patient.sends(form_of(page), **well)
        page.must_say("Now rest", "No driving")

    def morning_after(self) -> Page:
        self.walk.goes_on(hours=20)
        page = self.patient.opens(self.room)
        page = self.patient.sends(
            page.form(to="/follow-up/"), slept="yes", mood_0_10="6", suicidal_thoughts="no"
        )
        page.must_say("That is all for this session")
        return page


def coach_calls(walk: Walk) -> int:
    """Every call that stands first for her on the coach's caseload and is due; answers how many."""
    coach, calls = walk.staff("cole"), 0
    for _ in range(6):
        page = coach.opens("/coaching/")
        at = page.html.find(walk.patient_name)
        row_end = page.html.find("</tr>", at)
        row = page.html[at:row_end]
        link = re.search(r"/coaching/check-in/[0-9a-f-]{36}/", row)
        if not link or not ("late" in row or "today" in row.lower()):
            return calls
        page = coach.opens(link[0])
        coach.sends(
            page.form(has=["reached", "note"]),
            reached="yes",
            mood="6",
            suicidal_thoughts="no",
            note="Talked about what came up. Slept well.",
        )
        calls += 1
    return calls


def session(number: int) -> Callable[[Walk], str]:
    """The step for one session."""

    def step(walk: Walk) -> str:
        """Item 7."""
        walk.goes_to(walk.at_hour(walk.known["dates"][number - 1], 10, 5))
        before = coach_calls(walk)
        day = Day(walk, number)
        if number > 1:
            day.dose_is_decided()
        day.begins()
        day.sitter_confirms()
        if number == 1:
            day.is_held_then_goes()
        else:
            day.measures((122, 78), (118, 76))
        day.dose_is_released()
        day.is_watched()
        day.closes()
        page = day.morning_after()
        walk.known["calls"] = walk.known.get("calls", 0) + before + coach_calls(walk)
        said = "questions, place, sitter by link, gate, release with second factor, music, readings, symptoms, journal, end by rule, next day"
        if number == 1:
            said = "145/92 held, nobody offered a release, then go; closing too early refused; " + said
        return proves(page, said)

    return step
