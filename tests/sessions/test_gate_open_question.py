"""HZ-12: what re-opened eligibility holds every dose until a psychiatrist settles it, whatever else is written meanwhile."""

import pytest
from django.db import DatabaseError, transaction

from common import clock
from intake.models import EligibilityEvaluation, Intake
from sessions.access import gate_inputs
from tests.sessions.builders import MINUTE, a_session_ready_for_release
from tests.sessions.test_gate_database import an_unsaved_release, by_trigger

pytestmark = pytest.mark.django_db


def evaluated(session, at, cause: str) -> None:
    EligibilityEvaluation.objects.create(
        intake=Intake.objects.get(patient=session.patient), patient=session.patient, at=at, stage="decision", cause=cause,
        outcome="review", reasons=["E56"], rule_version="x", protocol=session.course.protocol, facts={},
    )  # fmt: skip


@pytest.mark.parametrize(
    ("causes", "refused"),
    [
        ((), False),
        (("reopened",), True),
        (("reopened", "change"), True),
        (("reopened", "order"), True),
        (("reopened", "decide"), True),
        (("reopened", "submit"), True),
        (("reopened", "order", "settled"), False),
        (("reopened", "settled", "order"), False),
        (("reopened", "settled", "reopened", "order"), True),
    ],
)
def test_hz_12_the_sql_net_alone_refuses_what_only_a_psychiatrist_settles(
    alice, dana, cole, at, causes, refused
):
    session = a_session_ready_for_release(alice, dana, at)
    for number, cause in enumerate(causes):
        evaluated(session, at - (20 - number) * MINUTE, cause)
    with clock.frozen(at):
        python = {r.condition for r in gate_inputs(session, by=cole, at=at, stepped_up_at=at).reasons}
        row = an_unsaved_release(session, cole, at)
        assert ("G5" in python, "G5" in by_trigger(row)) == (refused, refused)
        if refused:
            with pytest.raises(DatabaseError, match="G5"), transaction.atomic():
                row.save(force_insert=True)
