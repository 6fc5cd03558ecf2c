"""What a plain Django view would do, and no more: the same token, the same JSON, one row through the ORM."""

import functools
import json
import uuid
from datetime import datetime

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.csrf import csrf_exempt

from accounts.authentication import digest_of
from accounts.guards import for_role
from accounts.models import DeviceToken
from common import clock, protocol
from intake.access import queue_view
from vitals.models import Reading


def _token(request: HttpRequest, scope: str) -> DeviceToken | None:
    plain = request.META.get("HTTP_AUTHORIZATION", "").removeprefix("Token ")
    token = DeviceToken.objects.select_related("user").filter(digest=digest_of(plain)).first()
    valid = (
        token is not None
        and token.revoked_at is None
        and token.expires_at > clock.now()
        and scope in token.scopes
    )
    return token if valid else None


@functools.cache
def _protocol_id() -> uuid.UUID:
    """A column that must be filled; looked up once, so that it costs the bare view nothing."""
    return protocol.current(at=clock.now()).pk


@csrf_exempt
@login_not_required
def insert_reading(request: HttpRequest) -> HttpResponse:
    """Check the token, validate the JSON, insert one row. No banding, audit, alert decision, outbox or session."""
    token = _token(request, "readings:write")
    if token is None:
        return JsonResponse({"detail": "no"}, status=401)
    try:
        sent = json.loads(request.body)
        numbers = [sent[name] for name in ("systolic_mmhg", "diastolic_mmhg", "pulse_bpm")]
        taken_at = datetime.fromisoformat(sent["taken_at"])
        if (
            not all(type(number) is int and 0 <= number <= 999 for number in numbers)
            or sent["source"] not in Reading.Source.values
        ):
            raise ValueError
    except (ValueError, KeyError):
        return JsonResponse({"detail": "bad"}, status=400)
    reading = Reading.objects.create(
        patient_id=token.user_id, systolic_mmhg=numbers[0], diastolic_mmhg=numbers[1], pulse_bpm=numbers[2], taken_at=taken_at,
        received_at=clock.now(), source=sent["source"], phase=sent.get("phase", "extra"), entered_by="bench", band="go", protocol_id=_protocol_id(),
    )  # fmt: skip
    return JsonResponse({"id": str(reading.pk)}, status=201)


@login_not_required
def list_readings(request: HttpRequest) -> HttpResponse:
    """The same thirty rows with the same columns, as JSON."""
    token = _token(request, "readings:read")
    if token is None:
        return JsonResponse({"detail": "no"}, status=401)
    rows = Reading.objects.filter(patient_id=token.user_id).order_by("-received_at", "-id").values(
        "id", "session_id", "phase", "systolic_mmhg", "diastolic_mmhg", "pulse_bpm", "spo2_pct", "taken_at", "received_at", "source", "band",
    )[:30]  # fmt: skip
    return JsonResponse({"results": list(rows)})


@for_role("psychiatrist")
def queue_rows(request: HttpRequest) -> HttpResponse:
    """The same 25 rows of the queue as JSON, with the same log-in."""
    rows = queue_view(request.user, at=clock.now()).rows  # type: ignore[arg-type]
    return JsonResponse({"rows": rows})
