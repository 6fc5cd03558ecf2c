"""The assessment for anybody; the queue, the claim and the decision for psychiatrists. The same actions as the pages."""

import uuid
from typing import Any
from urllib.parse import urlencode

from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.step_up import require_step_up
from common import clock
from common.api import KEY, IdempotentWrites, StrictSerializer, refusals
from common.errors import Invalid
from intake import access, actions
from intake.models import Decision, Intake
from intake.rules import FACTS_BY_NAME, FactsError
from intake.wording import rule_texts

PAGE_SIZE_MOST = 200


@extend_schema_field({"oneOf": [{"type": "string", "maxLength": 200}, {"type": "number"}, {"type": "null"}]})
class FactField(serializers.Field):
    """One fact: text, a number, or null for unknown. What it may be is in the description of its name."""

    def to_internal_value(self, data: Any) -> str:
        if isinstance(data, str) and len(data) <= 200:
            return data
        if isinstance(data, int | float) and not isinstance(data, bool):
            return str(data)[:40]
        raise serializers.ValidationError("Send text, a number, or null.")

    def to_representation(self, value: Any) -> Any:
        return value


class FactsIn(StrictSerializer):
    facts = serializers.DictField(
        child=FactField(allow_null=True),
        help_text=f"Any of: {', '.join(FACTS_BY_NAME)}. Empty, null or “unsure” is unknown.",
    )

    def validate_facts(self, value: dict[str, Any]) -> dict[str, Any]:
        if len(value) > len(FACTS_BY_NAME):
            raise serializers.ValidationError("These are more facts than there are.")
        return value


class ReasonOut(serializers.Serializer):
    rule = serializers.CharField()
    wording = serializers.CharField()


class AssessmentOut(serializers.Serializer):
    outcome = serializers.ChoiceField(choices=["ok", "review", "exclude"])
    reasons = ReasonOut(many=True)
    missing = serializers.ListField(child=serializers.CharField())
    rule_version = serializers.CharField()


class Assessment(APIView):
    """The two-minute assessment. Nothing is kept; nobody is approved: only a psychiatrist decides."""

    allowed_roles = ("anyone",)
    authentication_classes = ()

    @extend_schema(
        operation_id="assessment",
        request=FactsIn,
        responses={200: AssessmentOut, **refusals(400, 422)},
        auth=[],
    )
    def post(self, request: Request) -> Response:
        sent = FactsIn(data=request.data)
        sent.is_valid(raise_exception=True)
        try:
            found, data = actions.assess(sent.validated_data["facts"], at=clock.now())
        except FactsError as error:
            fields = {f"facts.{one.field[:60]}": one.sentence[:300] for one in error.errors}
            raise Invalid("Some facts cannot be read.", fields=fields) from None
        texts = rule_texts(data)
        return Response(
            {
                "outcome": str(found.outcome),
                "reasons": [{"rule": id, "wording": texts[id].patient} for id in found.reasons],
                "missing": list(found.missing),
                "rule_version": found.rule_version,
            }
        )


class QueueRow(serializers.Serializer):
    id = serializers.UUIDField()
    patient_id = serializers.UUIDField()
    full_name = serializers.CharField()
    date_of_birth = serializers.DateField(allow_null=True)
    care_state = serializers.CharField()
    urgency = serializers.IntegerField()
    outcome = serializers.CharField()
    reasons = serializers.ListField(child=serializers.CharField())
    submitted_at = serializers.DateTimeField()


class QueuePage(serializers.Serializer):
    next = serializers.CharField(allow_null=True)
    count = serializers.CharField(help_text="Counted no further than 99: then “99+”.")
    results = QueueRow(many=True)


class IntakeOut(serializers.ModelSerializer):
    evaluation = serializers.SerializerMethodField(
        help_text="What the rules say of it now; a decision names it as `seen`."
    )

    def get_evaluation(self, intake: Intake) -> uuid.UUID | None:
        """The newest evaluation's id."""
        found = access.latest_evaluation(intake.patient)
        return found.pk if found is not None else None

    class Meta:
        model = Intake
        fields = (
            "id", "patient", "state", "care_state", "urgency", "outcome", "reasons", "submitted_at", "claimed_by",
            "claim_expires_at", "decided_at", "evaluation",
        )  # fmt: skip


class DecisionIn(StrictSerializer):
    kind = serializers.ChoiceField(choices=Decision.Kind.choices)
    reasons = serializers.ListField(child=serializers.CharField(max_length=40), required=False, max_length=71)
    note = serializers.CharField(max_length=10_000, required=False, allow_blank=True)
    letter = serializers.CharField(max_length=10_000, required=False, allow_blank=True)
    items = serializers.ListField(child=serializers.CharField(max_length=20), required=False, max_length=20)
    seen = serializers.UUIDField(
        help_text="The evaluation that was on the screen (`evaluation` of the claim)."
    )
    due_on = serializers.DateField(
        required=False,
        allow_null=True,
        help_text="By when, for ask_more and clearance; empty: the usual time.",
    )
    question = serializers.CharField(
        max_length=2_000, required=False, allow_blank=True, help_text="Added to the letter to a specialist."
    )


class DecisionOut(serializers.ModelSerializer):
    class Meta:
        model = Decision
        fields = ("id", "intake", "kind", "reasons", "items", "evaluation", "by", "signed_at")


class NothingIn(StrictSerializer):
    """No body is needed."""


class Intakes(APIView):
    """The queue: what waits in the states the psychiatrist is licensed in today, most urgent first, then oldest."""

    allowed_roles = {"GET": ("psychiatrist",)}

    @extend_schema(
        operation_id="intakes_list",
        parameters=[
            OpenApiParameter("cursor", str, description="From `next` of the page before."),
            OpenApiParameter("page_size", int, description="1 to 200; 50 unless told."),
        ],
        responses={200: QueuePage, **refusals(400, 401, 403, 422)},
    )
    def get(self, request: Request) -> Response:
        at = clock.now()
        codes = access.states_today(request.user, at)
        token = request.query_params.get("cursor", "")
        size = _size(request.query_params.get("page_size", ""))
        rows, after = access.queue_page(
            codes, at=at, after=access.place_from(token) if token else None, size=size
        )
        following = None
        if after is not None:
            following = request.build_absolute_uri(
                f"{request.path}?{urlencode({'cursor': after.token(), 'page_size': size})}"
            )
        body = {"next": following, "count": access.queue_count(codes, at=at), "results": rows}
        return Response(QueuePage(body).data)


def _size(text: str) -> int:
    if not text:
        return 50
    if not (text.isascii() and text.isdigit() and len(text) < 6 and 1 <= int(text) <= PAGE_SIZE_MOST):
        raise serializers.ValidationError({"page_size": ["Send a whole number from 1 to 200."]})
    return int(text)


class Claim(IdempotentWrites, APIView):
    """Take an intake, alone, for half an hour."""

    allowed_roles = {"POST": ("psychiatrist",)}
    still_visible = staticmethod(access.still_visible_to)

    @extend_schema(
        operation_id="intakes_claim",
        parameters=[KEY],
        request=NothingIn,
        responses={200: IntakeOut, **refusals(400, 401, 403, 404, 409, 422)},
    )
    def post(self, request: Request, intake_id: uuid.UUID) -> Response:
        NothingIn(data=request.data).is_valid(raise_exception=True)
        intake = actions.claim(intake_id, by=request.user, at=clock.now())
        return Response(IntakeOut(intake).data)


class Decide(IdempotentWrites, APIView):
    """Sign a decision. Needs a second factor given within the last five minutes."""

    allowed_roles = {"POST": ("psychiatrist",)}
    still_visible = staticmethod(access.still_visible_to)

    @extend_schema(
        operation_id="intakes_decide",
        parameters=[KEY],
        request=DecisionIn,
        responses={201: DecisionOut, **refusals(400, 401, 403, 404, 409, 422)},
    )
    def post(self, request: Request, intake_id: uuid.UUID) -> Response:
        at = clock.now()
        # What is not visible does not exist, whatever is sent with it.
        intake = access.intake_visible_to(request.user, intake_id, at)
        sent = DecisionIn(data=request.data)
        sent.is_valid(raise_exception=True)
        require_step_up(request)
        data = sent.validated_data
        decision = actions.decide(
            intake,
            data["kind"],
            by=request.user,
            at=at,
            reasons=data.get("reasons", ()),
            note=data.get("note", ""),
            letter=data.get("letter", ""),
            items=data.get("items", ()),
            seen=data["seen"],
            due_on=data.get("due_on"),
            question=data.get("question", ""),
        )
        return Response(DecisionOut(decision).data, status=201)
