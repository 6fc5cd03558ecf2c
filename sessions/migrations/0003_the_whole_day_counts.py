"""`release_guard` again: the whole day counts. A reading or an answer of today holds the dose, in whichever session of the same
person it was given and however often a session was moved, called off or opened again (HZ-01, HZ-27).

The function as a whole, as it stands from now on; what it is and how it is kept is told in 0002_release_guard.
"""

import importlib

from django.db import migrations

FORWARD = r"""
CREATE OR REPLACE FUNCTION dosing_release_failures(r dosing_doserelease) RETURNS text[] LANGUAGE plpgsql AS $fn$
DECLARE
    v_now timestamptz := hearthside_now();
    today date;
    since timestamptz;
    local_ts timestamp;
    failed text[] := '{}';
    s dosing_dosingsession%ROWTYPE;
    c dosing_course%ROWTYPE;
    o consults_order%ROWTYPE;
    p accounts_patient%ROWTYPE;
    u accounts_user%ROWTYPE;
    team accounts_careteam%ROWTYPE;
    person accounts_user%ROWTYPE;
    link dosing_sitterlink%ROWTYPE;
    chk dosing_safetycheck%ROWTYPE;
    bp jsonb;
    gate_numbers jsonb;
    by_clinician boolean;
    ok boolean;
    -- the readings, one set at a time
    v record;
    n int := 0;
    ids uuid[] := '{}';
    syst int[] := '{}';
    dias int[] := '{}';
    puls int[] := '{}';
    oxyg int[] := '{}';
    seen timestamptz[] := '{}';
    said timestamptz[] := '{}';
    took uuid[] := '{}';
    newest_accepted timestamptz;
    any_crisis boolean := false;
    high_before boolean := false;
    rechecks int := 0;
    recheck_early boolean := false;
    calm boolean;
    set_s numeric;
    set_d numeric;
    set_ok boolean;
    worst_pulse_low int;
    worst_pulse_high int;
BEGIN
    SELECT * INTO s FROM dosing_dosingsession WHERE id = r.session_id;
    SELECT * INTO c FROM dosing_course WHERE id = s.course_id;
    SELECT * INTO o FROM consults_order WHERE id = r.order_id;
    SELECT * INTO p FROM accounts_patient WHERE user_id = r.patient_id;
    SELECT * INTO u FROM accounts_user WHERE id = r.patient_id;
    SELECT * INTO team FROM accounts_careteam WHERE patient_id = r.patient_id;
    SELECT * INTO person FROM accounts_user WHERE id = r.released_by_id;
    SELECT * INTO link FROM dosing_sitterlink WHERE id = r.sitter_link_id;
    SELECT * INTO chk FROM dosing_safetycheck WHERE id = r.safety_check_id;
    SELECT data->'bp'->'limits', data->'gate' INTO bp, gate_numbers FROM common_protocolversion
        WHERE id = r.protocol_id AND state IN ('approved', 'retired');
    local_ts := v_now AT TIME ZONE u.time_zone;
    today := local_ts::date;
    -- what was measured and answered today counts, in whichever session and however often it was opened
    since := least(s.opened_at, date_trunc('day', local_ts) AT TIME ZONE u.time_zone);
    by_clinician := coalesce(r.caution_released AND r.plan_t40 AND r.caution_reason <> '' AND person.role = 'psychiatrist', false);

    -- G1 patient active, identity verified, adult today
    ok := u.is_active AND u.role = 'patient' AND c.state = 'active' AND p.identity_verified_at IS NOT NULL
        AND date_part('year', age(today, p.date_of_birth)) >= (gate_numbers->>'adult_age_years')::int;
    IF ok IS NOT TRUE THEN failed := failed || 'G1'::text; END IF;

    -- G2 every document signed in the newest wording, for the state of care
    ok := jsonb_array_length(gate_numbers->'consent_documents') > 0 AND NOT EXISTS (
        SELECT 1 FROM jsonb_array_elements_text(gate_numbers->'consent_documents') AS wanted(document)
        WHERE NOT EXISTS (
            SELECT 1 FROM intake_consent signed
            WHERE signed.patient_id = r.patient_id AND signed.care_state = p.state AND signed.signed_at <= v_now
              AND signed.sha256 = (SELECT sha256 FROM intake_consenttext t WHERE t.document = wanted.document
                                   ORDER BY first_seen_at DESC LIMIT 1)));
    IF ok IS NOT TRUE THEN failed := failed || 'G2'::text; END IF;

    -- G3 order: signed, in force, unexpired, this patient's and this course's, covers this session and this state
    ok := o.patient_id = r.patient_id AND o.id = c.order_id AND o.signed_at <= v_now
        AND o.revoked_at IS NULL AND o.superseded_at IS NULL
        AND o.expires_on >= today AND (o.authority_expires_on IS NULL OR o.authority_expires_on >= today)
        AND s.number = ANY (o.sessions_covered)
        AND (SELECT count(*) FROM dosing_doserelease d WHERE d.order_id = o.id AND d.id <> r.id) < o.doses_total
        AND s.location_state = o.state_of_care
        AND EXISTS (SELECT 1 FROM accounts_licence l JOIN accounts_user m ON m.id = l.psychiatrist_id
                    WHERE l.psychiatrist_id = o.prescriber_id AND l.state = s.location_state AND l.expires_on >= today
                      AND (l.issued_on IS NULL OR l.issued_on <= today) AND m.is_active AND m.role = 'psychiatrist')
        AND EXISTS (SELECT 1 FROM accounts_dearegistration d
                    WHERE d.psychiatrist_id = o.prescriber_id AND d.state = s.location_state AND d.expires_on >= today);
    IF ok IS NOT TRUE THEN failed := failed || 'G3'::text; END IF;

    -- G4 the dose is the ordered dose, to the microgram
    ok := r.dose_ug > 0 AND r.dose_ug = o.dose_ug;
    IF ok IS NOT TRUE THEN failed := failed || 'G4'::text; END IF;

    -- G5 accepted by a psychiatrist, and not re-opened since
    ok := EXISTS (SELECT 1 FROM intake_intake i WHERE i.patient_id = r.patient_id AND i.state = 'accepted')
        AND (SELECT e.cause FROM intake_eligibilityevaluation e WHERE e.patient_id = r.patient_id AND e.cause <> 'change'
             ORDER BY e.at DESC, e.id DESC LIMIT 1) <> 'reopened';
    IF ok IS NOT TRUE THEN failed := failed || 'G5'::text; END IF;

    -- G6 elapsed time since the last release of this patient, in any course
    ok := NOT EXISTS (
            SELECT 1 FROM dosing_doserelease d WHERE d.patient_id = r.patient_id AND d.id <> r.id
              AND v_now - d.released_at < make_interval(secs => 3600 * (gate_numbers->>'min_interval_hours')::float8))
        AND lower(r.keeps_others_away) = r.released_at
        AND upper(r.keeps_others_away) >= r.released_at + make_interval(secs => 3600 * (gate_numbers->>'min_interval_hours')::float8);
    IF ok IS NOT TRUE THEN failed := failed || 'G6'::text; END IF;

    -- G7 this patient's session, open, today, at a decent hour, and no other going on
    ok := s.patient_id = r.patient_id AND c.patient_id = r.patient_id AND s.state = 'preparing'
        AND NOT EXISTS (SELECT 1 FROM dosing_dosingsession x WHERE x.patient_id = r.patient_id AND x.id <> s.id
                        AND x.state IN ('preparing', 'ready', 'dosing', 'observing'))
        AND (s.scheduled_at AT TIME ZONE u.time_zone)::date = today
        AND extract(hour FROM local_ts) >= (gate_numbers->>'start_from_local_hour')::int
        AND extract(hour FROM local_ts) < (gate_numbers->>'start_before_local_hour')::int;
    IF ok IS NOT TRUE THEN failed := failed || 'G7'::text; END IF;

    -- G8 the newest set of readings of today, by the time the server had them; none of another session carries this dose
    FOR v IN
        SELECT * FROM vitals_reading
        WHERE session_id IS NOT NULL AND patient_id = r.patient_id AND phase = 'pre' AND NOT rejected
          AND s.opened_at IS NOT NULL AND received_at >= since
        ORDER BY received_at, id
    LOOP
        newest_accepted := v.received_at;
        any_crisis := any_crisis OR v.systolic_mmhg >= (bp->>'systolic_crisis_from_mmhg')::numeric
            OR v.diastolic_mmhg >= (bp->>'diastolic_crisis_from_mmhg')::numeric;
        IF n > 0 AND (
            v.received_at - seen[n] > make_interval(secs => 60 * (bp->>'readings_apart_max_minutes')::float8)
            OR n = 3
            OR (n = 2 AND abs(syst[1] - syst[2]) <= (bp->>'third_reading_when_systolic_differs_over_mmhg')::numeric)
        ) THEN
            -- the set before this reading is over: what did it say?
            high_before := high_before OR EXISTS (
                SELECT 1 FROM unnest(syst, dias) AS q(a, b)
                WHERE a >= (bp->>'systolic_high_from_mmhg')::numeric OR b >= (bp->>'diastolic_high_from_mmhg')::numeric);
            IF n = 3 OR (n = 2 AND abs(syst[1] - syst[2]) <= (bp->>'third_reading_when_systolic_differs_over_mmhg')::numeric) THEN
                set_s := (syst[n] + syst[n - 1]) / 2.0;
                set_d := (dias[n] + dias[n - 1]) / 2.0;
            ELSE
                SELECT max(a), max(b) INTO set_s, set_d FROM unnest(syst, dias) AS q(a, b);
            END IF;
            set_ok := set_s >= (bp->>'systolic_low_below_mmhg')::numeric AND set_s < (bp->>'systolic_caution_from_mmhg')::numeric
                AND set_d >= (bp->>'diastolic_low_below_mmhg')::numeric AND set_d < (bp->>'diastolic_caution_from_mmhg')::numeric;
            IF NOT set_ok THEN
                rechecks := rechecks + 1;
                recheck_early := recheck_early
                    OR v.received_at - seen[n] < make_interval(secs => 60 * (gate_numbers->>'recheck_after_minutes')::float8);
            END IF;
            n := 0; ids := '{}'; syst := '{}'; dias := '{}'; puls := '{}'; oxyg := '{}'; seen := '{}'; said := '{}'; took := '{}';
        END IF;
        n := n + 1;
        ids := ids || v.id;
        syst := syst || v.systolic_mmhg::int;
        dias := dias || v.diastolic_mmhg::int;
        puls := puls || v.pulse_bpm::int;
        oxyg := oxyg || v.spo2_pct::int;
        seen := seen || v.received_at;
        said := said || v.taken_at;
        took := took || CASE WHEN v.session_id = s.id THEN v.used_by_release_id ELSE v.session_id END;
    END LOOP;

    ok := bp IS NOT NULL AND n >= 2 AND r.protocol_id = c.protocol_id
        -- a reading whose time cannot be trusted makes no release: the row's own time is the database's
        AND abs(extract(epoch FROM r.released_at - v_now)) <= 120
        AND (n = 3 OR abs(syst[1] - syst[2]) <= (bp->>'third_reading_when_systolic_differs_over_mmhg')::numeric)
        AND r.reading_1_id = ids[n - 1] AND r.reading_2_id = ids[n];
    IF ok IS TRUE THEN
        SELECT min(a), max(a) INTO worst_pulse_low, worst_pulse_high FROM unnest(puls) AS q(a);
        set_s := (syst[n] + syst[n - 1]) / 2.0;
        set_d := (dias[n] + dias[n - 1]) / 2.0;
        calm := NOT EXISTS (
            SELECT 1 FROM unnest(syst, dias) AS q(a, b)
            WHERE a >= (bp->>'systolic_caution_from_mmhg')::numeric OR b >= (bp->>'diastolic_caution_from_mmhg')::numeric);
        ok := v_now - seen[1] <= make_interval(secs => 60 * (bp->>'pre_dose_valid_minutes')::float8)
            AND seen[n] <= v_now + interval '2 seconds'
            AND seen[2] - seen[1] >= make_interval(secs => 60 * (bp->>'readings_apart_min_minutes')::float8)
            AND (n = 2 OR seen[3] - seen[2] >= make_interval(secs => 60 * (bp->>'readings_apart_min_minutes')::float8))
            AND NOT EXISTS (SELECT 1 FROM unnest(said, seen) AS q(a, b)
                WHERE a < b - make_interval(secs => 60 * (gate_numbers->>'reading_claimed_behind_minutes')::float8)
                   OR a > b + make_interval(secs => 60 * (gate_numbers->>'reading_claimed_ahead_minutes')::float8))
            AND NOT EXISTS (SELECT 1 FROM unnest(took) AS q(a) WHERE a IS NOT NULL)
            -- a rejected reading after the set: nobody knows what it was
            AND NOT EXISTS (SELECT 1 FROM vitals_reading x WHERE x.session_id IS NOT NULL AND x.patient_id = r.patient_id AND x.phase = 'pre'
                            AND x.rejected AND x.received_at >= since AND x.received_at >= newest_accepted)
            AND NOT any_crisis
            -- never, whoever releases
            AND set_s < (bp->>'systolic_high_from_mmhg')::numeric AND set_d < (bp->>'diastolic_high_from_mmhg')::numeric
            AND set_s >= (bp->>'systolic_low_below_mmhg')::numeric AND set_d >= (bp->>'diastolic_low_below_mmhg')::numeric
            AND worst_pulse_low >= (bp->>'pulse_no_dose_below_bpm')::numeric
            AND worst_pulse_high <= (bp->>'pulse_no_dose_above_bpm')::numeric
            AND NOT EXISTS (SELECT 1 FROM unnest(oxyg) AS q(a) WHERE a < (bp->>'spo2_caution_below_pct')::numeric)
            -- only a psychiatrist, with reason and plan
            AND (by_clinician OR (
                set_s < (bp->>'systolic_caution_from_mmhg')::numeric AND set_d < (bp->>'diastolic_caution_from_mmhg')::numeric
                AND set_s < o.systolic_max_mmhg AND set_d < o.diastolic_max_mmhg
                AND worst_pulse_low >= (bp->>'pulse_caution_below_bpm')::numeric
                AND worst_pulse_high <= (bp->>'pulse_caution_above_bpm')::numeric
                AND NOT recheck_early AND rechecks <= (gate_numbers->>'rechecks_max')::int))
            AND (NOT high_before OR (by_clinician AND calm));
    END IF;
    IF ok IS NOT TRUE THEN failed := failed || 'G8'::text; END IF;

    -- G9 the sitter of this session, on their own link, not long ago, all of it
    ok := link.session_id = s.id AND link.sitter_id = s.sitter_id AND link.revoked_at IS NULL AND link.expires_at > v_now
        AND link.confirmed_at <= v_now + interval '2 seconds'
        AND v_now - link.confirmed_at <= make_interval(secs => 60 * (gate_numbers->>'sitter_confirmed_max_age_minutes')::float8)
        AND link.attested @> (gate_numbers->'sitter_attestations');
    IF ok IS NOT TRUE THEN failed := failed || 'G9'::text; END IF;

    -- G10 the newest answers are today's and of this opening; nothing that needs a clinician is uncleared
    ok := chk.session_id = s.id AND chk.answered_at >= s.opened_at AND chk.answered_at <= v_now + interval '2 seconds'
        AND (chk.answered_at AT TIME ZONE u.time_zone)::date = today
        AND NOT EXISTS (SELECT 1 FROM dosing_safetycheck x WHERE x.session_id = s.id AND x.answered_at > chk.answered_at)
        AND NOT (chk.positive ?| ARRAY['not_fasted', 'unanswered'])
        AND NOT EXISTS (
            SELECT 1 FROM dosing_safetycheck x JOIN dosing_dosingsession y ON y.id = x.session_id
            WHERE y.patient_id = r.patient_id
              AND (x.answered_at >= since
                   OR (y.id = s.id AND x.positive ?| ARRAY['suicidal', 'not_safe', 'psychosis']))
              AND jsonb_array_length(x.positive - 'not_fasted' - 'unanswered') > 0
              AND (x.cleared_at > x.answered_at AND x.cleared_at <= v_now + interval '2 seconds') IS NOT TRUE);
    IF ok IS NOT TRUE THEN failed := failed || 'G10'::text; END IF;

    -- G11 said anew since this session was opened
    ok := s.location_confirmed_at >= s.opened_at AND s.location_address <> '' AND s.location_state <> ''
        AND s.emergency_confirmed_at >= s.opened_at AND s.emergency_contact_phone <> '';
    IF ok IS NOT TRUE THEN failed := failed || 'G11'::text; END IF;

    -- G12 the releasing person; nothing open; somebody on call
    ok := person.is_active
        AND ((person.role = 'psychiatrist' AND team.psychiatrist_id = person.id) OR (person.role = 'coach' AND team.coach_id = person.id))
        AND r.stepped_up_at <= v_now + interval '2 seconds'
        AND v_now - r.stepped_up_at <= make_interval(secs => 60 * (gate_numbers->>'step_up_max_age_minutes')::float8)
        AND NOT EXISTS (SELECT 1 FROM safety_alert a WHERE a.patient_id = r.patient_id AND a.state IN ('open', 'acknowledged')
                        AND (a.severity >= 3 OR a.episode_key = 'suicide_risk'))
        AND NOT EXISTS (SELECT 1 FROM safety_safetyhold h WHERE h.patient_id = r.patient_id AND h.cleared_at IS NULL)
        AND EXISTS (SELECT 1 FROM safety_oncallshift k JOIN accounts_user m ON m.id = k.person_id
                    WHERE k.removed_at IS NULL AND k.level = 1 AND k.starts_at <= v_now AND k.ends_at > v_now AND m.is_active);
    IF ok IS NOT TRUE THEN failed := failed || 'G12'::text; END IF;

    RETURN failed;
END $fn$;
"""

_before = importlib.import_module("sessions.migrations.0002_release_guard").FORWARD
BACKWARD = _before[: _before.index("CREATE FUNCTION dosing_release_guard()")].replace(
    "CREATE FUNCTION", "CREATE OR REPLACE FUNCTION", 1
)


class Migration(migrations.Migration):
    dependencies = [("dosing", "0002_release_guard")]
    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
