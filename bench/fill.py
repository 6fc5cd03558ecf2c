"""Rows in the number a large practice has, written by PostgreSQL itself."""

import contextlib
from collections.abc import Iterator
from datetime import datetime, timedelta

from django.db import connection
from django.db.backends.utils import CursorWrapper
from django.db.models import Model

from accounts.models import CareTeam, Patient, User
from common import protocol
from common.encryption import encrypt
from intake.models import EligibilityEvaluation, Intake, Medicine
from measures.models import InstrumentResponse
from notify.models import OutboxMessage
from vitals.models import Reading

TABLES = ("intake_intake", "accounts_user", "accounts_patient")
OUTBOX = "notify_outboxmessage"
CHART_TABLES = (
    "intake_chartview",
    "intake_eligibilityevaluation",
    "intake_medicine",
    "measures_instrumentresponse",
    "vitals_reading",
    "common_auditentry",
)


@contextlib.contextmanager
def in_bulk(*tables: str) -> Iterator[CursorWrapper]:
    """Fill these tables without their secondary indexes, foreign keys and triggers; all are made again, and checked, afterwards.

    What is then measured has every index it has in earnest, and fresh statistics. History rows of made-up people are not
    what is measured, so the tables' own triggers rest meanwhile.
    """
    with connection.cursor() as cursor:
        # A million rows take longer than a page may.
        for setting in (
            "statement_timeout = 0",
            "synchronous_commit = off",
            "maintenance_work_mem = '256MB'",
        ):
            cursor.execute(f"SET {setting}")
        cursor.execute(
            "SELECT i.indexrelid::regclass::text, pg_get_indexdef(i.indexrelid) FROM pg_index i "
            "WHERE i.indrelid = ANY(%s::regclass[]) AND NOT EXISTS (SELECT FROM pg_constraint c WHERE c.conindid = i.indexrelid)",
            [list(tables)],
        )
        indexes = cursor.fetchall()
        cursor.execute(
            "SELECT conrelid::regclass::text, quote_ident(conname), pg_get_constraintdef(oid) FROM pg_constraint "
            "WHERE contype = 'f' AND conrelid = ANY(%s::regclass[])",
            [list(tables)],
        )
        keys = cursor.fetchall()
        for name, _ in indexes:
            cursor.execute(f"DROP INDEX {name}")
        for table, name, _ in keys:
            cursor.execute(f"ALTER TABLE {table} DROP CONSTRAINT {name}")
        for table in tables:
            cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        try:
            yield cursor
        finally:
            # What is measured commits as in earnest, and so does what it is measured against.
            cursor.execute("RESET synchronous_commit")
            for _, definition in indexes:
                cursor.execute(definition)
            for table, name, definition in keys:
                cursor.execute(f"ALTER TABLE {table} ADD CONSTRAINT {name} {definition}")
            for table in tables:
                cursor.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")
    settle(*tables)


def waiting_intakes(count: int, *, state: str = "CA") -> None:
    """Make the queue of one state exactly `count` long. People who are there already wait again."""
    name = encrypt("x", context="answers")
    with in_bulk(*TABLES) as cursor:
        # Deleting a million rows one by one would ask every table that points at them.
        cursor.execute("TRUNCATE intake_intake CASCADE")
        cursor.execute(
            """
            INSERT INTO accounts_user (id, password, is_superuser, email, full_name, role, time_zone, phone, is_staff, is_active)
            SELECT gen_random_uuid(), '!', false, 'bench-' || n || '@example.test', 'Person ' || n, 'patient', 'America/Los_Angeles', '', false, true
            FROM generate_series((SELECT count(*) FROM accounts_user WHERE email LIKE 'bench-%%') + 1, %s) AS n
            """,
            [count],
        )
        cursor.execute(
            """
            INSERT INTO accounts_patient (user_id, date_of_birth, sex, state, address, emergency_contact_name, emergency_contact_phone, is_synthetic)
            SELECT id, '1988-04-02', 'female', %s, '', '', '', false FROM accounts_user u
             WHERE email LIKE 'bench-%%' AND NOT EXISTS (SELECT FROM accounts_patient p WHERE p.user_id = u.id)
            """,
            [state],
        )
        cursor.execute(
            """
            INSERT INTO intake_intake (id, patient_id, state, care_state, answers, urgency, outcome, reasons, created_at, submitted_at,
                                       more_info_items)
            SELECT gen_random_uuid(), id, 'submitted', %s, %s, (random() * 3)::int, 'review', '["E02", "E29", "E58"]', now(),
                   now() - random() * interval '20 days', '[]'
            FROM accounts_user WHERE email LIKE 'bench-%%' LIMIT %s
            """,
            [state, name, count],
        )


def scheduled_messages(count: int, recipient: User, *, due_at: datetime, at: datetime) -> None:
    """Make the ordinary lane hold exactly `count` messages, all due at `due_at`."""
    one = OutboxMessage(
        lane="ordinary", kind="session_tomorrow", recipient=recipient, channel="sms", template="session_tomorrow",
        context={"when": "10:00 am", "link": "https://example.test/", "first_name": "Ada"}, wanted_at=due_at, due_at=due_at, created_at=at,
        respect_quiet_hours=False,
    )  # fmt: skip
    with in_bulk(OUTBOX) as cursor:
        cursor.execute(f"TRUNCATE {OUTBOX} CASCADE")
        copies_of(one, count, cursor)


def copies_of(one: OutboxMessage, count: int, cursor: CursorWrapper) -> None:
    """Save this message and so many in all like it."""
    one.save()
    columns = ", ".join(
        field.column for field in OutboxMessage._meta.concrete_fields if not field.primary_key
    )
    cursor.execute(
        f"INSERT INTO {OUTBOX} (id, {columns}) SELECT gen_random_uuid(), {columns} "
        f"FROM {OUTBOX}, generate_series(2, %s) WHERE id = %s",
        [count, one.pk],
    )


def settle(*tables: str) -> None:
    """As after a quiet night: statistics fresh, visibility map set."""
    with connection.cursor() as cursor:
        for table in tables:
            cursor.execute(f"VACUUM (ANALYZE) {table}")


def a_chart(patient: Patient, psychiatrist: User, *, days: int, at: datetime) -> None:
    """Give one accepted patient so many days of history, and no more: every row the chart could read, as often as it comes in care."""
    with connection.cursor() as cursor:
        for table in CHART_TABLES:
            cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
            where = (
                "object_id = 'bench' OR patient_id = %s"
                if table == "common_auditentry"
                else "patient_id = %s"
            )
            cursor.execute(f"DELETE FROM {table} WHERE {where}", [patient.pk])
        cursor.execute("DELETE FROM intake_intake WHERE patient_id = %s", [patient.pk])
    CareTeam.objects.filter(pk=patient.pk).update(psychiatrist=psychiatrist)
    version = protocol.current(at=at)
    intake = Intake.objects.create(
        patient=patient, state="accepted", care_state="CA", created_at=at - timedelta(days=days), submitted_at=at - timedelta(days=days),
        decided_at=at, outcome="review", reasons=["E29", "E58"], protocol=version,
        answers={"mind": {"version": 1, "complete": True, "data": {"hopes": "To sleep.", "past_treatments": "Sertraline"}}},
    )  # fmt: skip
    found = EligibilityEvaluation.objects.create(
        intake=intake, patient=patient, at=at - timedelta(days=days), stage="decision", cause="decide", outcome="review", reasons=["E29", "E58"],
        rule_version="bench", protocol=version, facts={"age_years": "38"},
    )  # fmt: skip
    response = InstrumentResponse.objects.create(
        patient=patient, instrument="phq9", instrument_version="1", timepoint="checkin", items={"phq9_1": 2}, total=12, band="moderate",
        completed_at=at - timedelta(days=days), recorded_by="user:bench",
    )  # fmt: skip
    medicine = Medicine.objects.create(
        patient=patient,
        name="Sertraline",
        rx_class="antidepressant",
        started_at=at - timedelta(days=days),
        ended_at=at,
    )
    reading = Reading.objects.create(
        patient=patient, systolic_mmhg=128, diastolic_mmhg=82, pulse_bpm=70, taken_at=at, received_at=at - timedelta(days=days), source="device",
        phase="extra", entered_by="device:bench", band="go", protocol=version,
    )  # fmt: skip
    # Every how many days a row of the kind comes.
    for row, column, every in (
        (found, "at", 30), (response, "completed_at", 1), (medicine, "started_at", 30), (reading, "received_at", 0.5),
    ):  # fmt: skip
        _again(row, column, every, days)
    for name in ("Xanax", "Lisinopril", "Zolpidem"):
        Medicine.objects.create(
            patient=patient, name=name, rx_class="benzo", started_at=at - timedelta(days=days)
        )
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO common_auditentry (shard, seq, at, actor, action, object_type, object_id, patient_id, reason, detail, prev_hash, row_hash) "
            "SELECT 99, n, %s - n * interval '8 hours', 'user:bench', 'reading.recorded', '', 'bench', %s, '', '{}', '', '' "
            "FROM generate_series(1, %s) AS n",
            [at, patient.pk, days * 3],
        )
        cursor.execute(
            "INSERT INTO intake_chartview (patient_id, viewer_id, looked_at, since_at) VALUES (%s, %s, %s, %s)",
            [patient.pk, psychiatrist.pk, at, at - timedelta(days=7)],
        )
        for table in CHART_TABLES:
            cursor.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")
    settle(*CHART_TABLES)


def _again(row: Model, column: str, every: float, days: int) -> None:
    """Copies of a row, one each `every` days."""
    others = ", ".join(
        field.column
        for field in row._meta.concrete_fields
        if field.column not in ("id", column) and not field.generated
    )
    table = row._meta.db_table
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {table} (id, {column}, {others}) SELECT gen_random_uuid(), {column} + n * %s * interval '1 day', {others} "
            f"FROM {table}, generate_series(1, %s) AS n WHERE id = %s",
            [every, int(days / every) - 1, row.pk],
        )
