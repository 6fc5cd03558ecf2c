"""Where a clinician left off in a chart: kept at each look, so that the next one shows what is new."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection

from accounts.models import Patient, User
from intake import states
from intake.access.changes import ROWS_READ, News, counted, news_words
from intake.models import Intake
from intake.rules.review import same_look


@dataclass(frozen=True)
class Look:
    """The end of the look before this one (None at the first), the answers and the true rules as they were then, and what others
    did since."""

    since_at: datetime | None
    answers_then: Mapping[str, Any] | None
    reasons_then: frozenset[str] | None
    news: list[News]


# One statement. Looks close together are one: what was new at the start of the first stays marked until it is over. Whoever
# holds the claim and reads is still working, so the lease goes on; not at each look, because each renewal is a row of history.
_SQL = """
WITH newest AS (
    SELECT max(pgh_id) AS id FROM intake_intakeevent WHERE pgh_obj_id = %(intake)s
), renewed AS (
    UPDATE intake_intake SET claim_expires_at = %(until)s
    WHERE id = %(intake)s AND state = 'claimed' AND claimed_by_id = %(viewer)s AND claim_expires_at < %(renew_before)s
    RETURNING claim_expires_at
), look AS (
    INSERT INTO intake_chartview AS v (patient_id, viewer_id, looked_at, looked_event_id, since_at, since_event_id)
    SELECT %(patient)s, %(viewer)s, %(at)s, newest.id, NULL, NULL FROM newest
    ON CONFLICT (viewer_id, patient_id) DO UPDATE SET
        since_at = CASE WHEN v.looked_at < %(before)s THEN v.looked_at ELSE v.since_at END,
        since_event_id = CASE WHEN v.looked_at < %(before)s THEN v.looked_event_id ELSE v.since_event_id END,
        looked_at = greatest(v.looked_at, EXCLUDED.looked_at),
        looked_event_id = EXCLUDED.looked_event_id
    RETURNING since_at, since_event_id, looked_event_id
)
SELECT look.since_at,
    (SELECT e.answers FROM intake_intakeevent e
     WHERE e.pgh_id = look.since_event_id AND e.pgh_obj_id = %(intake)s AND look.since_event_id <> look.looked_event_id),
    (SELECT json_agg(json_build_array(a.actor, a.action, a.at) ORDER BY a.at DESC) FROM (
        SELECT actor, action, at FROM common_auditentry
        WHERE patient_id = %(patient)s AND at > look.since_at AND action = ANY(%(actions)s) AND actor <> %(me)s
        ORDER BY at DESC LIMIT %(rows)s) a),
    (SELECT claim_expires_at FROM renewed),
    (SELECT reasons::text FROM intake_eligibilityevaluation
     WHERE patient_id = %(patient)s AND at <= look.since_at ORDER BY at DESC, id DESC LIMIT 1)
FROM look
"""


def remember_look(patient: Patient, intake: Intake, *, by: User, at: datetime) -> Look:
    """Keep that this person looks at this chart now, and answer what is new since the look before; one round trip.

    It changes nothing about the patient; the audit trail has its own row for each opening (PR-12).
    """
    lease = timedelta(minutes=states.LEASE_MINUTES)
    values = {
        "patient": patient.pk, "viewer": by.pk, "intake": intake.pk, "at": at, "before": at - same_look(), "until": at + lease,
        "renew_before": at + lease - timedelta(minutes=1), "actions": list(news_words()), "me": f"user:{by.pk}", "rows": ROWS_READ,
    }  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute(_SQL, values)
        since_at, sealed, news, until, reasons = cursor.fetchone()
    if until is not None:
        intake.claim_expires_at = until
    answers: Any = Intake._meta.get_field("answers")
    rows = news if isinstance(news, list) else json.loads(news or "[]")
    return Look(
        since_at=since_at,
        answers_then=answers.from_db_value(sealed, None, connection) if sealed else None,
        reasons_then=frozenset(json.loads(reasons)) if reasons else None,
        news=counted([(actor, action, datetime.fromisoformat(when)) for actor, action, when in rows]),
    )
