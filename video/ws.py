"""The WebSocket of a room: it introduces browsers to each other and carries chat. It stores nothing that is said.

A connection begins with a pass (one seat, one room, fifteen minutes). From then on the server alone says who speaks: a browser's
word about who it is, is never passed on. Every few seconds the connection looks at its row, so that a closed room, a withdrawn
place or a newer connection ends it even when the channel layer has lost the news.
"""

import asyncio
import contextlib
import logging
from typing import Any

from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncJsonWebsocketConsumer

from common import clock
from common.errors import DomainError, NotPermitted
from video import access, actions, rules, wording
from video.models import Seat

log = logging.getLogger("video")

LOOK_SECONDS = 4
HELLO_SECONDS = 10
# Close codes of our own: the page tells from them whether to come again.
REFUSED, REPLACED, OVER = 4403, 4409, 4410


class RoomConsumer(AsyncJsonWebsocketConsumer):
    """One browser in one room."""

    seat: Seat | None = None
    inside = False
    watcher: asyncio.Task[None] | None = None
    state: dict[str, Any]
    known: set[str]

    async def connect(self) -> None:
        self.state = {"sound": False, "picture": False, "screen": False}
        self.page = ""
        self.sent_at: list[float] = []
        await self.accept()
        self.watcher = asyncio.create_task(self._hello_in_time())

    async def disconnect(self, code: int) -> None:
        if self.watcher is not None:
            self.watcher.cancel()
        if self.seat is None:
            return
        seat, self.seat = self.seat, None
        left = await database_sync_to_async(actions.leave_seat)(
            seat.pk, connection=self.channel_name, at=clock.now()
        )
        await self.channel_layer.group_discard(actions.seat_group(seat.pk), self.channel_name)
        await self.channel_layer.group_discard(actions.room_group(seat.room_id), self.channel_name)
        if left and self.inside:
            await self._tell_room({"type": "room.left", "seat": seat.pk.hex, "quiet": True})

    @classmethod
    async def decode_json(cls, text_data: str) -> Any:
        """Whatever is not JSON is nobody's message."""
        try:
            return await super().decode_json(text_data)
        except ValueError:
            return None

    async def receive(
        self, text_data: str | None = None, bytes_data: bytes | None = None, **kwargs: Any
    ) -> None:
        if text_data is None or len(text_data) > rules.MAX_SIGNAL_BYTES:
            await self._refuse("too_long")
            return
        now = clock.monotonic_s()
        self.sent_at = [at for at in self.sent_at if now - at < 10] + [now]
        if len(self.sent_at) > rules.MESSAGES_PER_TEN_SECONDS:
            await self._refuse("too_many")
            return
        await self.receive_json(await self.decode_json(text_data))

    async def receive_json(self, content: Any, **kwargs: Any) -> None:
        message = rules.checked_message(content)
        if message is None:
            return
        if message["type"] == "hello":
            if self.seat is None:
                await self._hello(message)
        elif self.seat is None:
            await self._refuse("no_seat")
        elif message["type"] == "ping":
            await self.send_json({"type": "pong"})
        elif message["type"] == "bye":
            await self.close()
        elif self.inside:
            await self._pass_on(message)

    async def _pass_on(self, message: dict[str, Any]) -> None:
        assert self.seat is not None
        me = self.seat.pk.hex
        if message["type"] == "signal":
            # Only to somebody of this room: an id of elsewhere is not even tried.
            if message["to"] in self.known and message["to"] != me:
                await self.channel_layer.group_send(
                    f"seat_{message['to']}",
                    {"type": "seat.relay", "from": me, "page": self.page, "data": message["data"]},
                )
        elif message["type"] == "chat":
            await self._tell_room(
                {"type": "room.chat", "seat": me, "text": message["text"], "at": clock.now().isoformat()}
            )
        elif message["type"] == "state":
            self.state = {key: message[key] for key in self.state}
            await self._tell_room({"type": "room.state", "seat": me, "state": self.state, "page": self.page})

    async def _hello(self, message: dict[str, Any]) -> None:
        user = self.scope.get("user")
        try:
            seat = await database_sync_to_async(self._take)(message, user)
        except DomainError as error:
            await self._refuse(error.code, error.detail)
            return
        self.page = message["page"]
        mine = actions.seat_group(seat.pk)
        try:
            # Whoever spoke for this seat until now is told before we join the group, so that we do not hear it ourselves.
            await self.channel_layer.group_send(mine, {"type": "seat.replaced"})
            await self.channel_layer.group_add(mine, self.channel_name)
        except Exception:
            # Redis is away: the page reads it in words, with the telephone beside it, and tries again.
            log.warning("the channel layer does not answer")
            await database_sync_to_async(actions.leave_seat)(
                seat.pk, connection=self.channel_name, at=clock.now()
            )
            await self._refuse("line_down")
            return
        self.seat = seat
        if self.watcher is not None:
            self.watcher.cancel()
        self.watcher = asyncio.create_task(self._watch())
        if seat.admitted_at is not None:
            await self._enter(seat)
        else:
            await self.send_json(
                {"type": "waiting", "me": seat.pk.hex, "late_minutes": seat.room.late_minutes}
            )

    def _take(self, message: dict[str, Any], user: Any) -> Seat:
        seat = access.seat_of_pass(message["pass"])
        known = user is not None and user.is_authenticated
        if seat.user_id is not None and (not known or seat.user_id != user.pk):
            # A pass that was carried into another browser opens nothing, whoever is or is not logged in there (TM-04).
            raise NotPermitted(wording.refusal("no_seat"), code="no_seat")
        return actions.take_seat(seat, connection=self.channel_name, page=message["page"], at=clock.now())

    async def _enter(self, seat: Seat) -> None:
        self.inside = True
        await self.channel_layer.group_add(actions.room_group(seat.room_id), self.channel_name)
        people = await self._people(seat)
        await self.send_json({"type": "welcome", "me": seat.pk.hex, "people": people})
        await self._tell_room({"type": "room.came", "seat": seat.pk.hex, "page": self.page})

    async def _people(self, seat: Seat) -> list[dict[str, Any]]:
        """Everybody else who is connected, and the names of all with a place: what the page needs to call them something."""
        people, known = await database_sync_to_async(self._look_at_people)(seat)
        self.known = known
        return people

    def _look_at_people(self, seat: Seat) -> tuple[list[dict[str, Any]], set[str]]:
        at = clock.now()
        there = {one.pk for one in access.connected_in(seat.room, at=at)}
        everybody = list(access.seats_of(seat.room))
        return (
            [
                {
                    "seat": one.pk.hex,
                    "name": access.display_name(one, to=seat),
                    "role": one.role,
                    "page": one.page,
                    "here": one.pk in there,
                    "waits": one.waiting_since_at is not None and one.admitted_at is None,
                    "phone": one.phone_asked_at is not None,
                }
                for one in everybody
                if one.pk != seat.pk
            ],
            {one.pk.hex for one in everybody},
        )

    async def _watch(self) -> None:
        """Every few seconds: am I still the one, am I let in, is the room still open?"""
        while self.seat is not None:
            await asyncio.sleep(LOOK_SECONDS)
            row = await database_sync_to_async(actions.still_there)(
                self.seat.pk, connection=self.channel_name, at=clock.now()
            )
            if row is None or row.removed_at is not None or row.room.closed_at is not None:
                gone = await database_sync_to_async(
                    lambda: Seat.objects.select_related("room").get(pk=self.seat.pk)  # type: ignore[union-attr]
                )()
                if gone.room.closed_at is not None:
                    await self.room_closed({})
                elif gone.removed_at is not None:
                    await self.seat_removed({})
                else:
                    await self.seat_replaced({})
                return
            if row.user is not None and not row.user.is_active:
                await self.send_json(
                    {"type": "over", "code": "account_closed", "detail": wording.refusal("account_closed")}
                )
                await self.close(code=OVER)
                return
            self.seat = row
            if row.admitted_at is not None and not self.inside:
                await self.seat_admitted({})

    async def _hello_in_time(self) -> None:
        await asyncio.sleep(HELLO_SECONDS)
        await self._refuse("no_seat")

    async def _refuse(self, code: str, detail: str = "") -> None:
        with contextlib.suppress(Exception):
            await self.send_json({"type": "refused", "code": code, "detail": detail or wording.refusal(code)})
        await self.close(code=REFUSED)

    async def _tell_room(self, news: dict[str, Any]) -> None:
        assert self.seat is not None or "seat" in news
        room_id = self.seat.room_id if self.seat is not None else None
        if room_id is None:
            return
        await self.channel_layer.group_send(actions.room_group(room_id), news)

    # --- news from the channel layer ---

    async def seat_relay(self, news: dict[str, Any]) -> None:
        if self.inside:
            await self.send_json(
                {"type": "signal", "from": news["from"], "page": news["page"], "data": news["data"]}
            )

    async def seat_replaced(self, news: dict[str, Any]) -> None:
        await self.send_json({"type": "refused", "code": "replaced", "detail": wording.refusal("replaced")})
        await self.close(code=REPLACED)

    async def seat_removed(self, news: dict[str, Any]) -> None:
        await self.send_json({"type": "over", "code": "removed", "detail": wording.refusal("removed")})
        await self.close(code=OVER)

    async def seat_admitted(self, news: dict[str, Any]) -> None:
        if self.seat is None or self.inside:
            return
        seat = await database_sync_to_async(actions.still_there)(
            self.seat.pk, connection=self.channel_name, at=clock.now()
        )
        if seat is None or seat.admitted_at is None:
            return
        self.seat = seat
        await database_sync_to_async(actions.note_joined)(seat, at=clock.now())
        await self.send_json({"type": "admitted"})
        await self._enter(seat)

    async def room_came(self, news: dict[str, Any]) -> None:
        if self.seat is not None and news["seat"] != self.seat.pk.hex:
            people = await self._people(self.seat)
            await self.send_json(
                {"type": "people", "people": people, "came": news["seat"], "page": news["page"]}
            )
            # The one who came learns what we show; it reaches the others too and changes nothing for them.
            await self._tell_room(
                {"type": "room.state", "seat": self.seat.pk.hex, "state": self.state, "page": self.page}
            )

    async def room_left(self, news: dict[str, Any]) -> None:
        if self.seat is not None and news["seat"] != self.seat.pk.hex:
            await self.send_json({"type": "left", "seat": news["seat"], "gone": not news.get("quiet")})

    async def room_waiting(self, news: dict[str, Any]) -> None:
        if self.seat is not None and self.seat.role == Seat.Role.CLINICIAN:
            await self.send_json({"type": "people", "people": await self._people(self.seat)})

    async def room_phone(self, news: dict[str, Any]) -> None:
        await self.room_waiting(news)

    async def room_state(self, news: dict[str, Any]) -> None:
        if self.seat is not None and news["seat"] != self.seat.pk.hex:
            await self.send_json(
                {"type": "state", "seat": news["seat"], "page": news["page"], **news["state"]}
            )

    async def room_chat(self, news: dict[str, Any]) -> None:
        if self.seat is not None:
            await self.send_json(
                {
                    "type": "chat",
                    "seat": news["seat"],
                    "text": news["text"],
                    "at": news["at"],
                    "mine": news["seat"] == self.seat.pk.hex,
                }
            )

    async def room_late(self, news: dict[str, Any]) -> None:
        await self.send_json({"type": "late", "minutes": news["minutes"]})

    async def room_closed(self, news: dict[str, Any]) -> None:
        await self.send_json(
            {"type": "over", "code": "room_closed", "detail": wording.refusal("room_closed")}
        )
        await self.close(code=OVER)
