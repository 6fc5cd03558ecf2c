"""Sessions over the API: state, gate reasons and next step; the release; the dose. The same actions as the pages."""

import uuid
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.actions import open_chart
from accounts.step_up import require_step_up, stepped_up_at
from common import clock
from common.api import KEY, IdempotentWrites, Refusal, StrictSerializer, refusals
from sessions import access, actions, states
from sessions.models import DosingSession
from sessions.rules import GateReason
from sessions.wording import words_of

NEXT_STEP = {
    "scheduled": "The patient opens the session on its day.",
    "check": "The patient answers the day's questions.",
    "hold": "An answer holds the dose.",
    "place": "The patient confirms place and emergency contact.",
    "sitter": "The patient names a sitter.",
    "reading": "The patient measures.",
    "reading_hold": "A reading holds the dose: rest and measure again.",
    "no_dose": "No dose today.",
    "waiting": "The care team releases the dose.",
    "ready": "The patient takes the dose.",
    "dosing": "The music hour.",
    "observing": "The watch: readings, rest, and the end by rule.",
    "released": "The patient answers the morning after.",
    "closed": "Nothing more.",
    "aborted": "Nothing more.",
    "missed": "The patient chooses another day.",
}


class GateReasonSerializer(serializers.Serializer):
    condition = serializers.CharField(help_text="G1 to G12")
    code = serializers.CharField()
    wording = serializers.CharField(help_text="In the words of whoever asks: the patient's or the staff's.")


class NextStepSerializer(serializers.Serializer):
    code = serializers.CharField()
    text = serializers.CharField()


class CheckpointSerializer(serializers.Serializer):
    kind = serializers.CharField()
    minute = serializers.IntegerField()
    due_at = serializers.DateTimeField()
    done_at = serializers.DateTimeField(allow_null=True)


class SessionSerializer(serializers.Serializer):
    """One session as it stands."""

    id = serializers.UUIDField()
    patient = serializers.UUIDField()
    number = serializers.IntegerField()
    state = serializers.CharField()
    scheduled_at = serializers.DateTimeField()
    dose_at = serializers.DateTimeField(allow_null=True)
    released_at = serializers.DateTimeField(allow_null=True)
    gate = GateReasonSerializer(
        many=True, help_text="Why the dose stays locked for whoever asks; empty: it may be released."
    )
    next_step = NextStepSerializer()
    checkpoints = CheckpointSerializer(many=True)


class ReleaseSerializer(StrictSerializer):
    """A coach sends nothing; a psychiatrist may send the words for a reading in the caution band."""

    dose_ug = serializers.IntegerField(
        min_value=1, max_value=2_000_000, required=False, help_text="Must equal the order's, when given."
    )
    caution_reason = serializers.CharField(max_length=2000, required=False, allow_blank=True)
    plan_t40 = serializers.BooleanField(required=False)


class TakenSerializer(StrictSerializer):
    units_taken = serializers.IntegerField(min_value=1, max_value=40)
    units_left = serializers.IntegerField(min_value=0, max_value=400, required=False, allow_null=True)
    lot = serializers.CharField(max_length=40, required=False, allow_blank=True)
    already = serializers.BooleanField(
        required=False,
        help_text="True: it was taken although the release had lapsed; the watch begins all the same.",
    )


class Locked(Refusal):
    """The dose stays locked."""

    gate = GateReasonSerializer(many=True)


def reasons_as_sent(reasons: frozenset[GateReason], *, patient: bool) -> list[dict[str, str]]:
    return [
        {
            "condition": r.condition,
            "code": r.code,
            "wording": words_of(r).patient if patient else words_of(r).staff,
        }
        for r in sorted(reasons, key=lambda r: (int(r.condition[1:]), r.code))
    ]


def as_sent(session: DosingSession, request: Request) -> dict[str, Any]:
    """The session as it stands, for whoever asks."""
    at = clock.now()
    is_patient = request.user.role == "patient"
    reasons: frozenset[GateReason] = frozenset()
    if session.state in (states.SCHEDULED, states.PREPARING):
        stamp = None if request.auth is not None else stepped_up_at(request, at=at)
        reasons = access.gate_inputs(session, by=request.user, at=at, stepped_up_at=stamp).reasons
    if is_patient:
        # Who releases and with what is the care team's business.
        reasons = frozenset(r for r in reasons if r.code not in ("wrong_role", "not_assigned", "step_up_old"))
    step = access.room_of(session, at=at).step
    return {
        "id": str(session.pk),
        "patient": str(session.patient_id),
        "number": session.number,
        "state": session.state,
        "scheduled_at": session.scheduled_at.isoformat(),
        "dose_at": session.dose_at.isoformat() if session.dose_at else None,
        "released_at": session.released_at.isoformat() if session.released_at else None,
        "gate": reasons_as_sent(reasons, patient=is_patient),
        "next_step": {"code": step, "text": NEXT_STEP[step]},
        "checkpoints": [
            {
                "kind": c.kind,
                "minute": c.minute,
                "due_at": c.due_at.isoformat(),
                "done_at": c.done_at.isoformat() if c.done_at else None,
            }
            for c in access.checkpoints_of(session)
        ],
    }


class Session(APIView):
    """One session: where it stands, why the dose is locked, what comes next."""

    allowed_roles = {"GET": ("patient", "coach", "psychiatrist")}
    token_scopes = {"GET": "sessions:read"}

    @extend_schema(operation_id="session_read", responses={200: SessionSerializer, **refusals(401, 403, 404)})
    def get(self, request: Request, session_id: uuid.UUID) -> Response:
        session = access.visible_session(request.user, session_id)
        if request.user.role != "patient":
            open_chart(session.patient, by=request.user, at=clock.now(), why="session")
        return Response(as_sent(session, request))


class Dose(IdempotentWrites, APIView):
    """Release the dose of a session. Needs the assigned coach or psychiatrist and a second factor of the last five minutes."""

    allowed_roles = {"POST": ("coach", "psychiatrist")}
    still_visible = staticmethod(access.visible_session)

    @extend_schema(
        operation_id="session_release_dose",
        parameters=[KEY],
        request=ReleaseSerializer,
        responses={201: SessionSerializer, 409: Locked, **refusals(400, 401, 403, 404, 415, 422)},
    )
    def post(self, request: Request, session_id: uuid.UUID) -> Response:
        session = access.visible_session(request.user, session_id)
        sent = ReleaseSerializer(data=request.data)
        sent.is_valid(raise_exception=True)
        require_step_up(request)
        at = clock.now()
        told = sent.validated_data
        result = actions.release_dose(
            session,
            by=request.user,
            at=at,
            stepped_up_at=stepped_up_at(request, at=at),
            dose_ug=told.get("dose_ug"),
            caution_reason=told.get("caution_reason", ""),
            plan_t40=told.get("plan_t40", False),
        )
        if result.release is None:
            body = {
                "code": "dose_locked",
                "detail": "The dose stays locked.",
                "fields": {},
                "gate": reasons_as_sent(result.reasons, patient=False),
            }
            return Response(body, status=409)
        return Response(as_sent(access.visible_session(request.user, session_id), request), status=201)


class Taken(IdempotentWrites, APIView):
    """The patient has taken the released dose; the watch begins."""

    allowed_roles = {"POST": ("patient",)}
    still_visible = staticmethod(access.visible_session)

    @extend_schema(
        operation_id="session_dose_taken",
        parameters=[KEY],
        request=TakenSerializer,
        responses={201: SessionSerializer, **refusals(400, 401, 403, 404, 409, 415, 422)},
    )
    def post(self, request: Request, session_id: uuid.UUID) -> Response:
        session = access.visible_session(request.user, session_id)
        sent = TakenSerializer(data=request.data)
        sent.is_valid(raise_exception=True)
        actions.confirm_dose_taken(session, **sent.validated_data, by=request.user, at=clock.now())
        return Response(as_sent(access.visible_session(request.user, session_id), request), status=201)
