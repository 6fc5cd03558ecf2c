"""Coming to a visit: which state, which place, who; then the clinician hears of it."""

from datetime import date, datetime

from django.db import transaction
from django.urls import reverse

from accounts.models import User
from common import audit
from common.errors import Conflict, Invalid, NotPermitted, NotVisible
from common.notes import is_a_note
from consults import wording
from consults.access.slots import visit_settings
from consults.access.visits import can_join
from consults.actions.booking import _check_law, _check_licence
from consults.models import Appointment, VisitEntry
from consults.rules.doubt import BIRTH_DATE_DIFFERS
from video.actions import tell_who_holds_it


def birth_date_tries(at: datetime) -> int:
    """How many dates of birth may be wrong before only a call helps."""
    return int(visit_settings(at).get("entry", {}).get("birth_date_tries", 3))


def come_in(
    appointment: Appointment,
    *,
    state_now: str,
    date_of_birth: date | None,
    at_address_on_file: bool,
    address_now: str = "",
    by: User,
    at: datetime,
) -> VisitEntry:
    """The patient says who she is and where, and is let in. The clinician still compares the photo ID.

    Whoever is not let in is answered with `turned_away_at` and why, and nothing is raised: an error would undo the mark, and the
    visit would look as if nobody had come. A date of birth that differs from the one on file counts one more try; after the last
    one it raises Conflict and only a call helps. Raises Invalid without an address when she is elsewhere. With no date on file
    there is nothing to compare: what she said is kept, and the clinician says who she is (`identify`).
    """
    if by.pk != appointment.patient_id:
        raise NotVisible("There is no such page.")
    _door(appointment, at)
    if not at_address_on_file and not address_now.strip():
        raise Invalid(
            "Tell us where you are, so that help can find you.", fields={"address_now": "Write the address."}
        )
    with transaction.atomic():
        VisitEntry.objects.get_or_create(appointment=appointment)
        entry = VisitEntry.objects.select_for_update().get(pk=appointment.pk)
        on_file = appointment.patient.date_of_birth
        if entry.confirmed_at is None and entry.tries >= birth_date_tries(at):
            raise Conflict(wording.BIRTH_DATE_CALL_US, code="birth_date_tries_used")
        if date_of_birth is None:
            raise Invalid("Enter your date of birth.", fields={"date_of_birth": "Enter your date of birth."})
        if on_file is not None and date_of_birth != on_file:
            entry.tries += 1
            entry.turned_away_at, entry.turned_away_why = at, BIRTH_DATE_DIFFERS
            entry.save(update_fields=["tries", "turned_away_at", "turned_away_why"])
            audit.record(
                "visit.birth_date_differs", by=by, at=at, about=appointment, patient_id=appointment.patient_id,
                detail={"tries": entry.tries},
            )  # fmt: skip
            return entry
        try:
            _may_be_seen(appointment, state_now, at)
        except Conflict as refused:
            entry.turned_away_at, entry.turned_away_why = at, refused.code
            if entry.at_address_on_file is None:
                entry.state = state_now
            entry.save(update_fields=["turned_away_at", "turned_away_why", "state"])
            audit.record(
                "visit.turned_away", by=by, at=at, about=appointment, patient_id=appointment.patient_id,
                detail={"why": refused.code, "state": state_now},
            )  # fmt: skip
            return entry
        entry.turned_away_at, entry.turned_away_why = None, ""
        entry.state = state_now
        entry.at_address_on_file = at_address_on_file
        entry.address_now = "" if at_address_on_file else address_now.strip()
        if on_file is not None:
            entry.matched_at = entry.confirmed_at = at
        else:
            entry.birth_date_said = date_of_birth.isoformat()
        entry.save()
        arrive(appointment, state_now=state_now, by=by, at=at)
    return entry


def identify(appointment: Appointment, *, how: str, by: User, at: datetime) -> VisitEntry:
    """Nothing on file could be compared: the clinician of the visit has found out who came, and says how."""
    if by.pk != appointment.clinician_id:
        raise NotPermitted("The clinician of this visit says who came.")
    if not is_a_note(how):
        raise Invalid("Say how you know who this is.", fields={"how": "Write a sentence."})
    with transaction.atomic():
        entry = VisitEntry.objects.select_for_update().filter(pk=appointment.pk).first()
        if entry is None or entry.at_address_on_file is None:
            raise Conflict("Nobody has come to this visit yet.", code="nobody_came")
        if entry.confirmed_at is None:
            entry.identified_by, entry.identified_how = by, how.strip()
            entry.identified_at = entry.confirmed_at = at
            entry.save(update_fields=["identified_by", "identified_how", "identified_at", "confirmed_at"])
            audit.record(
                "visit.identified", by=by, at=at, about=appointment, patient_id=appointment.patient_id
            )
    return entry


def _door(appointment: Appointment, at: datetime) -> None:
    if not can_join(appointment, at, visit_settings(at)["join_opens_minutes_before"]):
        raise Conflict("The door opens a quarter of an hour before your appointment.", code="not_open_yet")


def _may_be_seen(appointment: Appointment, state_now: str, at: datetime) -> None:
    _check_licence(appointment, state_now, at)
    _check_law(appointment.visit_type, state_now, at)


def arrive(appointment: Appointment, *, state_now: str, by: User, at: datetime) -> Appointment:
    """The patient has come and says which state she is in; the clinician hears of it at once.

    Raises Conflict when the door is closed, or the psychiatrist may not see anybody in that state.
    """
    if by.pk != appointment.patient_id:
        raise NotVisible("There is no such page.")
    _door(appointment, at)
    _may_be_seen(appointment, state_now, at)
    with transaction.atomic():
        row = (
            Appointment.objects.select_for_update(of=("self",))
            .select_related("patient__user", "clinician")
            .get(pk=appointment.pk)
        )
        first = row.patient_arrived_at is None
        row.state_of_care = state_now
        row.patient_arrived_at = row.patient_arrived_at or at
        row.save(update_fields=["state_of_care", "patient_arrived_at"])
        audit.record(
            "visit.patient_arrived",
            by=by,
            at=at,
            about=row,
            patient_id=row.patient_id,
            detail={"state": state_now},
        )
        if first:
            tell_who_holds_it(
                row.clinician, about=row, about_id=row.pk, patient=row.patient, starts_at=row.starts_at, ends_at=row.ends_at,
                sequence=row.sequence, path=reverse("consults:visit", args=[row.pk]), at=at,
            )  # fmt: skip
    return row
