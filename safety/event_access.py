"""Adverse events and incidents: who may read which, as pages by key, and their rate against doses given."""

import uuid
from datetime import datetime
from typing import Any

from django.db.models import Count, Q, QuerySet

from accounts.access import patients_visible_to
from accounts.models import Role
from common import hooks
from common.errors import NotVisible
from common.paging import newest_first
from safety.access import incident_kinds
from safety.models import AdverseEvent

CATEGORIES = tuple(AdverseEvent._meta.get_field("category").choices or ())
SEVERE = 3


def events_visible_to(user: Any) -> QuerySet[AdverseEvent]:
    """Clinicians those of their patients; administrators, who answer for losses and reports, all of them."""
    rows = AdverseEvent.objects.select_related("patient__user", "alert", "assessed_by")
    if not user.is_authenticated or not user.is_member_of_staff:
        return rows.none()
    if user.role == Role.ADMINISTRATOR:
        return rows
    return rows.filter(patient__in=patients_visible_to(user).values("pk"))


def visible_event(user: Any, pk: uuid.UUID) -> AdverseEvent:
    """That event, or NotVisible."""
    event = events_visible_to(user).filter(pk=pk).first()
    if event is None:
        raise NotVisible("There is no such page.")
    return event


def may_read_words(user: Any, event: AdverseEvent) -> bool:
    """The description of a side effect is clinical; that of an incident with the medicine is compliance's too."""
    return user.role != Role.ADMINISTRATOR or event.category == "incident"


def events_page(
    user: Any, *, category: str = "", before: str = "", limit: int = 25
) -> tuple[list[AdverseEvent], str]:
    """One page, newest first, and the key of the next one (empty on the last)."""
    rows = events_visible_to(user)
    if category in dict(CATEGORIES):
        rows = rows.filter(category=category)
    return newest_first(rows, "reported_at", after=before, limit=limit)


def rates(*, since: datetime, until: datetime) -> dict[str, Any]:
    """Counts of the whole practice with their denominators: sessions with a dose and the people who had one.

    Drills and synthetic people are in neither. Without any dose there is no rate, only a count.
    """
    rows = AdverseEvent.objects.filter(
        onset_at__gte=since, onset_at__lt=until, patient__is_synthetic=False
    ).exclude(alert__is_synthetic=True)
    effects = Q(category="effect")
    serious = effects & ~Q(seriousness=[])
    counted = rows.aggregate(
        all=Count("pk", filter=effects), all_people=Count("patient", filter=effects, distinct=True),
        severe=Count("pk", filter=effects & Q(severity__gte=SEVERE)),
        severe_people=Count("patient", filter=effects & Q(severity__gte=SEVERE), distinct=True),
        serious=Count("pk", filter=serious), serious_people=Count("patient", filter=serious, distinct=True),
        incidents=Count("pk", filter=Q(category="incident")),
        incidents_people=Count("patient", filter=Q(category="incident"), distinct=True),
    )  # fmt: skip
    given = hooks.run("doses.given", since=since, until=until)
    sessions, people = given[0] if given else (0, 0)
    names = (
        ("all", "All side effects"),
        ("severe", "Severe (3 or more)"),
        ("serious", "Serious"),
        ("incidents", "Incidents with the medicine"),
    )
    return {
        "sessions": sessions,
        "people": people,
        "lines": [
            {
                "label": label,
                "count": counted[name],
                "people": counted[f"{name}_people"],
                "per_100": round(100 * counted[name] / sessions, 1) if sessions else None,
            }
            for name, label in names
        ],
    }


def kind_words(*, at: datetime) -> dict[str, str]:
    """What each kind of incident is called; other events are called by their own words."""
    return {row["id"]: row["label"] for row in incident_kinds(at=at)["kinds"]}


def kinds_for(who: str, *, at: datetime) -> list[tuple[str, str]]:
    """What a patient, sitter or member of staff may report, for a choice."""
    return [(row["id"], row["label"]) for row in incident_kinds(at=at)["kinds"] if who in row["by"]]
