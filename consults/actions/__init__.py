"""The verbs of visits, notes, orders and parcels; the only writers of their rows."""

from consults.actions.availability import add_exception, remove_exception, set_weekly_hours
from consults.actions.booking import (
    arrive,
    cancel,
    close_visit,
    confirm_booking,
    hold_slot,
    release_expired_holds,
    reschedule,
    set_meeting_url,
)
from consults.actions.notes import add_addendum, open_note, record_pdmp_check, save_note, sign_note
from consults.actions.orders import discard_draft, hand_over, revoke, save_draft, sign_order, supersede
from consults.actions.parcels import confirm_count, mark_delivered, ship

__all__ = [
    "add_addendum",
    "add_exception",
    "arrive",
    "cancel",
    "close_visit",
    "confirm_booking",
    "confirm_count",
    "discard_draft",
    "hand_over",
    "hold_slot",
    "mark_delivered",
    "open_note",
    "record_pdmp_check",
    "release_expired_holds",
    "remove_exception",
    "reschedule",
    "revoke",
    "save_draft",
    "save_note",
    "set_meeting_url",
    "set_weekly_hours",
    "ship",
    "sign_note",
    "sign_order",
    "supersede",
]
