"""The doors that Twilio knocks on. Nothing is believed without its signature."""

import logging

from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from accounts.guards import public
from common import clock
from notify.actions.callbacks import receive_text, record_report
from notify.actions.rendering import always_known
from notify.gateways.twilio_gateway import signature_is_valid

log = logging.getLogger("notify")

MAX_WEBHOOK_BYTES = 256 * 1024


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
    phone = always_known()["practice_phone"]
    if meaning == "urgent":
        return twiml(
            "<Message>If you are in danger, call 911. In crisis, call or text 988, at any hour. Texts here are not read at once; we "
            f"have told a person. You can also call us at {phone}.</Message>"
        )
    if meaning == "triage" and not request.POST.get("OptOutType"):
        # Also what was sent once more because our answer was lost: it is never met with silence.
        return twiml(
            "<Message>A person reads this, but not at once. If you are in danger, call 911. In crisis, call or text 988, at any hour. "
            f"Our number is {phone}.</Message>"
        )
    # When the carrier has answered by itself, a second answer would only confuse.
    if meaning == "help" and not request.POST.get("OptOutType"):
        known = always_known()
        return twiml(
            f"<Message>{known['practice_name']}: call us at {known['practice_phone']}. In danger, call 911; in crisis, call or "
            "text 988. Reply STOP to end texts.</Message>"
        )
    return twiml()
