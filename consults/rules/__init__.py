"""What follows from the facts of a calendar, a dose, a visit note and an order. Pure: standard library only.

`slots` turns weekly hours into instants, `dosing` does the arithmetic and the checks of a dose, `signing` says what still
stands between a draft and a signature.
"""

from consults.rules.dosing import UG_PER_MG

__all__ = ["UG_PER_MG"]
