"""Twilio Video through Twilio's own client: one token per person and visit, no recording, the room ended when the visit is."""

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
from video.rules import MAX_SEATS, PASS_SECONDS

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
        try:
            made = client().video.v1.rooms.create(
                unique_name=room.pk.hex,
                type="group",
                record_participants_on_connect=False,
                max_participants=MAX_SEATS,
                empty_room_timeout=60,
                unused_room_timeout=60,
            )
        except TwilioRestException as error:
            if error.code == ALREADY_THERE:
                return str(client().video.v1.rooms(room.pk.hex).fetch().sid)
            raise Conflict("The video service does not answer.", code="video_vendor_down") from None
        except (TwilioException, requests.RequestException):
            raise Conflict("The video service does not answer.", code="video_vendor_down") from None
        return str(made.sid)

    def admission(self, seat: Seat, *, now_unix: int) -> dict[str, Any]:
        """A token for this seat in this room alone. The identity is the seat's random id, never a name or an address."""
        token = AccessToken(
            settings.TWILIO_ACCOUNT_SID,
            settings.TWILIO_API_KEY,
            settings.TWILIO_API_SECRET,
            identity=seat.pk.hex,
            ttl=PASS_SECONDS,
        )
        token.add_grant(VideoGrant(room=seat.room.pk.hex))
        return {"kind": "twilio", "token": token.to_jwt(), "room": seat.room.pk.hex}

    def close(self, room: Room) -> None:
        try:
            client().video.v1.rooms(room.vendor_room or room.pk.hex).update(status="completed")
        except TwilioRestException as error:
            if error.code != ALREADY_OVER and error.status != 404:
                raise Conflict("The video service does not answer.", code="video_vendor_down") from None
        except (TwilioException, requests.RequestException):
            raise Conflict("The video service does not answer.", code="video_vendor_down") from None
