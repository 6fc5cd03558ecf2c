"""Rows in the number a large practice has, written by PostgreSQL itself."""

from datetime import datetime

from django.db import connection

from accounts.models import User
from common.encryption import encrypt
from notify.models import OutboxMessage

TABLES = ("intake_intake", "accounts_user", "accounts_patient")


def waiting_intakes(count: int, *, state: str = "CA") -> None:
    """Make the queue of one state exactly `count` long."""
    name = encrypt("x", context="answers")
    with connection.cursor() as cursor:
        for table in TABLES:  # history rows of made-up people are not what is measured
            cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        cursor.execute(
            "DELETE FROM intake_intake WHERE patient_id IN (SELECT id FROM accounts_user WHERE email LIKE 'bench-%%')"
        )
        cursor.execute(
            """
            INSERT INTO accounts_user (id, password, is_superuser, email, full_name, role, time_zone, phone, is_staff, is_active)
            SELECT gen_random_uuid(), '!', false, 'bench-' || n || '@example.test', 'Person ' || n, 'patient', 'America/Los_Angeles', '', false, true
            FROM generate_series(1, %s) AS n ON CONFLICT DO NOTHING
            """,
            [count],
        )
        cursor.execute(
            """
            INSERT INTO accounts_patient (user_id, date_of_birth, sex, state, address, emergency_contact_name, emergency_contact_phone, is_synthetic)
            SELECT id, '1988-04-02', 'female', %s, '', '', '', false FROM accounts_user WHERE email LIKE 'bench-%%' ON CONFLICT DO NOTHING
            """,
            [state],
        )
        cursor.execute(
            """
            INSERT INTO intake_intake (id, patient_id, state, care_state, answers, urgency, outcome, reasons, created_at, submitted_at,
                                       more_info_items)
            SELECT gen_random_uuid(), id, 'submitted', %s, %s, (random() * 3)::int, 'review', '["E02", "E29", "E58"]', now(),
                   now() - random() * interval '20 days', '[]'
            FROM accounts_user WHERE email LIKE 'bench-%%' ORDER BY id LIMIT %s
            """,
            [state, name, count],
        )
        for table in TABLES:
            cursor.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")
    settle(*TABLES)


def scheduled_messages(count: int, recipient: User, *, due_at: datetime, at: datetime) -> None:
    """Make the ordinary lane hold exactly `count` messages, all due at `due_at`."""
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE notify_outboxmessage CASCADE")
    one = OutboxMessage(
        lane="ordinary", kind="session_tomorrow", recipient=recipient, channel="sms", template="session_tomorrow",
        context={"when": "10:00 am", "link": "https://example.test/", "first_name": "Ada"}, wanted_at=due_at, due_at=due_at, created_at=at,
        respect_quiet_hours=False,
    )  # fmt: skip
    one.save()
    columns = ", ".join(
        field.column for field in OutboxMessage._meta.concrete_fields if not field.primary_key
    )
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO notify_outboxmessage (id, {columns}) SELECT gen_random_uuid(), {columns} "
            "FROM notify_outboxmessage, generate_series(2, %s)",
            [count],
        )
    settle("notify_outboxmessage")


def settle(*tables: str) -> None:
    """As after a quiet night: statistics fresh, visibility map set."""
    with connection.cursor() as cursor:
        for table in tables:
            cursor.execute(f"VACUUM (ANALYZE) {table}")
