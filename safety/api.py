"""Alerts over the API: the same actions as the pages, the same permissions."""

import uuid
from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from common import clock
from common.api import KEY, IdempotentWrites, StrictSerializer, refusals
from safety import access, actions
from safety.models import Alert
from safety.states import DISPOSITIONS

STAFF = ("psychiatrist", "coach", "administrator")


class AlertSerializer(serializers.ModelSerializer):
    """One alert as staff may read it; the note of a closed one is on its page."""

    title = serializers.SerializerMethodField()
    acknowledged_by = serializers.SerializerMethodField()
    closed_by = serializers.SerializerMethodField()

    class Meta:
        model = Alert
        fields = (
            "id", "patient", "trigger", "title", "severity", "state", "level", "signs", "in_session", "is_synthetic", "opened_at",
            "acknowledge_by_at", "acknowledged_at", "acknowledged_by", "contact_by_at", "reached_at", "closed_at", "closed_by", "disposition",
        )  # fmt: skip
        read_only_fields = fields

    def get_title(self, alert: Alert) -> str:
        return access.alert_title(alert)

    def get_acknowledged_by(self, alert: Alert) -> str | None:
        return str(alert.acknowledged_by) if alert.acknowledged_by_id else None

    def get_closed_by(self, alert: Alert) -> str | None:
        return str(alert.closed_by) if alert.closed_by_id else None


class TakeSerializer(StrictSerializer):
    """Which state of the alert is taken; no body is needed."""

    signs_seen = serializers.IntegerField(
        min_value=1,
        required=False,
        help_text="`signs` of the alert as it was read; refused (409, `further_sign`) when more came since",
    )


class CloseSerializer(StrictSerializer):
    """What came of an alert."""

    disposition = serializers.ChoiceField(choices=DISPOSITIONS)
    note = serializers.CharField(min_length=3, max_length=4000)
    signs_seen = serializers.IntegerField(
        min_value=1,
        required=False,
        help_text="`signs` of the alert as it was read; refused when more came since",
    )


class Alerts(ListAPIView):
    """Live alerts this person should be looking at, newest first; `?state=closed` for the others."""

    allowed_roles = {"GET": STAFF}
    serializer_class = AlertSerializer
    ordering = ("-opened_at", "-id")

    @extend_schema(
        operation_id="alerts_list",
        parameters=[
            OpenApiParameter("state", str, enum=["live", "closed"], description="live (default) or closed")
        ],
        responses={200: AlertSerializer(many=True), **refusals(401, 403, 404)},
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)

    def get_queryset(self) -> Any:
        return access.alerts_in_state(
            self.request.user, closed=self.request.query_params.get("state") == "closed"
        )


class AcknowledgeAlert(IdempotentWrites, APIView):
    """Take an alert: compare-and-set, by the person who is logged in."""

    allowed_roles = {"POST": STAFF}
    still_visible = staticmethod(access.visible_alert)

    @extend_schema(
        operation_id="alerts_acknowledge",
        parameters=[KEY],
        request=TakeSerializer,
        responses={200: AlertSerializer, **refusals(400, 401, 403, 404, 409, 415, 422)},
    )
    def post(self, request: Request, alert_id: uuid.UUID) -> Response:
        alert = access.visible_alert(request.user, alert_id)
        body = TakeSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        taken = actions.acknowledge(alert, by=request.user, at=clock.now(), **body.validated_data)
        return Response(AlertSerializer(access.visible_alert(request.user, taken.pk)).data)


class CloseAlert(IdempotentWrites, APIView):
    """End an alert, with a disposition and a note."""

    allowed_roles = {"POST": STAFF}
    still_visible = staticmethod(access.visible_alert)

    @extend_schema(
        operation_id="alerts_close",
        parameters=[KEY],
        request=CloseSerializer,
        responses={200: AlertSerializer, **refusals(400, 401, 403, 404, 409, 415, 422)},
    )
    def post(self, request: Request, alert_id: uuid.UUID) -> Response:
        # What is not visible does not exist, whatever is sent with it.
        alert = access.visible_alert(request.user, alert_id)
        body = CloseSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        actions.close(alert, by=request.user, at=clock.now(), **body.validated_data)
        return Response(AlertSerializer(access.visible_alert(request.user, alert_id)).data)
