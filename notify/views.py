"""Pages of the outbox, and the doors that Twilio knocks on."""

import logging
import re
import uuid
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET, require_POST

from accounts.guards import for_role, public
from common import clock, intents
from notify import access, actions
from notify.actions.callbacks import receive_text, record_report
from notify.actions.rendering import always_known
from notify.gateways.twilio_gateway import signature_is_valid
from notify.models import OutboxMessage
from notify.wording import CHANNEL_WORDS, lane_silent

log = logging.getLogger("notify")

STATE_KINDS = {
    "scheduled": "neutral", "sending": "info", "sent": "ok", "failed": "pause", "cancelled": "neutral", "dropped": "neutral",
}  # fmt: skip
MAX_WEBHOOK_BYTES = 256 * 1024


def _words(message: OutboxMessage) -> tuple[str, str]:
    """Subject and body as they went or will go; a sentence when they cannot be put together."""
    try:
        rendered = actions.render_message(
            message.template, message.channel, {"notice_number": 1, **message.context}
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
    for message in rows:
        subject, body = (
            _words(message)
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
        {"rows": access.replies_visible_to(request.user)[:100], "mint": intents.mint},
    )


@for_role("administrator", "coach", "psychiatrist")
@require_POST
@intents.guard
def reply_handled(request: HttpRequest, reply_id: uuid.UUID) -> HttpResponse:
    """A person has read it and done what it needs."""
    reply = access.replies_visible_to(request.user).filter(pk=reply_id).first()
    if reply is None:
        raise Http404
    actions.mark_reply_handled(reply.pk, by=request.user, at=clock.now())
    return redirect("notify:replies")


@for_role("administrator", "coach", "psychiatrist")
@require_GET
def catalogue(request: HttpRequest) -> HttpResponse:
    """Every message the practice can send, with its default words."""
    return render(request, "administrator/catalogue.html", {"kinds": access.catalogue()})


@public
@require_GET
def demo(request: HttpRequest) -> HttpResponse:
    """Not in production: the newest mails, so that somebody trying the demo can open the link that was sent to them."""
    if settings.PRODUCTION:
        raise Http404
    mails = []
    for message in access.newest_mails():
        subject, body = _words(message)
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


def from_twilio(request: HttpRequest) -> HttpResponse | None:
    """None when Twilio sent this, else the refusal. Nothing of the request is kept or logged before."""
    if int(request.META.get("CONTENT_LENGTH") or 0) > MAX_WEBHOOK_BYTES:
        return HttpResponse(status=413)
    if not signature_is_valid(request):
        log.warning("a call with a wrong signature", extra={"event": "bad_signature", "code": "twilio"})
        return HttpResponse(status=403)
    return None


def twiml(body: str = "") -> HttpResponse:
    """An answer in Twilio's own markup."""
    return HttpResponse(
        f'<?xml version="1.0" encoding="UTF-8"?><Response>{body}</Response>', content_type="text/xml"
    )


@csrf_exempt
@public
@require_POST
def twilio_status(request: HttpRequest) -> HttpResponse:
    """How far a message or call has come. Repeated and late reports are taken and change nothing."""
    refusal = from_twilio(request)
    if refusal is not None:
        return refusal
    sid = request.POST.get("MessageSid") or request.POST.get("CallSid") or ""
    status = request.POST.get("MessageStatus") or request.POST.get("CallStatus") or ""
    if not sid or not status:
        return HttpResponse(status=400)
    record_report(provider="twilio", sid=sid[:64], status=status[:20], at=clock.now())
    return HttpResponse(status=204)


@csrf_exempt
@public
@require_POST
def twilio_inbound(request: HttpRequest) -> HttpResponse:
    """A text to our number. STOP, START and HELP act at once; everything else waits for a person."""
    refusal = from_twilio(request)
    if refusal is not None:
        return refusal
    sid, sender = request.POST.get("MessageSid", ""), request.POST.get("From", "")
    if not sid or not sender:
        return HttpResponse(status=400)
    meaning = receive_text(
        sid=sid[:64],
        from_number=sender[:20],
        body=request.POST.get("Body", ""),
        vendor_opt_out=request.POST.get("OptOutType", ""),
        at=clock.now(),
    )
    # When the carrier has answered by itself, a second answer would only confuse.
    if meaning == "help" and not request.POST.get("OptOutType"):
        known = always_known()
        return twiml(
            f"<Message>{known['practice_name']}: call us at {known['practice_phone']}. In danger, call 911; in crisis, call or "
            "text 988. Reply STOP to end texts.</Message>"
        )
    return twiml()
