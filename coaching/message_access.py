"""Who sees which conversation, who answers it, by when, and what stands on whose list. Bounded queries; nothing is written here."""

import functools
import json
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

from django.db.models import Case, Exists, F, OuterRef, Prefetch, Q, QuerySet, Subquery, Value, When

from accounts.access import visible_patient
from accounts.models import CareTeam, Patient, Role, User
from coaching.models import Message, MessageDraft, MessageFile, MessageRead, MessageThread
from coaching.rules.messages import SIDE_EFFECT, Asked, Match, answer_by, asked_by, is_staffed
from common.errors import Conflict, NotVisible
from common.models import ProtocolVersion
from common.paging import newest_first
from common.work import LIMIT, WEIGHT_CRISIS, WEIGHT_HIGH, WEIGHT_NORMAL, WorkItem
from consults.models import AvailabilityException
from safety.access import alerts_visible_to
from safety.models import LIVE_STATES
from safety.models_roster import TimeAway
from safety.roster_access import holidays_from, practice_zone
from safety.task_access import absent, stand_in, stands_in_for
from sessions.access import under_the_medicine

CLINICAL = (Role.COACH, Role.PSYCHIATRIST)
PAGE = 20
HOLIDAYS_AHEAD_DAYS = 60


@functools.cache
def shipped_numbers() -> dict[str, Any]:
    """The topics, times and words that ship with the product."""
    data: dict[str, Any] = json.loads((Path(__file__).parent / "data" / "messaging.json").read_text())
    return data


def numbers(*, at: datetime) -> dict[str, Any]:
    """Those of the protocol in force; the shipped ones when it has none. A missing approval never silences the words."""
    data = (
        ProtocolVersion.objects.filter(state="approved", effective_from__lte=at)
        .order_by("-effective_from", "-approved_at")
        .values_list("data__messaging", flat=True)
        .first()
    )
    return data or shipped_numbers()


def topic_of(code: str, *, data: dict[str, Any]) -> dict[str, Any]:
    """The row of a topic; the last one for a code that an older protocol knew."""
    return next((row for row in data["topics"] if row["code"] == code), data["topics"][-1])


# --- by when ---


def _holidays(at: datetime) -> set[date]:
    first = at.astimezone(practice_zone()).date()
    return {
        row.day for row in holidays_from(first)[:50] if row.day <= first + timedelta(days=HOLIDAYS_AHEAD_DAYS)
    }


def staffed_now(*, at: datetime, data: dict[str, Any]) -> bool:
    """Is the care team at work now, by the practice's own calendar?"""
    return is_staffed(at, zone=str(practice_zone()), staffed=data["staffed"], holidays=_holidays(at))


def asked(found: Match, *, patient: Patient, topic: str = "", at: datetime, data: dict[str, Any]) -> Asked:
    """What words about this patient set off now, in a conversation about `topic` or in a text: the same alerts, by the same hours."""
    is_effect = topic == SIDE_EFFECT or found.is_effect
    return asked_by(
        found,
        in_session=under_the_medicine(patient),
        effect_after_hours=is_effect and not staffed_now(at=at, data=data),
        after_hours_trigger=data["after_hours_trigger"],
    )


def promised_by(topic: str, *, at: datetime, data: dict[str, Any]) -> datetime:
    """By when a message about this topic, sent now, is answered."""
    promise = data["promises"][topic_of(topic, data=data)["promise"]]
    return answer_by(
        at, zone=str(practice_zone()), promise=promise, staffed=data["staffed"], holidays=_holidays(at)
    )


def staffed_words(data: dict[str, Any], *, at: datetime) -> str:
    """`Monday to Friday, 9 am to 5 pm EST`."""
    return f"{data['staffed']['words']} {at.astimezone(practice_zone()).tzname()}"


# --- whose it is ---


def away_now(*, at: datetime) -> frozenset[uuid.UUID]:
    """Who of the staff is away at this instant: by the roster, or on leave by their calendar."""
    roster = TimeAway.objects.filter(removed_at__isnull=True, starts_at__lte=at, ends_at__gt=at)
    leave = AvailabilityException.objects.filter(kind="leave", during__contains=at)
    return frozenset(
        roster.values_list("person_id", flat=True).union(leave.values_list("clinician_id", flat=True))
    )


@dataclass
class Answerers:
    """Who answers which conversation; asks the roster once for a whole list."""

    at: datetime
    away: frozenset[uuid.UUID] | None = None
    _stand_ins: dict[str, User] = field(default_factory=dict)

    def is_here(self, person: User | None) -> bool:
        if self.away is None:
            self.away = away_now(at=self.at)
        return person is not None and person.is_active and person.pk not in self.away

    def of(self, thread: MessageThread) -> User:
        """Whoever took it and is still of the team (or was given it by hand); else the patient's own; else a stand-in."""
        team: CareTeam | None = getattr(thread.patient, "care_team", None)
        members = {team.coach_id, team.psychiatrist_id} if team is not None else set()
        taker = thread.taken_by
        if taker is not None and self.is_here(taker) and (thread.handed_over or taker.pk in members):
            return taker
        return self.for_role(thread.role, team)

    def for_role(self, role: str, team: CareTeam | None) -> User:
        own = getattr(team, role, None) if team is not None else None
        if own is not None and self.is_here(own) and own.role == role:
            return own
        if role not in self._stand_ins:
            self._stand_ins[role] = stand_in(role=role, at=self.at)
        return self._stand_ins[role]


def coaches_now(*, patient_ids: Iterable[Any], at: datetime) -> dict[Any, User]:
    """Hook `coach.now`: who does a coach's work for these patients at this instant, as for their messages."""
    answerers = Answerers(at)
    teams = CareTeam.objects.filter(patient_id__in=patient_ids).select_related("coach")
    try:
        return {team.patient_id: answerers.for_role(Role.COACH, team) for team in teams}
    except Conflict:
        return {}  # nobody works here at all


def stands_in_for_coaches(*, user: User, at: datetime) -> bool:
    """Hook `coach.stands_in`: does the work of a coach who is not here come to this person?"""
    return Role.COACH in stands_in_for(user, at=at)


def answerer_of(thread: MessageThread, *, at: datetime) -> User:
    """The one person whose answer is awaited. Never nobody."""
    return Answerers(at).of(thread)


def answerer_for(patient: Patient, topic: str, *, at: datetime, data: dict[str, Any]) -> User:
    """Who would answer a new message about this topic."""
    return Answerers(at).for_role(topic_of(topic, data=data)["role"], getattr(patient, "care_team", None))


def _with_people(rows: QuerySet[MessageThread]) -> QuerySet[MessageThread]:
    return rows.select_related(
        "patient__user", "patient__care_team__coach", "patient__care_team__psychiatrist", "taken_by"
    )


# --- who sees it ---


def threads_visible_to(user: Any, *, at: datetime) -> QuerySet[MessageThread]:
    """A patient's own; a clinician's those of the people they care for today, those given to them by hand, those they stand in
    for while they wait, and one whose live alert is theirs to see. To everybody else no conversation exists."""
    if not user.is_authenticated or not user.is_active:
        return MessageThread.objects.none()
    if user.role == Role.PATIENT:
        return MessageThread.objects.filter(patient_id=user.pk)
    if user.role not in CLINICAL:
        return MessageThread.objects.none()
    rule = (
        Q(patient__care_team__coach=user)
        | Q(patient__care_team__psychiatrist=user)
        | Q(taken_by=user, handed_over=True)
        | Q(alert__in=alerts_visible_to(user).filter(state__in=LIVE_STATES))
    )
    covered = _covered_by(user, at=at)
    if covered is not None:
        rule |= covered & (Q(state="waiting") | Q(urgency__gt=0))
    return MessageThread.objects.filter(rule)


def _covered_by(user: User, *, at: datetime) -> Q | None:
    """Conversations that come to a stand-in: nobody of the role is there for the patient, or whoever is there is away."""
    covers = stands_in_for(user, at=at)
    if not covers:
        return None
    away = away_now(at=at)
    rule = Q(pk__in=[])
    for role in CLINICAL:
        if role in covers:
            rule |= Q(role=role) & (
                absent(role) | (Q(**{f"patient__care_team__{role}__in": away}) if away else Q(pk__in=[]))
            )
    return rule & ~Q(taken_by__isnull=False, handed_over=True, taken_by__is_active=True)


def visible_thread(user: Any, thread_id: uuid.UUID | str, *, at: datetime) -> MessageThread:
    """That conversation with its people, or NotVisible."""
    thread = (
        _with_people(threads_visible_to(user, at=at).filter(pk=thread_id))
        .select_related("triaged_by")
        .first()
    )
    if thread is None:
        raise NotVisible("There is no such page.")
    return thread


def thread_to_give(user: Any, thread_id: uuid.UUID | str, *, at: datetime) -> MessageThread:
    """A conversation this person may hand over: one they see, or one that came to them because nobody else is here."""
    if user.role == Role.ADMINISTRATOR:
        thread = _with_people(MessageThread.objects.filter(pk=thread_id)).first()
        if thread is None or not _is_open(thread) or answerer_of(thread, at=at).pk != user.pk:
            raise NotVisible("There is no such page.")
        return thread
    return visible_thread(user, thread_id, at=at)


def _is_open(thread: MessageThread) -> bool:
    return thread.is_waiting or thread.urgency > 0


def visible_file(user: Any, file_id: uuid.UUID | str, *, at: datetime) -> MessageFile:
    """A file of a conversation this person sees, with its bytes, or NotVisible."""
    row = (
        MessageFile.objects.filter(pk=file_id, message__thread__in=threads_visible_to(user, at=at))
        .select_related("file", "message__thread")
        .first()
    )
    if row is None:
        raise NotVisible("There is no such file.")
    return row


def who_may_take(thread: MessageThread) -> list[User]:
    """Active clinicians to whom a conversation may be given, the patient's own first."""
    team = getattr(thread.patient, "care_team", None)
    own = {team.coach_id, team.psychiatrist_id} if team is not None else set()
    people = User.objects.filter(is_active=True, role__in=CLINICAL).order_by("full_name", "pk")
    return sorted(people, key=lambda person: person.pk not in own)


# --- lists ---


@dataclass(frozen=True)
class Page:
    """One page and the key of the next ("" at the end)."""

    rows: list[Any]
    next_key: str


def _page(rows: QuerySet[Any], when: str, key: str, limit: int) -> Page:
    """Newest first by (`when`, id); a key that is none begins anew."""
    return Page(*newest_first(rows, when, after=key, limit=limit))


def _unread_for(user: Any) -> Exists:
    """Does a conversation hold a message of somebody else that this person has not had on the screen?"""
    return Exists(
        Message.objects.filter(thread=OuterRef("pk"))
        .exclude(author=user)
        .exclude(Exists(MessageRead.objects.filter(message=OuterRef("pk"), person=user)))
    )


def threads_page(
    user: Any, *, at: datetime, patient: Patient | None = None, after: str = "", limit: int = PAGE
) -> Page:
    """Conversations this person sees, the newest first, each with whether it holds something unread."""
    rows = _with_people(threads_visible_to(user, at=at)).annotate(unread=_unread_for(user))
    if patient is not None:
        rows = rows.filter(patient=patient)
    return _page(rows, "last_at", after, limit)


def open_threads(user: User, *, at: datetime, limit: int = 50) -> list[MessageThread]:
    """What waits, of all this clinician sees: what words asked a look for first, then what is due soonest."""
    rows = _with_people(
        threads_visible_to(user, at=at).filter(Q(state="waiting") | Q(urgency__gt=0))
    ).annotate(
        unread=_unread_for(user),
        rank=Case(When(urgency__gt=0, then=Value(0)), default=Value(1)),
        by_at=Case(When(urgency__gt=0, then=F("triage_by_at")), default=F("due_at")),
    )
    return list(rows.order_by("rank", "by_at", "pk")[:limit])


def messages_page(thread: MessageThread, *, before: str = "", limit: int = PAGE) -> Page:
    """The newest messages of a conversation in the order they were sent, and the key of the earlier ones."""
    rows = thread.messages.select_related("author").prefetch_related(
        Prefetch("files", MessageFile.objects.select_related("file").defer("file__sealed")), "reads__person"
    )
    page = _page(rows, "sent_at", before, limit)
    return Page(page.rows[::-1], page.next_key)


def unread_threads(user: Any, *, at: datetime, limit: int = 10) -> list[MessageThread]:
    """Conversations with something this person has not read, newest first."""
    rows = _with_people(threads_visible_to(user, at=at)).filter(_unread_for(user))
    return list(rows.order_by("-last_at", "-id")[:limit])


def draft_of(author: User, *, patient: Patient, thread: MessageThread | None = None) -> MessageDraft | None:
    """What this person has begun and not sent."""
    return MessageDraft.objects.filter(author=author, patient=patient, thread=thread).first()


def patient_written_to(user: User, patient_id: uuid.UUID | str) -> Patient:
    """A patient whom this clinician may write to: one of their own."""
    patient = visible_patient(user, patient_id)
    team = getattr(patient, "care_team", None)
    if team is None or user.pk not in (team.coach_id, team.psychiatrist_id):
        raise NotVisible("There is no such page.")
    return patient


# --- work ---


def work_items(*, user: User, at: datetime) -> list[WorkItem]:
    """Hook `work.items`: conversations that await this person's answer or look (PR-05)."""
    if user.role == Role.PATIENT or not user.is_active:
        return []
    mine = Q(taken_by=user)
    if user.role in CLINICAL:
        mine |= Q(**{f"patient__care_team__{user.role}": user})
    covered = _covered_by(user, at=at)
    if covered is not None:
        mine |= covered | Q(taken_by__isnull=False)
    rows = _with_people(MessageThread.objects.filter(mine).filter(Q(state="waiting") | Q(urgency__gt=0)))
    rows = rows.annotate(by_at=Case(When(urgency__gt=0, then=F("triage_by_at")), default=F("due_at")))
    answerers = Answerers(at)
    data = numbers(at=at)
    return [
        _line(thread, user, data)
        for thread in rows.order_by("by_at", "pk")[: 2 * LIMIT]
        if answerers.of(thread).pk == user.pk
    ][:LIMIT]


def _line(thread: Any, user: User, data: dict[str, Any]) -> WorkItem:
    from django.urls import reverse

    gives = user.role == Role.ADMINISTRATOR
    asks = thread.urgency > 0
    return WorkItem(
        key=f"message:{thread.pk}",
        kind="message.triage" if asks else "message.answer",
        title="A message asks for a look now" if asks else "A message awaits an answer",
        text="" if gives else topic_of(thread.topic, data=data)["label"],
        url=reverse("coaching:hand_over_messages" if gives else "coaching:messages", args=[thread.pk]),
        action="Give it to somebody" if gives else "Look at it" if asks else "Answer",
        due_at=thread.by_at,
        owner_id=user.pk,
        owner_name=str(user),
        patient_label=None if gives else str(thread.patient),
        weight=WEIGHT_CRISIS if thread.urgency > 1 else WEIGHT_HIGH if asks else WEIGHT_NORMAL,
    )


def chart_panel(*, patient: Patient, user: User, at: datetime) -> dict[str, Any]:
    """Hook `chart.panels`: the latest conversations, for whoever of the care team reads the chart."""
    from django.urls import reverse

    team = getattr(patient, "care_team", None)
    if team is None or user.pk not in (team.psychiatrist_id, team.coach_id):
        return {"title": "Latest messages", "lines": []}  # whoever stands in finds them under Messages
    # One query for all of it: the chart has a budget.
    in_force = ProtocolVersion.objects.filter(state="approved", effective_from__lte=at)
    words = in_force.order_by("-effective_from", "-approved_at").values("data__messaging")[:1]
    newest = MessageThread.objects.filter(patient=patient).annotate(words=Subquery(words))
    lines = [
        {
            "title": topic_of(thread.topic, data=thread.words or shipped_numbers())["label"],
            "url": reverse("coaching:messages", args=[thread.pk]),
            "at": thread.last_at,
            "status": "Look at it" if thread.urgency else "Waiting" if thread.is_waiting else "",
            "kind": "pause" if thread.urgency else "info",
        }
        for thread in newest.order_by("-last_at", "-id")[:3]
    ]
    return {"title": "Latest messages", "lines": lines}
