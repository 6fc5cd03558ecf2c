"""The queue: which intakes a psychiatrist may take, a page of them in one query, and who holds what."""

import base64
import binascii
import json
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.db import connection
from django.db.models import DateTimeField, Func, Q, QuerySet

from accounts.access import licensed_states, patients_visible_to
from accounts.models import STATES, Role, User
from common import clock
from common.clock import local_date
from common.errors import Invalid, NotVisible
from intake import states
from intake.models import Intake
from intake.rules.review import reason_classes

PAGE_SIZE = 25
COUNT_UP_TO = 99


class SqlNow(Func):
    """The database's clock, which the test clock moves too."""

    function = "hearthside_now"
    output_field = DateTimeField()


def states_today(psychiatrist: User, at: datetime) -> frozenset[str]:
    """Where this psychiatrist may prescribe on the day it is for them."""
    return licensed_states(psychiatrist, local_date(at, psychiatrist.time_zone))


def queue_for(psychiatrist: User, at: datetime) -> QuerySet[Intake]:
    """Everything that waits and that this psychiatrist may take, most urgent first, then oldest."""
    return _waiting(states_today(psychiatrist, at), at).order_by("-urgency", "submitted_at", "id")


def _waiting(codes: Iterable[str], at: datetime) -> QuerySet[Intake]:
    return Intake.objects.filter(
        Q(state=states.SUBMITTED) | Q(state=states.CLAIMED, claim_expires_at__lte=at),
        care_state__in=list(codes),
    )


@dataclass(frozen=True, slots=True)
class QueueFilter:
    """What a reader narrows the queue to. Place and urgency are index conditions; the others look along the front of the queue."""

    state: str = ""
    urgency: int | None = None
    reason: str = ""
    again: bool = False  # answered a question of ours since it was first read
    mine: bool = False  # I asked that question

    def __bool__(self) -> bool:
        return bool(self.state or self.urgency is not None or self.looks_along)

    @property
    def looks_along(self) -> bool:
        """Does it read rows to find the ones it wants? Then it looks no further than `LOOK_ALONG` in each state."""
        return bool(self.reason or self.again or self.mine)

    def query(self) -> dict[str, str]:
        """As the words of an address."""
        words = {"state": self.state, "reason": self.reason}
        if self.urgency is not None:
            words["urgency"] = str(self.urgency)
        if self.again or self.mine:
            words["show"] = "mine" if self.mine else "again"
        return {name: value for name, value in words.items() if value}


def filter_from(query: Mapping[str, str]) -> QueueFilter:
    """Read a filter from an address; what is no filter is as if it were not there."""
    state, urgency, reason = query.get("state", ""), query.get("urgency", ""), query.get("reason", "")
    return QueueFilter(
        state=state if state in STATES else "",
        urgency=int(urgency) if urgency in ("0", "1", "2", "3") else None,
        reason=reason if reason in {one.id for one in reason_classes()} else "",
        again=query.get("show") == "again",
        mine=query.get("show") == "mine",
    )


@dataclass(frozen=True, slots=True)
class Place:
    """A place in the queue: the page after it begins with the next row."""

    urgency: int
    submitted_at: datetime
    id: uuid.UUID

    def token(self) -> str:
        """The place as a short word for an address."""
        text = f"{self.urgency}|{self.submitted_at.isoformat()}|{self.id.hex}"
        return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def place_from(token: str) -> Place:
    """Read a place again; Invalid when it is not one of ours."""
    try:
        text = base64.urlsafe_b64decode(token.encode() + b"=" * (-len(token) % 4)).decode("ascii")
        urgency, when, id = text.split("|")
        place = Place(int(urgency), datetime.fromisoformat(when), uuid.UUID(hex=id))
        if not 0 <= place.urgency <= 3 or place.submitted_at.tzinfo is None:
            raise ValueError
        return place
    except (ValueError, binascii.Error, UnicodeError, OverflowError):
        raise Invalid(
            "This page of the queue does not exist. Start from its first page.",
            fields={"after": "Not a place."},
        ) from None


# One index descent per state, each of at most a page; what is sorted is never more than 51 pages.
_QUEUE_SQL = """
SELECT q.id, q.patient_id, q.care_state, q.urgency, q.outcome, q.reasons::text, q.submitted_at, u.full_name, p.date_of_birth,
       q.decided_at
FROM (
    SELECT w.*
    FROM unnest(%(states)s::text[]) AS s(code)
    CROSS JOIN LATERAL (
        SELECT i.id, i.patient_id, i.care_state, i.urgency, i.outcome, i.reasons, i.submitted_at, i.decided_at
        FROM intake_intake i
        WHERE i.care_state = s.code
          AND i.state IN ('submitted', 'claimed')
          AND (i.state = 'submitted' OR i.claim_expires_at <= %(at)s)
          {after}
        ORDER BY (i.urgency * -1), i.submitted_at, i.id
        LIMIT %(limit)s
    ) w
    ORDER BY w.urgency DESC, w.submitted_at, w.id
    LIMIT %(limit)s
) q
JOIN accounts_patient p ON p.user_id = q.patient_id
JOIN accounts_user u ON u.id = q.patient_id
ORDER BY q.urgency DESC, q.submitted_at, q.id
"""
# The negated urgency is what the index `intakes_waiting` holds, so page 1,000 costs what page 1 costs.
_AFTER = "AND ((i.urgency * -1), i.submitted_at, i.id) > (%(urgency)s * -1, %(submitted_at)s, %(id)s)"
_COLUMNS = (
    "id",
    "patient_id",
    "care_state",
    "urgency",
    "outcome",
    "reasons",
    "submitted_at",
    "full_name",
    "date_of_birth",
    "decided_at",
)
# A filter that reads rows looks at so many of each state, most urgent first, and the page says so.
LOOK_ALONG = 5_000


def queue_page(
    codes: Iterable[str], *, at: datetime, after: Place | None = None, size: int = PAGE_SIZE
) -> tuple[list[dict[str, Any]], Place | None]:
    """One page of the queue as plain rows, in one query, and the place from which the next page goes on."""
    values: dict[str, Any] = {"states": sorted(codes), "at": at, "limit": size + 1}
    if after is not None:
        values |= {"urgency": after.urgency, "submitted_at": after.submitted_at, "id": after.id}
    with connection.cursor() as cursor:
        cursor.execute(_QUEUE_SQL.format(after=_AFTER if after else ""), values)
        rows = [dict(zip(_COLUMNS, row, strict=True)) for row in cursor.fetchall()]
    for row in rows:
        row["reasons"] = json.loads(row["reasons"])
    if len(rows) <= size:
        return rows, None
    rows = rows[:size]
    last = rows[-1]
    return rows, Place(last["urgency"], last["submitted_at"], last["id"])


@dataclass(frozen=True)
class QueueView:
    """Everything the queue page shows."""

    states: list[str]
    rows: list[dict[str, Any]]
    after: Place | None
    count: str
    held: list[dict[str, Any]]
    # States in which people wait and nobody of the practice may prescribe today.
    unserved: list[str]
    # How many wait of each urgency, whatever else the page is narrowed to; counted no further than 99.
    by_urgency: dict[int, str]


# The page in one round trip: the states of today, a page of rows, how many wait, what is in one's own hands. Each part says
# the same as `states_today`, `queue_page`, `queue_count` and `held_by`; tests/intake/test_queue_view.py holds them together.
_VIEW_SQL = """
WITH codes AS MATERIALIZED (
    SELECT l.state AS code
    FROM accounts_licence l
    WHERE l.psychiatrist_id = %(me)s AND l.expires_on >= %(on)s AND (l.issued_on IS NULL OR l.issued_on <= %(on)s)
      AND EXISTS (
        SELECT 1 FROM accounts_dearegistration d
        WHERE d.psychiatrist_id = l.psychiatrist_id AND d.state = l.state AND d.expires_on >= %(on)s
      )
), page AS (
    SELECT w.*
    FROM codes s
    CROSS JOIN LATERAL (
        SELECT i.id, i.patient_id, i.care_state, i.urgency, i.outcome, i.reasons, i.submitted_at, i.decided_at
        FROM {rows} i
        WHERE {wanted}
          {after}
        ORDER BY (i.urgency * -1), i.submitted_at, i.id
        LIMIT %(limit)s
    ) w
    ORDER BY w.urgency DESC, w.submitted_at, w.id
    LIMIT %(limit)s
)
SELECT
    (SELECT json_agg(code ORDER BY code) FROM codes),
    (SELECT json_agg(json_build_array(q.id, q.patient_id, q.care_state, q.urgency, q.outcome, q.reasons, q.submitted_at,
                                      u.full_name, p.date_of_birth, q.decided_at) ORDER BY q.urgency DESC, q.submitted_at, q.id)
     FROM page q JOIN accounts_patient p ON p.user_id = q.patient_id JOIN accounts_user u ON u.id = q.patient_id),
    (SELECT count(*) FROM (
        SELECT 1 FROM codes s CROSS JOIN LATERAL (
            SELECT 1 FROM {rows} i WHERE {wanted}
            LIMIT %(count_limit)s
        ) one LIMIT %(count_limit)s
    ) counted),
    (SELECT json_agg(json_build_array(h.patient_id, u.full_name, h.claim_expires_at) ORDER BY h.claim_expires_at)
     FROM (SELECT patient_id, claim_expires_at FROM intake_intake WHERE claimed_by_id = %(me)s AND state = 'claimed'
           ORDER BY claim_expires_at LIMIT %(count_limit)s) h
     JOIN accounts_user u ON u.id = h.patient_id),
    (SELECT json_agg(one.code ORDER BY one.code) FROM unnest(%(all_states)s::text[]) AS one(code) WHERE {unserved}),
    (SELECT json_agg(json_build_array(v.urgency, (
        SELECT count(*) FROM (
            SELECT 1 FROM codes s CROSS JOIN LATERAL (
                SELECT 1 FROM intake_intake i WHERE {waits} AND (i.urgency * -1) = v.urgency * -1
                LIMIT %(count_limit)s
            ) one LIMIT %(count_limit)s
        ) counted))) FROM generate_series(0, 3) AS v(urgency))
"""
# Nobody active holds both a licence and a DEA registration there on this day, and somebody waits.
_UNSERVED = """NOT EXISTS (
        SELECT 1 FROM accounts_licence l JOIN accounts_user m ON m.id = l.psychiatrist_id
        WHERE l.state = one.code AND l.expires_on >= %(on)s AND (l.issued_on IS NULL OR l.issued_on <= %(on)s)
          AND m.is_active AND m.role = 'psychiatrist'
          AND EXISTS (SELECT 1 FROM accounts_dearegistration d
                      WHERE d.psychiatrist_id = l.psychiatrist_id AND d.state = l.state AND d.expires_on >= %(on)s))
    AND EXISTS (SELECT 1 FROM intake_intake i WHERE i.care_state = one.code AND i.state IN ('submitted', 'claimed'))"""
_WAITS = """i.care_state = s.code AND i.state IN ('submitted', 'claimed')
          AND (i.state = 'submitted' OR i.claim_expires_at <= %(at)s)"""


def _narrowed(wanted: QueueFilter) -> tuple[str, str]:
    """Which rows of a state are looked at, and which of these are wanted, as SQL of the parameters `values` carries."""
    here = _WAITS
    if wanted.state:
        here += " AND s.code = %(only_state)s"
    if wanted.urgency is not None:
        here += " AND (i.urgency * -1) = %(only_urgency)s * -1"
    if not wanted.looks_along:
        return "intake_intake", here
    front = f"(SELECT i.* FROM intake_intake i WHERE {here} ORDER BY (i.urgency * -1), i.submitted_at, i.id LIMIT {LOOK_ALONG})"  # noqa: S608 (no value stands in it)
    among = ["true"]
    if wanted.reason:
        among.append("jsonb_exists_any(i.reasons, %(only_rules)s::text[])")
    if wanted.again or wanted.mine:
        among.append("i.decided_at IS NOT NULL")
    if wanted.mine:
        among.append("EXISTS (SELECT 1 FROM intake_decision d WHERE d.intake_id = i.id AND d.by_id = %(me)s)")
    return front, " AND ".join(among)


def queue_view(
    psychiatrist: User,
    *,
    at: datetime,
    after: Place | None = None,
    size: int = PAGE_SIZE,
    wanted: QueueFilter = QueueFilter(),
) -> QueueView:
    """The queue page of a psychiatrist who is logged in, in one query."""
    rows_of, conditions = _narrowed(wanted)
    values: dict[str, Any] = {
        "only_state": wanted.state,
        "only_urgency": wanted.urgency,
        "only_rules": [rule for one in reason_classes() if one.id == wanted.reason for rule in one.rules],
        "all_states": STATES,
        "me": psychiatrist.pk,
        "on": local_date(at, psychiatrist.time_zone),
        "at": at,
        "limit": size + 1,
        "count_limit": COUNT_UP_TO + 1,
    }
    if after is not None:
        values |= {"urgency": after.urgency, "submitted_at": after.submitted_at, "id": after.id}
    with connection.cursor() as cursor:
        sql = _VIEW_SQL.format(
            after=_AFTER if after else "", rows=rows_of, wanted=conditions, unserved=_UNSERVED, waits=_WAITS
        )
        cursor.execute(sql, values)
        codes, found, count, held, unserved, by_urgency = cursor.fetchone()
    rows = [_row(row) for row in _list(found)]
    following = None
    if len(rows) > size:
        rows = rows[:size]
        following = Place(rows[-1]["urgency"], rows[-1]["submitted_at"], rows[-1]["id"])
    return QueueView(
        states=_list(codes),
        rows=rows,
        after=following,
        count=_counted(count),
        by_urgency={urgency: _counted(number) for urgency, number in _list(by_urgency)},
        held=[
            {
                "patient_id": uuid.UUID(patient),
                "full_name": name,
                "claim_expires_at": datetime.fromisoformat(until),
            }
            for patient, name, until in _list(held)
        ],
        unserved=_list(unserved),
    )


def _counted(number: int) -> str:
    return f"{COUNT_UP_TO}+" if number > COUNT_UP_TO else str(number)


def _list(value: Any) -> list[Any]:
    """JSON from the driver, as text or already read."""
    return value if isinstance(value, list) else json.loads(value or "[]")


def _row(values: list[Any]) -> dict[str, Any]:
    row = dict(zip(_COLUMNS, values, strict=True))
    row["id"], row["patient_id"] = uuid.UUID(row["id"]), uuid.UUID(row["patient_id"])
    row["submitted_at"] = datetime.fromisoformat(row["submitted_at"])
    row["date_of_birth"] = date.fromisoformat(row["date_of_birth"]) if row["date_of_birth"] else None
    row["decided_at"] = datetime.fromisoformat(row["decided_at"]) if row["decided_at"] else None
    return row


@dataclass(frozen=True)
class UnservedState:
    """A state in which people wait and nobody of the practice may prescribe today."""

    code: str
    waiting: str
    oldest_at: datetime


def unserved_states(at: datetime) -> list[UnservedState]:
    """Each such state with how many wait (counted no further than 99) and since when. No names: it is a list of states."""
    # Nothing from outside stands in it: the condition is a constant of this module.
    sql = f"""
    SELECT one.code, waits.count, waits.oldest FROM unnest(%(all_states)s::text[]) AS one(code)
    CROSS JOIN LATERAL (
        SELECT count(*) AS count, min(i.submitted_at) AS oldest FROM (
            SELECT submitted_at FROM intake_intake
            WHERE care_state = one.code AND state IN ('submitted', 'claimed') LIMIT %(count_limit)s) i
    ) waits
    WHERE {_UNSERVED} ORDER BY waits.oldest, one.code
    """  # noqa: S608
    values: dict[str, Any] = {
        "all_states": STATES,
        "on": local_date(at, "UTC"),
        "count_limit": COUNT_UP_TO + 1,
    }
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        return [
            UnservedState(code, f"{COUNT_UP_TO}+" if count > COUNT_UP_TO else str(count), oldest)
            for code, count, oldest in cursor.fetchall()
        ]


def state_key(code: str) -> uuid.UUID:
    """The id under which work about a state is kept; a state has no row of its own."""
    return uuid.uuid5(uuid.NAMESPACE_URL, f"hearthside:state:{code}")


def queue_count(codes: Iterable[str], *, at: datetime) -> str:
    """How many wait, counted no further than 99: “100+” and “a million” ask for the same thing."""
    found = len(_waiting(codes, at).values_list("id")[: COUNT_UP_TO + 1])
    return f"{COUNT_UP_TO}+" if found > COUNT_UP_TO else str(found)


def held_by(psychiatrist: User) -> list[Intake]:
    """Intakes this psychiatrist is working on."""
    return list(
        Intake.objects.filter(claimed_by=psychiatrist, state=states.CLAIMED)
        .select_related("patient__user")
        .order_by("claim_expires_at")[:COUNT_UP_TO]
    )


def is_overdue_answer(intake: Intake, at: datetime) -> bool:
    """Whether the patient was asked for something and the day for it is over where they live: then it is the practice's move."""
    due_on = intake.more_info_due_on
    return (
        intake.state == states.MORE_INFO
        and due_on is not None
        and due_on < local_date(at, intake.patient.user.time_zone)
    )


def intake_visible_to(user: User, intake_id: uuid.UUID, at: datetime) -> Intake:
    """An intake this person may work on: their own, one of a state they are licensed in today, or one they hold."""
    found = Intake.objects.filter(pk=intake_id).select_related("patient__user").first()
    if found is not None:
        if user.role == Role.PATIENT and found.patient_id == user.pk:
            return found
        if user.role == Role.PSYCHIATRIST and found.state not in (states.DRAFT, states.WITHDRAWN):
            open_to_take = found.state in states.IN_QUEUE or is_overdue_answer(found, at)
            if open_to_take and found.care_state in states_today(user, at):
                return found
            if patients_visible_to(user).filter(pk=found.patient_id).exists():
                return found
    raise NotVisible("There is no such page.")


def still_visible_to(user: User, intake_id: uuid.UUID) -> Intake:
    """For a repeated API write: visible as ever, or decided by this person, who is still licensed where it belongs."""
    at = clock.now()
    try:
        return intake_visible_to(user, intake_id, at)
    except NotVisible:
        own = Intake.objects.filter(pk=intake_id, decisions__by=user).first()
        if own is None or own.care_state not in states_today(user, at):
            raise
        return own


def patients_held_by(user: Any) -> Q | None:
    """Widens what a psychiatrist sees by the patients whose intake they hold now (hook `patient.visible`)."""
    if getattr(user, "role", "") != Role.PSYCHIATRIST:
        return None
    held = Intake.objects.filter(claimed_by=user, state=states.CLAIMED, claim_expires_at__gt=SqlNow())
    return Q(pk__in=held.values("patient"))
