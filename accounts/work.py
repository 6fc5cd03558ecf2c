"""Lines of the work list that follow from roles, protocol versions and papers: the administrators' own."""

import functools
import json
from datetime import datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.urls import reverse

from accounts.models import CredentialRequest, DeaRegistration, Licence, Role, RoleGrant, User
from common.clock import local_date
from common.models import ProtocolVersion
from common.work import LIMIT, WorkItem, kinds, line, next_working_day


@functools.lru_cache(maxsize=1)
def _data() -> dict[str, Any]:
    return json.loads((settings.BASE_DIR / "accounts" / "data" / "work.json").read_text())


def work_items(*, user: User, at: datetime) -> list[WorkItem]:
    """Requests and drafts go to the longest-serving administrator who may decide, papers to the longest-serving one."""
    if user.role != Role.ADMINISTRATOR or not user.is_active:
        return []
    people = list(User.objects.filter(is_active=True, role=Role.ADMINISTRATOR).order_by("created_at", "pk"))
    items = _requests(user, people) + _credentials(user, people) + _drafts(user, people)
    if people and people[0].pk == user.pk:
        items += _papers(user, at=at)
    return items


def _decider(people: list[User], *barred: Any) -> User:
    """The longest-serving one who is not barred; where nobody else is there, the first: somebody must be found."""
    return next((person for person in people if person.pk not in barred), people[0])


def _due(kind: str, since: datetime, user: User) -> datetime:
    return next_working_day(since, user.time_zone, days=kinds()[kind]["clock_working_days"])


def _requests(user: User, people: list[User]) -> list[WorkItem]:
    rows = (
        RoleGrant.objects.filter(decided_at__isnull=True)
        .select_related("user")
        .order_by("requested_at", "pk")
    )
    return [
        line(
            "role.request",
            key=str(grant.pk),
            owner=user,
            url=reverse("admin:accounts_rolegrant_decide", args=[grant.pk]),
            due_at=_due("role.request", grant.requested_at, user),
            title=f"{grant.get_role_display()} for {grant.user}",
            text="Nobody else may decide this: invite a second administrator"
            if user.pk in (grant.requested_by_id, grant.user_id)
            else "",
        )
        for grant in rows[:LIMIT]
        if _decider(people, grant.requested_by_id, grant.user_id).pk == user.pk
    ]


def _credentials(user: User, people: list[User]) -> list[WorkItem]:
    rows = (
        CredentialRequest.objects.filter(decided_at__isnull=True)
        .select_related("psychiatrist")
        .order_by("requested_at", "pk")
    )
    return [
        line(
            "credential.request",
            key=str(row.pk),
            owner=user,
            url=reverse("admin:accounts_credentialrequest_decide", args=[row.pk]),
            due_at=_due("credential.request", row.requested_at, user),
            title=str(row),
        )
        for row in rows[:LIMIT]
        if _decider(people, row.requested_by_id, row.psychiatrist_id).pk == user.pk
    ]


def _drafts(user: User, people: list[User]) -> list[WorkItem]:
    rows = ProtocolVersion.objects.filter(state="draft").defer("data").order_by("proposed_at", "pk")
    return [
        line(
            "protocol.draft",
            key=str(draft.pk),
            owner=user,
            url=reverse("admin:common_protocolversion_review", args=[draft.pk]),
            due_at=_due("protocol.draft", draft.proposed_at, user),
            title=f"Protocol {draft.version}",
        )
        for draft in rows[:LIMIT]
        if _decider(people, draft.proposed_by_id).pk == user.pk
    ]


def _papers(user: User, *, at: datetime) -> list[WorkItem]:
    until = local_date(at, user.time_zone) + timedelta(days=_data()["papers_days"])
    items = []
    for name, rows, url_name in (
        ("Licence", Licence.objects.all(), "admin:accounts_licence_change"),
        ("DEA registration", DeaRegistration.objects.all(), "admin:accounts_dearegistration_change"),
    ):
        found = rows.filter(expires_on__lte=until, psychiatrist__is_active=True)  # type: ignore[attr-defined]
        for row in found.select_related("psychiatrist").order_by("expires_on", "pk")[:LIMIT]:
            items.append(
                line(
                    "paper.ending",
                    key=str(row.pk),
                    owner=user,
                    url=reverse(url_name, args=[row.pk]),
                    due_at=datetime.combine(row.expires_on, time(23, 59), ZoneInfo(user.time_zone)),
                    title=f"{name} {row.state} of {row.psychiatrist} ends {row.expires_on:%B} {row.expires_on.day}",
                )
            )
    return items
