"""Who may see which alert, what holds a patient's dosing, and who is on call."""

import functools
import json
import logging
import uuid
from datetime import UTC, date, datetime, timedelta
from typing import Any

from django.conf import settings
from django.db.models import DateTimeField, Exists, Func, Max, OuterRef, Q, QuerySet

from accounts.access import patients_visible_to
from accounts.models import Patient, Role, User
from common.errors import NotVisible
from common.models import ProtocolVersion
from common.paging import newest_first
from notify.models import OutboxMessage
from safety.models import LIVE_STATES, Alert, OnCallShift, SafetyHold
from safety.rules import gaps
from safety.table_rules import table_troubles
from safety.task_access import mine_or_unowned as mine_or_unowned
from safety.task_access import owner_for as owner_for
from safety.task_access import stands_in_for as stands_in_for

log = logging.getLogger("safety")


class SqlNow(Func):
    """This instant by the database's clock, which the test clock moves too."""

    function = "hearthside_now"
    template = "%(function)s()"
    output_field = DateTimeField()


CLINICAL_ROLES = (Role.PSYCHIATRIST, Role.COACH)
CRISIS_SEVERITY = 3


@functools.lru_cache(maxsize=1)
def shipped() -> dict[str, Any]:
    """The escalation table that comes with the code."""
    return json.loads((settings.BASE_DIR / "safety" / "data" / "escalations.json").read_text())


def escalations(*, at: datetime) -> dict[str, Any]:
    """The escalation table in force; the one shipped with the code when no protocol is approved yet.

    The crisis path fails open: a missing approval must never keep a page from going.
    """
    key, data = (
        ProtocolVersion.objects.filter(state="approved", effective_from__lte=at)
        .order_by("-effective_from", "-approved_at")
        .values_list("pk", "data__escalations")
        .first()
    ) or (None, None)
    return data if data and _can_be_used(key, data) else shipped()


# Whether the table of an approved version can be climbed by, by key: approved numbers never change, so each is read through once.
_usable: dict[Any, bool] = {}


def _can_be_used(key: Any, table: Any) -> bool:
    """A table that was approved and cannot be read (by an older release, past the page) must not take an alert's transaction down."""
    if key not in _usable:
        _usable[key] = not table_troubles(table, needed=frozenset())
        if not _usable[key]:
            log.error(
                "the escalation table in force cannot be read; the shipped one serves",
                extra={"event": "table_unusable", "object_id": str(key)},
            )
    return _usable[key]


def escalations_read(*, data: dict[str, Any]) -> list[str]:
    """Hook `protocol.read`: what stands against the escalation table of a proposed version."""
    if "escalations" not in data:
        return []
    return table_troubles(data["escalations"], needed=frozenset(row["id"] for row in shipped()["triggers"]))


def trigger_of(trigger: str, *, at: datetime) -> dict[str, Any]:
    """The row of a trigger: the protocol's, else the shipped one, else an urgent one made up for an unknown name."""
    for table in (escalations(at=at), shipped()):
        for row in table["triggers"]:
            if row["id"] == trigger:
                return row
    return {
        "id": trigger, "trigger": "Something that needs a person", "severity": 3, "worst_severity": 4, "human": "on call",
        "acknowledge_minutes": 5, "ladder": "urgent", "episode": trigger, "hold": None, "also_page": [],
        "automatic_action": "", "sources": [], "wired": True,
    }  # fmt: skip


def incident_kinds(*, at: datetime) -> dict[str, Any]:
    """What can be reported about the medicine, and what it sets off: the protocol's, else the shipped table's."""
    return escalations(at=at).get("incidents") or shipped()["incidents"]


def late_or_alone_allowed(*, at: datetime) -> int:
    """How many sessions of a course may be late or without a sitter before it is a sign of misuse; a table that was approved
    without the number takes the shipped one."""
    number = incident_kinds(at=at).get("late_or_alone_sessions_allowed")
    return int(shipped()["incidents"]["late_or_alone_sessions_allowed"] if number is None else number)


def working_day(*, at: datetime) -> dict[str, Any]:
    """On which weekdays the practice works and until which hour: the protocol's, else the shipped table's."""
    return escalations(at=at).get("working_day") or shipped()["working_day"]


def refills_held(patient: Patient) -> list[str]:
    """Why no further parcel leaves for this patient: its uncleared holds that the escalation table says so of."""
    reasons = {row["hold"] for row in shipped()["triggers"] if row.get("holds_refills")}
    return [hold.reason_code for hold in holds_of(patient) if hold.reason_code in reasons]


def alerts_visible_to(user: Any) -> QuerySet[Alert]:
    """Clinicians see alerts of their patients; whoever was paged for one sees that one; the person on call sees all."""
    if not user.is_authenticated or not user.is_member_of_staff or not user.is_active:
        return Alert.objects.none()
    paged = OutboxMessage.objects.filter(
        about_type="safety.alert",
        about_id=OuterRef("pk"),
        recipient_id=user.pk,
        kind__in=("crisis_page", "alert_notice"),
    )
    rule = Q(Exists(paged))
    if user.role in CLINICAL_ROLES:
        rule = Q(patient__in=patients_visible_to(user)) | rule
    elif user.role == Role.ADMINISTRATOR:
        rule = Q(patient__isnull=True) | rule
    on_call = OnCallShift.objects.filter(
        person_id=user.pk, removed_at__isnull=True, starts_at__lte=SqlNow(), ends_at__gt=SqlNow()
    )
    return Alert.objects.filter(rule | Q(Exists(on_call)))


def open_alerts_for(user: Any) -> QuerySet[Alert]:
    """The alerts this person should be looking at, gravest and oldest first."""
    return (
        alerts_visible_to(user)
        .filter(state__in=LIVE_STATES)
        .select_related("patient__user", "acknowledged_by")
        .order_by("-state", "-severity", "opened_at", "id")
    )


def alerts_in_state(user: Any, *, closed: bool) -> QuerySet[Alert]:
    """Live or closed alerts of this person, for pages by key."""
    states = ("closed",) if closed else LIVE_STATES
    return alerts_visible_to(user).filter(state__in=states).select_related("acknowledged_by", "closed_by")


def closed_alerts_for(user: Any, *, before: str = "", limit: int = 25) -> tuple[list[Alert], str]:
    """A page of closed alerts, newest first, and the key of the next one (empty on the last)."""
    rows = (
        alerts_visible_to(user)
        .filter(state="closed")
        .select_related("patient__user", "acknowledged_by", "closed_by")
    )
    return newest_first(rows, "opened_at", after=before, limit=limit)


def visible_hold(user: Any, hold_id: uuid.UUID) -> SafetyHold:
    """A hold of a patient this person cares for, or NotVisible."""
    hold = (
        SafetyHold.objects.filter(pk=hold_id, patient__in=patients_visible_to(user))
        .select_related("patient", "alert")
        .first()
    )
    if hold is None:
        raise NotVisible("There is no such hold.")
    return hold


def shift(shift_id: uuid.UUID) -> OnCallShift:
    """A shift of the roster, or NotVisible."""
    found = OnCallShift.objects.filter(pk=shift_id).first()
    if found is None:
        raise NotVisible("There is no such shift.")
    return found


def visible_alert(user: Any, alert_id: uuid.UUID | str) -> Alert:
    """That alert, or NotVisible."""
    alert = (
        alerts_visible_to(user)
        .filter(pk=alert_id)
        .select_related(
            "patient__user",
            "patient__care_team__psychiatrist",
            "patient__care_team__coach",
            "acknowledged_by",
            "closed_by",
        )
        .first()
    )
    if alert is None:
        raise NotVisible("There is no such alert.")
    return alert


def paged_alert(alert_id: uuid.UUID, person_id: uuid.UUID) -> tuple[Alert | None, User | None]:
    """An alert and a person who was paged for it; nothing for a pair that never was."""
    page = (
        OutboxMessage.objects.filter(
            about_type="safety.alert",
            about_id=alert_id,
            recipient_id=person_id,
            kind="crisis_page",
            recipient__is_active=True,
        )
        .select_related("recipient")
        .first()
    )
    return (Alert.objects.filter(pk=alert_id).first(), page.recipient) if page else (None, None)


def pages_of(alert: Alert) -> QuerySet[OutboxMessage]:
    """Everything sent or promised about an alert, in order."""
    return (
        OutboxMessage.objects.filter(about_type="safety.alert", about_id=alert.pk)
        .select_related("recipient")
        .order_by("created_at", "id")
    )


def may_take(user: User, alert: Alert, *, at: datetime) -> bool:
    """Clinicians and whoever is on call take any alert they see; administrators the practice's own, and any while the practice has
    no clinician at all."""
    if alert.is_the_practices or alert.is_synthetic or user.role in CLINICAL_ROLES or is_on_call(user, at=at):
        return True
    return not User.objects.filter(is_active=True, role__in=CLINICAL_ROLES).exists()


def may_close(user: User, alert: Alert, *, at: datetime) -> bool:
    """Psychiatrists and whoever is on call close any alert they see; coaches the milder ones; administrators the practice's own."""
    if user.role == Role.PSYCHIATRIST or is_on_call(user, at=at):
        return True
    if user.role == Role.COACH:
        return alert.severity < CRISIS_SEVERITY
    return alert.is_the_practices or alert.is_synthetic


def holds_of(patient: Patient) -> QuerySet[SafetyHold]:
    """Holds that still stand. While there is one, no dose is released."""
    return (
        SafetyHold.objects.filter(patient=patient, cleared_at__isnull=True)
        .select_related("alert")
        .order_by("placed_at")
    )


def has_unresolved_crisis(patient: Patient) -> bool:
    """Is an alert of severity 3 or 4, or of suicide risk, still not closed?"""
    return Alert.objects.filter(
        Q(severity__gte=CRISIS_SEVERITY) | Q(episode_key="suicide_risk"),
        patient=patient,
        state__in=LIVE_STATES,
    ).exists()


def shifts_between(starts_at: datetime, ends_at: datetime) -> QuerySet[OnCallShift]:
    """Shifts that touch the window, in order."""
    return (
        OnCallShift.objects.filter(removed_at__isnull=True, starts_at__lt=ends_at, ends_at__gt=starts_at)
        .select_related("person")
        .order_by("starts_at", "level")
    )


def on_call_now(*, at: datetime, level: int = 1) -> User | None:
    """The active person who holds this level now, or nobody."""
    shift = (
        OnCallShift.objects.filter(
            removed_at__isnull=True, level=level, starts_at__lte=at, ends_at__gt=at, person__is_active=True
        )
        .select_related("person")
        .first()
    )
    return shift.person if shift else None


def is_on_call(user: User, *, at: datetime) -> bool:
    """Does this person hold any level now?"""
    return OnCallShift.objects.filter(
        person=user, removed_at__isnull=True, starts_at__lte=at, ends_at__gt=at
    ).exists()


def gaps_between(
    starts_at: datetime, ends_at: datetime, *, level: int = 1
) -> list[tuple[datetime, datetime]]:
    """Stretches of the window in which nobody active, and for the first level licensed, holds this level."""
    shifts = list(
        shifts_between(starts_at, ends_at)
        .filter(level=level, person__is_active=True)
        .annotate(licensed_until=Max("person__licences__expires_on"))
        .values_list("starts_at", "ends_at", "licensed_until")
    )
    # A licence ends with its last day; pages still go to the person (fail open), but the roster shows the hole.
    spans = [
        (begins, ends if level != 1 else min(ends, _end_of(until)))
        for begins, ends, until in shifts
        if level != 1 or until is not None
    ]
    return gaps(
        [(begins, ends) for begins, ends in spans if ends > begins], starts_at=starts_at, ends_at=ends_at
    )


def _end_of(day: date) -> datetime:
    """The first instant after this day, by universal time."""
    return datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(days=1)


def staffed_throughout(starts_at: datetime, ends_at: datetime) -> bool:
    """Is somebody first on call for the whole window? A dosing session may only be booked when this holds."""
    return not gaps_between(starts_at, ends_at)


def upcoming_gaps(*, at: datetime) -> dict[int, list[tuple[datetime, datetime]]]:
    """By level, the holes of the next hours that the protocol looks ahead (72)."""
    until = at + timedelta(hours=escalations(at=at).get("coverage_hours_ahead", 72))
    return {level: gaps_between(at, until, level=level) for level, _ in OnCallShift.LEVELS}


def alert_title(alert: Alert) -> str:
    """What happened, for staff."""
    return next(
        (row["trigger"] for row in shipped()["triggers"] if row["id"] == alert.trigger), alert.trigger
    )


def alert_title_for(user: User, alert: Alert) -> str:
    """The same in a list. Administrators read what happened to a patient on the alert itself, when they were called to it;
    a list names person and kind of work alone. Loss and exposure of medicine are theirs to report, so those keep their name."""
    if user.role != Role.ADMINISTRATOR or alert.patient_id is None:
        return alert_title(alert)
    row = next((row for row in shipped()["triggers"] if row["id"] == alert.trigger), None)
    return alert_title(alert) if row is not None and "compliance" in row["also_page"] else "An alert"


def role_label(user: User) -> str:
    return Role(user.role).label


def person_words(actor: str) -> str:
    """Who `user:<uuid>`, `sitter:<uuid>` or `system:<name>` is, for staff."""
    kind, _, key = actor.partition(":")
    if kind == "user":
        try:
            person = User.objects.filter(pk=uuid.UUID(key)).first()
        except ValueError:
            person = None
        return str(person) if person is not None else "somebody"
    return {"sitter": "the sitter", "system": "the software"}.get(kind, actor)
