"""The one door for answers: scored, kept, and acted upon in one transaction (HZ-08, HZ-27)."""

import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import transaction

from accounts.models import Patient
from common import audit, hooks, protocol
from common.audit import actor_name
from common.errors import Conflict, Invalid
from measures.models import CssrsResult, Instrument, InstrumentResponse
from measures.rules import (
    INSTRUMENTS,
    OF_PTSD_PATHWAY,
    AnswersError,
    Response,
    RiskScreen,
    flags_in,
    instrument,
    response_to_item9,
    risk_screen,
    risk_screen_from_data,
    score,
    suicide_risk,
)
from safety import actions as safety
from safety.models import Alert

PHQ9_ITEM_9 = "phq9_9"


@dataclass(frozen=True)
class RecordedResponse:
    """What was kept, and whether the page that answers must show help now (PR-06)."""

    response: InstrumentResponse
    crisis: bool
    alert: Alert | None


def screen_in_force(at: datetime) -> RiskScreen:
    """The suicide-risk questions of the protocol in force; as shipped while none is approved, because help never waits."""
    try:
        data = protocol.current(at=at).data.get("suicide_risk")
    except Conflict:
        data = None
    return risk_screen_from_data(data) if data else risk_screen()


def record_response(
    patient: Patient,
    instrument: str,
    answers: Mapping[str, Any],
    timepoint: str,
    *,
    by: Any,
    at: datetime,
    session_id: uuid.UUID | None = None,
    complete: bool = True,
    still_answering: bool = False,
) -> RecordedResponse:
    """Score and keep one questionnaire; a positive safety answer alerts and holds in the same transaction.

    `complete=False` keeps a half-filled form whose safety answer must not be lost: no total, same alarm. `still_answering` says
    that the person is on the page yet, so that the questions to come do not count as left open.
    Raises Invalid with a sentence per item that is missing or not among the choices.
    """
    if instrument not in Instrument.values or (instrument in OF_PTSD_PATHWAY and not settings.PTSD_PATHWAY):
        raise Invalid("We do not know this questionnaire.", fields={"instrument": "Choose one of the list."})
    given: Any = {code: value for code, value in answers.items() if value not in (None, "")}
    row = InstrumentResponse(
        patient=patient,
        instrument=instrument,
        timepoint=timepoint,
        items=given,
        completed_at=at,
        recorded_by=actor_name(by),
        session_id=session_id,
    )
    screen = screen_in_force(at)
    try:
        due = (
            _risk(row, screen, complete, still_answering)
            if instrument == "suicide_risk"
            else _scored(row, screen, complete)
        )
    except AnswersError as error:
        raise _invalid(error) from None
    with transaction.atomic():
        row.save(force_insert=True)
        audit.record(
            "answers.recorded",
            by=by,
            at=at,
            about=row,
            patient_id=patient.pk,
            detail={"instrument": instrument, "timepoint": timepoint, "complete": complete},
        )
        code = f"{row.instrument}:{row.risk_level or row.item9}"
        alert = sound(row, due, code=code, by=by, at=at) if due is not None else None
        if complete:
            hooks.run("instrument.completed", response=row, by=by, at=at)
        elif due is not None:
            # Half a form can say enough for the rules to be asked again.
            hooks.run("patient.facts_changed", patient=patient, by=by, at=at)
    return RecordedResponse(row, crisis=due is not None and due.show_help, alert=alert)


def is_alarming(instrument: str, answers: Mapping[str, Any], *, at: datetime) -> bool:
    """Whether these answers, finished or not, hold a safety answer that somebody must see."""
    if instrument == "suicide_risk":
        screen = screen_in_force(at)
        # “I am not sure” is heard as the screen's own document says it counts.
        unsure = screen.responses[screen.unanswered_level].trigger is not None
        return any(value == "yes" or (unsure and value == "unsure") for value in answers.values())
    return instrument in INSTRUMENTS and bool(flags_in(_definition(instrument), answers))


def heard_in(sent: Any, *, at: datetime) -> tuple[dict[str, dict[str, Any]], bool]:
    """What a body that cannot be taken says about safety: by instrument, the answers that can be read; and whether help is due.

    Help is due for any safety answer that is not plainly a no, even one that nobody can read (PR-06). Only what can be read,
    a number in quotes included, is kept and alarms.
    """
    readable: dict[str, dict[str, Any]] = {}
    help_due = False
    safety_codes = {question.code for question in screen_in_force(at).questions}
    if not isinstance(sent, Mapping):
        return readable, help_due
    for code, value in sent.items():
        plain = value.strip().lower() if isinstance(value, str) else value
        if code in safety_codes:
            plain = {True: "yes", False: "no"}.get(plain, plain) if isinstance(plain, bool) else plain
            help_due = help_due or plain not in ("no", "", None)
            if plain in ("yes", "no", "unsure"):
                readable.setdefault("suicide_risk", {})[code] = plain
        for name in INSTRUMENTS:
            of = _definition(name)
            item = next((item for item in of.items if item.code == code), None)
            if item is None:
                continue
            # Up to two digits: no answer has more, and Python refuses to read thousands.
            number = int(plain) if isinstance(plain, str) and re.fullmatch("[0-9]{1,2}", plain) else plain
            flagged = any(flag.code == code for flag in of.flag_items)
            help_due = help_due or (flagged and number not in (0, "", None))
            if isinstance(number, int) and not isinstance(number, bool) and number in item.values:
                readable.setdefault(name, {})[code] = number
    return readable, help_due


def _definition(code: str) -> Any:
    return instrument(code)


def _scored(row: InstrumentResponse, screen: RiskScreen, complete: bool) -> Response | None:
    of = _definition(row.instrument)
    row.instrument_version = of.version
    if complete:
        scored = score(of, row.items)
        row.total, row.band = scored.total, scored.band
    if row.instrument != "phq9":
        return None
    row.item9 = row.items.get(PHQ9_ITEM_9)
    return response_to_item9(row.item9, screen) if row.item9 is not None else None


def _risk(
    row: InstrumentResponse, screen: RiskScreen, complete: bool, still_answering: bool
) -> Response | None:
    result = suicide_risk(row.items, screen, still_answering=still_answering)
    if complete and not row.items:
        raise AnswersError(missing=tuple(q.code for q in screen.questions if q.ask_when_yes is None))
    row.instrument_version, row.risk_level = result.version, result.level.value
    return result.response if result.response.trigger else None


def sound(row: InstrumentResponse | CssrsResult, due: Response, *, code: str, by: Any, at: datetime) -> Alert:
    """Alert the people, hold the doses. Both outlive any later, better answer."""
    alert = safety.raise_alert(
        patient=row.patient,
        trigger=due.trigger or "X03",
        source=row,
        at=at,
        by=by,
        detail_codes=(code,),
        severity=due.severity,
    )
    if due.dosing_hold:
        safety.place_hold(row.patient, reason_code="suicide_risk", at=at, by=by, alert=alert)
    return alert


def _invalid(error: AnswersError) -> Invalid:
    fields = dict.fromkeys(error.missing, "Please answer this one.")
    fields.update({code[:80]: "This answer is not among the choices." for code in error.invalid})
    return Invalid("Some answers need another look.", fields=fields)
