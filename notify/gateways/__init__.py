"""Which adapter carries which channel: the sandbox until a vendor's keys are set."""

from django.conf import settings

from notify.gateways.base import Envelope, Gateway, InDoubt, Receipt, Refused
from notify.gateways.sandbox import SandboxGateway, ScreenGateway, SinkGateway

__all__ = ["Envelope", "Gateway", "InDoubt", "Receipt", "Refused", "for_channel"]


def for_channel(channel: str) -> Gateway:
    """The adapter for a channel, from the settings of this moment. NOTIFY_SINK swallows all (benchmarks only)."""
    if channel == "screen":
        return ScreenGateway()
    if getattr(settings, "NOTIFY_SINK", False):
        return SinkGateway()
    if channel in ("sms", "voice") and settings.TWILIO_ACCOUNT_SID and settings.TWILIO_FROM:
        from notify.gateways.twilio_gateway import TwilioGateway

        return TwilioGateway(channel)
    if channel == "email" and settings.EMAIL_URL:
        from notify.gateways.email_gateway import EmailGateway

        return EmailGateway()
    if channel == "push" and settings.VAPID_PRIVATE_KEY:
        from notify.gateways.push_gateway import PushGateway

        return PushGateway()
    return SandboxGateway(channel)
