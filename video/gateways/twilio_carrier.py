"""Twilio Video through Twilio's own client: one token per person and visit, no recording, the room ended when the visit is."""

import contextlib
import functools
from typing import Any

import requests
from django.conf import settings
from twilio.base.exceptions import TwilioException, TwilioRestException
from twilio.http.http_client import TwilioHttpClient
from twilio.jwt.access_token import AccessToken
from twilio.jwt.access_token.grants import VideoGrant
from twilio.rest import Client

from common.errors import Conflict
from video.models import Room, Seat
from video.rules import GUEST_TOKEN_SECONDS, MAX_SEATS, PASS_SECONDS

API = "https://video.twilio.com"
ALREADY_THERE = 53113
ALREADY_OVER = 53112


class _Http(TwilioHttpClient):
    """Twilio's own HTTP client, with the host exchanged when TWILIO_API_BASE says so."""

    def request(self, method: str, url: str, *args: Any, **kwargs: Any) -> Any:
        if settings.TWILIO_API_BASE and url.startswith(API):
            url = settings.TWILIO_API_BASE.rstrip("/") + url[len(API) :]
        return super().request(method, url, *args, **kwargs)


@functools.lru_cache(maxsize=2)
def _client(account_sid: str, key: str, secret: str) -> Client:
    return Client(key, secret, account_sid, http_client=_Http(timeout=10))


def client() -> Client:
    return _client(settings.TWILIO_ACCOUNT_SID, settings.TWILIO_API_KEY, settings.TWILIO_API_SECRET)


class TwilioCarrier:
    name = "twilio"

    def open(self, room: Room) -> str:
        """Raises Conflict (video_vendor_down) when Twilio cannot be reached; the visit then goes browser to browser."""
        rooms = client().video.v1.rooms
        lasts_s = int((room.closes_at - room.opens_at).total_seconds())
        try:
            try:
                made = rooms.create(
                    unique_name=room.pk.hex,
                    type="group",
                    record_participants_on_connect=False,
                    max_participants=MAX_SEATS,
                    # Nobody stays longer than the visit can last, even if nobody ends it.
                    max_participant_duration=min(86_400, max(600, lasts_s)),
                    empty_room_timeout=60,
                    unused_room_timeout=60,
                )
            except TwilioRestException as error:
                if error.code != ALREADY_THERE:
                    raise
                return str(rooms(room.pk.hex).fetch().sid)
        except (TwilioException, requests.RequestException):
            raise Conflict("The video service does not answer.", code="video_vendor_down") from None
        return str(made.sid)

    def admission(self, seat: Seat, *, now_unix: int) -> dict[str, Any]:
        """A token for this seat in this room alone. The identity is the seat's random id, never a name or an address.

        The room is named by Twilio's own id of it: a name could begin another room under the account's defaults once this one
        has ended.
        """
        named = seat.room.vendor_room or seat.room.pk.hex
        token = AccessToken(
            settings.TWILIO_ACCOUNT_SID,
            settings.TWILIO_API_KEY,
            settings.TWILIO_API_SECRET,
            identity=seat.pk.hex,
            ttl=GUEST_TOKEN_SECONDS if seat.role == Seat.Role.GUEST else PASS_SECONDS,
        )
        token.add_grant(VideoGrant(room=named))
        return {"kind": "twilio", "token": token.to_jwt(), "room": named}

    def show_out(self, seat: Seat) -> None:
        """Disconnected there, too: their browser is not asked to be so kind."""
        with contextlib.suppress(TwilioException, requests.RequestException):
            named = seat.room.vendor_room or seat.room.pk.hex
            client().video.v1.rooms(named).participants(seat.pk.hex).update(status="disconnected")

    def close(self, room: Room) -> None:
        try:
            client().video.v1.rooms(room.vendor_room or room.pk.hex).update(status="completed")
        except TwilioRestException as error:
            if error.code != ALREADY_OVER and error.status != 404:
                raise Conflict("The video service does not answer.", code="video_vendor_down") from None
        except (TwilioException, requests.RequestException):
            raise Conflict("The video service does not answer.", code="video_vendor_down") from None
