"""One way to write the trail. Call it inside the action's transaction, so that the change and its trace live or die together.

What was refused, and what was read on the way to a refusal, happened although the transaction is undone: `even_if_undone`
rows are written once more after the roll-back of a guarded request (`common.intents.guard`, `common.api.IdempotentWrites`).
"""

import contextlib
import uuid
from collections.abc import Iterator
from contextvars import ContextVar
from datetime import datetime
from typing import Any

from django.db import transaction

from common.models import AuditEntry

_undone: ContextVar[list[dict[str, Any]] | None] = ContextVar("rows_that_outlive_a_rollback", default=None)


def actor_name(by: Any) -> str:
    """`user:<uuid>` for a person; a string such as `system:beat` or `sitter:<uuid>` stays as it is."""
    return by if isinstance(by, str) else f"user:{by.pk}"


def record(
    action: str,
    *,
    by: Any,
    at: datetime,
    about: Any = None,
    patient_id: uuid.UUID | None = None,
    reason: str = "",
    detail: dict[str, Any] | None = None,
    even_if_undone: bool = False,
) -> AuditEntry:
    """Append one row. `about` is the object acted on; `detail` holds codes and ids, never a person's words.

    `even_if_undone`: a refusal or a look, which stays true when the request around it is rolled back. Never for a change.
    """
    fields: dict[str, Any] = {
        "at": at,
        "actor": actor_name(by),
        "action": action,
        "object_type": about._meta.label_lower if about is not None else "",
        "object_id": str(about.pk) if about is not None else "",
        "patient_id": patient_id,
        "reason": reason[:200],
        "detail": detail or {},
    }
    entry = AuditEntry(**fields)
    entry.save(force_insert=True)
    waiting = _undone.get()
    if even_if_undone and waiting is not None:
        waiting.append(fields)
    return entry


@contextlib.contextmanager
def outliving_a_rollback() -> Iterator[list[dict[str, Any]]]:
    """Around a request's transaction: what must be written again when that transaction is undone (`write_again`)."""
    rows: list[dict[str, Any]] = []
    token = _undone.set(rows)
    try:
        yield rows
    finally:
        _undone.reset(token)


def write_again(rows: list[dict[str, Any]]) -> None:
    """After the roll-back: the refusals and looks that the undone transaction had written, in one transaction of their own."""
    with transaction.atomic():
        for fields in rows:
            AuditEntry(**fields).save(force_insert=True)
    rows.clear()


def refused(*, by: Any, at: datetime, where: str, ids: dict[str, Any], code: str, status: int) -> None:
    """Somebody tried to do something and was not let: who, which door, about what, and the code of the answer."""
    record(
        "act.denied" if status in (403, 404) else "act.refused",
        by=by,
        at=at,
        reason=code,
        # Only ids: an address may also hold a secret.
        detail={"where": where[:80], "ids": {k: str(v) for k, v in ids.items() if isinstance(v, uuid.UUID)}},
    )
