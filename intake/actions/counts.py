"""How often each rule was true, counted as it happens: one row a rule, never a scan."""

from collections.abc import Iterable
from typing import Any

from django.db import connection

from intake.models import RuleCount
from intake.rules import Stage


def count_rules(reasons: Iterable[str], *, stage: Stage, protocol_id: Any) -> None:
    """Add one run of the rules to the counts of this version and stage, in the order of the rules so that no two wait for each other."""
    names = [RuleCount.ALL, *sorted(set(reasons))]
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO intake_rulecount (protocol_id, stage, rule_id, hits) "
            "SELECT %s, %s, name, 1 FROM unnest(%s::text[]) AS name "
            "ON CONFLICT (protocol_id, stage, rule_id) DO UPDATE SET hits = intake_rulecount.hits + 1",
            [protocol_id, str(stage), names],
        )
