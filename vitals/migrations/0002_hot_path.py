"""One function for the hot write: token, scope, reading and audit row in one round trip (vitals/hot_path.py)."""

from django.db import migrations

FORWARD = """
CREATE FUNCTION vitals_store_reading(
    p_digest text, p_scope text, p_at timestamptz, p_protocol uuid, p_id uuid, p_phase text,
    p_systolic int, p_diastolic int, p_pulse int, p_spo2 int, p_taken_at timestamptz, p_source text, p_device text, p_band text,
    OUT outcome text, OUT reading_id uuid, OUT patient_id uuid
) LANGUAGE plpgsql AS $fn$
DECLARE token_id uuid; scopes jsonb;
BEGIN
    SELECT t.id, t.scopes, t.user_id INTO token_id, scopes, patient_id
      FROM accounts_devicetoken t
      JOIN accounts_user u ON u.id = t.user_id
      JOIN accounts_patient p ON p.user_id = u.id
     WHERE t.digest = p_digest AND t.revoked_at IS NULL AND t.expires_at > p_at AND u.is_active AND u.role = 'patient';
    IF token_id IS NULL OR NOT scopes ? p_scope THEN
        outcome := 'refused';
        RETURN;
    END IF;
    IF (SELECT v.id FROM common_protocolversion v WHERE v.state = 'approved' AND v.effective_from <= p_at
        ORDER BY v.effective_from DESC, v.approved_at DESC LIMIT 1) IS DISTINCT FROM p_protocol THEN
        outcome := 'other_protocol';
        RETURN;
    END IF;
    INSERT INTO vitals_reading (id, patient_id, session_id, phase, systolic_mmhg, diastolic_mmhg, pulse_bpm, spo2_pct, taken_at,
                                received_at, source, entered_by, device_id, band, rejected, rejected_reason, protocol_id)
    VALUES (p_id, patient_id, NULL, p_phase, p_systolic, p_diastolic, p_pulse, p_spo2, p_taken_at,
            p_at, p_source, 'device:' || token_id, p_device, p_band, false, '', p_protocol);
    INSERT INTO common_auditentry (at, actor, action, object_type, object_id, patient_id, reason, detail, shard, seq, prev_hash, row_hash)
    VALUES (p_at, 'device:' || token_id, 'reading.recorded', 'vitals.reading', p_id::text, patient_id, '',
            jsonb_build_object('phase', p_phase, 'band', p_band, 'source', p_source), 0, 0, '', '');
    outcome := 'stored';
    reading_id := p_id;
END $fn$;
"""

BACKWARD = """
DROP FUNCTION vitals_store_reading(
    text, text, timestamptz, uuid, uuid, text, int, int, int, int, timestamptz, text, text, text);
"""


class Migration(migrations.Migration):
    dependencies = [("vitals", "0001_initial"), ("accounts", "0001_initial"), ("common", "0002_clock_and_audit_chain")]
    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
