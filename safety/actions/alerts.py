"""Opening, taking and closing an alert."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.db import IntegrityError, models, transaction

from accounts.models import Patient, User
from common import audit, states
from common.errors import Conflict, Invalid, NotPermitted
from notify.actions import cancel_for, promise
from safety.access import alerts_visible_to, may_close, may_take, trigger_of
from safety.actions import escalation
from safety.models import LIVE_STATES, Alert
from safety.roster_access import acknowledge_by, figures_of
from safety.rules import CARE_TEAM, is_worse, origin_of, worst_of
from safety.states import DISPOSITIONS, MOVES, PRACTICE_DISPOSITIONS


def raise_alert(
    *,
    patient: Patient | None,
    trigger: str,
    source: models.Model | str | None,
    at: datetime,
    by: Any,
    detail_codes: Iterable[str] = (),
    in_session: bool = False,
    severity: int | None = None,
    magnitude: float = 0,
    measures: Mapping[str, float] | None = None,
    episode: str = "",
) -> Alert:
    """Open an alert, page the person on call and write the trail, all in the caller's transaction.

    Signs of one episode share one live alert (one per patient and `episode`, by default the trigger's own). A worse sign
    (graver severity, larger `magnitude` or any of its `measures` by name, a code not seen before) raises it and pages afresh,
    even when somebody has already taken it; an equal sign is counted, and told to whoever has taken it and, when it is
    severe, to whoever is on call by then.
    """
    row = trigger_of(trigger, at=at)
    grave = severity or row["severity"]
    codes = sorted(set(detail_codes))
    key = episode or row["episode"]
    with transaction.atomic():
        for _ in range(3):
            alert = (
                Alert.objects.select_for_update(of=("self",))
                .filter(patient=patient, episode_key=key, state__in=LIVE_STATES)
                .first()
            )
            if alert is not None:
                return _another_sign(
                    alert, trigger=trigger, severity=grave, magnitude=magnitude, measures=dict(measures or {}), codes=codes,
                    source=source, in_session=in_session, by=by, at=at,
                )  # fmt: skip
            try:
                with transaction.atomic():
                    alert = Alert.objects.create(
                        patient=patient,
                        trigger=trigger,
                        severity=grave,
                        episode_key=key,
                        detail_codes=codes,
                        magnitude=magnitude,
                        measures=dict(measures or {}),
                        in_session=in_session,
                        is_synthetic=trigger == "P02" or bool(patient is not None and patient.is_synthetic),
                        opened_at=at,
                        escalating_since_at=at,
                        acknowledge_by_at=acknowledge_by(row, at=at, severity=grave),
                        contact_by_at=_contact_by(row, severity=grave, at=at),
                        **_source_of(source),
                    )
            except IntegrityError:
                # Another process opened the same episode in this instant: this sign belongs to that alert.
                continue
            states.opened(alert, "open", by=by, at=at, reasons=codes)
            audit.record(
                "alert.raised", by=by, at=at, about=alert, patient_id=alert.patient_id,
                detail={"trigger": trigger, "severity": grave, "codes": codes},
            )  # fmt: skip
            escalation.begin(alert, at=at)
            return alert
        raise Conflict("Several alerts of one episode arrived at once. Send it again.")


def _contact_by(row: Mapping[str, Any], *, severity: int, at: datetime) -> datetime | None:
    """By when somebody must have talked with the person, where the trigger's row says so: sooner for what is graver (X03)."""
    minutes = row.get("contact_minutes_by_severity", {}).get(str(severity), row.get("contact_minutes"))
    return at + timedelta(minutes=minutes) if minutes else None


def _source_of(source: models.Model | str | None) -> dict[str, str]:
    if isinstance(source, models.Model):
        return {"source_type": source._meta.label_lower, "source_id": str(source.pk)}
    return {"source_type": source or "", "source_id": ""}


def _another_sign(
    alert: Alert,
    *,
    trigger: str,
    severity: int,
    magnitude: float,
    measures: dict[str, float],
    codes: list[str],
    source: Any,
    in_session: bool,
    by: Any,
    at: datetime,
) -> Alert:
    """Add a sign to a live alert; see `raise_alert`."""
    worse = is_worse(
        severity=severity,
        magnitude=magnitude,
        codes=[*codes, trigger],
        known_severity=alert.severity,
        known_magnitude=alert.magnitude,
        known_codes=[*alert.detail_codes, alert.trigger],
        measures=measures,
        known_measures=alert.measures,
    )
    hurried = in_session and not alert.in_session
    ladder_before = escalation.ladder_for(alert, at=at)
    if severity > alert.severity:
        alert.trigger = trigger
    alert.severity = max(alert.severity, severity)
    alert.magnitude = max(alert.magnitude, magnitude)
    alert.measures = worst_of(measures, alert.measures)
    alert.detail_codes = sorted({*alert.detail_codes, *codes})
    alert.signs += 1
    alert.in_session = alert.in_session or in_session
    for name, value in _source_of(source).items():
        setattr(alert, name, value)
    alert.save(
        update_fields=[
            "trigger",
            "severity",
            "magnitude",
            "measures",
            "detail_codes",
            "signs",
            "in_session",
            "source_type",
            "source_id",
        ]
    )
    audit.record(
        "alert.worse" if worse else "alert.sign_added", by=by, at=at, about=alert, patient_id=alert.patient_id,
        detail={"trigger": trigger, "severity": severity, "codes": codes},
    )  # fmt: skip
    if worse:
        row = trigger_of(alert.trigger, at=at)
        if alert.state == "acknowledged":
            states.move(
                alert, "open", moves=MOVES, by=by, at=at, reasons=["worse_sign"], escalating_since_at=at, got_worse_at=None
            )  # fmt: skip
            alert.acknowledge_by_at = acknowledge_by(row, at=at, severity=alert.severity)
        else:
            # It calls afresh, and whoever was waiting for longer is not waited for anew.
            alert.got_worse_at = at
            alert.acknowledge_by_at = min(
                alert.acknowledge_by_at, acknowledge_by(row, at=at, severity=alert.severity)
            )
            alert.escalating_since_at = origin_of(
                escalation.ladder_for(alert, at=at), old=ladder_before, since=alert.escalating_since_at, at=at,
                called=alert.level > CARE_TEAM,
            )  # fmt: skip
        talk_by_at = _contact_by(row, severity=alert.severity, at=at)
        if alert.reached_at is None and alert.contact_by_at is not None and talk_by_at is not None:
            talk_by_at = min(talk_by_at, alert.contact_by_at)
        # What was said before it got worse does not answer for it.
        alert.contact_by_at = talk_by_at
        alert.reached_at = alert.reached_by = None
        alert.save(
            update_fields=[
                "escalating_since_at",
                "got_worse_at",
                "acknowledge_by_at",
                "contact_by_at",
                "reached_at",
                "reached_by",
            ]
        )
        escalation.begin(alert, at=at)
    elif alert.state == "acknowledged":
        escalation.page(escalation.people_to_remind(alert, at=at), alert, at=at)
    elif hurried and alert.level:
        # The same sign, now in a session: its ladder is the shorter one from here on.
        escalation.hurry(alert, at=at)
    return alert


def acknowledge(
    alert: Alert, *, by: User, at: datetime, round_key: int | None = None, signs_seen: int | None = None
) -> Alert:
    """A named person takes it: pages that wait are taken back and the ladder stops. Compare-and-set, one winner.

    `round_key` is the round that the person was called about, `signs_seen` how many signs stood on the page that was looked
    at. Raises NotPermitted for somebody who may not see it, Conflict (naming the person) when it is taken already, and when it
    got worse, opened again or had a further sign since: an answer to an earlier call, late or sent twice, and a page left open
    never silence what came after them.
    """
    if not isinstance(by, User) or not alerts_visible_to(by).filter(pk=alert.pk).exists():
        raise NotPermitted("Only somebody who was paged, or who cares for this person, can take this.")
    if not may_take(by, alert, at=at):
        # Taken, it would page nobody for an hour, and an administrator may not close it.
        raise NotPermitted(
            "A clinician takes this. Find one who answers: it goes on calling until one has it.",
            code="clinician_needed",
        )
    with transaction.atomic():
        current = (
            Alert.objects.select_for_update(of=("self",)).select_related("acknowledged_by").get(pk=alert.pk)
        )
        if round_key is not None and current.state == "open" and current.round_key != round_key:
            raise Conflict(
                "This got worse since you were called. You are called again about it now.", code="got_worse"
            )
        if signs_seen is not None and current.state == "open" and current.signs > signs_seen:
            raise Conflict(
                "A further sign came in since you looked. Look at it, then take this.", code="further_sign"
            )
        if current.state != "open":
            if current.state == "acknowledged" and current.acknowledged_by_id == by.pk:
                return current
            raise Conflict(
                f"{current.acknowledged_by} has already taken this."
                if current.state == "acknowledged"
                else "This is already closed.",
                code="already_taken" if current.state == "acknowledged" else "already_closed",
            )
        states.move(
            current,
            "acknowledged",
            moves=MOVES,
            by=by,
            at=at,
            acknowledged_by=by,
            acknowledged_at=at,
            next_escalation_at=None,
            # Taken is not done: whoever took it hears again until it is closed.
            next_page_at=escalation.next_look(current, taken_at=at, at=at),
        )
        audit.record("alert.acknowledged", by=by, at=at, about=current, patient_id=current.patient_id)
        cancel_for(current, at=at, why="taken by somebody")
    return current


def close(
    alert: Alert, *, by: User, at: datetime, disposition: str, note: str, signs_seen: int | None = None
) -> Alert:
    """End an alert, with what came of it and a note. Never done by a program.

    `signs_seen`: how many signs stood on the page that was looked at. Raises Invalid without a known disposition or a note,
    NotPermitted for the wrong role, MoveNotAllowed before somebody has taken it, Conflict when a further sign came since.
    """
    fields = {}
    if disposition not in DISPOSITIONS:
        fields["disposition"] = "Choose what came of it."
    elif alert.patient_id and not alert.is_synthetic and disposition in PRACTICE_DISPOSITIONS:
        fields["disposition"] = "This alert is about a person. Choose what came of it for them."
    if len(note.strip()) < 3:
        fields["note"] = "Write what was done, in a sentence."
    if fields:
        raise Invalid("An alert is closed with what came of it and a note.", fields=fields)
    if (
        not isinstance(by, User)
        or not alerts_visible_to(by).filter(pk=alert.pk).exists()
        or not may_close(by, alert, at=at)
    ):
        raise NotPermitted("A psychiatrist or the person on call closes this alert.")
    with transaction.atomic():
        current = Alert.objects.select_for_update(of=("self",)).get(pk=alert.pk)
        if signs_seen is not None and current.is_live and current.signs > signs_seen:
            raise Conflict(
                "A further sign came in since you looked. Look at it, then close.",
                code="further_sign",
            )
        states.move(
            current, "closed", moves=MOVES, by=by, at=at, reasons=[disposition], closed_by=by, closed_at=at,
            disposition=disposition, note=note.strip(), next_page_at=None, next_escalation_at=None,
        )  # fmt: skip
        audit.record(
            "alert.closed",
            by=by,
            at=at,
            about=current,
            patient_id=current.patient_id,
            detail={"disposition": disposition},
        )
        cancel_for(current, at=at, why="closed")
    return current


def notice_care_team(alert: Alert, people: Iterable[User], *, link: str, at: datetime) -> None:
    """The quiet notice about an alert that can wait for its clock: mail to the care team, in their day."""
    for person in people:
        promise(
            "alert_notice",
            to=person,
            channel="email",
            context={
                "link": link,
                "reference": alert.reference,
                "by_words": figures_of(alert.acknowledge_by_at, ZoneInfo(person.time_zone)),
            },
            due_at=at,
            at=at,
            about=alert,
            patient=alert.patient,
            dedupe_key=f"notice:{alert.pk}:{alert.signs}:{person.pk}",
        )
