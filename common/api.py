"""What every API view shares: errors in one shape, cursor pages, idempotent writes."""

import hashlib
import json
from collections.abc import Callable
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import Http404
from drf_spectacular.utils import OpenApiParameter
from rest_framework import exceptions, status
from rest_framework.exceptions import ErrorDetail
from rest_framework.pagination import CursorPagination
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import CharField, DictField, Serializer
from rest_framework.views import exception_handler as drf_handler

from common import audit, clock
from common.errors import Conflict, DomainError, Invalid, NotVisible, StepUpNeeded
from common.intents import body_hash, claim
from common.locks import as_refusal
from common.models import ClientIntent


class NewestFirst(CursorPagination):
    """Keyset pages: page 1,000 costs what page 1 costs. Set `ordering` on the view to an indexed, unique ordering."""

    page_size = 50
    page_size_query_param = "page_size"
    max_page_size = 200
    ordering = ("-created_at", "-id")

    def get_ordering(self, request: Request, queryset: Any, view: Any) -> tuple[str, ...]:
        return tuple(getattr(view, "ordering", self.ordering))


def flat_errors(detail: Any, prefix: str = "") -> dict[str, str]:
    """Errors of a serializer as one sentence for each field, nested ones by their path."""
    if isinstance(detail, dict):
        flat: dict[str, str] = {}
        for key, value in detail.items():
            flat.update(flat_errors(value, f"{prefix}.{key}" if prefix else str(key)))
        return flat
    if isinstance(detail, list):
        if all(isinstance(item, (str, ErrorDetail)) for item in detail):
            return {prefix: " ".join(str(item) for item in detail)}
        flat = {}
        for index, item in enumerate(detail):
            flat.update(flat_errors(item, f"{prefix}[{index}]"))
        return flat
    return {prefix: str(detail)}


def exception_handler(error: Exception, context: dict[str, Any]) -> Response | None:
    """{"code", "detail", "fields"}: never a stack trace, never another person's data."""
    refusal = as_refusal(error)
    _note_refusal(refusal or error, context)
    if refusal is not None:
        return Response(
            {"code": refusal.code, "detail": refusal.detail, "fields": refusal.fields}, status=refusal.status
        )
    response = drf_handler(error, context)
    if response is None:
        return None
    if isinstance(error, exceptions.ValidationError):
        body = {
            "code": "invalid",
            "detail": "Some fields need another look.",
            "fields": flat_errors(error.detail),
        }
        # One status for bad input, whether a serializer or an action finds it... 400 is what the framework's parsers use.
        response.status_code = status.HTTP_400_BAD_REQUEST
    else:
        code = getattr(error, "default_code", "error")
        detail = response.data.get("detail", "") if isinstance(response.data, dict) else ""
        body = {"code": str(code), "detail": str(detail), "fields": {}}
    response.data = body
    return response


def _note_refusal(error: Exception, context: dict[str, Any]) -> None:
    """A write that was refused leaves its row (PR-12); a body that needs mending does not."""
    request = context.get("request")
    if request is None or request.method not in ("POST", "PUT", "PATCH", "DELETE"):
        return
    if isinstance(error, DomainError) and not isinstance(error, Invalid | StepUpNeeded):
        code, number = error.code, error.status
    elif isinstance(error, Http404 | exceptions.NotFound):
        code, number = "not_found", 404
    elif isinstance(error, PermissionDenied | exceptions.PermissionDenied):
        code, number = "permission_denied", 403
    else:
        return
    user = getattr(request, "user", None)
    if user is None or not user.is_authenticated:
        return
    match = getattr(request, "resolver_match", None)
    audit.refused(
        by=user,
        at=clock.now(),
        where=match.view_name if match else "",
        ids=context.get("kwargs") or {},
        code=code,
        status=number,
    )


class StrictSerializer(Serializer):
    """Refuses keys it does not know: a misspelt field must not vanish in silence."""

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, dict):
            unknown = sorted(set(data) - set(self.fields))
            if unknown:
                raise exceptions.ValidationError({key: ["This field is not known here."] for key in unknown})
        return super().to_internal_value(data)

    def create(self, validated_data: Any) -> Any:
        raise NotImplementedError("actions write, serializers do not")

    def update(self, instance: Any, validated_data: Any) -> Any:
        raise NotImplementedError("actions write, serializers do not")


class Refusal(Serializer):
    """What every refusal looks like."""

    code = CharField()
    detail = CharField()
    fields = DictField(child=CharField())  # type: ignore[assignment]


def refusals(*codes: int) -> dict[int, Any]:
    """The documented refusals of a view, for `extend_schema(responses=...)`."""
    return dict.fromkeys(codes, Refusal)


# The header of every write, for `extend_schema(parameters=[KEY])`.
KEY = OpenApiParameter(
    "Idempotency-Key",
    str,
    OpenApiParameter.HEADER,
    required=False,
    description="8 to 80 printable characters; the same key sent again gets the first answer.",
)


class IdempotentWrites:
    """Mixin for API views: an `Idempotency-Key` makes a write happen once, and a replay gets the first answer.

    It wraps dispatch of POST/PUT/PATCH/DELETE handlers. Without the header the write runs as usual. Role and scopes are asked
    on every request, replays included; a view about one object says with `still_visible` how to ask for that one again, so
    that an answer is not given out once more to somebody who may not see the object any longer (404).
    """

    # staticmethod(user, object id): raises when this person may not see it (any more).
    still_visible: Callable[..., Any] | None = None

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)  # type: ignore[misc]
        if request.method in ("POST", "PUT", "PATCH", "DELETE") and request.headers.get("Idempotency-Key"):
            handler = getattr(self, request.method.lower())
            setattr(self, request.method.lower(), self._once(handler))

    def _once(self, handler: Any) -> Any:
        def once(request: Request, *args: Any, **kwargs: Any) -> Response:
            key = request.headers["Idempotency-Key"]
            if not 8 <= len(key) <= 80 or not key.isprintable():
                raise exceptions.ValidationError({"Idempotency-Key": ["Send 8 to 80 printable characters."]})
            actor = f"user:{request.user.pk}" if request.user.is_authenticated else _stranger(request)
            hashed = body_hash(
                (request.method or "").encode(),
                request.path.encode(),
                json.dumps(request.data, sort_keys=True, default=str).encode(),
            )
            with audit.outliving_a_rollback() as outliving:
                try:
                    with transaction.atomic():
                        taken = claim(actor=actor, key=key, hashed=hashed)
                        if taken.replayed:
                            return self._first_answer(taken.row, request, kwargs)
                        response: Response = handler(request, *args, **kwargs)
                        plain = (
                            json.loads(json.dumps(response.data, default=str))
                            if response.data is not None
                            else None
                        )
                        row = taken.row
                        row.status, row.result = response.status_code, plain
                        row.save(update_fields=["status", "result"])
                except Exception:
                    audit.write_again(outliving)
                    raise
            return response

        return once

    def _first_answer(self, row: ClientIntent, request: Request, kwargs: dict[str, Any]) -> Response:
        """What was answered the first time, to somebody who may still see it."""
        if kwargs:
            if self.still_visible is None:
                raise NotVisible("There is nothing here.")
            self.still_visible(request.user, *kwargs.values())
        if row.result is None and row.status != status.HTTP_204_NO_CONTENT:
            raise Conflict(
                "This was done before, and its answer is not kept any more. Read it again where it belongs.",
                code="done_before",
            )
        replay = Response(row.result, status=row.status or 200)
        replay["Idempotent-Replay"] = "true"
        return replay


def _stranger(request: Request) -> str:
    """Somebody not logged in: told apart by address, which is hashed and not kept."""
    return "stranger:" + hashlib.sha256(str(request.META.get("REMOTE_ADDR", "")).encode()).hexdigest()[:32]
