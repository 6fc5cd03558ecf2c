"""Who carries pictures and sound: Twilio when its keys are set (and VIDEO_VENDOR does not say otherwise), else the browsers themselves."""

from django.conf import settings

from video.gateways.base import Carrier
from video.gateways.peer import PeerCarrier

__all__ = ["Carrier", "chosen", "of_room", "relays"]


def chosen() -> str:
    """The name of the carrier that new rooms get."""
    keys = settings.TWILIO_ACCOUNT_SID and settings.TWILIO_API_KEY and settings.TWILIO_API_SECRET
    return "twilio" if keys and settings.VIDEO_VENDOR != "peer" else "peer"


def relays() -> list[str]:
    """Where the relay of new rooms is, without a password; nothing where a vendor carries them, or there is none."""
    return list(settings.TURN_URLS) if settings.TURN_SECRET and chosen() == "peer" else []


def of_room(vendor: str) -> Carrier:
    """The carrier a room was opened with: a visit never changes it half-way."""
    if vendor == "twilio":
        from video.gateways.twilio_carrier import TwilioCarrier

        return TwilioCarrier()
    return PeerCarrier()
