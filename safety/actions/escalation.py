"""Climbing the ladder: who is paged now, who next, and everybody in the end. Called by raise_alert and by the pager."""

import logging
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import InterfaceError, OperationalError, transaction

from accounts.models import CareTeam, Role, User
from common import audit
from notify.actions import cancel_for, promise
from notify.models import OutboxMessage
from safety.access import CLINICAL_ROLES, CRISIS_SEVERITY, escalations, on_call_now, trigger_of
from safety.models import LIVE_STATES, Alert
from safety.roster_access import drill_account
from safety.rules import CARE_TEAM, EVERYONE, FIRST, SECOND, Ladder, Step, ladder_of, look_again_at, step_at

log = logging.getLogger("safety")

ORDER = ("sms", "voice", "email", "screen")
# How often everybody is paged about an alert that cannot climb: as the urgent ladder does once it has reached everyone.
WITHOUT_A_LADDER = timedelta(minutes=5)


def ladder_for(alert: Alert, *, at: datetime) -> Ladder:
    """The ladder of an alert by the table in force."""
    row = trigger_of(alert.trigger, at=at)
    ladders = escalations(at=at)["ladders"]
    name = row["ladder"]
    # Whatever its trigger's usual pace: an emergency is urgent, and so is what is severe while somebody is under the medicine
    # (PR-07); what is severe at another time does not wait for its clock.
    if (alert.severity >= 4 or (alert.severity >= 3 and alert.in_session)) and name != "drill":
        name = "urgent"
    elif alert.severity >= 3 and name == "routine":
        name = "soon"
    clock_s = row["acknowledge_minutes"] * 60
    given_s = (alert.acknowledge_by_at - alert.escalating_since_at).total_seconds()
    return ladder_of(
        ladders[name],
        acknowledge_minutes=row["acknowledge_minutes"],
        in_session=alert.in_session,
        severity=alert.severity,
        # A clock of working days was read once, when the alert was raised: the alert carries its end.
        extra_s=max(given_s, 0) - clock_s if "acknowledge_by" in row else 0,
    )


def care_team_of(alert: Alert, roles: Iterable[str]) -> list[User]:
    """The assigned people of these roles who can be reached; read afresh, because a team may just have changed.

    `compliance` is the practice's administrators: losses and thefts of a controlled drug are theirs to report (X15).
    """
    roles = list(roles)
    team = CareTeam.objects.filter(pk=alert.patient_id).select_related("psychiatrist", "coach").first()
    people = [getattr(team, role) for role in roles if team is not None and role in ("psychiatrist", "coach")]
    if "compliance" in roles:
        people += User.objects.filter(is_active=True, role=Role.ADMINISTRATOR).order_by("created_at")
    return [person for person in people if person is not None and person.is_active]


def everyone() -> list[User]:
    """All active staff, those with a phone first."""
    staff = User.objects.filter(is_active=True, role__in=[*CLINICAL_ROLES, Role.ADMINISTRATOR]).order_by(
        "created_at"
    )
    return sorted(staff, key=lambda person: not person.phone)


def people_to_page(alert: Alert, *, level: int, at: datetime) -> list[User]:
    """Whom this rung calls. It never answers nobody while the practice has any active staff (HZ-25: fail open)."""
    if level >= EVERYONE:
        return everyone()
    # A drill that an account of the practice answers rings its phone and nobody else's.
    robot = drill_account() if alert.trigger == "P02" else None
    if robot is not None:
        return [robot]
    if alert.is_the_practices:
        people = list(User.objects.filter(is_active=True, role=Role.ADMINISTRATOR))
    else:
        people = [
            p
            for p in (on_call_now(at=at, level=n) for n in range(FIRST, max(level, FIRST) + 1))
            if p is not None
        ]
        if not people:
            # Nobody holds this rung: the other one, else every clinician at once.
            people = [p for p in [on_call_now(at=at, level=SECOND)] if p is not None]
        if not people:
            people = [p for p in everyone() if p.role in CLINICAL_ROLES]
        people += care_team_of(alert, trigger_of(alert.trigger, at=at)["also_page"])
    return list(dict.fromkeys(people)) or everyone()


def link_to(alert: Alert) -> str:
    return f"{settings.SITE_URL}/alerts/{alert.pk}/"


def page(people: Iterable[User], alert: Alert, *, at: datetime) -> None:
    """One round of pages: a text first, a call from the second round on, each falling over to the next channel."""
    alert.pages += 1
    Alert.objects.filter(pk=alert.pk).update(pages=alert.pages)
    for person in people:
        # A phone that slept through a text is rung.
        order = ORDER if alert.pages == 1 else ("voice", "sms", "email", "screen")
        channels = [c for c in order if c in ("email", "screen") or person.phone]
        promise(
            "crisis_page",
            to=person,
            channel=channels[0],
            fallbacks=channels[1:],
            context={
                "link": link_to(alert),
                "answer_url": f"{settings.SITE_URL}/webhooks/twilio/answer/{alert.pk}/{person.pk}/{alert.round_key}/",
                "reference": alert.reference,
                "notice_number": alert.pages,
                "drill": alert.is_synthetic,
            },
            due_at=at,
            at=at,
            lane="crisis",
            dedupe_key=f"page:{alert.pk}:{alert.pages}:{person.pk}",
            about=alert,
            patient=alert.patient,
            respect_quiet_hours=False,
            priority=alert.severity,
        )


def step_of(alert: Alert, *, at: datetime) -> Step:
    """The rung of this alert now, by the table in force."""
    return step_at(
        ladder_for(alert, at=at), since=alert.escalating_since_at, at=at, worse_at=alert.got_worse_at
    )


def begin(alert: Alert, *, at: datetime) -> None:
    """First round of an alert that was just opened or just got worse, in the same transaction."""
    from safety.actions.alerts import notice_care_team

    step = step_of(alert, at=at)
    # Getting worse never takes anybody off the list of those who are called.
    level = max(step.level, alert.level) if alert.pages else step.level
    if alert.pages:
        _note_climb(alert, to=level, at=at)
    alert.level = level
    alert.next_page_at, alert.next_escalation_at = step.next_page_at, step.next_escalation_at
    alert.save(update_fields=["level", "next_page_at", "next_escalation_at"])
    if step.level == CARE_TEAM:
        roles = trigger_of(alert.trigger, at=at)["also_page"] or ["psychiatrist", "coach"]
        people = care_team_of(alert, roles) or people_to_page(alert, level=FIRST, at=at)
        notice_care_team(alert, people, link=link_to(alert), at=at)
    else:
        page(people_to_page(alert, level=alert.level, at=at), alert, at=at)


def escalate_due(*, at: datetime, limit: int = 20) -> int:
    """Every alert whose time for another page or the next rung has come, the gravest first: five hundred missed checkpoints
    never keep an emergency waiting (HZ-24). Answers how many. Safe with several pagers.

    An alert that cannot climb holds up no other one: everybody is paged about it instead (HZ-25: fail open), and its error is
    raised when the others have had their turn. The pager then does not beat, so every page says that the lane is in trouble
    and the dead-man service calls people.
    """
    done = 0
    failed: list[Any] = []
    trouble: Exception | None = None
    while done < limit:
        alert = None
        try:
            with transaction.atomic():
                waiting = Alert.objects.select_for_update(of=("self",), skip_locked=True).exclude(
                    pk__in=failed
                )
                alert = (
                    waiting.filter(state__in=LIVE_STATES, next_page_at__lte=at)
                    .order_by("-severity", "next_page_at")
                    .first()
                ) or (
                    waiting.filter(state="open", next_escalation_at__lte=at)
                    .order_by("-severity", "next_escalation_at")
                    .first()
                )
                if alert is None:
                    break
                _climb(alert, at=at)
        except (InterfaceError, OperationalError):
            # The database itself is in trouble, which is no alert's own.
            raise
        except Exception as error:
            if alert is None:
                raise
            log.exception("an alert could not climb", extra={"event": "poison", "object_id": str(alert.pk)})
            failed.append(alert.pk)
            trouble = trouble or error
            _call_everyone(alert.pk, at=at)
            continue
        done += 1
    if trouble is not None:
        raise trouble
    return done


def _call_everyone(alert_id: Any, *, at: datetime) -> None:
    """The last way for an alert whose ladder is broken: it reads no table. What the ladder waits for is left as it was, so that
    each turn tries it again and the lane does not call itself well meanwhile.
    """
    try:
        with transaction.atomic():
            alert = Alert.objects.select_for_update(of=("self",)).get(pk=alert_id)
            recent = OutboxMessage.objects.filter(
                about_type=Alert._meta.label_lower, about_id=alert_id, created_at__gt=at - WITHOUT_A_LADDER
            )
            if alert.level == EVERYONE and recent.exists():
                return
            alert.level = EVERYONE
            alert.save(update_fields=["level"])
            page(everyone(), alert, at=at)
    except (InterfaceError, OperationalError):
        raise
    except Exception:
        log.exception("nobody could be paged", extra={"event": "poison", "object_id": str(alert_id)})


def people_to_remind(alert: Alert, *, at: datetime) -> list[User]:
    """Who hears that a taken alert is not done: whoever took it, and beside them whoever is on call when it is severe and they
    are not on call themselves (a shift may have ended). Everyone, when whoever took it is no longer here.
    """
    taker = alert.acknowledged_by
    if taker is None or not taker.is_active:
        return everyone()
    on_call = [on_call_now(at=at, level=level) for level in (FIRST, SECOND)]
    if alert.severity < CRISIS_SEVERITY or alert.is_the_practices or taker in on_call:
        return [taker]
    return list(dict.fromkeys([taker, *(person for person in on_call[:1] if person is not None)]))


def hurry(alert: Alert, *, at: datetime) -> None:
    """An open alert whose ladder has become a shorter one: its next rung comes no later than that ladder says."""
    step = step_of(alert, at=at)
    if step.level > alert.level:
        _climb(alert, at=at)
        return
    if step.next_escalation_at is not None and alert.next_escalation_at is not None:
        alert.next_escalation_at = min(alert.next_escalation_at, step.next_escalation_at)
        alert.save(update_fields=["next_escalation_at"])


def next_look(alert: Alert, *, taken_at: datetime, at: datetime) -> datetime:
    """When a taken alert pages again."""
    table = escalations(at=at)
    return look_again_at(
        taken_at=taken_at,
        unclosed_minutes=table.get("unclosed_after_acknowledgement_minutes", 60),
        grace_minutes=table.get("contact_grace_minutes", 5),
        contact_by_at=alert.contact_by_at if alert.reached_at is None else None,
    )


def _remind(alert: Alert, *, at: datetime) -> None:
    """Taken and not done. Past the contact clock more people are called, because whoever took it may not get through."""
    late = alert.waits_for_contact and alert.contact_by_at is not None and at >= alert.contact_by_at
    people = people_to_remind(alert, at=at)
    if late and alert.contact_by_at is not None:
        ladder = ladder_for(alert, at=at)
        slower = ladder.repage_everyone_backoff_s
        every = timedelta(seconds=slower[-1] if slower else ladder.repage_everyone_s)
        level = SECOND if at < alert.contact_by_at + every else EVERYONE
        people = list(dict.fromkeys([*people, *people_to_page(alert, level=level, at=at)]))
        alert.next_page_at = at + every
        audit.record(
            "alert.contact_late", by="system:pager", at=at, about=alert, patient_id=alert.patient_id, detail={"to": level}
        )  # fmt: skip
    else:
        alert.next_page_at = next_look(alert, taken_at=at, at=at)
    alert.save(update_fields=["next_page_at"])
    page(people, alert, at=at)


def _note_climb(alert: Alert, *, to: int, at: datetime) -> None:
    if to > alert.level:
        audit.record(
            "alert.escalated", by="system:pager", at=at, about=alert, patient_id=alert.patient_id,
            detail={"from": alert.level, "to": to},
        )  # fmt: skip


def _climb(alert: Alert, *, at: datetime) -> None:
    """One alert, inside the transaction that holds its row."""
    if alert.state == "acknowledged":
        _remind(alert, at=at)
        return
    step = step_of(alert, at=at)
    level = max(step.level, alert.level)
    _note_climb(alert, to=level, at=at)
    alert.level, alert.next_page_at, alert.next_escalation_at = (
        level,
        step.next_page_at,
        step.next_escalation_at,
    )
    alert.save(update_fields=["level", "next_page_at", "next_escalation_at"])
    # Pages of an earlier round that still wait are overtaken by this one; one that is under way may still fall over.
    cancel_for(alert, kinds=["crisis_page"], at=at, why="overtaken by the next round", under_way_too=False)
    page(people_to_page(alert, level=level, at=at), alert, at=at)
