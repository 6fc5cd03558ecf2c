"""What an alert page, the alert list and the banner say: the whole story of one alert, many of one cause as one line (HZ-24)."""

import uuid
from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count

from accounts.models import User
from common.models import AuditEntry
from notify.models import OutboxMessage
from notify.wording import CHANNEL_WORDS
from safety import access, wording
from safety.models import Alert

MOST_LINES = 200
# The banner stands over somebody's work: the gravest in full, the others on the list.
IN_BANNER = 3


def story_of(alert: Alert) -> list[dict[str, Any]]:
    """Everything that happened to an alert, in order, each line with who did it."""
    rows = list(
        AuditEntry.objects.filter(
            object_id=str(alert.pk), object_type="safety.alert", action__in=list(wording.STORY_WORDS)
        ).order_by("id")[:MOST_LINES]
    )
    keys = {_key(row.actor) for row in rows} | {_key(f"user:{row.detail.get('to', '')}") for row in rows}
    people = User.objects.filter(pk__in=[key for key in keys if key is not None])
    names: dict[Any, str] = {person.pk: str(person) for person in people}
    lines = []
    for row in rows:
        taker = names.get(_key(f"user:{row.detail.get('to', '')}"), "")
        words = wording.STORY_WORDS[row.action]
        if row.action == "alert.escalated":
            words += f": {wording.LEVEL_WORDS.get(row.detail.get('to'), '')}"
        elif row.action == "alert.handed_over" and taker:
            words += f" to {taker}"
        lines.append({"at": row.at, "words": words, "by": names.get(_key(row.actor), _program(row.actor))})
    return lines


def _key(actor: str) -> uuid.UUID | None:
    kind, _, key = actor.partition(":")
    try:
        return uuid.UUID(key) if kind == "user" else None
    except ValueError:
        return None


def _program(actor: str) -> str:
    return {"sitter": "the sitter", "system": "the software"}.get(actor.partition(":")[0], "")


def whom(alert: Alert) -> str:
    """Whom it concerns: a patient, a stranger with a telephone, or the practice itself."""
    if alert.patient_id is not None:
        return str(alert.patient)
    return "The practice" if alert.is_the_practices or alert.is_synthetic else "Nobody we know"


def banner_of(rows: Iterable[Alert], user: User) -> dict[str, Any]:
    """What nobody has taken yet of these alerts of this person, in the words of their alert list."""
    untaken = [row for row in rows if row.state == "open"]
    return {
        "lines": [
            {"alert": row, "title": access.alert_title_for(user, row), "who": whom(row)}
            for row in untaken[:IN_BANNER]
        ],
        "more": len(untaken) > IN_BANNER,
    }


def banner_for(user: User) -> dict[str, Any]:
    """The same, looked for: one query of a few rows, gravest first."""
    return banner_of(access.open_alerts_for(user).filter(state="open")[: IN_BANNER + 1], user)


def may_be_grouped(alert: Alert) -> bool:
    """Nobody's emergency or suicide risk, and nothing that somebody has taken, is ever folded into a group (HZ-24)."""
    return alert.state == "open" and alert.severity < 4 and alert.episode_key != "suicide_risk"


def grouped(alerts: Iterable[Alert], *, least: int = 4) -> list[list[Alert]]:
    """The list in its order, alerts of one cause together where at least so many share it. Every alert is in exactly one group.

    One cause: the same trigger with the same codes. A group stands where its first alert would have stood.
    """
    rows = list(alerts)
    causes: dict[tuple[Any, ...], list[Alert]] = defaultdict(list)
    for alert in rows:
        if may_be_grouped(alert):
            causes[(alert.trigger, tuple(alert.detail_codes))].append(alert)
    groups: list[list[Alert]] = []
    done: set[uuid.UUID] = set()
    for alert in rows:
        if alert.pk in done:
            continue
        same = causes.get((alert.trigger, tuple(alert.detail_codes)), []) if may_be_grouped(alert) else []
        group = same if len(same) >= least else [alert]
        done.update(one.pk for one in group)
        groups.append(group)
    return groups


def failing_channels(*, at: datetime, least: int = 3) -> list[str]:
    """One line for each channel that fails for several people within the hour: "12 people: text messages fail"."""
    rows = (
        OutboxMessage.objects.filter(created_at__gte=at - timedelta(hours=1), state="failed")
        .order_by()
        .values("channel")
        .annotate(people=Count("recipient", distinct=True))
    )
    return [
        f"{row['people']} people: {CHANNEL_WORDS[row['channel']]} fails"
        for row in rows
        if row["people"] >= least
    ]
