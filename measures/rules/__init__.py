"""What follows from a questionnaire: totals, bands, flags, suicide-risk levels, and how change is named.

Standard library only. Instruments are data (measures/data/*.json); every scored item is required, because a
prorated total would decide about care on answers that nobody gave.
"""

from measures.rules.changes import (
    Change,
    ChangeDefinitions,
    change,
    change_definitions,
    definitions_from_data,
    relapse,
)
from measures.rules.instruments import (
    INSTRUMENTS,
    AnswerChoice,
    AnswersError,
    FlagItem,
    Instrument,
    Item,
    SeverityBand,
    instrument,
    instrument_from_data,
    load_data,
)
from measures.rules.safety_questions import (
    Response,
    RiskLevel,
    RiskQuestion,
    RiskResult,
    RiskScreen,
    is_asked,
    response_to_item9,
    risk_facts,
    risk_screen,
    risk_screen_from_data,
    suicide_risk,
)
from measures.rules.scoring import Flag, Score, audit_c_positive, flags_in, score, severity

__all__ = [
    "INSTRUMENTS",
    "AnswerChoice",
    "AnswersError",
    "Change",
    "ChangeDefinitions",
    "Flag",
    "FlagItem",
    "Instrument",
    "Item",
    "Response",
    "RiskLevel",
    "RiskQuestion",
    "RiskResult",
    "RiskScreen",
    "Score",
    "SeverityBand",
    "audit_c_positive",
    "change",
    "change_definitions",
    "definitions_from_data",
    "flags_in",
    "instrument",
    "instrument_from_data",
    "is_asked",
    "load_data",
    "relapse",
    "response_to_item9",
    "risk_facts",
    "risk_screen",
    "risk_screen_from_data",
    "score",
    "severity",
    "suicide_risk",
]
