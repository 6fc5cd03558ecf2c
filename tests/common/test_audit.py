"""The audit chain: append-only, complete, and a single changed, missing, inserted or reordered row is named (PR-12)."""

import datetime as dt
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.db import connection, transaction
from django.db.utils import InternalError

from common import audit
from common.audit_chain import anchor, first_fault
from common.models import AuditEntry

AT = dt.datetime(2026, 11, 23, 17, 0, tzinfo=dt.UTC)


def write(count: int) -> list[AuditEntry]:
    return [
        audit.record(f"test.step_{n}", by="system:test", at=AT + dt.timedelta(seconds=n))
        for n in range(count)
    ]


def tamper(sql: str, *params: Any) -> None:
    """As somebody with the database in their hands would: with the triggers off."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute(sql, params)
        cursor.execute("SET LOCAL session_replication_role = origin")


@pytest.mark.django_db
def test_a_row_carries_the_hash_of_the_row_before_it() -> None:
    write(3)
    rows = list(AuditEntry.objects.order_by("seq"))
    assert [row.seq for row in rows] == [1, 2, 3]
    assert rows[1].prev_hash == rows[0].row_hash and rows[2].prev_hash == rows[1].row_hash
    assert first_fault() == ("", 3)


@pytest.mark.django_db
@pytest.mark.parametrize(
    "operation", ["UPDATE common_auditentry SET reason = 'x'", "DELETE FROM common_auditentry"]
)
def test_the_database_refuses_to_change_or_delete_a_row(operation: str) -> None:
    write(1)
    with pytest.raises(InternalError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(operation)
    assert AuditEntry.objects.count() == 1


@pytest.mark.django_db
def test_truncate_is_refused_outside_test_databases() -> None:
    write(1)
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL hearthside.allow_truncate = 'off'")
    with pytest.raises(InternalError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("TRUNCATE common_auditentry")


@pytest.mark.django_db
def test_a_changed_row_is_named() -> None:
    rows = write(4)
    tamper("UPDATE common_auditentry SET actor = 'user:somebody-else' WHERE id = %s", rows[2].pk)
    fault, _ = first_fault()
    assert fault.startswith("changed:") and f"row {rows[2].pk} " in fault


@pytest.mark.django_db
def test_a_missing_row_is_named() -> None:
    rows = write(4)
    tamper("DELETE FROM common_auditentry WHERE id = %s", rows[1].pk)
    fault, _ = first_fault()
    assert fault.startswith("missing:") and f"row {rows[2].pk} " in fault


@pytest.mark.django_db
def test_a_row_missing_at_the_end_is_named() -> None:
    rows = write(3)
    tamper("DELETE FROM common_auditentry WHERE id = %s", rows[2].pk)
    fault, _ = first_fault()
    assert "missing" in fault and "its head says 3" in fault


@pytest.mark.django_db
def test_two_rows_that_changed_places_are_found() -> None:
    rows = write(4)
    tamper("UPDATE common_auditentry SET seq = -1 WHERE id = %s", rows[1].pk)
    tamper("UPDATE common_auditentry SET seq = 2 WHERE id = %s", rows[2].pk)
    tamper("UPDATE common_auditentry SET seq = 3 WHERE id = %s", rows[1].pk)
    fault, _ = first_fault()
    assert fault.startswith(("reordered", "changed"))


@pytest.mark.django_db
def test_a_chain_rewritten_from_end_to_end_differs_from_the_heads_kept_outside(tmp_path: Path) -> None:
    rows = write(3)
    anchor(tmp_path / "heads", at=AT)
    # Rewrite everything so that the chain is consistent in itself: rows and head.
    tamper("DELETE FROM common_auditentry")
    tamper("DELETE FROM common_audithead")
    write(3)
    AuditEntry.objects.filter(pk__in=[row.pk for row in rows]).count()
    tamper("UPDATE common_auditentry SET reason = reason")
    assert first_fault()[0] == ""
    tamper("DELETE FROM common_auditentry")
    tamper("DELETE FROM common_audithead")
    for n in range(3):
        audit.record(f"test.other_{n}", by="system:forger", at=AT)
    assert first_fault()[0] == ""
    assert first_fault(anchors=tmp_path / "heads")[0].startswith("rewritten:")


@pytest.mark.django_db
def test_anchors_that_were_changed_are_themselves_a_fault(tmp_path: Path) -> None:
    write(1)
    anchor(tmp_path / "heads", at=AT)
    kept = tmp_path / "heads"
    kept.write_text(kept.read_text().replace("2026-11-23", "2026-11-22"))
    assert "anchors was changed" in first_fault(anchors=kept)[0]


@pytest.mark.django_db(transaction=True)
def test_writers_side_by_side_leave_unbroken_chains() -> None:
    """HZ-18: eight connections, fifty rows each, none lost, none out of place."""

    def writer(number: int) -> None:
        try:
            for n in range(50):
                with transaction.atomic():
                    audit.record(f"writer_{number}.{n}", by="system:test", at=AT)
        finally:
            connection.close()

    threads = [threading.Thread(target=writer, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert first_fault() == ("", 400)


@pytest.mark.django_db(transaction=True)
def test_the_trace_of_an_action_that_failed_is_gone_with_it(alice: Any) -> None:
    before = AuditEntry.objects.count()
    with pytest.raises(RuntimeError), transaction.atomic():
        audit.record("test.doomed", by=alice, at=AT)
        raise RuntimeError
    assert AuditEntry.objects.count() == before
    assert first_fault()[0] == ""


def test_both_clocks_agree_when_frozen(clock_at: Callable[..., Any], db: None) -> None:
    with clock_at(AT), connection.cursor() as cursor:
        cursor.execute("SELECT hearthside_now()")
        seen = cursor.fetchone()[0]
    assert abs((seen - AT).total_seconds()) < 5
