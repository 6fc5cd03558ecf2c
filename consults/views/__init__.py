"""Pages of visits and orders, one file for each place: the patient's visits, her medicine, the calendar, the note, the order."""
