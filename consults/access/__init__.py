"""Who may see which hours, visits, notes and orders; querysets and predicates side by side."""

from consults.access.orders import (
    active_order,
    fulfilments_of,
    latest_pdmp_check,
    medicine_delivered,
    order_facts,
    orders_of,
    proposal_of,
    visible_order,
)
from consults.access.slots import Slot, bookable_types, offered_clinicians, open_slots
from consults.access.visits import (
    appointments_between,
    appointments_of,
    blockers,
    latest_signed_note,
    next_appointment,
    note_facts,
    notes_of,
    patients_by_appointment,
    visible_appointment,
    visible_appointments,
)

__all__ = [
    "Slot",
    "active_order",
    "appointments_between",
    "appointments_of",
    "blockers",
    "bookable_types",
    "fulfilments_of",
    "latest_pdmp_check",
    "latest_signed_note",
    "medicine_delivered",
    "next_appointment",
    "note_facts",
    "notes_of",
    "offered_clinicians",
    "open_slots",
    "order_facts",
    "orders_of",
    "patients_by_appointment",
    "proposal_of",
    "visible_appointment",
    "visible_appointments",
    "visible_order",
]
