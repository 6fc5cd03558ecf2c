"""Counted units are at home only when an adult signed for their parcel and somebody saw the count: by photo, or on a video call.

The function of 0009 stands otherwise as it was; `release_guard` and the opening guard both ask it.
"""

import importlib

from django.db import migrations

_WHOLE = importlib.import_module("sessions.migrations.0009_no_opening_before_all_is_at_home").NOT_AT_HOME
_END = "CREATE FUNCTION dosing_opening_failures("
_BEFORE = "f.confirmed_at <= until AND fo.form = o.form"
_PROVEN = """f.confirmed_at <= until AND fo.form = o.form
          AND EXISTS (SELECT 1 FROM consults_parcelproof w WHERE w.parcel_id = f.id AND w.adult AND w.recorded_at <= until)
          AND (EXISTS (SELECT 1 FROM consults_parcelphoto w WHERE w.parcel_id = f.id AND w.taken_at <= until)
               OR EXISTS (SELECT 1 FROM consults_parcellook w WHERE w.parcel_id = f.id AND w.looked_at <= until))"""
if _WHOLE.count(_END) != 1 or _WHOLE.count(_BEFORE) != 1:
    raise RuntimeError("0009_no_opening_before_all_is_at_home does not read as this migration expects")
BACKWARD = _WHOLE[: _WHOLE.index(_END)].replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION")
FORWARD = BACKWARD.replace(_BEFORE, _PROVEN)


class Migration(migrations.Migration):
    dependencies = [
        ("dosing", "0009_no_opening_before_all_is_at_home"),
        ("consults", "0014_parcels_proven_and_a_basis_that_ends"),
    ]
    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
