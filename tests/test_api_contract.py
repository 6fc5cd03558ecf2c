"""The API against its own description: no 5xx, no answer that /api/schema/ does not document, whatever is sent (schemathesis)."""

import datetime as dt
import json
from collections.abc import Callable
from typing import Any

import pytest
import schemathesis
from django.conf import settings as django_settings
from django.core.signals import request_finished, request_started
from django.db import close_old_connections
from django.test import Client
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import CHECKS

from accounts.models import User
from config.wsgi import application

WANTED = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
)
CSRF = "a" * 32


@pytest.fixture(autouse=True)
def one_connection() -> Any:
    """Django's test client keeps the test's own connection open between requests; a WSGI call must do the same."""
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    yield
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


@pytest.fixture
def api_schema(db: None) -> Any:
    return schemathesis.openapi.from_wsgi("/api/schema/?format=json", application)


schema = schemathesis.pytest.from_fixture("api_schema")


@pytest.fixture
def world(
    alice: User, dana: User, cole: User, protocol_version: Any, at: dt.datetime, clock_at: Callable[..., Any]
) -> Any:
    """Somebody to ask about: a session ready for its dose, an alert, hours to book."""
    from tests.consults.builders import weekly_hours
    from tests.safety.builders import an_alert
    from tests.sessions.builders import a_session_ready_for_release

    with clock_at(at):
        weekly_hours(dana)
        session = a_session_ready_for_release(alice, dana, at)
        alert = an_alert(alice, at)
        yield {"session_id": str(session.pk), "alert_id": str(alert.pk), "patient": str(alice.pk)}


usual = settings(
    max_examples=12,
    deadline=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[
        HealthCheck.function_scoped_fixture,
        HealthCheck.too_slow,
        HealthCheck.filter_too_much,
        HealthCheck.data_too_large,
    ],
)


def answered(case: Any, world: dict[str, str], caller: Client) -> None:
    """Send what was generated as this person and hold the answer against the description."""
    # Half of the addresses name something that exists.
    for name in ("session_id", "alert_id"):
        if name in (case.path_parameters or {}) and str(case.path_parameters[name])[-1] in "02468ace":
            case.path_parameters[name] = world[name]
    cookies = {
        django_settings.SESSION_COOKIE_NAME: caller.cookies[django_settings.SESSION_COOKIE_NAME].value,
        django_settings.CSRF_COOKIE_NAME: CSRF,
    }
    headers = {"X-CSRFToken": CSRF, "Cookie": "; ".join(f"{name}={value}" for name, value in cookies.items())}
    response = case.call(headers=headers)
    case.validate_response(response, checks=CHECKS.get_by_names(list(WANTED)))


@schema.parametrize()
@usual
def test_a_patient_gets_only_documented_answers(
    case: Any, world: dict[str, str], client_for: Any, alice: User
) -> None:
    answered(case, world, client_for(alice))


@schema.parametrize()
@usual
def test_a_psychiatrist_gets_only_documented_answers(
    case: Any, world: dict[str, str], client_for: Any, dana: User
) -> None:
    answered(case, world, client_for(dana))


@schema.parametrize()
@usual
def test_a_coach_gets_only_documented_answers(
    case: Any, world: dict[str, str], client_for: Any, cole: User
) -> None:
    answered(case, world, client_for(cole))


@pytest.mark.django_db
def test_the_description_is_openapi_3_1_and_names_every_route_of_the_api(client: Client) -> None:
    from portal.routes import every_route

    document = json.loads(client.get("/api/schema/?format=json").content)
    assert document["openapi"].startswith("3.1")
    described = {path.replace("{", "<").replace("}", ">") for path in document["paths"]}
    routed = {
        "".join(
            part.split(":", 1)[-1] if index % 2 else part
            for index, part in enumerate(__import__("re").split(r"<([^>]+)>", route.path))
        )
        for route in every_route()
        if route.path.startswith("/api/v1/")
    }
    assert {path.replace("<", "").replace(">", "") for path in described} == routed


@pytest.mark.django_db
@pytest.mark.parametrize(
    "body",
    ["", "[", "null", "[]", '"text"', '{"facts": 3}', '{"facts": {"age_years": "\\u0000"}}', "{" * 2000],
)
def test_a_body_that_is_no_object_is_a_clear_400(client: Client, body: str) -> None:
    answer = client.post("/api/v1/assessment/", data=body, content_type="application/json")
    assert answer.status_code in (400, 422)
    assert set(answer.json()) == {"code", "detail", "fields"}


@pytest.mark.django_db
def test_a_stranger_hears_401_in_the_one_shape(client: Client) -> None:
    answer = client.get("/api/v1/readings/")
    assert answer.status_code == 401
    assert set(answer.json()) == {"code", "detail", "fields"}
