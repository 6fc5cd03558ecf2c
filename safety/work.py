"""Lines of the work list that follow from alerts, holds and the roster."""

from datetime import datetime

from django.conf import settings
from django.db.models import Exists, OuterRef, Q
from django.urls import reverse

from accounts.models import Role, User
from common.work import LIMIT, WEIGHT_CRISIS, WorkItem, clock_of, kinds, line
from safety.access import (
    alert_title_for,
    alerts_visible_to,
    open_alerts_for,
    upcoming_gaps,
)
from safety.lane_access import pagers_running
from safety.models import LIVE_STATES, AdverseEvent, Alert, SafetyHold
from safety.roster_access import open_offers_for
from safety.task_access import is_own, lands, mine_or_unowned, stands_in_for
from safety.wording import LEVEL_WORDS, hold_for_staff

CRISIS = 3


def work_items(*, user: User, at: datetime) -> list[WorkItem]:
    """Alerts to take or to close, holds and adverse events that wait for a word, shifts offered, holes in the roster."""
    covers = stands_in_for(user, at=at)
    items = _alerts(user, covers=covers, at=at)
    if user.role == Role.PSYCHIATRIST or Role.PSYCHIATRIST in covers:
        items += _holds(user, covers=covers)
        items += _events(user, covers=covers)
    items += _offers(user, covers=covers, at=at)
    if Role.ADMINISTRATOR in covers:
        items += _gaps(user, at=at)
        items += _pagers(user, at=at)
    return items


def _alerts(user: User, *, covers: frozenset[str], at: datetime) -> list[WorkItem]:
    """Open: everybody who should look. Taken: who took it, and if they are gone who stands in for a psychiatrist."""
    items = []
    for alert in open_alerts_for(user).filter(state="open")[:LIMIT]:
        items.append(
            line(
                "alert.open",
                key=str(alert.pk),
                owner=user,
                url=reverse("safety:alert", args=[alert.pk]),
                due_at=alert.acknowledge_by_at,
                patient=alert.patient,
                title=alert_title_for(user, alert),
                weight=WEIGHT_CRISIS if alert.severity >= CRISIS else kinds()["alert.open"]["weight"],
            )
        )
    if user.role == Role.ADMINISTRATOR and Role.PSYCHIATRIST in covers:
        # Nobody is on call: whoever stands in sees that there is one, and finds somebody.
        unseen = Alert.objects.filter(state="open").exclude(pk__in=alerts_visible_to(user).values("pk"))
        items += [
            line(
                "alert.open",
                key=str(alert.pk),
                owner=user,
                url=reverse("safety:roster"),
                due_at=alert.acknowledge_by_at,
                patient=alert.patient,
                action="Put somebody on call",
                weight=WEIGHT_CRISIS if alert.severity >= CRISIS else kinds()["alert.open"]["weight"],
                unowned=True,
            )
            for alert in unseen.select_related("patient__user").order_by("-severity", "opened_at")[:LIMIT]
        ]
    taken = Q(acknowledged_by=user)
    if Role.PSYCHIATRIST in covers:
        taken |= Q(acknowledged_by__is_active=False)
    rows = (
        Alert.objects.filter(taken, state="acknowledged")
        .select_related("patient__user")
        .order_by("acknowledged_at", "id")
    )
    for alert in rows[:LIMIT]:
        taken_at = alert.acknowledged_at or alert.opened_at
        items.append(
            line(
                "alert.unclosed",
                key=str(alert.pk),
                owner=user,
                url=reverse("safety:alert", args=[alert.pk]),
                due_at=alert.contact_by_at
                if alert.waits_for_contact and alert.contact_by_at is not None
                else taken_at + clock_of("alert.unclosed"),
                patient=alert.patient,
                title=f"{'Talk with them' if alert.waits_for_contact else 'Close'}: {alert_title_for(user, alert)}",
                unowned=alert.acknowledged_by_id != user.pk,
            )
        )
    return items


def _holds(user: User, *, covers: frozenset[str]) -> list[WorkItem]:
    """Holds whose alert is closed, or that never had one: only a psychiatrist's word is missing. One line for a patient."""
    live = Alert.objects.filter(pk=OuterRef("alert_id"), state__in=LIVE_STATES)
    rows = (
        SafetyHold.objects.filter(
            ~Exists(live),
            mine_or_unowned(user, role=Role.PSYCHIATRIST, covers=covers),
            cleared_at__isnull=True,
        )
        .select_related("patient__user", "patient__care_team")
        .order_by("placed_at", "id")
    )
    return [
        line(
            "hold.standing",
            key=str(hold.pk),
            owner=user,
            due_at=hold.placed_at + clock_of("hold.standing"),
            patient=hold.patient,
            title=f"Held: {hold_for_staff(hold.reason_code)}",
            unowned=not is_own(user, hold.patient, "psychiatrist"),
            **lands(
                user,
                # The form that clears it stands on its alert's page, else in the chart.
                reverse("safety:alert", args=[hold.alert_id])
                if hold.alert_id
                else f"/chart/{hold.patient_id}/",
                kinds()["hold.standing"]["action"],
                hold.patient_id,
            ),
        )
        for hold in rows[:LIMIT]
    ]


def _pagers(user: User, *, at: datetime) -> list[WorkItem]:
    """Pages still go, but by fewer programs than there should be: the next one to die takes the crisis lane with it. When none
    runs at all every page says so itself."""
    running = pagers_running(at=at)
    if not 0 < running < settings.PAGER_COPIES:
        return []
    return [
        line(
            "lane.pagers",
            key="pagers",
            owner=user,
            url=reverse("notify:outbox"),
            due_at=at,
            text=f"{running} of {settings.PAGER_COPIES} {'runs' if running == 1 else 'run'}; start the other (docs/operations.md)",
        )
    ]


def _gaps(user: User, *, at: datetime) -> list[WorkItem]:
    """The first hole of each level: filling it shows the next one."""
    return [
        line(
            "roster.gap",
            key=f"{level}",
            owner=user,
            url=reverse("safety:roster"),
            due_at=max(found[0][0], at),
            title=f"Nobody is {LEVEL_WORDS[level]}",
            text=f"{len(found)} holes in the next days" if len(found) > 1 else "",
        )
        for level, found in upcoming_gaps(at=at).items()
        if found
    ]


def _events(user: User, *, covers: frozenset[str]) -> list[WorkItem]:
    """What was reported and no psychiatrist has judged: a serious one within a day, any other within a week (protocol 9)."""
    rows = (
        AdverseEvent.objects.filter(
            mine_or_unowned(user, role=Role.PSYCHIATRIST, covers=covers), assessed_at__isnull=True
        )
        .exclude(alert__is_synthetic=True)
        .select_related("patient__user", "patient__care_team")
        .defer("description")
        .order_by("reported_at", "id")
    )
    items = []
    for event in rows[:LIMIT]:
        kind = "event.serious" if event.seriousness else "event.unjudged"
        items.append(
            line(
                kind,
                key=str(event.pk),
                owner=user,
                due_at=event.reported_at + clock_of(kind),
                patient=event.patient,
                title=f"{kinds()[kind]['title']}: {event.kind.replace('_', ' ')}",
                unowned=not is_own(user, event.patient, "psychiatrist"),
                **lands(
                    user,
                    reverse("safety:event", args=[event.pk]),
                    kinds()[kind]["action"],
                    event.patient_id,
                ),
            )
        )
    return items


def _offers(user: User, *, covers: frozenset[str], at: datetime) -> list[WorkItem]:
    """Shifts that colleagues ask this person to take. One offered to somebody who is gone is its giver's again, and when both are
    gone the supervising administrator's."""
    items = []
    for offer in open_offers_for(user, at=at)[:LIMIT]:
        if offer.taker.is_active:
            mine = offer.taker_id == user.pk
        elif offer.giver.is_active:
            mine = offer.giver_id == user.pk
        else:
            mine = Role.ADMINISTRATOR in covers
        if mine:
            asked = offer.taker_id == user.pk
            items.append(
                line(
                    "shift.offered",
                    key=str(offer.pk),
                    owner=user,
                    url=reverse("safety:roster"),
                    due_at=min(offer.offered_at + clock_of("shift.offered"), offer.starts_at),
                    title=f"{offer.giver} asks you to take a shift"
                    if asked
                    else f"{offer.taker} is not here to take a shift",
                    unowned=not asked,
                )
            )
    return items
