"""Hit rates by stage: of assessments from this release on, of intakes sent and orders signed from the first one on."""

from django.db import migrations, models

# The first evaluation with which each intake was sent, and each with which an order was signed, as `count_rules` counts them.
# Counted anew from the history, so that running it again gives the same numbers.
COUNT = """
LOCK TABLE intake_rulecount IN SHARE ROW EXCLUSIVE MODE;
WITH asked AS (
    SELECT 'intake' AS stage, protocol_id, reasons FROM (
        SELECT DISTINCT ON (intake_id) protocol_id, reasons
        FROM intake_eligibilityevaluation WHERE cause = 'submit' ORDER BY intake_id, at, id
    ) sent
    UNION ALL
    SELECT 'decision', protocol_id, reasons FROM intake_eligibilityevaluation WHERE cause = 'order'
), counted AS (
    SELECT stage, protocol_id, name, count(*) AS hits FROM (
        SELECT stage, protocol_id, 'ALL' AS name FROM asked
        UNION ALL
        SELECT stage, protocol_id, reason AS name FROM asked CROSS JOIN LATERAL jsonb_array_elements_text(reasons) AS reason
    ) one GROUP BY stage, protocol_id, name
)
INSERT INTO intake_rulecount (protocol_id, stage, rule_id, hits) SELECT protocol_id, stage, name, hits FROM counted
ON CONFLICT (protocol_id, stage, rule_id) DO UPDATE SET hits = EXCLUDED.hits
"""


def count_what_was_asked(apps, schema_editor):
    schema_editor.execute(COUNT)


class Migration(migrations.Migration):

    dependencies = [
        ('common', '0004_stored_files'),
        ('intake', '0010_decisions_guarded_in_the_database'),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name='rulecount',
            name='one_count_per_version_and_rule',
        ),
        migrations.AddField(
            model_name='rulecount',
            name='stage',
            field=models.CharField(choices=[('assessment', 'assessment'), ('intake', 'intake'), ('decision', 'decision')], default='intake', max_length=10),
        ),
        migrations.AddConstraint(
            model_name='rulecount',
            constraint=models.UniqueConstraint(fields=('protocol', 'stage', 'rule_id'), name='one_count_per_version_stage_and_rule'),
        ),
        migrations.RunPython(count_what_was_asked, migrations.RunPython.noop),
    ]
