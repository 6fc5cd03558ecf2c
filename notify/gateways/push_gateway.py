"""Notices on a device (Web Push, RFC 8030), through pywebpush: encrypted for one browser (RFC 8291), signed with our VAPID key.

The words say that there is something and nothing of what. PUSH_TEST_HOSTS lets tests call a recording server; never in production.
"""

import json
from typing import Any

import requests
from django.conf import settings
from pywebpush import WebPushException, webpush
from urllib3.exceptions import NewConnectionError

from notify.gateways.base import Envelope, Gateway, InDoubt, Receipt, Refused
from notify.gateways.push_hosts import host_is_allowed

TIMEOUT_S = 10
# How long a push service keeps a notice for a device that is off.
KEEP_S = 6 * 3600
GONE = frozenset({404, 410})
LATER = frozenset({408, 425, 429})


class _NoDetours(requests.Session):
    """Never follows a redirect: it would lead past the list of hosts."""

    def request(self, method: Any, url: Any, *args: Any, **kwargs: Any) -> requests.Response:
        kwargs["allow_redirects"] = False
        return super().request(method, url, *args, **kwargs)


class PushGateway(Gateway):
    """One notice to one browser."""

    name = "push"
    can_be_asked = False

    def send(self, envelope: Envelope) -> Receipt:
        device = json.loads(envelope.to)
        if not host_is_allowed(device["endpoint"]):
            raise Refused("not a push service that we know", permanent=True, gone=True)
        # The same topic and tag for the same message: if it must go twice after a crash, the second takes the first one's place.
        words = {
            "title": envelope.subject, "body": envelope.body, "url": envelope.extra.get("url", "/home/"), "tag": envelope.reference.hex,
        }  # fmt: skip
        try:
            with _NoDetours() as session:
                answer: Any = webpush(
                    device,
                    json.dumps(words),
                    vapid_private_key=settings.VAPID_PRIVATE_KEY,
                    vapid_claims={"sub": settings.VAPID_SUBJECT},
                    ttl=KEEP_S,
                    headers={"Topic": envelope.reference.hex, "Urgency": "normal"},
                    timeout=TIMEOUT_S,
                    requests_session=session,
                )
        except WebPushException as error:
            raise _judged(getattr(error.response, "status_code", 0) or 0) from None
        except requests.ConnectTimeout:
            raise Refused("no connection to the push service in time") from None
        except requests.ConnectionError as error:
            reason = getattr(error.args[0], "reason", None) if error.args else None
            if isinstance(reason, NewConnectionError):
                raise Refused("no connection to the push service") from None
            raise InDoubt("push: no answer") from None
        except requests.RequestException as error:
            raise InDoubt(f"push: {type(error).__name__}") from None
        except (ValueError, TypeError):
            # Keys that are no keys: a browser did not make them.
            raise Refused("the device's keys cannot be used", permanent=True, gone=True) from None
        return Receipt(answer.headers.get("Location", "")[-60:] or f"push-{envelope.reference.hex}", "sent")

    def find(self, envelope: Envelope) -> Receipt | None:
        """Push services cannot be asked. Sent once more it replaces itself: same topic there, same tag on the screen."""
        return None


def _judged(status: int) -> Refused | InDoubt:
    if status in GONE:
        return Refused("this device is no more", permanent=True, gone=True)
    if status >= 500:
        return InDoubt(f"push service answered {status}")
    return Refused(f"push service answered {status}", permanent=status not in LATER)
