"""The verbs of visits, notes, orders and parcels; the only writers of their rows."""

from consults.actions.attendance import close_by_attendance
from consults.actions.availability import add_exception, remove_exception, set_weekly_hours
from consults.actions.booking import (
    cancel,
    close_visit,
    confirm_booking,
    hold_slot,
    lock_times_of,
    release_expired_holds,
    set_meeting_url,
)
from consults.actions.calendar_settings import make_feed, revoke_feed, set_gap
from consults.actions.delivery import (
    add_photo,
    check_address,
    confirm_kit,
    count_stock,
    give_up_parcel,
    kit_contents,
    look_together,
    move_stock,
    practice_reading,
    record_signature,
    ship_kit,
    sweep_parcels,
    turned_up,
)
from consults.actions.double_booking import double_book
from consults.actions.entry import arrive, birth_date_tries, come_in, identify
from consults.actions.introductions import (
    VISITOR,
    book_introduction,
    cancel_introduction,
    close_introduction,
    forget_introductions,
    move_introduction,
    set_introduction_room,
    take_introduction,
)
from consults.actions.late_parcel import record_late_parcel
from consults.actions.missed import notice_who_waits_in_vain
from consults.actions.moving import reschedule
from consults.actions.notes import (
    add_addendum,
    open_note,
    record_pdmp_check,
    reopen_note,
    save_note,
    sign_note,
    use_template,
)
from consults.actions.orders import (
    ask_second_person,
    discard_draft,
    give_second_opinion,
    revoke,
    save_draft,
    sign_order,
    supersede,
)
from consults.actions.parcels import ask_for_count, confirm_count, mark_delivered, ship
from consults.actions.pharmacy import hand_over, send_to_pharmacy
from consults.actions.rooms import (
    caller_comes,
    open_introduction_room,
    open_visit_room,
    say_late,
)
from consults.actions.standing import DOES_NOT_STAND, ask_to_revoke
from consults.actions.state_rules import approve_state_rule, propose_state_rule
from consults.actions.waiting_list import (
    go_round,
    join_waiting_list,
    leave_waiting_list,
    pass_offer,
    take_offer,
)

__all__ = [
    "DOES_NOT_STAND",
    "VISITOR",
    "add_addendum",
    "add_exception",
    "add_photo",
    "approve_state_rule",
    "arrive",
    "ask_for_count",
    "ask_second_person",
    "ask_to_revoke",
    "birth_date_tries",
    "book_introduction",
    "caller_comes",
    "cancel",
    "cancel_introduction",
    "check_address",
    "close_by_attendance",
    "close_introduction",
    "close_visit",
    "come_in",
    "confirm_booking",
    "confirm_count",
    "confirm_kit",
    "count_stock",
    "discard_draft",
    "double_book",
    "forget_introductions",
    "give_second_opinion",
    "give_up_parcel",
    "go_round",
    "hand_over",
    "hold_slot",
    "identify",
    "join_waiting_list",
    "kit_contents",
    "leave_waiting_list",
    "lock_times_of",
    "look_together",
    "make_feed",
    "mark_delivered",
    "move_introduction",
    "move_stock",
    "notice_who_waits_in_vain",
    "open_introduction_room",
    "open_note",
    "open_visit_room",
    "pass_offer",
    "practice_reading",
    "propose_state_rule",
    "record_late_parcel",
    "record_pdmp_check",
    "record_signature",
    "release_expired_holds",
    "remove_exception",
    "reopen_note",
    "reschedule",
    "revoke",
    "revoke_feed",
    "save_draft",
    "save_note",
    "say_late",
    "send_to_pharmacy",
    "set_gap",
    "set_introduction_room",
    "set_meeting_url",
    "set_weekly_hours",
    "ship",
    "ship_kit",
    "sign_note",
    "sign_order",
    "supersede",
    "sweep_parcels",
    "take_introduction",
    "take_offer",
    "turned_up",
    "use_template",
]
