"""`release_guard` again: consent is what `intake_consent_in_force` says (G2): the wording of the state of care, in the version in force,
not withdrawn since. The rest stands as in 0004_an_order_settles_no_open_question.
"""

import importlib

from django.db import migrations

_BEFORE = """ok := jsonb_array_length(gate_numbers->'consent_documents') > 0 AND NOT EXISTS (
        SELECT 1 FROM jsonb_array_elements_text(gate_numbers->'consent_documents') AS wanted(document)
        WHERE NOT EXISTS (
            SELECT 1 FROM intake_consent signed
            WHERE signed.patient_id = r.patient_id AND signed.care_state = p.state AND signed.signed_at <= v_now
              AND signed.sha256 = (SELECT sha256 FROM intake_consenttext t WHERE t.document = wanted.document
                                   ORDER BY first_seen_at DESC LIMIT 1)));"""
_AFTER = """ok := intake_consent_in_force(r.patient_id, p.state, gate_numbers->'consent_documents', v_now);"""

BACKWARD = importlib.import_module("sessions.migrations.0004_an_order_settles_no_open_question").FORWARD
FORWARD = BACKWARD.replace(_BEFORE, _AFTER)
if BACKWARD.count(_BEFORE) != 1:
    raise RuntimeError("0004_an_order_settles_no_open_question does not read as this migration expects")


class Migration(migrations.Migration):
    dependencies = [
        ("dosing", "0004_an_order_settles_no_open_question"),
        ("intake", "0006_consent_in_force"),
    ]
    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
