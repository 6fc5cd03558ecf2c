"""`release_guard` again: what re-opened eligibility stays open until a psychiatrist settles it (G5, HZ-12).

Only two kinds of evaluation say anything about that: the one that re-opened it and the one that settled it. The function took the
newest of every kind but "change", so that the evaluation written with a signed order hid an open question from SQL. The rest
of it stands as in 0003_the_whole_day_counts.
"""

import importlib

from django.db import migrations

_BEFORE = """AND (SELECT e.cause FROM intake_eligibilityevaluation e WHERE e.patient_id = r.patient_id AND e.cause <> 'change'
             ORDER BY e.at DESC, e.id DESC LIMIT 1) <> 'reopened';"""
_AFTER = """AND (SELECT e.cause FROM intake_eligibilityevaluation e
             WHERE e.patient_id = r.patient_id AND e.cause IN ('reopened', 'settled')
             ORDER BY e.at DESC, e.id DESC LIMIT 1) IS DISTINCT FROM 'reopened';"""

BACKWARD = importlib.import_module("sessions.migrations.0003_the_whole_day_counts").FORWARD
FORWARD = BACKWARD.replace(_BEFORE, _AFTER)
if BACKWARD.count(_BEFORE) != 1:
    raise RuntimeError("0003_the_whole_day_counts does not read as this migration expects")


class Migration(migrations.Migration):
    dependencies = [("dosing", "0003_the_whole_day_counts")]
    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
