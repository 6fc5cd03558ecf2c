"""Django's cache is a table: tries at the log-in and codes that were used are counted for all hosts, with or without Redis (PR-16, PR-18)."""

from django.db import migrations


class Migration(migrations.Migration):

    dependencies = [("common", "0004_stored_files")]

    operations = [
        migrations.RunSQL(
            # As `manage.py createcachetable` would make it.
            "CREATE TABLE common_cache (cache_key varchar(255) NOT NULL PRIMARY KEY, value text NOT NULL, "
            "expires timestamptz NOT NULL); "
            "CREATE INDEX common_cache_expires ON common_cache (expires)",
            "DROP TABLE common_cache",
        )
    ]
