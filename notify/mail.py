"""Django's mail goes through the outbox like everything else, so that one place shows, retries and counts what leaves."""

from collections.abc import Sequence

from django.core.mail import EmailMessage
from django.core.mail.backends.base import BaseEmailBackend
from django.db import transaction

from accounts.models import User
from common import clock
from notify.actions import nudge, promise
from notify.actions.rendering import READY_MADE


class OutboxBackend(BaseEmailBackend):
    """EMAIL_BACKEND: promises each mail in the transaction of the request, then nudges the worker to be prompt."""

    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        at = clock.now()
        with transaction.atomic():
            for mail in email_messages:
                for address in mail.recipients():
                    promise(
                        "account.mail",
                        to=User.objects.filter(email=address.strip().lower()).first() or address,
                        channel="email",
                        template=READY_MADE,
                        context={"subject": str(mail.subject), "body": str(mail.body)},
                        due_at=at,
                        at=at,
                        # Somebody is waiting in front of the page.
                        respect_quiet_hours=False,
                    )
            nudge()
        return len(email_messages)
