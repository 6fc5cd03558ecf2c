"""Whatever a patient or a visitor types into any form of the product: a clear sentence, nothing typed lost, never a server error.

The pages come from the URLconf, the forms from the pages as they are sent: a form added tomorrow is covered tomorrow. Each form is
sent with the same words in all of its text fields at once, and taken back afterwards.
"""

import datetime as dt
import html
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import transaction
from django.test import Client

from accounts.models import User
from intake.rules.steps import assessment_screens, intake_steps
from portal.walkthrough.pages import Form, Page
from tests.intake.builders import a_draft
from tests.sessions.builders import a_session_in_progress
from tests.test_access import World, address, ours, world

__all__ = ["world"]

LONG = "x" * 10_000
WORDS = {
    "emoji": "🦊🌿 at 7",
    "ten thousand characters": LONG,
    "nul": "a\x00b",
    "a day that never was": "2026-02-31",
    "a number with its unit": "300 kg",
    "markup": "<script>alert(1)</script>",
    "right to left": "שלום \u202eabc",
    "nothing": "",
    "spaces": "   ",
    "a huge number": "9" * 400,
}
# What a page answers to words it cannot use: asked again, refused, or taken and led on.
FINE = {200, 302, 303, 400, 403, 404, 409, 422}
# Never shown again, on purpose: secrets.
SECRET = ("password", "code", "token", "secret")
NOT_TEXT = ("csrfmiddlewaretoken", "intent", "version", "seen", "base", "next")
# Public pages that are forms of their own, besides those a patient opens.
PUBLIC = (
    "/assessment/",
    *(f"/assessment/{screen.id}/" for screen in assessment_screens()),
    "/accounts/signup/",
    "/accounts/login/",
    "/accounts/password/reset/",
)
# What stands above or instead of a form that is asked again.
SENTENCES = ('class="error-summary"', "Please look at this again", "That did not go through")
Found = tuple[str, Form]


def pages_of_a_patient(world: World) -> list[str]:
    paths = [
        address(route, world)
        for route in ours()
        if "GET" in route.methods and "patient" in route.roles.get("GET", ()) and route.kind == "page"
    ]
    steps = [f"/intake/{step.id}/" for step in intake_steps() if step.is_form]
    return list(
        dict.fromkeys(
            [*paths, *steps, "/outcomes/questionnaire/gad7/", "/outcomes/questionnaire/suicide_risk/"]
        )
    )


def forms_on(client: Client, paths: list[str]) -> Iterator[Found]:
    seen = set()
    for path in paths:
        response = client.get(path)
        assert response.status_code < 500, path
        if response.status_code != 200 or "text/html" not in response.headers.get("Content-Type", ""):
            continue
        for form in Page(path, 200, response.content.decode()).forms:
            if form.method == "post":
                where = form.action or path
                kind = (where.split("?")[0], tuple(form.names()))
                if kind not in seen:
                    seen.add(kind)
                    yield where, form


def texts_of(form: Form) -> list[str]:
    return [name for name in form.names() if form.of(name)[0].kind == "text" and name not in NOT_TEXT]


def plainly(form: Form) -> dict[str, Any]:
    """The first choice of everything, the rest as it stands."""
    values: dict[str, Any] = {}
    for name in form.names():
        control = form.of(name)[0]
        if control.kind in ("radio", "select", "checkbox"):
            values[name] = next((value for value, _ in form.choices(name) if value), "on")
        else:
            values[name] = control.value
    if "intent" in values:
        values["intent"] = str(uuid.uuid4())
    return values


def trouble(
    client: Client, where: str, values: dict[str, Any], typed: dict[str, str], what: str
) -> list[str]:
    """What is wrong with the answer; whatever it changed is taken back."""
    with transaction.atomic():
        response = client.post(where, values)
        transaction.set_rollback(True)
    line = f"{where} with {what}"
    if response.status_code not in FINE:
        return [f"{line}: {response.status_code}"]
    if (
        response.status_code not in (200, 400, 409, 422)
        or "text/html" not in response.headers["Content-Type"]
    ):
        return []
    text = response.content.decode()
    wrong = []
    if "<script>alert(1)" in text:
        wrong.append(f"{line}: markup came back alive")
    if response.status_code == 422:
        if not any(words in text for words in SENTENCES):
            wrong.append(f"{line}: asked again without a sentence")
        again = html.unescape(text)
        for name, value in typed.items():
            lost = value.strip() and value.strip() not in again and "\x00" not in value
            if lost and not any(word in name for word in SECRET):
                wrong.append(f"{line}: what was typed into {name} is lost")
    return wrong


def tries(client: Client, found: Iterator[Found]) -> list[str]:
    wrong: list[str] = []
    count = 0
    for where, form in found:
        names = texts_of(form)
        plain = plainly(form)
        for what, value in WORDS.items():
            if not names:
                break
            typed = dict.fromkeys(names, value)
            wrong += trouble(client, where, plain | typed | _fresh(plain), typed, what)
            count += 1
        # Choices that were never offered, and hidden fields of a page that is older than the newest or was made up.
        others = [
            name
            for name in form.names()
            if name not in names and name not in ("csrfmiddlewaretoken", "intent")
        ]
        for value in ("\x00", "no such choice", "9" * 40):
            if others:
                wrong += trouble(
                    client,
                    where,
                    plain | dict.fromkeys(others, value) | _fresh(plain),
                    {},
                    f"{value!r} in {others}",
                )
        wrong += trouble(client, where, {"intent": str(uuid.uuid4())}, {}, "an empty form")
        wrong += trouble(
            client,
            where,
            {"intent": "not an intent", **{k: v for k, v in plain.items() if k != "intent"}},
            {},
            "a made-up intent",
        )
    assert count, "no form with a field for words was found"
    return wrong


def _fresh(plain: dict[str, Any]) -> dict[str, str]:
    return {"intent": str(uuid.uuid4())} if "intent" in plain else {}


def test_every_form_a_patient_in_care_can_reach(world: World, client_for: Any, alice: User) -> None:
    client = client_for(alice)
    wrong = tries(client, forms_on(client, pages_of_a_patient(world)))
    assert not wrong, "\n".join(wrong)


@pytest.mark.django_db
def test_every_form_of_an_intake_that_is_being_answered(
    client_for: Any, alice: User, at: dt.datetime, clock_at: Any, protocol_version: Any
) -> None:
    a_draft(alice, at)
    paths = [f"/intake/{step.id}/" for step in intake_steps() if step.is_form]
    more = ["/intake/medicines/", "/intake/blood-pressure/", "/intake/identity/", "/documents/"]
    signs = [f"/intake/consent/{name}/" for name in ("treatment-consent", "safety-agreement")]
    with clock_at(at):
        client = client_for(alice)
        wrong = tries(client, forms_on(client, ["/intake/", *paths, *more, *signs]))
    assert not wrong, "\n".join(wrong)


@pytest.mark.django_db
def test_every_form_of_a_dosing_day(
    client_for: Any, alice: User, dana: User, at: dt.datetime, clock_at: Any, protocol_version: Any
) -> None:
    session = a_session_in_progress(alice, dana, at)
    paths = [
        route.path.replace("<uuid:session_id>", str(session.pk))
        for route in ours()
        if "session_id" in route.path
        and route.path.count("<") == 1
        and "patient" in route.roles.get("GET", ())
    ]
    with clock_at(at + dt.timedelta(minutes=70)):
        client = client_for(alice)
        wrong = tries(client, forms_on(client, ["/home/", *paths]))
    assert not wrong, "\n".join(wrong)


@pytest.mark.django_db
def test_every_form_of_a_visitor(dana: User, protocol_version: Any, at: dt.datetime, clock_at: Any) -> None:
    with clock_at(at):
        client = Client()
        wrong = tries(client, forms_on(client, list(PUBLIC)))
    assert not wrong, "\n".join(wrong)
