"""The WebSocket: a pass or nothing, no word of a browser about who it is, and no way to another room."""

import json
import uuid
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from asgiref.testing import ApplicationCommunicator
from channels.db import database_sync_to_async
from django.conf import settings
from django.test import Client

from accounts.models import User
from config.asgi import application
from tests.conftest import log_in
from tests.video.builders import a_room, her_seat, their_seat
from video import access, actions, ws
from video.models import Room, Seat

pytestmark = pytest.mark.django_db(transaction=True)
in_db = database_sync_to_async


class Line(ApplicationCommunicator):
    """One WebSocket, without the server that Channels' own helper asks for."""

    def __init__(self, app: Any, **scope: Any) -> None:
        whole = {
            "type": "websocket",
            "path": "/ws/video/",
            "query_string": b"",
            "headers": [],
            "subprotocols": [],
        }
        super().__init__(app, {**whole, **scope})

    async def connect(self) -> tuple[bool, Any]:
        await self.send_input({"type": "websocket.connect"})
        answer = await self.receive_output(timeout=5)
        return answer["type"] == "websocket.accept", answer

    async def send_to(self, text_data: str) -> None:
        await self.send_input({"type": "websocket.receive", "text": text_data})

    async def send_json_to(self, message: Any) -> None:
        await self.send_to(json.dumps(message))

    async def receive_json_from(self, timeout: float = 5) -> dict[str, Any]:
        answer = await self.receive_output(timeout=timeout)
        assert answer["type"] == "websocket.send", answer
        message: dict[str, Any] = json.loads(answer["text"])
        return message

    async def disconnect(self) -> None:
        await self.send_input({"type": "websocket.disconnect", "code": 1000})
        await self.wait(timeout=5)


@pytest.fixture(autouse=True)
def _one_process(settings: Any, monkeypatch: Any) -> None:
    settings.CHANNEL_LAYERS = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}
    monkeypatch.setattr(ws, "LOOK_SECONDS", 0.3)


@pytest.fixture
def room(alice: User, dana: User) -> Room:
    from common import clock

    made = a_room(alice, dana, clock.now())
    actions.come(her_seat(made), at=clock.now())
    return made


def caller(*, origin: bytes = b"http://127.0.0.1:8000") -> Line:
    return Line(application, headers=[(b"origin", origin), (b"host", b"127.0.0.1")])


def caller_of(seat: Seat) -> Line:
    """The browser of the person of that seat, logged in as they are; a guest's is nobody's."""
    headers = [(b"origin", b"http://127.0.0.1:8000"), (b"host", b"127.0.0.1")]
    if seat.user is not None:
        cookie = log_in(Client(), seat.user).cookies[settings.SESSION_COOKIE_NAME]
        headers.append((b"cookie", f"{settings.SESSION_COOKIE_NAME}={cookie.value}".encode()))
    return Line(application, headers=headers)


async def came(seat: Seat, page: str = "page") -> tuple[Line, dict[str, Any]]:
    one = await in_db(caller_of)(seat)
    connected, _ = await one.connect()
    assert connected
    await one.send_json_to({"type": "hello", "pass": access.pass_for(seat), "page": page})
    return one, await one.receive_json_from(timeout=5)


async def hears(one: Line, kind: str) -> dict[str, Any]:
    """The next message of a kind; others are passed over."""
    for _ in range(12):
        message: dict[str, Any] = await one.receive_json_from(timeout=5)
        if message["type"] == kind:
            return message
    raise AssertionError(f"no {kind}")


def run(story: Callable[[], Awaitable[None]]) -> None:
    # A thread of its own: a browser test before this one leaves its own event loop running in the main one.
    with ThreadPoolExecutor(1) as pool:
        pool.submit(lambda: async_to_sync(story)()).result(60)


def test_another_sites_page_cannot_connect(room: Room) -> None:
    async def story() -> None:
        connected, _ = await caller(origin=b"https://elsewhere.example").connect()
        assert not connected

    run(story)


def test_without_a_pass_there_is_nothing_to_hear(room: Room) -> None:
    async def story() -> None:
        one = caller()
        await one.connect()
        await one.send_json_to({"type": "chat", "text": "let me in"})
        assert (await one.receive_json_from())["code"] == "no_seat"
        assert (await one.receive_output())["code"] == ws.REFUSED

    run(story)


def test_a_pass_in_somebody_elses_browser_opens_nothing(room: Room, stranger_patient: User) -> None:
    """TM-04: one participant cannot join as another, neither logged in as somebody else nor as nobody."""

    async def story() -> None:
        for one in (Line(ws.RoomConsumer.as_asgi(), user=stranger_patient), caller()):
            await one.connect()
            await one.send_json_to({"type": "hello", "pass": access.pass_for(her_seat_now), "page": "p"})
            assert (await one.receive_json_from())["code"] == "no_seat"
            assert (await one.receive_output())["code"] == ws.REFUSED

    her_seat_now = her_seat(room)
    run(story)
    assert her_seat(room).connection == ""


def test_a_pass_is_good_twice_for_its_own_browser_and_never_after_the_place_was_ended(
    room: Room, dana: User
) -> None:
    """TM-04: a replayed pass of somebody who was shown out, or of a browser whose place another one took."""
    from common import clock

    guest, _ = actions.invite_guest(room, kind="family", name="Sam", by=dana, at=clock.now())
    guest, _ = actions.come_by_link(guest, at=clock.now())
    old = access.pass_for(guest)

    async def hello(given: str) -> dict[str, Any]:
        one = caller()
        await one.connect()
        await one.send_json_to({"type": "hello", "pass": given, "page": "p"})
        return await one.receive_json_from()

    async def story() -> None:
        assert (await hello(old))["type"] == "waiting"
        assert (await hello(old))["type"] == "waiting"
        newer, _ = await in_db(actions.come_by_link)(guest, at=clock.now())
        assert (await hello(old))["code"] == "no_seat"
        assert (await hello(access.pass_for(newer)))["type"] == "waiting"
        await in_db(actions.remove)(newer, by=dana, at=clock.now())
        assert (await hello(access.pass_for(newer)))["code"] == "removed"

    run(story)


def test_without_redis_the_page_is_told_in_words_and_the_place_stays_free(
    room: Room, monkeypatch: Any
) -> None:
    theirs = their_seat(room)

    async def fails(*_: Any) -> None:
        raise ConnectionError("no Redis")

    monkeypatch.setattr("channels.layers.InMemoryChannelLayer.group_send", fails)

    async def story() -> None:
        one, refused = await came(theirs)
        assert (refused["type"], refused["code"]) == ("refused", "line_down")
        assert (await one.receive_output())["code"] == ws.REFUSED

    run(story)
    assert their_seat(room).connection == ""


def test_who_waits_hears_nothing_of_the_room_until_she_is_let_in(room: Room, dana: User, alice: User) -> None:
    from common import clock

    hers, theirs = her_seat(room), their_seat(room)

    async def story() -> None:
        doctor, welcome = await came(theirs)
        assert welcome["type"] == "welcome"
        patient, first = await came(hers)
        assert first["type"] == "waiting"
        await doctor.send_json_to({"type": "chat", "text": "between us"})
        await hears(doctor, "chat")
        assert await patient.receive_nothing(timeout=0.2)
        await patient.send_json_to({"type": "signal", "to": theirs.pk.hex, "data": {"candidate": {"a": 1}}})
        await patient.send_json_to({"type": "chat", "text": "hello?"})
        await in_db(actions.admit)(hers, by=dana, at=clock.now())
        assert (await hears(patient, "admitted"))["type"] == "admitted"
        assert (await hears(patient, "welcome"))["me"] == hers.pk.hex
        await doctor.send_json_to({"type": "chat", "text": "good morning"})
        heard = await hears(patient, "chat")
        assert (heard["text"], heard["seat"], heard["mine"]) == ("good morning", theirs.pk.hex, False)
        await doctor.disconnect()
        await patient.disconnect()

    run(story)


def test_a_signal_reaches_only_the_one_it_is_for_with_the_senders_true_name_on_it(
    room: Room, dana: User, alice: User, stranger_patient: User, other_psychiatrist: User
) -> None:
    from common import clock

    hers, theirs = her_seat(room), their_seat(room)
    actions.admit(hers, by=dana, at=clock.now())
    guest, _ = actions.invite_guest(room, kind="family", name="Sam", by=dana, at=clock.now())
    guest, _ = actions.come_by_link(guest, at=clock.now())
    actions.admit(guest, by=dana, at=clock.now())
    elsewhere = uuid.uuid4().hex

    async def story() -> None:
        doctor, _ = await came(theirs)
        patient, _ = await came(hers)
        third, _ = await came(guest)
        for to in (elsewhere, hers.pk.hex):
            await patient.send_json_to({"type": "signal", "to": to, "data": {"candidate": {"x": 1}}})
        await patient.send_json_to(
            {"type": "signal", "to": theirs.pk.hex, "from": guest.pk.hex, "data": {"candidate": {"x": 2}}}
        )
        heard = await hears(doctor, "signal")
        assert heard["from"] == hers.pk.hex and heard["data"] == {"candidate": {"x": 2}}
        while not await third.receive_nothing(timeout=0.3):
            assert (await third.receive_json_from())["type"] != "signal"
        for one in (doctor, patient, third):
            await one.disconnect()

    run(story)


def test_closing_the_room_ends_every_connection_even_when_the_news_is_lost(room: Room, dana: User) -> None:
    from common import clock

    theirs = their_seat(room)

    async def story() -> None:
        doctor, _ = await came(theirs)
        # As when Redis is down: the rows change and nobody is told.
        await in_db(Room.objects.filter(pk=room.pk).update)(closed_at=clock.now())
        assert (await hears(doctor, "over"))["code"] == "room_closed"
        assert (await doctor.receive_output(timeout=5))["code"] == ws.OVER

    run(story)


def test_too_much_and_too_long_ends_the_connection(room: Room) -> None:
    theirs = their_seat(room)

    async def story() -> None:
        doctor, _ = await came(theirs)
        await doctor.send_to(text_data="x" * 70_000)
        assert (await hears(doctor, "refused"))["code"] == "too_long"
        again, _ = await came(theirs)
        for _ in range(250):
            await again.send_json_to({"type": "ping"})
        for _ in range(260):
            message = await again.receive_output(timeout=5)
            if message["type"] == "websocket.close":
                break
        assert message["code"] == ws.REFUSED

    run(story)


def test_nothing_that_is_said_is_stored(room: Room, dana: User) -> None:
    """No table of ours holds a word of a chat: nothing is recorded."""
    from django.db import connection

    theirs = their_seat(room)

    async def story() -> None:
        doctor, _ = await came(theirs)
        await doctor.send_json_to({"type": "chat", "text": "Zanzibar"})
        await hears(doctor, "chat")
        await doctor.disconnect()

    run(story)
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f'SELECT count(*) FROM "{table}" t WHERE t::text LIKE %s', ["%Zanzibar%"])
            assert cursor.fetchone()[0] == 0, table


def test_what_is_not_json_is_nobodys_message(room: Room) -> None:
    theirs = their_seat(room)

    async def story() -> None:
        doctor, _ = await came(theirs)
        await doctor.send_to(text_data="{not json")
        await doctor.send_json_to({"type": "ping"})
        assert (await hears(doctor, "pong"))["type"] == "pong"
        await doctor.disconnect()

    run(story)


def test_an_account_that_is_closed_during_the_visit_has_no_line_any_more(room: Room, dana: User) -> None:
    theirs = their_seat(room)

    async def story() -> None:
        doctor, _ = await came(theirs)
        await in_db(User.objects.filter(pk=dana.pk).update)(is_active=False)
        assert (await hears(doctor, "over"))["code"] == "account_closed"
        assert (await doctor.receive_output(timeout=5))["code"] == ws.OVER

    run(story)
