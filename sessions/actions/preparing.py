"""Before the dose: the day's questions, the place, the sitter. Nothing here can release anything."""

import re
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import phonenumbers
from django.conf import settings
from django.db import IntegrityError, transaction

from accounts.models import STATES, Role, User
from common import audit
from common import states as common_states
from common.clock import local_date
from common.errors import Conflict, Invalid, NotPermitted
from common.notes import is_a_note
from notify.actions import cancel_for, promise
from safety.models import Alert
from sessions import rules, states
from sessions.access.facts import not_at_home, numbers_of, timeline_for, zone_for
from sessions.actions.shared import alarm, lock_session
from sessions.models import DosingSession, SafetyCheck, Sitter, SitterLink, token_digest
from sessions.rules import PositiveAnswer
from sessions.wording import for_patient

# Which alarm an answer of the day's questions raises. Those that are left out only hold the dose.
ALARMS: dict[PositiveAnswer, tuple[str, int | None]] = {
    PositiveAnswer.NOT_SAFE: ("X02", None),
    PositiveAnswer.SUICIDAL: ("X03", 3),
    PositiveAnswer.PSYCHOSIS: ("X06", None),
    PositiveAnswer.PREGNANT: ("X17", None),
    PositiveAnswer.NEW_MEDICINE: ("X21", None),
    PositiveAnswer.BLADDER: ("X09", None),
}

OPENING_GUARD = re.compile(r"opening_guard: (\S+)")


@dataclass(frozen=True)
class CheckResult:
    """What the day's questions came to. `crisis`: help belongs in this very answer."""

    check: SafetyCheck
    positive: frozenset[str]
    crisis: bool
    alerts: tuple[Alert, ...]


def start_check(session: DosingSession, *, by: Any, at: datetime) -> DosingSession:
    """Open the dosing day. Raises Conflict on another day, while another session goes on, or while the course waits."""
    try:
        with transaction.atomic():
            session = lock_session(session)
            zone = zone_for(session)
            if session.state == states.PREPARING:
                return session
            if session.course.state != states.ACTIVE_COURSE:
                raise Conflict(
                    "Your course is paused. Your psychiatrist will be in touch.", code="course_on_hold"
                )
            if local_date(session.scheduled_at, zone) != local_date(at, zone):
                raise Conflict("This session is on another day. You can move it.", code="not_today")
            missing = not_at_home(session, at=at)
            if missing:
                raise Conflict(" ".join(for_patient(missing)), code="not_at_home")
            common_states.move(
                session, states.PREPARING, moves=states.SESSION_MOVES, by=by, at=at, opened_at=at
            )
            audit.record("session.opened", by=by, at=at, about=session, patient_id=session.patient_id)
    except IntegrityError as error:
        refused = OPENING_GUARD.search(str(error))
        if refused:
            codes = refused.group(1).split(",")
            missing = frozenset(rules.GateReason("G14", code) for code in codes)
            raise Conflict(" ".join(for_patient(missing)), code="not_at_home") from error
        raise Conflict("Another session is going on.", code="another_session") from error
    return session


def _preparing(session: DosingSession) -> DosingSession:
    session = lock_session(session)
    if session.state != states.PREPARING:
        raise Conflict("This step is done. Reload the page to see where you are.", code="step_over")
    return session


def answer_check(session: DosingSession, *, answers: Mapping[str, str], by: Any, at: datetime) -> CheckResult:
    """Keep the day's answers. A positive suicide or psychosis answer calls somebody in this same transaction (HZ-08)."""
    with transaction.atomic():
        session = _preparing(session)
        positive = rules.positive_answers(answers)
        check = SafetyCheck.objects.create(
            session=session,
            answers=dict(answers),  # type: ignore[misc]
            positive=sorted(map(str, positive)),
            answered_at=at,
            answered_by=audit.actor_name(by),
        )
        audit.record(
            "session.check_answered", by=by, at=at, about=check, patient_id=session.patient_id,
            detail={"positive": sorted(map(str, positive))},
        )  # fmt: skip
        alerts = []
        for answer, (trigger, severity) in ALARMS.items():
            if answer in positive:
                alerts.append(
                    alarm(
                        session, trigger, source=check, by=by, at=at, codes=(str(answer),), severity=severity
                    )
                )
    return CheckResult(
        check=check,
        positive=frozenset(map(str, positive)),
        crisis=bool(positive & rules.CRISIS_ANSWERS),
        alerts=tuple(alerts),
    )


def hear_crisis(session: DosingSession, *, said: Iterable[str], by: Any, at: datetime) -> tuple[Alert, ...]:
    """A safety answer in a form that cannot be kept as a whole: half filled, or sent when the step was over.

    The crisis path fails open: somebody is called and the dose is held, whatever becomes of the form (HZ-08).
    """
    codes = sorted(set(said) & set(map(str, rules.CRISIS_ANSWERS)))
    with transaction.atomic():
        audit.record(
            "session.crisis_said", by=by, at=at, about=session, patient_id=session.patient_id,
            detail={"said": codes},
        )  # fmt: skip
        return tuple(
            alarm(session, trigger, source=session, by=by, at=at, codes=(code,), severity=severity)
            for code in codes
            for trigger, severity in [ALARMS[PositiveAnswer(code)]]
        )


def clear_check(check: SafetyCheck, *, by: User, at: datetime, note: str) -> SafetyCheck:
    """The psychiatrist has looked at the answers that hold the dose and says why it may go on today."""
    if by.role != Role.PSYCHIATRIST or check.session.patient.care_team.psychiatrist_id != by.pk:
        raise NotPermitted("Only this person's psychiatrist clears these answers.")
    if not is_a_note(note):
        raise Invalid("Say why it is safe to go on.", fields={"note": "Write a sentence."})
    with transaction.atomic():
        changed = SafetyCheck.objects.filter(pk=check.pk, cleared_at__isnull=True).first()
        if changed is None:
            raise Conflict("Somebody has cleared this already.")
        changed.cleared_at, changed.cleared_by, changed.cleared_note = at, by, note.strip()
        changed.save(update_fields=["cleared_at", "cleared_by", "cleared_note"])
        audit.record(
            "session.check_cleared", by=by, at=at, about=changed, patient_id=check.session.patient_id
        )
    return changed


def confirm_place(
    session: DosingSession,
    *,
    address: str,
    state: str,
    contact_name: str,
    contact_phone: str,
    by: Any,
    at: datetime,
) -> DosingSession:
    """Where an ambulance would go, and whom to call: said anew for this session (HZ-14)."""
    fields = {}
    if len(address.strip()) < 6:
        fields["address"] = "Write the street, number and town."
    if state not in STATES:
        fields["state"] = "Choose the state you are in today."
    if not contact_name.strip():
        fields["contact_name"] = "Write a name."
    number = e164(contact_phone)
    if not number:
        fields["contact_phone"] = "Write a phone number, such as 415 555 0123."
    if fields:
        raise Invalid("Please look at this again.", fields=fields)
    with transaction.atomic():
        session = _preparing(session)
        session.location_address, session.location_state, session.location_confirmed_at = (
            address.strip(),
            state,
            at,
        )
        session.emergency_contact_name, session.emergency_contact_phone = contact_name.strip(), number
        session.emergency_confirmed_at = at
        session.save(
            update_fields=[
                "location_address", "location_state", "location_confirmed_at",
                "emergency_contact_name", "emergency_contact_phone", "emergency_confirmed_at",
            ]
        )  # fmt: skip
        audit.record(
            "session.place_confirmed",
            by=by,
            at=at,
            about=session,
            patient_id=session.patient_id,
            detail={"state": state},
        )
    return session


def e164(text: str) -> str:
    """A phone number in its one form; empty when it is none."""
    try:
        number = phonenumbers.parse(text, "US")
    except phonenumbers.NumberParseException:
        return ""
    if not phonenumbers.is_possible_number(number):
        return ""
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def invite_sitter(
    session: DosingSession, *, name: str, phone: str, by: Any, at: datetime
) -> tuple[SitterLink, str]:
    """Send the sitter a link to their own phone; an earlier link stops working. Answers the link and its plain secret.

    Raises Invalid for a number that is none, or that is the patient's own (HZ-07).
    """
    number = e164(phone)
    fields = {}
    if not name.strip():
        fields["name"] = "Write your sitter's name."
    if not number:
        fields["phone"] = "Write a phone number, such as 415 555 0123."
    elif number == e164(session.patient.user.phone or "0"):
        fields["phone"] = "This is your own number. The link must go to your sitter's phone."
    if fields:
        raise Invalid("Please look at this again.", fields=fields)
    with transaction.atomic():
        session = lock_session(session)
        if session.state not in (states.SCHEDULED, *states.ACTIVE):
            raise Conflict("This session is over.", code="step_over")
        sitter = next(
            (
                s
                for s in Sitter.objects.filter(patient=session.patient)
                if s.phone == number and s.name == name.strip()
            ),
            None,
        ) or Sitter.objects.create(patient=session.patient, name=name.strip(), phone=number, created_at=at)
        for old in SitterLink.objects.filter(session=session, revoked_at__isnull=True):
            SitterLink.objects.filter(pk=old.pk).update(revoked_at=at)
            cancel_for(old, at=at, why="replaced")
        plain = secrets.token_urlsafe(24)
        hours = timeline_for(session).sitter_link_valid_hours
        # A link sent the day before must still open on the day.
        valid_from = max(at, session.scheduled_at) if session.state == states.SCHEDULED else at
        link = SitterLink.objects.create(
            session=session,
            sitter=sitter,
            digest=token_digest(plain),
            created_at=at,
            expires_at=valid_from + timedelta(hours=hours),
        )
        DosingSession.objects.filter(pk=session.pk).update(sitter=sitter)
        session.sitter = sitter
        promise(
            "sitter_link",
            to=number,
            channel="sms",
            context={
                "link": f"{settings.SITE_URL}/s/{plain}/",
                "first_name": (session.patient.user.full_name or "").split(" ")[0],
            },
            due_at=at,
            at=at,
            about=link,
            patient=session.patient,
            expires_at=link.expires_at,
            # Somebody is asking them for it now.
            respect_quiet_hours=False,
        )
        audit.record("sitter.invited", by=by, at=at, about=link, patient_id=session.patient_id)
    return link, plain


def open_link(link: SitterLink, *, at: datetime) -> None:
    """Keep when the sitter first opened their page."""
    if link.opened_at is None:
        with transaction.atomic():
            if SitterLink.objects.filter(pk=link.pk, opened_at__isnull=True).update(opened_at=at):
                audit.record(
                    "sitter.opened",
                    by=f"sitter:{link.sitter_id}",
                    at=at,
                    about=link,
                    patient_id=link.session.patient_id,
                )
        link.opened_at = at


def confirm_sitter(link: SitterLink, *, attested: Iterable[str], at: datetime) -> SitterLink:
    """The sitter, on their own phone, says they are an adult, sober, here, staying, and have read the card.

    Raises Invalid when one of these is left out, Conflict when the link was replaced or the session is over.
    """
    said = sorted(set(attested))
    with transaction.atomic():
        session = lock_session(link.session)
        needed = numbers_of(session).sitter_attestations
        if set(needed) - set(said):
            raise Invalid(
                "We need all of these to be true. If one is not, call us and we find another day.",
                fields={"attested": "Please tick each one that is true."},
            )
        if session.state not in states.ACTIVE:
            raise Conflict("You can confirm on the day, once the session is open.", code="not_open")
        changed = SitterLink.objects.filter(pk=link.pk, revoked_at__isnull=True, expires_at__gt=at).update(
            attested=said, confirmed_at=at
        )
        if not changed:
            raise Conflict("This link was replaced by a newer one.")
        link.attested, link.confirmed_at = said, at
        audit.record(
            "sitter.confirmed",
            by=f"sitter:{link.sitter_id}",
            at=at,
            about=link,
            patient_id=session.patient_id,
        )
    return link
