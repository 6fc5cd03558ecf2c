"""The verbs of the dosing day; the only writers of its rows. Each is one transaction with its audit and its messages."""

from sessions.actions.after import record_follow_up, share_entry, unshare_entry, write_entry
from sessions.actions.course import (
    on_consent_withdrawn,
    on_not_suitable,
    open_course,
    reschedule_session,
    resume_course,
    stop_course,
    stop_open_course,
)
from sessions.actions.deciding import decide_dose, may_be_decided
from sessions.actions.dose import ReleaseResult, confirm_dose_taken, release_dose
from sessions.actions.preparing import (
    CheckResult,
    answer_check,
    clear_check,
    confirm_place,
    confirm_sitter,
    hear_crisis,
    invite_sitter,
    open_link,
    start_check,
)
from sessions.actions.readings import on_reading, reading_context, take_reading
from sessions.actions.stopping import stop_by_psychiatrist
from sessions.actions.sweep import sweep, watch_late
from sessions.actions.video import open_session_room
from sessions.actions.watch import (
    CloseResult,
    SymptomResult,
    abort,
    ask_for_help,
    close_session,
    end_music,
    hear_of_dying,
    record_symptoms,
    sign_as_sitter,
    sitter_check,
    stop_early,
)

__all__ = [
    "CheckResult",
    "CloseResult",
    "ReleaseResult",
    "SymptomResult",
    "abort",
    "answer_check",
    "ask_for_help",
    "clear_check",
    "close_session",
    "confirm_dose_taken",
    "confirm_place",
    "confirm_sitter",
    "decide_dose",
    "end_music",
    "hear_crisis",
    "hear_of_dying",
    "invite_sitter",
    "may_be_decided",
    "on_consent_withdrawn",
    "on_not_suitable",
    "on_reading",
    "open_course",
    "open_link",
    "open_session_room",
    "reading_context",
    "record_follow_up",
    "record_symptoms",
    "release_dose",
    "reschedule_session",
    "resume_course",
    "share_entry",
    "sign_as_sitter",
    "sitter_check",
    "start_check",
    "stop_by_psychiatrist",
    "stop_course",
    "stop_early",
    "stop_open_course",
    "sweep",
    "take_reading",
    "unshare_entry",
    "watch_late",
    "write_entry",
]
