"""A psychiatrist signs what a C-SSRS interview showed: kept, alarmed and held in one transaction."""

from datetime import date, datetime

from django.db import IntegrityError, transaction

from accounts.access import patients_visible_to
from accounts.models import Patient, Role, User
from common import audit, hooks
from common.clock import local_date
from common.errors import Conflict, Invalid, NotPermitted
from measures.actions.responses import screen_in_force, sound
from measures.models import CssrsResult
from measures.rules import Behaviour, cssrs_form, cssrs_level

NOTE_CHARACTERS = 10_000


def record_cssrs(
    patient: Patient,
    *,
    assessed_on: date,
    form: str,
    ideation_level: int,
    behaviour: str,
    intensity_total: int | None = None,
    note: str = "",
    corrects: CssrsResult | None = None,
    by: User,
    at: datetime,
) -> CssrsResult:
    """Keep a signed result. Levels 4 and 5, or behaviour within three months, page the person on call; any finding holds doses.

    A result never clears a hold and never quiets an alert: it adds (HZ-27). Raises NotPermitted for anybody but a psychiatrist
    of this patient, Invalid for what cannot be, Conflict when the entry to correct has been corrected already.
    """
    if by.role != Role.PSYCHIATRIST or not patients_visible_to(by).filter(pk=patient.pk).exists():
        raise NotPermitted("Only a psychiatrist who cares for this person signs this.")
    known = cssrs_form()
    wrong = {}
    if assessed_on > local_date(at, patient.user.time_zone):
        wrong["assessed_on"] = "This day has not come yet."
    if patient.date_of_birth and assessed_on < patient.date_of_birth:
        wrong["assessed_on"] = "This day lies before the person was born."
    if form not in known.forms:
        wrong["form"] = "Choose which version was used."
    if not 0 <= ideation_level <= known.ideation_level_max:
        wrong["ideation_level"] = "Choose a level from 0 to 5."
    if behaviour not in known.behaviours:
        wrong["behaviour"] = "Choose one."
    if intensity_total is not None and not 0 <= intensity_total <= known.intensity_total_max:
        wrong["intensity_total"] = f"A total from 0 to {known.intensity_total_max}, or nothing."
    if len(note) > NOTE_CHARACTERS:
        wrong["note"] = "This note is too long."
    if wrong:
        raise Invalid("Some of this needs another look.", fields=wrong)
    level = cssrs_level(ideation_level, Behaviour(behaviour))
    due = screen_in_force(at).responses[level]
    try:
        with transaction.atomic():
            if corrects is not None and corrects.patient_id != patient.pk:
                raise NotPermitted("The entry to correct is of somebody else.")
            row = CssrsResult.objects.create(
                patient=patient,
                assessed_on=assessed_on,
                form=form,
                ideation_level=ideation_level,
                behaviour=behaviour,
                intensity_total=intensity_total,
                note=note.strip(),
                risk_level=level.value,
                result_version=known.version,
                corrects=corrects,
                signed_by=by,
                signed_at=at,
            )
            audit.record(
                "cssrs.signed",
                by=by,
                at=at,
                about=row,
                patient_id=patient.pk,
                detail={"form": form, "level": level.value, "corrects": str(corrects.pk) if corrects else ""},
            )
            if due.trigger is not None:
                sound(row, due, code=f"cssrs:{level.value}", by=by, at=at)
            hooks.run("patient.facts_changed", patient=patient, by=by, at=at)
    except IntegrityError as error:
        raise Conflict("This entry has been corrected already. Reload the page.") from error
    return row
