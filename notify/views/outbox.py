"""Pages of the outbox: what leaves, what came back, every kind of message with its words, and the demo's mail."""

import re
import uuid
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_POST

from accounts.guards import for_role, public
from common import clock, intents
from notify import access, actions
from notify.actions.rendering import Overrides, own_words
from notify.actions.words import wordings_in_force, wordings_of
from notify.models import OutboxMessage
from notify.rules import FALLBACK_ZONE, is_cancel
from notify.wording import CANCEL_QUESTION, CHANNEL_WORDS, DEFAULT_LANGUAGE, PUSH_WORDS, lane_silent

STATE_KINDS = {
    "scheduled": "neutral", "sending": "info", "sent": "ok", "failed": "pause", "cancelled": "neutral", "dropped": "neutral",
}  # fmt: skip


def _words(message: OutboxMessage, own: Overrides) -> tuple[str, str]:
    """Subject and body as they went or will go; a sentence when they cannot be put together."""
    try:
        reader = message.recipient or (message.patient.user if message.patient else None)
        rendered = actions.render_message(
            message.template,
            message.channel,
            {"notice_number": 1, **message.context},
            language=reader.language if reader else DEFAULT_LANGUAGE,
            zone=reader.time_zone if reader else FALLBACK_ZONE,
            own=own,
        )
    except Exception:
        return "", "(These words cannot be put together. The message waits for a person.)"
    return rendered.subject, rendered.body


@for_role("administrator", "coach", "psychiatrist")
@require_GET
def outbox(request: HttpRequest) -> HttpResponse:
    """What leaves the house, newest first."""
    chosen = {name: request.GET.get(name, "") for name in ("state", "lane", "channel")}
    rows, older = access.outbox_page(
        request.user,
        before=request.GET.get("before", ""),
        state=chosen["state"],
        lane=chosen["lane"],
        channel=chosen["channel"],
    )
    shown: list[dict[str, Any]] = []
    own = own_words()
    for message in rows:
        subject, body = (
            _words(message, own)
            if access.may_read_words(request.user, message)
            else ("", "(Not shown: it holds a personal link.)")
        )
        shown.append(
            {"message": message, "subject": subject, "body": body, "kind": STATE_KINDS[message.state]}
        )
    return render(
        request,
        "administrator/outbox.html",
        {
            "rows": shown,
            "older": older,
            "chosen": chosen,
            "channel_words": CHANNEL_WORDS,
            "filters": [
                ("state", "State", access.STATES),
                ("channel", "By", access.CHANNELS),
                ("lane", "Lane", access.LANES),
            ],
            "failed": access.failed_count(request.user),
            "silent": lane_silent(access.ordinary_lane_silent_s(at=clock.now())),
            "may_retry": request.user.role == "administrator",
            "mint": intents.mint,
        },
    )


@for_role("administrator")
@require_POST
@intents.guard
def try_again(request: HttpRequest, message_id: uuid.UUID) -> HttpResponse:
    """Send a failed message once more."""
    message = access.visible_message(request.user, message_id)
    actions.try_again(message, by=request.user, at=clock.now())
    actions.nudge()
    messages.success(request, "It goes with the next tick, within ten seconds.")
    return redirect("notify:outbox")


@for_role("administrator", "coach", "psychiatrist")
@require_GET
def replies(request: HttpRequest) -> HttpResponse:
    """Texts that people sent back. Only a person acts on them."""
    return render(
        request,
        "administrator/replies.html",
        {
            "rows": [
                {"text": row, "question": CANCEL_QUESTION if is_cancel(row.body) else ""}
                for row in access.replies_visible_to(request.user, at=clock.now())[:100]
            ],
            "mint": intents.mint,
        },
    )


@for_role("administrator", "coach", "psychiatrist")
@require_POST
@intents.guard
def reply_handled(request: HttpRequest, reply_id: uuid.UUID) -> HttpResponse:
    """A person has read it and done what it needs."""
    reply = access.replies_visible_to(request.user, at=clock.now()).filter(pk=reply_id).first()
    if reply is None:
        raise Http404
    actions.mark_reply_handled(reply.pk, by=request.user, at=clock.now())
    return redirect("notify:replies")


@for_role("administrator", "coach", "psychiatrist")
@require_GET
def catalogue(request: HttpRequest) -> HttpResponse:
    """Every message the practice can send: when, by which channels, and its words in each language."""
    own = wordings_in_force()
    return render(
        request,
        "administrator/catalogue.html",
        {
            "kinds": [{**kind, "wordings": wordings_of(kind, own)} for kind in access.catalogue()],
            "may_write": request.user.role == "administrator",
            "channel_words": CHANNEL_WORDS,
            "device_words": PUSH_WORDS["en"],
        },
    )


@public
@require_GET
def demo(request: HttpRequest) -> HttpResponse:
    """Not in production: the newest mails, so that somebody trying the demo can open the link that was sent to them."""
    if settings.PRODUCTION:
        raise Http404
    mails = []
    own = own_words()
    for message in access.newest_mails():
        subject, body = _words(message, own)
        # Our own addresses become links, nothing else does.
        parts = re.split(
            rf"({re.escape(settings.SITE_URL)}\S*|https?://{re.escape(request.get_host())}\S*)", body
        )
        mails.append(
            {
                "at": message.created_at,
                "to": message.recipient.email if message.recipient else message.to_address,
                "subject": subject,
                "parts": [(part, n % 2 == 1) for n, part in enumerate(parts) if part],
                "state": message.state,
                "kind": STATE_KINDS[message.state],
            }
        )
    return render(request, "public/demo_outbox.html", {"mails": mails})
