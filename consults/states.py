"""Which moves an appointment may make, and who makes them."""

APPOINTMENT_MOVES = {
    ("", "held"): "patient",
    ("held", "booked"): "patient",
    ("held", "cancelled"): "patient, or the clock after ten minutes",
    ("booked", "cancelled"): "patient or clinician",
    ("booked", "completed"): "clinician, or the room's book when nobody has said it",
    ("booked", "no_show"): "clinician, or the room's book when nobody has said it",
    ("no_show", "completed"): "clinician",
    ("completed", "no_show"): "clinician, over what the room's book said",
}

# States in which an appointment takes up time.
TAKES_TIME = ("held", "booked")
