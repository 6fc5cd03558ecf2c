"""Consent as PostgreSQL sees it, for the dose gate (G2): a second control beside intake.access.consent_current.

In force is a signature under the newest text of that document, for the state of care, in the version that the protocol in force
names, with no withdrawal after it.
"""

from django.db import migrations

FORWARD = """
CREATE FUNCTION intake_consent_in_force(p_patient uuid, p_state text, p_documents jsonb, p_at timestamptz)
RETURNS boolean LANGUAGE sql STABLE AS $fn$
    SELECT coalesce(p_state, '') <> '' AND jsonb_array_length(p_documents) > 0 AND NOT EXISTS (
        SELECT 1 FROM jsonb_array_elements_text(p_documents) AS wanted(document)
        WHERE NOT EXISTS (
            SELECT 1 FROM intake_consent signed
            WHERE signed.patient_id = p_patient AND signed.document = wanted.document
              AND signed.care_state = p_state AND signed.signed_at <= p_at
              AND signed.withdrawals_before = (SELECT count(*) FROM intake_consentwithdrawal w WHERE w.patient_id = p_patient)
              AND signed.version = coalesce(
                    (SELECT v.data->'consent'->>'version' FROM common_protocolversion v
                     WHERE v.state = 'approved' AND v.effective_from <= p_at
                     ORDER BY v.effective_from DESC, v.approved_at DESC LIMIT 1), signed.version)
              AND signed.sha256 = (SELECT t.sha256 FROM intake_consenttext t
                                   WHERE t.document = wanted.document AND t.care_state = p_state AND t.version = signed.version
                                   ORDER BY t.first_seen_at DESC LIMIT 1)));
$fn$;
"""
BACKWARD = "DROP FUNCTION intake_consent_in_force(uuid, text, jsonb, timestamptz);"


class Migration(migrations.Migration):
    dependencies = [
        ("intake", "0005_consent_by_state_papers_and_clearance"),
        ("common", "0001_initial"),
    ]
    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
