"""Lists that are read a page at a time, the newest first: the key of a page is the instant and the id of the row before it."""

import uuid
from datetime import datetime
from typing import Any

from django.db.models import Q, QuerySet


def newest_first(
    rows: QuerySet[Any], when: str, *, after: str = "", limit: int = 25
) -> tuple[list[Any], str]:
    """A page of `rows` by (`when`, id) and the key of the next one ("" at the end); a key that is none begins anew."""
    stamp, _, pk = after.partition("~")
    try:
        at, last = datetime.fromisoformat(stamp), uuid.UUID(pk)
        if at.tzinfo is not None:
            rows = rows.filter(Q(**{f"{when}__lt": at}) | Q(**{when: at, "pk__lt": last}))
    except ValueError:
        pass
    found = list(rows.order_by(f"-{when}", "-id")[: limit + 1])
    end = found[limit - 1] if len(found) > limit else None
    return found[:limit], f"{getattr(end, when).isoformat()}~{end.pk}" if end is not None else ""
