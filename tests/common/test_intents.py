"""One intent, one effect: whatever is replayed, doubled or sent from two tabs (PR-09, class X)."""

import threading
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.test import RequestFactory

from common import audit, clock, intents
from common.errors import IntentReused, Invalid
from common.models import AuditEntry, ClientIntent


@intents.guard
def form(request: HttpRequest) -> HttpResponse:
    audit.record("test.effect", by=request.user, at=clock.now())
    if request.POST.get("bad"):
        return HttpResponse("mend this", status=200)
    return HttpResponseRedirect("/done/")


def post(user: Any, **data: str) -> HttpRequest:
    request = RequestFactory().post("/form/", data)
    request.user = user
    return request


def effects() -> int:
    return AuditEntry.objects.filter(action="test.effect").count()


@pytest.mark.django_db
def test_a_replay_gets_the_first_result_and_no_second_effect(alice: Any) -> None:
    key = intents.mint()
    first = form(post(alice, intent=key, answer="1"))
    again = form(post(alice, intent=key, answer="1"))
    assert (first["Location"], again["Location"]) == ("/done/", "/done/")
    assert effects() == 1


@pytest.mark.django_db
def test_the_same_intent_with_another_body_is_refused(alice: Any) -> None:
    key = intents.mint()
    form(post(alice, intent=key, answer="1"))
    with pytest.raises(IntentReused) as refused:
        form(post(alice, intent=key, answer="2"))
    assert refused.value.status == 422
    assert effects() == 1


@pytest.mark.django_db
def test_a_form_with_errors_can_be_sent_again_under_the_same_intent(alice: Any) -> None:
    key = intents.mint()
    form(post(alice, intent=key, bad="1"))
    assert effects() == 0 and ClientIntent.objects.count() == 0
    form(post(alice, intent=key, answer="1"))
    assert effects() == 1


@pytest.mark.django_db
@pytest.mark.parametrize("key", ["", "not-a-uuid", "0", "\x00"])
def test_a_form_without_a_proper_intent_is_refused(alice: Any, key: str) -> None:
    with pytest.raises(Invalid):
        form(post(alice, intent=key))


@pytest.mark.django_db
def test_another_person_may_use_the_same_number(alice: Any, stranger_patient: Any) -> None:
    key = intents.mint()
    form(post(alice, intent=key))
    form(post(stranger_patient, intent=key))
    assert effects() == 2


@pytest.mark.django_db(transaction=True)
def test_fifty_parallel_replays_have_one_effect(alice: Any) -> None:
    """PR-09."""
    key = str(uuid.uuid4())
    results: list[str] = []

    def send() -> None:
        try:
            results.append(form(post(alice, intent=key, answer="1"))["Location"])
        finally:
            connection.close()

    threads = [threading.Thread(target=send) for _ in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == ["/done/"] * 50
    assert effects() == 1


@pytest.mark.django_db
def test_a_result_kept_for_the_api_is_encrypted_at_rest(
    alice: Any, at: Any, query_budget: Callable[..., Any]
) -> None:
    ClientIntent.objects.create(
        actor="user:x", key="k" * 8, body_hash="0" * 64, created_at=at, result={"words": "private-canary"}
    )
    with connection.cursor() as cursor:
        cursor.execute("SELECT result FROM common_clientintent")
        assert "private-canary" not in cursor.fetchone()[0]
    assert ClientIntent.objects.get(key="k" * 8).result == {"words": "private-canary"}
