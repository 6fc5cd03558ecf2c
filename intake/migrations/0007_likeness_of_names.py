"""Medicines are found by how alike their names are, typing slips included (pg_trgm)."""

from django.contrib.postgres.operations import TrigramExtension
from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("intake", "0006_consent_in_force")]

    operations = [TrigramExtension()]
