"""What is kept of an intent, who gets it again, for how long; and what a roll-back must not take out of the trail."""

import datetime as dt
import uuid
from typing import Any

import pytest
from django.db import connection
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.test import RequestFactory
from django.urls import URLPattern, URLResolver, get_resolver

from accounts.models import CareTeam
from common import audit, intents
from common.api import IdempotentWrites
from common.errors import Conflict, Invalid, NotPermitted
from common.models import AuditEntry, ClientIntent
from safety.models import Alert
from tests.safety.builders import a_shift, an_alert

pytestmark = pytest.mark.django_db
KEY = {"Idempotency-Key": "once-and-only-once"}


def views_of_writes(patterns: Any = None) -> list[tuple[URLPattern, Any]]:
    found = []
    for pattern in get_resolver().url_patterns if patterns is None else patterns:
        if isinstance(pattern, URLResolver):
            found += views_of_writes(pattern.url_patterns)
        else:
            view = getattr(pattern.callback, "view_class", None) or getattr(pattern.callback, "cls", None)
            if view is not None and issubclass(view, IdempotentWrites):
                found.append((pattern, view))
    return found


def test_every_api_write_about_one_object_says_how_to_ask_again_who_may_see_it() -> None:
    """PR-02"""
    about_one = [(p, view) for p, view in views_of_writes() if p.pattern.converters]
    assert len(about_one) >= 6
    assert [view.__name__ for _, view in about_one if view.still_visible is None] == []


@pytest.mark.usefixtures("protocol_version")
def test_a_replay_gives_nothing_to_somebody_who_may_not_see_it_any_more(
    api_for: Any, alice: Any, dana: Any, cole: Any, at: dt.datetime, clock_at: Any
) -> None:
    """PR-02: the coach has taken an alert, leaves the care team, and sends the same request again."""
    with clock_at(at):
        a_shift(dana, at)
        alert = an_alert(alice, at)
        api, address = api_for(cole), f"/api/v1/alerts/{alert.pk}/acknowledge/"
        assert api.post(address, {}, format="json", headers=KEY).status_code == 200
        again = api.post(address, {}, format="json", headers=KEY)
        assert again.status_code == 200 and again["Idempotent-Replay"] == "true"
        CareTeam.objects.filter(pk=alice.pk).update(coach=None)
        denied = api.post(address, {}, format="json", headers=KEY)
    assert denied.status_code == 404
    assert str(alice.pk) not in denied.content.decode()
    assert Alert.objects.get(pk=alert.pk).acknowledged_by_id == cole.pk
    (row,) = AuditEntry.objects.filter(action="act.denied")
    assert (row.actor, row.detail["ids"]) == (f"user:{cole.pk}", {"alert_id": str(alert.pk)})


def test_kept_answers_go_after_a_day_and_the_intents_after_three_months(at: dt.datetime) -> None:
    """What is stated in the settings is what happens, on both sides of each time."""

    def kept(age: dt.timedelta) -> ClientIntent:
        return ClientIntent.objects.create(
            actor="user:x", key=uuid.uuid4().hex, body_hash="0" * 64, created_at=at - age, status=201,
            result={"words": "x"},
        )  # fmt: skip

    second, day = dt.timedelta(seconds=1), dt.timedelta(days=1)
    fresh, day_old = kept(day - second), kept(day + second)
    known, over = kept(90 * day - second), kept(90 * day + second)
    assert intents.sweep(at=at) == {"emptied": 3, "deleted": 1}
    left = {row.pk: row.result for row in ClientIntent.objects.all()}
    assert left == {fresh.pk: {"words": "x"}, day_old.pk: None, known.pk: None}
    assert over.pk not in left
    assert intents.sweep(at=at) == {"emptied": 0, "deleted": 0}


def test_a_sweep_takes_no_more_than_its_share(at: dt.datetime) -> None:
    for _ in range(5):
        ClientIntent.objects.create(
            actor="user:x", key=uuid.uuid4().hex, body_hash="0" * 64, created_at=at - dt.timedelta(days=99)
        )
    assert intents.sweep(at=at, limit=2)["deleted"] == 2
    assert ClientIntent.objects.count() == 3


@pytest.mark.usefixtures("protocol_version")
def test_once_the_answer_is_gone_the_act_is_still_not_done_again(
    api_for: Any, alice: Any, cole: Any, at: dt.datetime, clock_at: Any
) -> None:
    """Class X: the number outlives the answer."""
    with clock_at(at):
        alert = an_alert(alice, at)
        api, address = api_for(cole), f"/api/v1/alerts/{alert.pk}/acknowledge/"
        api.post(address, {}, format="json", headers=KEY)
        intents.sweep(at=at + dt.timedelta(days=2))
        again = api.post(address, {}, format="json", headers=KEY)
    assert (again.status_code, again.json()["code"]) == (409, "done_before")
    assert AuditEntry.objects.filter(action="alert.acknowledged").count() == 1


# --- the trail of what was refused ---


def post(view: Any, user: Any, **kwargs: Any) -> Any:
    request = RequestFactory().post("/form/", {"intent": intents.mint()})
    request.user = user
    request.resolver_match = type("Match", (), {"view_name": "test:form"})()
    return intents.guard(view)(request, **kwargs)


@pytest.mark.parametrize(
    ("error", "action", "reason"),
    [
        (NotPermitted("Only a psychiatrist."), "act.denied", "not_permitted"),
        (Http404(), "act.denied", "not_found"),
        (Conflict("Too late.", code="slot_taken"), "act.refused", "slot_taken"),
    ],
)
def test_a_refused_act_leaves_its_row_although_it_was_undone(
    alice: Any, at: dt.datetime, error: Exception, action: str, reason: str
) -> None:
    """PR-12: who, which door, about what; the change itself is gone."""
    thing = uuid.uuid4()

    def view(request: HttpRequest, thing_id: uuid.UUID, token: str) -> HttpResponse:
        audit.record("thing.changed", by=request.user, at=at)
        audit.record("chart.opened", by=request.user, at=at, even_if_undone=True)
        raise error

    with pytest.raises(type(error)):
        post(view, alice, thing_id=thing, token="a-secret-of-an-address")
    rows = list(
        AuditEntry.objects.order_by("id").filter(action__in=("thing.changed", "chart.opened", action))
    )
    assert [row.action for row in rows] == ["chart.opened", action]
    assert (rows[1].actor, rows[1].reason) == (f"user:{alice.pk}", reason)
    assert rows[1].detail == {"where": "test:form", "ids": {"thing_id": str(thing)}}


def test_a_refusal_on_a_page_shown_again_stays_and_its_changes_do_not(alice: Any, at: dt.datetime) -> None:
    """PR-12: 422 with the form; the transaction is undone, `dose.refused` is not."""

    def view(request: HttpRequest) -> HttpResponse:
        audit.record("thing.changed", by=request.user, at=at)
        audit.record("dose.refused", by=request.user, at=at, detail={"reasons": ["G8"]}, even_if_undone=True)
        return HttpResponse("mend this", status=422)

    assert post(view, alice).status_code == 422
    assert not AuditEntry.objects.filter(action="thing.changed").exists()
    assert AuditEntry.objects.get(action="dose.refused").detail == {"reasons": ["G8"]}


def test_what_was_done_is_written_once(alice: Any, at: dt.datetime) -> None:
    def view(request: HttpRequest) -> HttpResponse:
        audit.record("chart.opened", by=request.user, at=at, even_if_undone=True)
        return HttpResponseRedirect("/done/")

    post(view, alice)
    assert AuditEntry.objects.filter(action="chart.opened").count() == 1


def test_a_form_to_be_mended_is_no_refusal(alice: Any) -> None:
    def view(request: HttpRequest) -> HttpResponse:
        raise Invalid("A number is missing.")

    before = AuditEntry.objects.count()
    with pytest.raises(Invalid):
        post(view, alice)
    assert AuditEntry.objects.count() == before


@pytest.mark.usefixtures("protocol_version")
@pytest.mark.parametrize("headers", [{}, KEY])
def test_a_write_the_api_denies_leaves_its_row(
    api_for: Any,
    alice: Any,
    dana: Any,
    other_coach: Any,
    at: dt.datetime,
    clock_at: Any,
    headers: dict[str, str],
) -> None:
    """PR-12"""
    with clock_at(at):
        a_shift(dana, at)
        alert = an_alert(alice, at)
        answer = api_for(other_coach).post(
            f"/api/v1/alerts/{alert.pk}/acknowledge/", {}, format="json", headers=headers
        )
    assert answer.status_code == 404
    (row,) = AuditEntry.objects.filter(action="act.denied")
    assert (row.actor, row.detail["ids"]) == (f"user:{other_coach.pk}", {"alert_id": str(alert.pk)})


def test_the_sweep_finds_kept_answers_by_their_own_index(db: None) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute(
            "EXPLAIN SELECT id FROM common_clientintent WHERE result IS NOT NULL AND created_at < now() ORDER BY created_at LIMIT 10"
        )
        assert "intents_with_an_answer" in " ".join(row[0] for row in cursor.fetchall())
