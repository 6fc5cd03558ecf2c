"""`release_guard` again, with four more conditions: the dose is decided by a psychiatrist (G13), medicine and kit are at home and the
cuff is practised (G14), questionnaires are answered (G15), and what was said about safety since the last contact is looked at (G16).

The day and the hours are from now on those of the state the person is in, whatever zone she chose for herself (G7, G10). The
rest stands as in 0005_consent_of_the_state_of_care.
"""

import importlib
import json
from pathlib import Path

from django.db import migrations

_ZONES = json.loads((Path(__file__).parent / "zones_0008.json").read_text())
_ROWS = ", ".join(
    f"('{state}', ARRAY[{', '.join(repr(zone) for zone in found)}])" for state, found in sorted(_ZONES.items())
)
ZONE_OF = f"""
CREATE FUNCTION dosing_zone_of(p_state text, p_own text) RETURNS text LANGUAGE sql IMMUTABLE AS $fn$
    SELECT coalesce(
        (SELECT CASE WHEN p_own = ANY (t.zones) THEN p_own ELSE t.zones[1] END
         FROM (VALUES {_ROWS}) AS t(state, zones) WHERE t.state = p_state),
        p_own)
$fn$;
"""  # noqa: S608  (names of zones, from the file beside this one)

MORE = r"""
    -- G13 the psychiatrist's signed decision about this very dose, after the session before it was over
    SELECT * INTO dec FROM dosing_dosedecision d WHERE d.session_id = s.id AND d.decided_at <= v_now + interval '2 seconds'
        ORDER BY d.decided_at DESC, d.id DESC LIMIT 1;
    SELECT * INTO prev FROM dosing_dosingsession x WHERE x.course_id = c.id AND x.id <> s.id AND x.dose_at IS NOT NULL
        ORDER BY x.dose_at DESC LIMIT 1;
    ok := (dec.id IS NULL OR (dec.kind <> 'stop' AND dec.dose_ug = r.dose_ug))
        AND (prev.id IS NULL OR (
            dec.id IS NOT NULL AND dec.order_id = o.id AND dec.patient_id = r.patient_id
            AND prev.state IN ('released', 'closed', 'aborted') AND dec.decided_at >= coalesce(prev.released_at, prev.dose_at)));
    IF ok IS NOT TRUE THEN failed := failed || 'G13'::text; END IF;

    -- G14 enough counted units of this product at home; the kit complete; the cuff practised on so many days
    SELECT coalesce(sum(f.count_confirmed), 0) INTO units FROM consults_fulfilment f JOIN consults_order fo ON fo.id = f.order_id
        WHERE f.patient_id = r.patient_id AND f.confirmed_at <= v_now + interval '2 seconds' AND fo.form = o.form
          AND fo.strength_ug IS NOT DISTINCT FROM o.strength_ug
          AND fo.concentration_ug_per_ml IS NOT DISTINCT FROM o.concentration_ug_per_ml
          AND fo.spray_volume_ul IS NOT DISTINCT FROM o.spray_volume_ul;
    units := units - coalesce((SELECT sum(m.units) FROM consults_stockmove m JOIN consults_order fo ON fo.id = m.order_id
        WHERE m.patient_id = r.patient_id AND fo.form = o.form AND fo.strength_ug IS NOT DISTINCT FROM o.strength_ug
          AND fo.concentration_ug_per_ml IS NOT DISTINCT FROM o.concentration_ug_per_ml
          AND fo.spray_volume_ul IS NOT DISTINCT FROM o.spray_volume_ul), 0);
    units := units - coalesce((SELECT sum(k.units_taken) FROM dosing_dosecount k
        JOIN dosing_doserelease d ON d.session_id = k.session_id JOIN consults_order fo ON fo.id = d.order_id
        WHERE d.patient_id = r.patient_id AND fo.form = o.form AND fo.strength_ug IS NOT DISTINCT FROM o.strength_ug
          AND fo.concentration_ug_per_ml IS NOT DISTINCT FROM o.concentration_ug_per_ml
          AND fo.spray_volume_ul IS NOT DISTINCT FROM o.spray_volume_ul), 0);
    ok := o.units_per_dose > 0 AND units >= o.units_per_dose
        AND EXISTS (SELECT 1 FROM consults_kitparcel k WHERE k.patient_id = r.patient_id AND k.confirmed_at <= v_now + interval '2 seconds'
                    AND jsonb_array_length(k.missing) = 0)
        AND (SELECT count(DISTINCT (x.received_at AT TIME ZONE zone)::date) FROM vitals_reading x
             WHERE x.patient_id = r.patient_id AND x.phase = 'practice' AND NOT x.rejected
               AND x.received_at <= v_now + interval '2 seconds') >= (gate_numbers->>'practice_days_min')::int;
    IF ok IS NOT TRUE THEN failed := failed || 'G14'::text; END IF;

    -- G15 the questionnaires that are due before a session of this number
    ok := jsonb_typeof(gate_numbers->'scores_before') = 'array' AND NOT EXISTS (
        SELECT 1 FROM jsonb_array_elements(gate_numbers->'scores_before') AS rule(body)
        CROSS JOIN jsonb_array_elements_text(rule.body->'instruments') AS wanted(instrument)
        JOIN dosing_dosingsession x ON x.course_id = c.id AND x.number = (rule.body->>'after_session')::int AND x.dose_at IS NOT NULL
        WHERE s.number >= (rule.body->>'session')::int AND NOT EXISTS (
            SELECT 1 FROM measures_instrumentresponse m WHERE m.patient_id = r.patient_id AND m.instrument = wanted.instrument
              AND m.total IS NOT NULL AND m.completed_at > x.dose_at AND m.completed_at <= v_now + interval '2 seconds'));
    IF ok IS NOT TRUE THEN failed := failed || 'G15'::text; END IF;

    -- G16 what was said about safety since the last release, or since the order for the first
    contact := coalesce((SELECT max(d.released_at) FROM dosing_doserelease d WHERE d.patient_id = r.patient_id AND d.id <> r.id), o.signed_at);
    SELECT * INTO said_last FROM measures_instrumentresponse m WHERE m.patient_id = r.patient_id AND m.instrument = 'suicide_risk'
        AND m.completed_at > contact AND m.completed_at <= v_now + interval '2 seconds' ORDER BY m.completed_at DESC, m.id DESC LIMIT 1;
    ok := contact IS NOT NULL
        AND (said_last.id IS NULL OR said_last.risk_level IN ('none', 'low')
             OR (said_last.risk_level = 'moderate' AND dec.kind <> 'stop' AND dec.decided_at > said_last.completed_at
                 AND (dec.decided_at AT TIME ZONE zone)::date = today))
        AND NOT EXISTS (SELECT 1 FROM measures_instrumentresponse m WHERE m.patient_id = r.patient_id AND m.item9 >= 1
            AND m.completed_at > contact AND m.completed_at <= v_now + interval '2 seconds'
            AND (said_last.id IS NULL OR said_last.completed_at < m.completed_at));
    IF ok IS NOT TRUE THEN failed := failed || 'G16'::text; END IF;

    RETURN failed;"""

BACKWARD = importlib.import_module("sessions.migrations.0005_consent_of_the_state_of_care").FORWARD


def _once(text: str, before: str, after: str) -> str:
    if text.count(before) != 1:
        raise RuntimeError(f"0005_consent_of_the_state_of_care does not read as this migration expects: {before}")
    return text.replace(before, after)


FORWARD = _once(BACKWARD, "    local_ts := v_now AT TIME ZONE u.time_zone;",
    "    zone := dosing_zone_of(coalesce(nullif(s.location_state, ''), p.state), u.time_zone);\n"
    "    local_ts := v_now AT TIME ZONE zone;",
)  # fmt: skip
FORWARD = _once(FORWARD, "date_trunc('day', local_ts) AT TIME ZONE u.time_zone)", "date_trunc('day', local_ts) AT TIME ZONE zone)")
FORWARD = _once(FORWARD, "(s.scheduled_at AT TIME ZONE u.time_zone)", "(s.scheduled_at AT TIME ZONE zone)")
FORWARD = _once(FORWARD, "(chk.answered_at AT TIME ZONE u.time_zone)", "(chk.answered_at AT TIME ZONE zone)")
FORWARD = _once(FORWARD, "    local_ts timestamp;\n",
    "    local_ts timestamp;\n    zone text;\n    contact timestamptz;\n    units bigint;\n    dec dosing_dosedecision%ROWTYPE;\n"
    "    prev dosing_dosingsession%ROWTYPE;\n    said_last measures_instrumentresponse%ROWTYPE;\n",
)  # fmt: skip
FORWARD = _once(FORWARD, "\n    RETURN failed;", MORE)


class Migration(migrations.Migration):
    dependencies = [
        ("dosing", "0007_dose_decisions"),
        ("consults", "0004_parcels_kit_and_stock"),
        ("measures", "0001_initial"),
        ("vitals", "0001_initial"),
    ]
    operations = [
        migrations.RunSQL(ZONE_OF, "DROP FUNCTION dosing_zone_of(text, text);"),
        migrations.RunSQL(FORWARD, BACKWARD),
    ]
