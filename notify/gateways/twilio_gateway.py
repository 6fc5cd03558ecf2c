"""SMS and voice through Twilio's own client. TWILIO_API_BASE sends every request elsewhere (the recording server of the tests)."""

import functools
from datetime import timedelta
from itertools import takewhile
from typing import Any
from xml.sax.saxutils import escape, quoteattr

import requests
from django.conf import settings
from django.http import HttpRequest
from twilio.base.exceptions import TwilioException, TwilioRestException
from twilio.http.http_client import TwilioHttpClient
from twilio.request_validator import RequestValidator
from twilio.rest import Client
from urllib3.exceptions import NewConnectionError

from notify.gateways.base import Envelope, Gateway, InDoubt, Receipt, Refused
from notify.models import OutboxMessage

TIMEOUT_S = 10
# Messages of one answer when Twilio is asked what it took.
PAGE = 200
API = "https://api.twilio.com"
# The number does not exist, cannot take texts, is not allowed, or has answered STOP: trying again changes nothing.
OPTED_OUT = 21610
PERMANENT = frozenset({21211, 21214, 21217, 21408, 21610, 21612, 21614, 30005, 30006})


class _Http(TwilioHttpClient):
    """Twilio's own HTTP client, with the host exchanged when TWILIO_API_BASE says so."""

    def request(self, method: str, url: str, *args: Any, **kwargs: Any) -> Any:
        if settings.TWILIO_API_BASE and url.startswith(API):
            url = settings.TWILIO_API_BASE.rstrip("/") + url[len(API) :]
        return super().request(method, url, *args, **kwargs)


@functools.lru_cache(maxsize=4)
def _client(account_sid: str, user: str, password: str) -> Client:
    return Client(user, password, account_sid, http_client=_Http(timeout=TIMEOUT_S))


def client() -> Client:
    """The client of the keys of this moment: an API key when there is one, else the account's own token."""
    if settings.TWILIO_API_KEY:
        return _client(settings.TWILIO_ACCOUNT_SID, settings.TWILIO_API_KEY, settings.TWILIO_API_SECRET)
    return _client(settings.TWILIO_ACCOUNT_SID, settings.TWILIO_ACCOUNT_SID, settings.TWILIO_AUTH_TOKEN)


def signature_is_valid(request: HttpRequest) -> bool:
    """Did Twilio send this? Checked against the public address, whatever the proxy in between calls itself."""
    if not settings.TWILIO_AUTH_TOKEN:
        return False
    url = settings.SITE_URL + request.get_full_path()
    return RequestValidator(settings.TWILIO_AUTH_TOKEN).validate(
        url, request.POST, request.headers.get("X-Twilio-Signature", "")
    )


def spoken(body: str, answer_url: str) -> str:
    """A call that says the words twice and takes the 1 that means "I am taking it"."""
    say = f"<Say>{escape(body)}</Say>"
    if not answer_url:
        return f"<Response>{say}<Pause length='1'/>{say}</Response>"
    return (
        f"<Response><Gather numDigits='1' timeout='8' action={quoteattr(answer_url)} method='POST'>"
        f"{say}<Pause length='1'/>{say}</Gather></Response>"
    )


class TwilioGateway(Gateway):
    """One channel of Twilio: `sms` or `voice`."""

    name = "twilio"

    def __init__(self, channel: str) -> None:
        self.channel = channel
        self.can_be_asked = channel == "sms"

    def send(self, envelope: Envelope) -> Receipt:
        sender: dict[str, Any] = {"from_": settings.TWILIO_FROM}
        if settings.TWILIO_FROM.startswith("MG") and self.channel == "sms":
            sender = {"messaging_service_sid": settings.TWILIO_FROM}
        report_to = f"{settings.SITE_URL}/webhooks/twilio/status/"
        try:
            if self.channel == "voice":
                call = client().calls.create(
                    to=envelope.to,
                    twiml=spoken(envelope.body, envelope.extra.get("answer_url", "")),
                    timeout=25,
                    status_callback=report_to,
                    status_callback_event=["completed"],
                    **sender,
                )
                return Receipt(call.sid, call.status or "")
            message = client().messages.create(
                to=envelope.to, body=envelope.body, status_callback=report_to, **sender
            )
            return Receipt(message.sid, message.status or "")
        except (TwilioException, requests.RequestException) as error:
            raise _judged(error) from None

    def find(self, envelope: Envelope) -> Receipt | None:
        """The message with the same words to the same number since it became due, if Twilio has one."""
        if self.channel != "sms":
            return None
        try:
            # Newest first, page after page: however much went to that number since, the one that was taken first is found. Not by
            # Twilio's own filter: what still waits in its queue has no date of sending yet, and would not be listed.
            since_at = envelope.since_at - timedelta(minutes=1)
            found = takewhile(
                lambda m: (m.date_sent or m.date_created or since_at) >= since_at,
                client().messages.stream(to=envelope.to, page_size=PAGE),
            )
            same = [m for m in found if m.body == envelope.body]
        except (TwilioException, requests.RequestException) as error:
            raise _judged(error) from None
        # The same words may have gone to the same number for another reason; a message that is accounted for is not ours.
        others = OutboxMessage.objects.filter(provider_id__in=[m.sid for m in same])
        taken = set(others.exclude(pk=envelope.reference).values_list("provider_id", flat=True))
        return next((Receipt(m.sid, m.status or "") for m in same if m.sid not in taken), None)


def _judged(error: Exception) -> Refused | InDoubt:
    """Certainly not taken, or in doubt? What is in doubt must never be called refused."""
    if isinstance(error, TwilioRestException):
        if error.status >= 500:
            return InDoubt(f"twilio answered {error.status}")
        return Refused(
            f"twilio answered {error.status}, code {error.code}",
            permanent=error.code in PERMANENT,
            opted_out=error.code == OPTED_OUT,
        )
    if isinstance(error, requests.ConnectTimeout):
        return Refused("no connection to twilio in time")
    if isinstance(error, requests.ConnectionError):
        reason = getattr(error.args[0], "reason", None) if error.args else None
        if isinstance(reason, NewConnectionError):
            return Refused("no connection to twilio")
    return InDoubt(f"no answer from twilio: {type(error).__name__}")
