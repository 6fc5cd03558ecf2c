"""Hit rates of the rules begin with the first intake ever sent, not with the release that began to count."""

from django.db import migrations

# The first evaluation with which each intake was sent, as `count_sent` counts it. Counted anew from the history, so that
# running it again, or after some were counted already, gives the same numbers.
COUNT = """
LOCK TABLE intake_rulecount IN SHARE ROW EXCLUSIVE MODE;
WITH sent AS (
    SELECT DISTINCT ON (intake_id) protocol_id, reasons
    FROM intake_eligibilityevaluation WHERE cause = 'submit' ORDER BY intake_id, at, id
), counted AS (
    SELECT protocol_id, name, count(*) AS hits FROM (
        SELECT protocol_id, 'ALL' AS name FROM sent
        UNION ALL
        SELECT protocol_id, reason AS name FROM sent CROSS JOIN LATERAL jsonb_array_elements_text(reasons) AS reason
    ) one GROUP BY protocol_id, name
)
INSERT INTO intake_rulecount (protocol_id, rule_id, hits) SELECT protocol_id, name, hits FROM counted
ON CONFLICT (protocol_id, rule_id) DO UPDATE SET hits = EXCLUDED.hits
"""


def count_what_was_sent(apps, schema_editor):
    schema_editor.execute(COUNT)


class Migration(migrations.Migration):

    dependencies = [
        ('intake', '0008_when_somebody_changed_an_answer'),
    ]

    operations = [
        migrations.RunPython(count_what_was_sent, migrations.RunPython.noop),
    ]
