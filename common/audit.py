"""One way to write the trail. Call it inside the action's transaction, so that the change and its trace live or die together."""

import uuid
from datetime import datetime
from typing import Any

from common.models import AuditEntry


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
) -> AuditEntry:
    """Append one row. `about` is the object acted on; `detail` holds codes and ids, never a person's words."""
    entry = AuditEntry(
        at=at,
        actor=actor_name(by),
        action=action,
        object_type=about._meta.label_lower if about is not None else "",
        object_id=str(about.pk) if about is not None else "",
        patient_id=patient_id,
        reason=reason[:200],
        detail=detail or {},
    )
    entry.save(force_insert=True)
    return entry
