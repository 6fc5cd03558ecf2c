"""Check-ins over the API: the same actions as the pages, the same permissions."""

import uuid
from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_view
from rest_framework import serializers, status
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.access import patient_of, visible_patient
from coaching import access, actions
from coaching.models import CheckIn
from coaching.wording import SIDE_EFFECTS
from common import audit, clock
from common.api import IdempotentWrites, StrictSerializer, flat_errors, refusals
from measures.api import HelpOut, help_body


class CheckInOut(serializers.ModelSerializer):
    """A check-in as it is kept."""

    patient = serializers.UUIDField(source="patient_id", read_only=True)
    session = serializers.UUIDField(source="session_id", read_only=True, allow_null=True)
    done_by = serializers.UUIDField(source="done_by_id", read_only=True, allow_null=True)
    side_effects = serializers.SerializerMethodField()

    class Meta:
        model = CheckIn
        fields = (
            "id",
            "patient",
            "session",
            "kind",
            "day",
            "due_at",
            "done_at",
            "done_by",
            "reached",
            "mood",
            "suicidal_thoughts",
            "side_effects",
            "note",
        )
        read_only_fields = fields

    def get_side_effects(self, row: CheckIn) -> list[str]:
        return list(row.side_effects or [])


class CheckInToday(StrictSerializer):
    """A patient's half minute."""

    mood = serializers.IntegerField(min_value=0, max_value=10)
    suicidal_thoughts = serializers.BooleanField()
    side_effects = serializers.ListField(
        child=serializers.ChoiceField(choices=sorted(SIDE_EFFECTS)),
        required=False,
        default=list,
        max_length=len(SIDE_EFFECTS),
    )
    note = serializers.CharField(max_length=1000, required=False, allow_blank=True, default="")


class CheckInCall(StrictSerializer):
    """What a coach writes down after a call."""

    reached = serializers.BooleanField(default=True)
    mood = serializers.IntegerField(min_value=0, max_value=10, required=False, allow_null=True, default=None)
    suicidal_thoughts = serializers.BooleanField(required=False, allow_null=True, default=None)
    side_effects = serializers.ListField(
        child=serializers.ChoiceField(choices=sorted(SIDE_EFFECTS)),
        required=False,
        default=list,
        max_length=len(SIDE_EFFECTS),
    )
    note = serializers.CharField(max_length=4000, required=False, allow_blank=True, default="")


class GivenOut(serializers.Serializer):
    """What was kept, and whether help must be shown now."""

    check_in = CheckInOut()
    crisis = serializers.BooleanField(help_text="True: show 988 and 911 now; people have been told.")
    triggers = serializers.ListField(child=serializers.CharField())
    help = HelpOut(allow_null=True, help_text="What to show the person who answered, at once.")


ERRORS = refusals(400, 401, 403, 404, 409, 422)
IDEMPOTENCY = OpenApiParameter(
    "Idempotency-Key",
    str,
    OpenApiParameter.HEADER,
    description="8 to 80 characters: the write happens once, a replay gets the first answer.",
)


@extend_schema_view(
    get=extend_schema(
        summary="Check-ins, newest due first",
        parameters=[
            OpenApiParameter(
                "patient", uuid.UUID, description="One patient; clinicians see those they care for."
            )
        ],
        responses={200: CheckInOut(many=True), **refusals(400, 401, 403, 404)},
    )
)
class CheckIns(IdempotentWrites, ListAPIView):
    """A patient's own check-ins, or those of the patients a clinician cares for; a patient's POST is today's."""

    allowed_roles = {"GET": ("patient", "coach", "psychiatrist"), "POST": ("patient",)}
    serializer_class = CheckInOut
    ordering = ("-due_at", "-id")

    def get_queryset(self) -> Any:
        if getattr(self, "swagger_fake_view", False):
            return access.no_check_ins()
        user = self.request.user
        asked = self.request.query_params.get("patient")
        if asked is None:
            return access.check_ins_visible_to(user)
        try:
            patient_id = uuid.UUID(asked)
        except ValueError:
            raise serializers.ValidationError({"patient": ["Give a UUID."]}) from None
        patient = visible_patient(user, patient_id)
        if patient.pk != user.pk:
            audit.record("check_ins.read", by=user, at=clock.now(), about=patient, patient_id=patient.pk)
        return access.check_ins_visible_to(user, patient.pk)

    @extend_schema(
        operation_id="check_in_today",
        summary="Give today's check-in",
        parameters=[IDEMPOTENCY],
        request=CheckInToday,
        responses={201: GivenOut, **ERRORS},
    )
    def post(self, request: Request) -> Response:
        answers = CheckInToday(data=request.data)
        if not answers.is_valid():
            if isinstance(request.data, dict) and request.data.get("suicidal_thoughts") in (
                True,
                "true",
                "yes",
            ):
                # What was said about safety must not wait for the rest (HZ-08).
                actions.hear_safety_answer(patient_of(request.user), by=request.user, at=clock.now())
                return _half_filled(answers)
            raise serializers.ValidationError(answers.errors)
        given = actions.check_in_today(
            patient_of(request.user), by=request.user, at=clock.now(), **answers.validated_data
        )
        return _answer(given, by_patient=True)


def _half_filled(answers: CheckInToday) -> Response:
    """Refused as a check-in, heard as a safety answer: the refusal itself says to show help now."""
    body = {
        "code": "invalid",
        "detail": "People have been told. Show 988 and 911 now. Some fields need another look.",
        "fields": flat_errors(answers.errors),
        "crisis": True,
        "help": help_body(),
    }
    return Response(body, status=status.HTTP_400_BAD_REQUEST)


class CheckInDetail(IdempotentWrites, APIView):
    """One planned call, given by the coach."""

    allowed_roles = {"GET": ("patient", "coach", "psychiatrist"), "POST": ("coach",)}
    still_visible = staticmethod(access.visible_check_in)

    @extend_schema(summary="One check-in", responses={200: CheckInOut, **refusals(401, 403, 404)})
    def get(self, request: Request, check_in_id: uuid.UUID) -> Response:
        row = access.visible_check_in(request.user, check_in_id)
        if row.patient_id != request.user.pk:
            audit.record(
                "check_in.read", by=request.user, at=clock.now(), about=row, patient_id=row.patient_id
            )
        return Response(CheckInOut(row).data)

    @extend_schema(
        operation_id="check_in_call",
        summary="Write down a call",
        parameters=[IDEMPOTENCY],
        request=CheckInCall,
        responses={201: GivenOut, **ERRORS},
    )
    def post(self, request: Request, check_in_id: uuid.UUID) -> Response:
        row = access.visible_check_in(request.user, check_in_id)
        answers = CheckInCall(data=request.data)
        answers.is_valid(raise_exception=True)
        return _answer(actions.give_check_in(row, by=request.user, at=clock.now(), **answers.validated_data))


def _answer(given: actions.Given, *, by_patient: bool = False) -> Response:
    body = {
        "check_in": CheckInOut(given.check_in).data,
        "crisis": given.crisis,
        "triggers": sorted(given.triggers),
        # A coach who wrote it down has the page of the call beside her; the numbers are for the person.
        "help": help_body() if by_patient and (given.crisis or "X01" in given.triggers) else None,
    }
    return Response(body, status=status.HTTP_201_CREATED)
