"""Readings over the API. The plain device write and the newest page go by a short way (vitals/hot_path.py); all else by DRF."""

import functools
import json
import uuid
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Any

from django.http import HttpRequest, HttpResponse
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.access import patient_of, visible_patient
from accounts.actions import open_chart
from accounts.models import Role
from common import clock
from common.api import KEY, IdempotentWrites, StrictSerializer, refusals
from vitals import access, hot_path
from vitals.actions import IMPLAUSIBLE, PULSE_IMPLAUSIBLE, RecordedReading, record_reading
from vitals.models import Reading
from vitals.rules import HoldReason, NextStep, PostDoseFlag, next_steps
from vitals.wording import CUFF_HELP, HOLD, POST_DOSE, WHO

JSON_TYPE = "application/json"
TOKEN = "Token "  # noqa: S105  (the name of the scheme)
# A device may be a little ahead or have been offline for weeks; what lies beyond is a clock that was never set.
OLDEST_CLAIM = timedelta(days=400)
NEWEST_CLAIM = timedelta(days=2)


class NewReading(StrictSerializer):
    """A reading as a person or device sends it. Numbers that cannot be right are kept as rejected, never dropped."""

    systolic_mmhg = serializers.IntegerField(min_value=0, max_value=999)
    diastolic_mmhg = serializers.IntegerField(min_value=0, max_value=999)
    pulse_bpm = serializers.IntegerField(min_value=0, max_value=999)
    spo2_pct = serializers.IntegerField(min_value=0, max_value=100, required=False, allow_null=True)
    taken_at = serializers.DateTimeField(
        help_text="With a zone; as the device claims. The server keeps its own time beside it."
    )
    source = serializers.ChoiceField(choices=Reading.Source.values)  # type: ignore[assignment]
    session = serializers.UUIDField(required=False, allow_null=True)
    phase = serializers.ChoiceField(choices=Reading.Phase.values, required=False)
    device_id = serializers.CharField(max_length=80, required=False, allow_blank=True)


class ReasonSerializer(serializers.Serializer):
    code = serializers.CharField()
    wording = serializers.CharField()


class StepSerializer(serializers.Serializer):
    """What happens next for one reason."""

    id = serializers.CharField()
    reason = serializers.CharField()
    who = serializers.CharField()
    within_minutes = serializers.IntegerField(allow_null=True)
    recheck_minutes = serializers.IntegerField(allow_null=True)


class ReadingSerializer(serializers.Serializer):
    """A stored reading."""

    id = serializers.UUIDField()
    patient = serializers.UUIDField()
    session = serializers.UUIDField(allow_null=True)
    phase = serializers.CharField()
    systolic_mmhg = serializers.IntegerField()
    diastolic_mmhg = serializers.IntegerField()
    pulse_bpm = serializers.IntegerField()
    spo2_pct = serializers.IntegerField(allow_null=True)
    taken_at = serializers.DateTimeField()
    received_at = serializers.DateTimeField()
    source = serializers.CharField()  # type: ignore[assignment]
    device_id = serializers.CharField(allow_blank=True)
    band = serializers.CharField()
    rejected = serializers.BooleanField()


class RecordedSerializer(ReadingSerializer):
    """A stored reading with what it means and what happens next."""

    verdict = serializers.CharField(allow_blank=True)
    reasons = ReasonSerializer(many=True)
    next = StepSerializer(many=True)
    help = serializers.CharField(
        allow_blank=True, help_text="How to measure again, when the reading was not right."
    )
    alert = serializers.UUIDField(allow_null=True, help_text="Somebody was called because of this reading.")


class ReadingPage(serializers.Serializer):
    """Thirty readings, newest first; `next` is the address of the page after it."""

    next = serializers.CharField(allow_null=True)
    results = ReadingSerializer(many=True)


def wording_of(code: str) -> str:
    """The patient's sentence for a code of a reading."""
    if code in (IMPLAUSIBLE, PULSE_IMPLAUSIBLE):
        return HOLD[HoldReason.BP_IMPLAUSIBLE].patient
    for table, kind in ((HOLD, HoldReason), (POST_DOSE, PostDoseFlag)):
        try:
            return table[kind(code)].patient  # type: ignore[index, call-arg]
        except ValueError:
            continue
    return ""


def steps_as_sent(steps: Iterable[NextStep]) -> list[dict[str, Any]]:
    return [
        {
            "id": step.id,
            "reason": step.reason,
            "who": WHO.get(step.who, step.who),
            "within_minutes": step.within_minutes,
            "recheck_minutes": step.recheck_minutes,
        }
        for step in steps
    ]


def as_sent(outcome: RecordedReading) -> dict[str, Any]:
    """The answer to a stored reading."""
    r = outcome.reading
    return {
        "id": str(r.pk),
        "patient": str(r.patient_id),
        "session": str(r.session_id) if r.session_id else None,
        "phase": str(r.phase),
        "systolic_mmhg": r.systolic_mmhg,
        "diastolic_mmhg": r.diastolic_mmhg,
        "pulse_bpm": r.pulse_bpm,
        "spo2_pct": r.spo2_pct,
        "taken_at": r.taken_at.isoformat(),
        "received_at": r.received_at.isoformat(),
        "source": str(r.source),
        "device_id": r.device_id,
        "band": r.band,
        "rejected": r.rejected,
        "verdict": outcome.verdict,
        "reasons": [{"code": code, "wording": wording_of(code)} for code in sorted(outcome.reasons)],
        "next": steps_as_sent(outcome.next_steps),
        "help": CUFF_HELP if r.rejected else "",
        "alert": str(outcome.alert.pk) if outcome.alert else None,
    }


class Readings(IdempotentWrites, APIView):
    """A patient's readings: the newest thirty, and a new one."""

    allowed_roles = {"GET": ("patient", "psychiatrist", "coach"), "POST": ("patient",)}
    token_scopes = {"GET": "readings:read", "POST": hot_path.SCOPE}

    @extend_schema(
        operation_id="readings_list",
        parameters=[
            OpenApiParameter(
                "patient", uuid.UUID, description="Staff: whose readings. A patient leaves it out."
            ),
            OpenApiParameter("cursor", str, description="As given in `next`."),
        ],
        responses={200: ReadingPage, **refusals(400, 401, 403, 404)},
    )
    def get(self, request: Request) -> Response:
        if request.user.role == Role.PATIENT:
            patient = patient_of(request.user)
        else:
            try:
                wanted = uuid.UUID(request.query_params.get("patient", ""))
            except ValueError:
                raise ValidationError({"patient": ["Say whose readings: the patient's id."]}) from None
            patient = visible_patient(request.user, wanted)
            open_chart(patient, by=request.user, at=clock.now(), why="readings")
        cursor = request.query_params.get("cursor", "")
        before = None
        if cursor:
            before = access.read_cursor(cursor)
            if before is None:
                raise ValidationError({"cursor": ["This is not one of our cursors."]})
        staff = "" if request.user.role == Role.PATIENT else f"&patient={patient.pk}"
        return Response(json.loads(page_text(*access.readings_page(patient.pk, before=before), extra=staff)))

    @extend_schema(
        operation_id="readings_create",
        parameters=[KEY],
        request=NewReading,
        responses={201: RecordedSerializer, **refusals(400, 401, 403, 404, 409, 415, 422)},
    )
    def post(self, request: Request) -> Response:
        sent = NewReading(data=request.data)
        sent.is_valid(raise_exception=True)
        told = sent.validated_data
        at = clock.now()
        if not at - OLDEST_CLAIM <= told["taken_at"] <= at + NEWEST_CLAIM:
            raise ValidationError({"taken_at": ["This is too far from today. Set the clock of your device."]})
        outcome = record_reading(
            patient=patient_of(request.user),
            systolic_mmhg=told["systolic_mmhg"],
            diastolic_mmhg=told["diastolic_mmhg"],
            pulse_bpm=told["pulse_bpm"],
            spo2_pct=told.get("spo2_pct"),
            taken_at=told["taken_at"],
            source=told["source"],
            session_id=told.get("session"),
            phase=told.get("phase", Reading.Phase.EXTRA),
            device_id=told.get("device_id", ""),
            by=f"device:{request.auth.pk}" if request.auth is not None else request.user,
            at=at,
        )
        return Response(as_sent(outcome), status=201)


def page_text(rows_json: str, next_cursor: str | None, *, extra: str = "") -> str:
    """A page as JSON text; the rows come ready-made from the database."""
    link = json.dumps(f"/api/v1/readings/?cursor={next_cursor}{extra}") if next_cursor else "null"
    return f'{{"next": {link}, "results": {rows_json}}}'


def _plain_write(token: str, request: HttpRequest) -> HttpResponse | None:
    entry = hot_path.read_entry(request.body)
    if entry is None:
        return None
    at = clock.now()
    if not at - OLDEST_CLAIM <= entry.taken_at <= at + NEWEST_CLAIM:
        return None
    stored = hot_path.store(token, entry, at=at)
    if stored is None:
        return None
    return HttpResponse(json.dumps(hot_answer(stored, at=at)), status=201, content_type=JSON_TYPE)


def hot_answer(stored: hot_path.Stored, *, at: datetime) -> dict[str, Any]:
    """The same answer as `as_sent`, from what the short way knows."""
    entry, reasons = stored.entry, stored.reasons
    return {
        "id": str(stored.reading_id),
        "patient": str(stored.patient_id),
        "session": None,
        "phase": entry.phase,
        "systolic_mmhg": entry.systolic_mmhg,
        "diastolic_mmhg": entry.diastolic_mmhg,
        "pulse_bpm": entry.pulse_bpm,
        "spo2_pct": entry.spo2_pct,
        "taken_at": entry.taken_at.isoformat(),
        "received_at": at.isoformat(),
        "source": entry.source,
        "device_id": entry.device_id,
        "band": stored.band,
        "rejected": False,
        "verdict": "hold" if reasons else "go",
        "reasons": [{"code": str(code), "wording": HOLD[code].patient} for code in sorted(reasons)],
        "next": steps_as_sent(next_steps(reasons, stored.data)) if reasons else [],
        "help": "",
        "alert": None,
    }


def _plain_page(token: str, request: HttpRequest) -> HttpResponse | None:
    found = access.newest_page_of_token(token, scope="readings:read", at=clock.now())
    return None if found is None else HttpResponse(page_text(*found), content_type=JSON_TYPE)


def with_short_way(view: Callable[..., Any]) -> Callable[..., Any]:
    """Try the short way for a device's plain request; whatever it does not take goes to the full view, which words every refusal."""

    @functools.wraps(view)
    def readings(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        header = request.META.get("HTTP_AUTHORIZATION", "")
        if header.startswith(TOKEN) and "HTTP_IDEMPOTENCY_KEY" not in request.META:
            token = header[len(TOKEN) :]
            answer = None
            if request.method == "POST" and request.content_type == JSON_TYPE:
                answer = _plain_write(token, request)
            elif request.method == "GET" and not request.META.get("QUERY_STRING"):
                answer = _plain_page(token, request)
            if answer is not None:
                return answer
        return view(request, *args, **kwargs)

    return readings


readings = with_short_way(Readings.as_view())
