"""What has to be at home before a dose (G14) becomes one function, and a session's day does not open without it, even by plain SQL.

`release_guard` asks the same function; the rest of it stands as in 0008_sixteen_conditions. What is missing or cannot be read
counts as not there.
"""

import importlib

import pgtrigger.compiler
import pgtrigger.migrations
from django.db import migrations

BACKWARD = importlib.import_module("sessions.migrations.0008_sixteen_conditions").FORWARD
_FROM = "    SELECT coalesce(sum(f.count_confirmed), 0) INTO units FROM consults_fulfilment f"
_TO = "    IF ok IS NOT TRUE THEN failed := failed || 'G14'::text; END IF;"


def _cut(text: str, before: str, after: str) -> tuple[str, str]:
    """What stands before the one and after the other."""
    if text.count(before) != 1 or text.count(after) != 1:
        raise RuntimeError("0008_sixteen_conditions does not read as this migration expects")
    return text[: text.index(before)], text[text.index(after) :]


_head, _tail = _cut(BACKWARD, _FROM, _TO)
_ASKS = (
    "    ok := cardinality(dosing_not_at_home(r.patient_id, o, zone, (gate_numbers->>'practice_days_min')::int, v_now)) = 0;\n"
)
FORWARD = _head.replace("    units bigint;\n", "") + _ASKS + _tail

NOT_AT_HOME = r"""
CREATE FUNCTION dosing_not_at_home(
    p_patient uuid, o consults_order, p_zone text, p_practice_days int, p_now timestamptz
) RETURNS text[] LANGUAGE plpgsql AS $fn$
DECLARE
    missing text[] := '{}';
    units bigint;
    until timestamptz := p_now + interval '2 seconds';
BEGIN
    -- counted units of this product, less what left without a dose and what was taken
    units := coalesce((SELECT sum(f.count_confirmed) FROM consults_fulfilment f JOIN consults_order fo ON fo.id = f.order_id
        WHERE f.patient_id = p_patient AND f.confirmed_at <= until AND fo.form = o.form
          AND fo.strength_ug IS NOT DISTINCT FROM o.strength_ug
          AND fo.concentration_ug_per_ml IS NOT DISTINCT FROM o.concentration_ug_per_ml
          AND fo.spray_volume_ul IS NOT DISTINCT FROM o.spray_volume_ul), 0);
    units := units - coalesce((SELECT sum(m.units) FROM consults_stockmove m JOIN consults_order fo ON fo.id = m.order_id
        WHERE m.patient_id = p_patient AND fo.form = o.form AND fo.strength_ug IS NOT DISTINCT FROM o.strength_ug
          AND fo.concentration_ug_per_ml IS NOT DISTINCT FROM o.concentration_ug_per_ml
          AND fo.spray_volume_ul IS NOT DISTINCT FROM o.spray_volume_ul), 0);
    units := units - coalesce((SELECT sum(k.units_taken) FROM dosing_dosecount k
        JOIN dosing_doserelease d ON d.session_id = k.session_id JOIN consults_order fo ON fo.id = d.order_id
        WHERE d.patient_id = p_patient AND fo.form = o.form AND fo.strength_ug IS NOT DISTINCT FROM o.strength_ug
          AND fo.concentration_ug_per_ml IS NOT DISTINCT FROM o.concentration_ug_per_ml
          AND fo.spray_volume_ul IS NOT DISTINCT FROM o.spray_volume_ul), 0);
    IF (o.units_per_dose > 0 AND units >= o.units_per_dose) IS NOT TRUE THEN
        missing := missing || 'medicine_not_here'::text;
    END IF;
    IF NOT EXISTS (SELECT 1 FROM consults_kitparcel k WHERE k.patient_id = p_patient AND k.confirmed_at <= until
                   AND jsonb_array_length(k.missing) = 0) THEN
        missing := missing || 'kit_not_here'::text;
    END IF;
    IF ((SELECT count(DISTINCT (x.received_at AT TIME ZONE p_zone)::date) FROM vitals_reading x
         WHERE x.patient_id = p_patient AND x.phase = 'practice' AND NOT x.rejected
           AND x.received_at <= until) >= p_practice_days) IS NOT TRUE THEN
        missing := missing || 'practice_missing'::text;
    END IF;
    RETURN missing;
END $fn$;

CREATE FUNCTION dosing_opening_failures(s dosing_dosingsession) RETURNS text[] LANGUAGE plpgsql AS $fn$
DECLARE
    c dosing_course%ROWTYPE;
    o consults_order%ROWTYPE;
    p accounts_patient%ROWTYPE;
    u accounts_user%ROWTYPE;
    gate_numbers jsonb;
BEGIN
    SELECT * INTO c FROM dosing_course WHERE id = s.course_id AND patient_id = s.patient_id;
    SELECT * INTO o FROM consults_order WHERE id = c.order_id AND patient_id = s.patient_id;
    SELECT * INTO p FROM accounts_patient WHERE user_id = s.patient_id;
    SELECT * INTO u FROM accounts_user WHERE id = s.patient_id;
    SELECT data->'gate' INTO gate_numbers FROM common_protocolversion
        WHERE id = c.protocol_id AND state IN ('approved', 'retired');
    RETURN dosing_not_at_home(
        s.patient_id, o, dosing_zone_of(coalesce(nullif(s.location_state, ''), p.state), u.time_zone),
        (gate_numbers->>'practice_days_min')::int, hearthside_now());
END $fn$;
"""
NOT_AT_HOME_BACK = """
DROP FUNCTION dosing_opening_failures(dosing_dosingsession);
DROP FUNCTION dosing_not_at_home(uuid, consults_order, text, int, timestamptz);
"""


class Migration(migrations.Migration):
    dependencies = [("dosing", "0008_sixteen_conditions")]
    operations = [
        migrations.RunSQL(NOT_AT_HOME, NOT_AT_HOME_BACK),
        migrations.RunSQL(FORWARD, BACKWARD),
        pgtrigger.migrations.AddTrigger(
            model_name='dosingsession',
            trigger=pgtrigger.compiler.Trigger(name='no_opening_before_all_is_at_home', sql=pgtrigger.compiler.UpsertTriggerSql(condition='WHEN (NEW."state" = \'preparing\')', declare='DECLARE missing text[];', func="\nIF TG_OP = 'UPDATE' THEN\n    IF OLD.state = NEW.state THEN\n        RETURN NEW;\n    END IF;\nEND IF;\nmissing := dosing_opening_failures(NEW);\nIF (cardinality(missing) = 0) IS NOT TRUE THEN\n    RAISE EXCEPTION 'opening_guard: %', array_to_string(missing, ',') USING ERRCODE = 'check_violation';\nEND IF;\nRETURN NEW;\n", hash='49fd77de6c407132b480aeb0a7819de6f384d955', operation='INSERT OR UPDATE', pgid='pgtrigger_no_opening_before_all_is_at_home_7c4da', table='dosing_dosingsession', when='BEFORE')),
        ),
    ]
