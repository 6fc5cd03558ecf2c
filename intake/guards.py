"""What PostgreSQL itself refuses of decisions, beside the rules in Python: the second control behind HZ-12 and HZ-22."""

import pgtrigger

# The absolute rules of a protocol version among the reasons of an evaluation. `due` says which of them may be looked at again.
_ABSOLUTE = """
SELECT string_agg(rule->>'id', ', ' ORDER BY rule->>'id') INTO absolute
FROM common_protocolversion p
CROSS JOIN LATERAL jsonb_array_elements(p.data->'eligibility'->'rules') AS rule
WHERE p.id = {protocol} AND {reasons} ? (rule->>'id')
  AND rule->>'outcome' = 'exclude' AND rule->>'patient_may_ask_clinician' = 'false' {due};
"""


def settles_nothing_absolute() -> pgtrigger.Trigger:
    """“Care may go on” is never kept over a rule that is absolute. A danger that passes is counted in days by the action."""
    which = _ABSOLUTE.format(
        protocol="NEW.protocol_id", reasons="NEW.reasons", due="AND rule->>'crisis' = 'false'"
    )
    return pgtrigger.Trigger(
        name="nothing_absolute_is_settled",
        operation=pgtrigger.Insert,
        when=pgtrigger.Before,
        condition=pgtrigger.Q(new__cause="settled"),
        declare=[("absolute", "text")],
        func=f"""
            {which}
            IF absolute IS NOT NULL THEN
                RAISE EXCEPTION 'absolute rules are true: %', absolute USING ERRCODE = 'check_violation';
            END IF;
            RETURN NEW;
        """,
    )


def signed_by_whom_it_is_for() -> pgtrigger.Trigger:
    """A decision is an active psychiatrist's; a final one of who holds the claim; and none accepts against an absolute rule."""
    which = _ABSOLUTE.format(protocol="found.protocol_id", reasons="found.reasons", due="")
    return pgtrigger.Trigger(
        name="decisions_are_a_psychiatrists",
        operation=pgtrigger.Insert,
        when=pgtrigger.Before,
        declare=[("absolute", "text"), ("found", "intake_eligibilityevaluation")],
        func=f"""
            IF NOT EXISTS (
                SELECT FROM accounts_user u WHERE u.id = NEW.by_id AND u.role = 'psychiatrist' AND u.is_active
            ) THEN
                RAISE EXCEPTION 'only a psychiatrist decides' USING ERRCODE = 'check_violation';
            END IF;
            IF NEW.kind IN ('accept', 'decline') AND NOT EXISTS (
                SELECT FROM intake_intake i
                WHERE i.id = NEW.intake_id AND i.state = 'claimed' AND i.claimed_by_id = NEW.by_id
            ) THEN
                RAISE EXCEPTION 'only who holds the intake ends it' USING ERRCODE = 'check_violation';
            END IF;
            SELECT * INTO found FROM intake_eligibilityevaluation WHERE id = NEW.evaluation_id;
            IF found.intake_id IS DISTINCT FROM NEW.intake_id THEN
                RAISE EXCEPTION 'the evaluation is of another intake' USING ERRCODE = 'check_violation';
            END IF;
            IF NEW.kind = 'accept' THEN
                {which}
                IF absolute IS NOT NULL THEN
                    RAISE EXCEPTION 'absolute rules are true: %', absolute USING ERRCODE = 'check_violation';
                END IF;
            END IF;
            RETURN NEW;
        """,  # noqa: S608 (only constants of this module stand in it)
    )
