"""Questionnaires over the API: the same door as the pages."""

import uuid
from datetime import datetime
from typing import Any

from django.conf import settings
from django.urls import reverse
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.access import patient_of, visible_patient
from accounts.actions import open_chart
from accounts.models import Patient
from common import clock
from common.api import KEY, IdempotentWrites, NewestFirst, StrictSerializer, flat_errors, refusals
from common.errors import Invalid
from measures import access, actions
from measures.models import TIMEPOINTS, Instrument, InstrumentResponse
from measures.wording import HELP_HEADING, HELP_LINES

JSON_INTEGER_MAX = 1000


@extend_schema_field(
    {
        "oneOf": [
            {"type": "integer", "minimum": 0, "maximum": JSON_INTEGER_MAX},
            {"type": "string", "enum": ["yes", "no", "unsure"]},
        ]
    }
)
class AnswerField(serializers.Field):
    """An item's answer: a small whole number, or yes, no, unsure."""

    def to_internal_value(self, data: Any) -> int | str:
        if isinstance(data, int) and not isinstance(data, bool) and 0 <= data <= JSON_INTEGER_MAX:
            return data
        if data in ("yes", "no", "unsure"):
            return str(data)
        raise serializers.ValidationError("Send a whole number, or yes, no, unsure.")

    def to_representation(self, value: Any) -> Any:
        return value


class ResponseIn(StrictSerializer):
    instrument = serializers.ChoiceField(choices=Instrument.choices)
    timepoint = serializers.ChoiceField(choices=[(code, code) for code in TIMEPOINTS])
    answers = serializers.DictField(child=AnswerField(), help_text="Answer of each item by its code.")
    session = serializers.UUIDField(required=False, allow_null=True)


class ResponseOut(serializers.ModelSerializer):
    session = serializers.UUIDField(source="session_id", allow_null=True)

    class Meta:
        model = InstrumentResponse
        fields = (
            "id",
            "instrument",
            "instrument_version",
            "timepoint",
            "total",
            "band",
            "risk_level",
            "completed_at",
            "session",
        )


class HelpOut(serializers.Serializer):
    heading = serializers.CharField()
    lines = serializers.ListField(child=serializers.CharField())
    call = serializers.ListField(child=serializers.CharField())
    safety_plan = serializers.CharField(
        help_text="The page on which the person writes and reads her safety plan."
    )


class RecordedOut(ResponseOut):
    help = HelpOut(allow_null=True)

    class Meta(ResponseOut.Meta):
        fields = (*ResponseOut.Meta.fields, "help")  # type: ignore[assignment]


class QuestionnaireResponses(IdempotentWrites, GenericAPIView):
    """Send a finished questionnaire; read earlier ones."""

    allowed_roles = {"GET": ("patient", "psychiatrist", "coach"), "POST": ("patient",)}
    token_scopes = {"GET": "responses:read", "POST": "responses:write"}
    serializer_class = ResponseOut
    pagination_class = NewestFirst
    ordering = ("-completed_at", "-id")

    @extend_schema(
        operation_id="questionnaire_responses_list",
        parameters=[OpenApiParameter("patient", uuid.UUID, description="For staff: whose answers.")],
        responses={200: ResponseOut(many=True), **refusals(400, 401, 403, 404)},
    )
    def get(self, request: Request) -> Response:
        patient_id = _uuid_or_none(request.query_params.get("patient"))
        rows = access.responses_visible_to(request.user, patient_id)
        if patient_id is not None and patient_id != request.user.pk:
            open_chart(
                visible_patient(request.user, patient_id),
                by=request.user,
                at=clock.now(),
                why="questionnaires",
            )
        page = self.paginate_queryset(rows)
        return self.get_paginated_response(ResponseOut(page, many=True).data)

    @extend_schema(
        operation_id="questionnaire_responses_create",
        parameters=[KEY],
        request=ResponseIn,
        responses={201: RecordedOut, **refusals(400, 401, 403, 404, 409, 422)},
    )
    def post(self, request: Request) -> Response:
        patient, at = patient_of(request.user), clock.now()
        sent = ResponseIn(data=request.data)
        if not sent.is_valid():
            if not self._heard_all_the_same(patient, request, at=at):
                raise serializers.ValidationError(sent.errors)
            refused = {
                "code": "invalid",
                "detail": "Some fields need another look.",
                "fields": flat_errors(sent.errors),
            }
            return Response({**refused, "help": help_body()}, status=400)
        data = sent.validated_data

        try:
            recorded = actions.record_response(
                patient,
                data["instrument"],
                data["answers"],
                data["timepoint"],
                by=request.user,
                at=at,
                session_id=data.get("session"),
            )
        except Invalid as error:
            # Half filled, but what was said about safety must not wait for the rest.
            if not self._heard_all_the_same(patient, request, at=at):
                raise
            refused = {"code": error.code, "detail": error.detail, "fields": error.fields}
            return Response({**refused, "help": help_body()}, status=error.status)
        body = dict(ResponseOut(recorded.response).data)
        body["help"] = help_body() if recorded.crisis else None
        return Response(body, status=201)

    def _heard_all_the_same(self, patient: Patient, request: Request, *, at: datetime) -> bool:
        """A body that cannot be taken: what it says about safety is kept and sounds all the same (HZ-08). Is help due?"""
        body = request.data if isinstance(request.data, dict) else {}
        timepoint = body.get("timepoint")
        readable, help_due = actions.heard_in(body.get("answers"), at=at)
        for instrument, answers in readable.items():
            if actions.is_alarming(instrument, answers, at=at):
                actions.record_response(
                    patient,
                    instrument,
                    answers,
                    timepoint if timepoint in TIMEPOINTS else "checkin",
                    by=request.user,
                    at=at,
                    complete=False,
                )
        return help_due


def help_body() -> dict[str, Any]:
    """Help for the caller to show at once, in the same answer (PR-06)."""
    return {
        "heading": HELP_HEADING,
        "lines": list(HELP_LINES),
        "call": ["988", "911", settings.PRACTICE["phone"]],
        "safety_plan": reverse("measures:safety_plan"),
    }


def _uuid_or_none(text: str | None) -> uuid.UUID | None:
    if not text:
        return None
    try:
        return uuid.UUID(text)
    except ValueError:
        raise serializers.ValidationError({"patient": ["This is not a patient's id."]}) from None
