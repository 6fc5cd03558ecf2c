"""E-mail, by EMAIL_URL: `smtp://user:password@host:587` (or `smtps://`), or a vendor through django-anymail:
`anymail+postmark://TOKEN`, `anymail+mailgun://KEY@sender.domain`, `anymail+amazon_ses://`.
"""

import contextlib
import functools
import smtplib
from typing import Any
from urllib.parse import unquote, urlsplit

import requests
from anymail.exceptions import AnymailError, AnymailRecipientsRefused, AnymailRequestsAPIError
from django.conf import settings
from django.core.mail import EmailMessage, get_connection
from urllib3.exceptions import NewConnectionError

from notify.gateways.base import Envelope, Gateway, InDoubt, Receipt, Refused

TIMEOUT_S = 10
# What each vendor calls its key; "api_key" for all others.
KEY_NAMES = {"postmark": "server_token", "mailersend": "api_token", "sparkpost": "api_key"}


@functools.lru_cache(maxsize=4)
def connection_settings(url: str) -> tuple[str, tuple[tuple[str, Any], ...]]:
    """The Django mail backend for that address, and its arguments."""
    parts = urlsplit(url)
    if parts.scheme.startswith("anymail+"):
        vendor = parts.scheme.removeprefix("anymail+")
        found: dict[str, Any] = {}
        if parts.username or parts.hostname:
            found[KEY_NAMES.get(vendor, "api_key")] = unquote(parts.username or parts.hostname or "")
        if vendor == "mailgun" and parts.username:
            found["sender_domain"] = parts.hostname
        return f"anymail.backends.{vendor}.EmailBackend", tuple(found.items())
    ssl = parts.scheme == "smtps"
    return "django.core.mail.backends.smtp.EmailBackend", (
        ("host", parts.hostname),
        ("port", parts.port or (465 if ssl else 587)),
        ("username", unquote(parts.username or "")),
        ("password", unquote(parts.password or "")),
        ("use_ssl", ssl),
        ("use_tls", not ssl and "tls=0" not in parts.query),
        ("timeout", TIMEOUT_S),
    )


def _never_connected(error: BaseException | None) -> bool:
    """Did it fail before anything could be handed over?"""
    if isinstance(error, requests.ConnectTimeout):
        return True
    reason = getattr(error.args[0], "reason", None) if error is not None and error.args else None
    return isinstance(reason, NewConnectionError)


class EmailGateway(Gateway):
    """Plain text, one recipient, no tracking of any kind; beside the text at most the files that go with it."""

    name = "email"
    can_be_asked = False

    def send(self, envelope: Envelope) -> Receipt:
        backend, arguments = connection_settings(settings.EMAIL_URL)
        host = urlsplit(settings.SITE_URL).hostname or "localhost"
        message_id = f"<{envelope.reference}@{host}>"
        connection = get_connection(backend, **dict(arguments))
        mail = EmailMessage(
            envelope.subject,
            envelope.body,
            settings.DEFAULT_FROM_EMAIL,
            [envelope.to],
            headers={"Message-ID": message_id, "Auto-Submitted": "auto-generated"},
            connection=connection,
        )
        for name, content, kind in envelope.extra.get("files", ()):
            mail.attach(name, content, kind)
        try:
            # By itself, because a server that was never reached, or let us in no further than this, certainly took nothing.
            connection.open()
        except (smtplib.SMTPException, OSError) as error:
            code = getattr(error, "smtp_code", 0)
            why = (
                f"mail server answered {code}"
                if code
                else f"no connection to the mail server: {type(error).__name__}"
            )
            raise Refused(why) from None
        try:
            taken = mail.send()
        except (AnymailRecipientsRefused, smtplib.SMTPRecipientsRefused):
            raise Refused("the address was refused", permanent=True) from None
        except smtplib.SMTPResponseException as error:
            raise Refused(f"mail server answered {error.smtp_code}") from None
        except AnymailRequestsAPIError as error:
            status = (
                getattr(error, "status_code", None)
                or getattr(getattr(error, "response", None), "status_code", 0)
                or 0
            )
            if 400 <= status < 500:
                raise Refused(f"mail vendor answered {status}") from None
            if _never_connected(error.__cause__):
                raise Refused("no connection to the mail vendor") from None
            raise InDoubt(f"mail vendor answered {status or 'nothing'}") from None
        except (AnymailError, smtplib.SMTPException, OSError) as error:
            raise InDoubt(f"mail: {type(error).__name__}") from None
        finally:
            # What was taken stays taken, however the server says good-bye.
            with contextlib.suppress(smtplib.SMTPException, OSError):
                connection.close()
        if not taken:
            raise Refused("the mail server took nothing")
        vendor_id = getattr(getattr(mail, "anymail_status", None), "message_id", None)
        return Receipt(str(vendor_id or message_id)[:64], "sent")

    def find(self, envelope: Envelope) -> Receipt | None:
        """Mail servers cannot be asked, so a mail in doubt may go once more (class R: at most one extra)."""
        return None
