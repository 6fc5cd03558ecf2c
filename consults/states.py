"""Which moves an appointment may make, and who makes them."""

APPOINTMENT_MOVES = {
    ("", "held"): "patient",
    ("held", "booked"): "patient",
    ("held", "cancelled"): "patient, or the clock after ten minutes",
    ("booked", "cancelled"): "patient or clinician",
    ("booked", "completed"): "clinician",
    ("booked", "no_show"): "clinician",
    ("no_show", "completed"): "clinician",
}

# States in which an appointment takes up time.
TAKES_TIME = ("held", "booked")
