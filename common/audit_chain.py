"""The verifier of the audit chain: recomputes in Python what the database wrote, so that neither vouches for itself."""

import hashlib
import hmac
import json
from datetime import datetime
from pathlib import Path

from django.conf import settings
from django.db import connection, transaction

SEPARATOR = "\x1f"
GENESIS = "0" * 64
ROWS = """
    SELECT id, shard, seq, prev_hash, row_hash,
           to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US'), actor, action, object_type, object_id,
           coalesce(patient_id::text, ''), reason, detail::text
    FROM common_auditentry ORDER BY shard, seq
"""


def _anchored(path: Path | None) -> dict[tuple[int, int], str]:
    """Heads kept earlier, by (shard, seq); a line whose signature is wrong is itself a fault."""
    kept: dict[tuple[int, int], str] = {}
    if path is None or not path.exists():
        return kept
    for number, line in enumerate(path.read_text().splitlines(), 1):
        record = json.loads(line)
        signature = record.pop("signature")
        if not hmac.compare_digest(signature, _sign(record)):
            raise ValueError(f"line {number} of the anchors was changed")
        for shard, seq, row_hash in record["heads"]:
            kept[(shard, seq)] = row_hash
    return kept


def _sign(record: dict) -> str:
    return hmac.new(
        settings.SECRET_KEY.encode(), json.dumps(record, sort_keys=True).encode(), hashlib.sha256
    ).hexdigest()


def first_fault(*, anchors: Path | None = None) -> tuple[str, int]:
    """A sentence about the first row that is not as written ('' when all is well), and how many rows were checked."""
    try:
        kept = _anchored(anchors)
    except ValueError as error:
        return str(error), 0
    checked = 0
    outermost = not connection.in_atomic_block
    with transaction.atomic(), connection.cursor() as cursor:
        if outermost:  # one snapshot for rows and heads: rows written meanwhile are not half seen
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        cursor.execute("SELECT shard, seq, row_hash FROM common_audithead")
        heads = {shard: (seq, row_hash) for shard, seq, row_hash in cursor.fetchall()}
        last: dict[int, tuple[int, str]] = {}
        cursor.execute(f"DECLARE chain NO SCROLL CURSOR FOR {ROWS}")
        while True:
            cursor.execute("FETCH 5000 FROM chain")
            rows = cursor.fetchall()
            if not rows:
                break
            for row_id, shard, seq, prev_hash, row_hash, *content in rows:
                checked += 1
                before_seq, before_hash = last.get(shard, (0, GENESIS))
                name = f"row {row_id} (chain {shard}, place {seq}, {content[0]}Z, {content[2]})"
                if seq != before_seq + 1:
                    return (
                        f"missing: chain {shard} jumps from place {before_seq} to {seq}, before {name}",
                        checked,
                    )
                if prev_hash != before_hash:
                    return f"reordered or inserted: {name} does not follow the row before it", checked
                text = SEPARATOR.join([prev_hash, str(shard), str(seq), *content])
                if hashlib.sha256(text.encode()).hexdigest() != row_hash:
                    return f"changed: {name} is not as it was written", checked
                if kept.get((shard, seq), row_hash) != row_hash:
                    return f"rewritten: {name} differs from the head kept outside", checked
                last[shard] = (seq, row_hash)
        cursor.execute("CLOSE chain")
    for shard, (seq, row_hash) in sorted(heads.items()):
        if last.get(shard, (0, GENESIS)) != (seq, row_hash):
            return (
                f"missing: chain {shard} ends at place {last.get(shard, (0, ''))[0]}, its head says {seq}",
                checked,
            )
    for (shard, seq), _hash in sorted(kept.items()):
        if seq > last.get(shard, (0, ""))[0]:
            return f"missing: chain {shard} is shorter than the head kept outside ({seq})", checked
    return "", checked


def anchor(path: Path, *, at: datetime) -> None:
    """Append the heads, signed, to a file that is carried off this machine each hour."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT shard, seq, row_hash FROM common_audithead ORDER BY shard")
        record = {"at": at.isoformat(), "heads": [list(row) for row in cursor.fetchall()]}
    record["signature"] = _sign(record)
    with path.open("a") as out:
        out.write(json.dumps(record) + "\n")
