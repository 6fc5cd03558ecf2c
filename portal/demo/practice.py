"""Opening the demo practice: staff, licences, an approved protocol, a roster, weekly hours."""

import datetime as dt

from accounts.models import Role, User
from common import protocol
from common.errors import Conflict
from consults import actions as consults
from portal.demo.cast import Cast, add_person, add_psychiatrist
from safety import actions as safety

ALL_TYPES = ["consult", "intro", "follow_up"]
COACH_TYPES = ["prep", "integration"]


def open_practice(cast: Cast) -> None:
    """Everything that must be there before the first patient."""
    pacific = "America/Los_Angeles"
    ann = add_person(
        cast,
        role=Role.ADMINISTRATOR,
        full_name="Ann Whitfield",
        email="ann@hearthside.example",
        zone=pacific,
        phone="+14155550144",
    )
    ben = add_person(
        cast,
        role=Role.ADMINISTRATOR,
        full_name="Ben Castillo",
        email="ben@hearthside.example",
        zone=pacific,
        phone="+14155550155",
    )
    dana = add_psychiatrist(
        cast, "Dana Reyes", "dana@hearthside.example", pacific, "+14155550122", "CA NY WA"
    )
    priya = add_psychiatrist(
        cast, "Priya Raman", "priya@hearthside.example", "America/Chicago", "+15125550123", "TX CO AZ CA"
    )
    noah = add_psychiatrist(
        cast, "Noah Lindgren", "noah@hearthside.example", "America/New_York", "+17185550124", "NY CO WA"
    )
    for name, email in (("Cole Okafor", "cole"), ("Maya Ferris", "maya"), ("Otto Brandt", "otto")):
        add_person(
            cast,
            role=Role.COACH,
            full_name=name,
            email=f"{email}@hearthside.example",
            zone=pacific,
            phone=f"+1415555013{len(name) % 10}",
        )
    _approve_protocol(cast, ann, ben)
    _fill_roster(cast, ann, [dana, priya, noah])
    _set_hours(cast)
    safety.open_task(
        kind="practice", owner=ann, due_at=cast.now + dt.timedelta(days=2), by=ben, at=cast.now - dt.timedelta(days=1),
        detail=cast.words("Task.detail", "Ask the pharmacy for the signed renewal of our agreement."),
    )  # fmt: skip


def _approve_protocol(cast: Cast, proposer: User, approver: User) -> None:
    then = cast.now - dt.timedelta(days=120)
    try:
        protocol.current(at=then)
    except Conflict:
        draft = protocol.propose(
            version="2026.1",
            data=protocol.from_files(),
            by=proposer,
            at=then,
            note="First version, as shipped.",
        )
        protocol.approve(draft, by=approver, at=then)


def _fill_roster(cast: Cast, by: User, psychiatrists: list[User]) -> None:
    """Two levels, day and night, from two months ago (so that the stories' sessions were staffed) to three weeks ahead."""
    start = cast.now.replace(hour=0, minute=0, second=0, microsecond=0) - dt.timedelta(days=63)
    set_up_at = start - dt.timedelta(days=1)
    for week in range(12):
        for level in (1, 2):
            person = psychiatrists[(week + level) % len(psychiatrists)]
            safety.add_shift(
                person=person, level=level, by=by, at=set_up_at,
                starts_at=start + dt.timedelta(days=7 * week), ends_at=start + dt.timedelta(days=7 * week + 7),
            )  # fmt: skip


def _set_hours(cast: Cast) -> None:
    then = cast.now - dt.timedelta(days=100)
    for person in cast.staff:
        if person.role == Role.ADMINISTRATOR:
            continue
        types = ALL_TYPES if person.role == Role.PSYCHIATRIST else COACH_TYPES
        rows = [
            {"weekday": day, "starts": dt.time(8), "ends": dt.time(18), "visit_types": types}
            for day in range(7 if person.role == Role.PSYCHIATRIST else 6)
        ]
        consults.set_weekly_hours(person, rows=rows, by=person, at=then)  # type: ignore[arg-type]
