"""`release_guard` again: a decision about a dose counts in the part of the gap in which it was signed (G13, protocol 8.1).

Over 10 days since the last dose a clinician confirms, over 14 the psychiatrist reviews anew, over 28 the titration begins again: the
days are those of the session's protocol. The rest stands as in 0009.
"""

import importlib

from django.db import migrations

BACKWARD = importlib.import_module("sessions.migrations.0009_no_opening_before_all_is_at_home").FORWARD
_BEFORE = "AND prev.state IN ('released', 'closed', 'aborted') AND dec.decided_at >= coalesce(prev.released_at, prev.dose_at)));"
_AFTER = """AND prev.state IN ('released', 'closed', 'aborted') AND dec.decided_at >= coalesce(prev.released_at, prev.dose_at)
            AND dosing_gap_step(dec.decided_at - prev.dose_at, r.protocol_id) = dosing_gap_step(v_now - prev.dose_at, r.protocol_id)));"""
if BACKWARD.count(_BEFORE) != 1:
    raise RuntimeError("0009_no_opening_before_all_is_at_home does not read as this migration expects")
FORWARD = BACKWARD.replace(_BEFORE, _AFTER)

# A number that is missing makes it null, which equals nothing: the gate stays shut.
GAP_STEP = """
CREATE FUNCTION dosing_gap_step(p_gap interval, p_protocol uuid) RETURNS int LANGUAGE sql STABLE AS $fn$
    SELECT (extract(epoch FROM p_gap) > 86400 * (t->>'gap_clinician_confirms_after_days')::float8)::int
         + (extract(epoch FROM p_gap) > 86400 * (t->>'gap_review_after_days')::float8)::int
         + (extract(epoch FROM p_gap) > 86400 * (t->>'gap_restart_after_days')::float8)::int
    FROM (SELECT data->'timeline' AS t FROM common_protocolversion WHERE id = p_protocol) numbers
$fn$;
"""


class Migration(migrations.Migration):
    dependencies = [("dosing", "0010_only_proven_parcels_count")]
    operations = [
        migrations.RunSQL(GAP_STEP, "DROP FUNCTION dosing_gap_step(interval, uuid);"),
        migrations.RunSQL(FORWARD, BACKWARD),
    ]
