"""Browser to browser: nothing of the visit passes us, but for what two browsers need to find each other. Needs no vendor."""

from typing import Any

from django.conf import settings

from video.models import Room, Seat
from video.rules import RELAY_SECONDS, relay_credentials


class PeerCarrier:
    name = "peer"

    def open(self, room: Room) -> str:
        return ""

    def admission(self, seat: Seat, *, now_unix: int) -> dict[str, Any]:
        """Relays with a password that ends by itself; without a relay the browsers must reach each other directly."""
        servers: list[dict[str, Any]] = []
        if settings.TURN_URLS and settings.TURN_SECRET:
            password = relay_credentials(
                settings.TURN_SECRET, identity=seat.pk.hex, expires_unix=now_unix + RELAY_SECONDS
            )
            servers.append({"urls": settings.TURN_URLS, **password})
        return {"kind": "peer", "iceServers": servers, "relayOnly": settings.VIDEO_RELAY_ONLY}

    def show_out(self, seat: Seat) -> None:
        """The others' browsers hang up when they hear of it."""

    def close(self, room: Room) -> None:
        """The signalling ends with the room; a browser that goes on shows nobody anything."""
