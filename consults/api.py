"""Free times and appointments over the API: the same actions as the pages, with the same permissions."""

import uuid
from datetime import timedelta
from typing import Any

from django.db import transaction
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.access import patient_of
from common import clock
from common.api import KEY, IdempotentWrites, StrictSerializer, refusals
from consults import access, actions
from consults.models import Appointment, VisitType

USUAL_SEARCH = timedelta(days=14)
LONGEST_SEARCH = timedelta(days=31)
# However many clinicians there are, an answer has an end: so many names beside one time, so many times in all.
PEOPLE_PER_TIME, MOST_TIMES = 3, 2000
PEOPLE = ("patient", "psychiatrist", "coach")


class SlotQuery(StrictSerializer):
    """What may stand in the address of a search. `from` is a word of Python's own, so two fields are added by name."""

    visit_type = serializers.ChoiceField(choices=VisitType.choices, default="consult")

    def get_fields(self) -> dict[str, Any]:
        fields = super().get_fields()
        fields["from"] = serializers.DateTimeField(required=False)
        fields["to"] = serializers.DateTimeField(required=False)
        return fields

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        attrs.setdefault("from", clock.now())
        if "to" not in attrs:
            try:
                attrs["to"] = attrs["from"] + USUAL_SEARCH
            except OverflowError:
                raise serializers.ValidationError({"from": "This is too far away."}) from None
        if attrs["to"] <= attrs["from"]:
            raise serializers.ValidationError({"to": "Must be after `from`."})
        if attrs["to"] - attrs["from"] > LONGEST_SEARCH:
            raise serializers.ValidationError({"to": f"At most {LONGEST_SEARCH.days} days after `from`."})
        return attrs


class SlotOut(serializers.Serializer):
    clinician = serializers.UUIDField(source="clinician_id")
    clinician_name = serializers.CharField()
    visit_type = serializers.ChoiceField(choices=VisitType.choices)
    starts_at = serializers.DateTimeField()
    ends_at = serializers.DateTimeField()


class Slots(APIView):
    """Free times for the patient who asks, earliest first: at most three clinicians beside one time, at most 2000 times."""

    allowed_roles = {"GET": ("patient",)}

    @extend_schema(
        operation_id="slots",
        parameters=[
            OpenApiParameter("visit_type", str, default="consult", enum=list(VisitType.values)),
            OpenApiParameter(
                "from",
                {"type": "string", "format": "date-time"},
                description="With a zone; now when left out.",
            ),
            OpenApiParameter(
                "to",
                {"type": "string", "format": "date-time"},
                description="At most 31 days later; 14 days when left out.",
            ),
        ],
        responses={200: SlotOut(many=True), **refusals(400, 401, 403, 409, 422)},
    )
    def get(self, request: Request) -> Response:
        query = SlotQuery(data=request.query_params.dict())
        query.is_valid(raise_exception=True)
        asked = query.validated_data
        found = access.open_slots(
            asked["visit_type"], patient_of(request.user), asked["from"], asked["to"], at=clock.now(),
            limit=MOST_TIMES, per_start=PEOPLE_PER_TIME,
        )  # fmt: skip
        return Response(SlotOut(found, many=True).data)


class AppointmentOut(serializers.ModelSerializer):
    starts_at = serializers.DateTimeField()
    ends_at = serializers.DateTimeField()

    class Meta:
        model = Appointment
        fields = (
            "id",
            "patient",
            "clinician",
            "visit_type",
            "state",
            "starts_at",
            "ends_at",
            "sequence",
            "created_at",
        )


class AppointmentIn(StrictSerializer):
    visit_type = serializers.ChoiceField(choices=VisitType.choices)
    clinician = serializers.UUIDField()
    starts_at = serializers.DateTimeField(help_text="As a free time has it, with a zone.")


class Appointments(IdempotentWrites, ListAPIView):
    """One's own appointments, newest first; booking takes a free time and confirms it at once."""

    allowed_roles = {"GET": PEOPLE, "POST": ("patient",)}
    serializer_class = AppointmentOut
    ordering = ("-created_at", "-id")

    def get_queryset(self) -> Any:
        if getattr(self, "swagger_fake_view", False):
            return access.visible_appointments(None)
        return access.visible_appointments(self.request.user)

    @extend_schema(
        operation_id="appointments",
        responses={200: AppointmentOut(many=True), **refusals(400, 401, 403, 404)},
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return self.list(request, *args, **kwargs)

    @extend_schema(
        operation_id="appointment_book",
        parameters=[KEY],
        request=AppointmentIn,
        responses={201: AppointmentOut, **refusals(400, 401, 403, 404, 409, 415, 422)},
    )
    def post(self, request: Request) -> Response:
        sent = AppointmentIn(data=request.data)
        sent.is_valid(raise_exception=True)
        wanted, at = sent.validated_data, clock.now()
        # Held and confirmed together, so that what blocks the booking leaves no hold behind.
        with transaction.atomic():
            held = actions.hold_slot(
                patient_of(request.user),
                visit_type=wanted["visit_type"],
                clinician_id=wanted["clinician"],
                starts_at=wanted["starts_at"],
                by=request.user,
                at=at,
            )
            booked = actions.confirm_booking(held, by=request.user, at=at)
        return Response(AppointmentOut(booked).data, status=201)


class CancelAppointment(IdempotentWrites, APIView):
    """Give a time back."""

    allowed_roles = {"POST": PEOPLE}
    still_visible = staticmethod(access.visible_appointment)

    @extend_schema(
        operation_id="appointment_cancel",
        parameters=[KEY],
        request=None,
        responses={200: AppointmentOut, **refusals(400, 401, 403, 404, 409, 415, 422)},
    )
    def post(self, request: Request, appointment_id: uuid.UUID) -> Response:
        row = access.visible_appointment(request.user, appointment_id)
        return Response(AppointmentOut(actions.cancel(row, by=request.user, at=clock.now())).data)
