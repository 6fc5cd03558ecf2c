"""Files that people send: taken in, kept encrypted, handed out again. Nothing that arrives is kept as it came.

`accept_upload` rewrites a file in a child process (common/file_cleaner.py) and stores what came out; `open_stored` gives the
bytes back; `serve` is the only answer that carries them. Who may see a file is up to the app whose row refers to it.
"""

import hashlib
import io
import os
import re
import subprocess
import sys
import unicodedata
import uuid
from collections.abc import Collection
from datetime import datetime
from pathlib import Path
from typing import Any

from django.core.files.uploadedfile import InMemoryUploadedFile
from django.core.files.uploadhandler import MemoryFileUploadHandler
from django.db import transaction
from django.http import HttpResponse
from django.utils.http import content_disposition_header

from common import audit
from common.encryption import decrypt_bytes, encrypt_bytes
from common.errors import Invalid
from common.file_cleaner import (
    EMPTY,
    EXTENSIONS,
    MAX_BYTES,
    SAID_BY_NAME,
    TOO_BIG,
    TOOK_TOO_LONG,
)
from common.models import StoredFile

IMAGES = frozenset({"image"})
IMAGES_AND_PDFS = frozenset({"image", "pdf"})
# For the `accept` attribute of a file field. HEIC is left out on purpose: a phone then converts the photo by itself.
ACCEPT = {"image": "image/jpeg,image/png,image/webp", "pdf": "application/pdf"}
WAIT_SECONDS = 15
# All files of one form together.
MAX_FORM_BYTES = 3 * MAX_BYTES
CLEANER = Path(__file__).with_name("file_cleaner.py")


class MemoryOnly(MemoryFileUploadHandler):
    """Uploads stay in memory until they are encrypted: no temporary file ever holds somebody's document.

    A file is kept up to one byte over the limit, which is enough to say that it is too large; one form's files together
    are bounded in the same way.
    """

    def handle_raw_input(self, *args: Any, **kwargs: Any) -> None:
        self.activated = True
        self.taken = 0

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        super(MemoryFileUploadHandler, self).new_file(*args, **kwargs)
        self.file = io.BytesIO()

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        room = min(MAX_BYTES + 1 - self.file.tell(), MAX_FORM_BYTES + 1 - self.taken)
        if room > 0:
            self.file.write(raw_data[:room])
            self.taken += min(room, len(raw_data))

    def file_complete(self, file_size: int) -> InMemoryUploadedFile:
        kept = self.file.tell()
        self.file.seek(0)
        # The size that was sent, not what was kept of it: a cut file says by itself that it is one.
        upload = InMemoryUploadedFile(
            self.file,
            self.field_name,
            self.file_name,
            self.content_type,
            max(file_size, kept),
            self.charset,
            self.content_type_extra,
        )
        upload.was_cut = kept < file_size  # type: ignore[attr-defined]
        return upload


def rewritten(data: bytes, *, kinds: Collection[str], extension: str) -> tuple[str, bytes]:
    """(media type, new bytes) by the child process. Raises Invalid with the sentence for the person who sent it."""
    try:
        child = subprocess.run(
            [sys.executable, "-I", "-B", str(CLEANER), ",".join(sorted(kinds)), extension],
            input=data,
            capture_output=True,
            timeout=WAIT_SECONDS,
            env={"PATH": os.environ.get("PATH", "")},
            cwd="/",
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise Invalid(TOOK_TOO_LONG, code="file_refused", fields={"files": TOOK_TOO_LONG}) from None
    verdict, said = child.stdout[:1], child.stdout[1:]
    if child.returncode == 0 and verdict == b"+":
        media_type, _, content = said.partition(b"\n")
        return media_type.decode(), content
    sentence = said.decode() if child.returncode == 0 and verdict == b"-" else TOOK_TOO_LONG
    raise Invalid(sentence, code="file_refused", fields={"files": sentence})


def accept_upload(upload: Any, *, kinds: Collection[str], by: Any, at: datetime) -> StoredFile:
    """Check, rewrite, encrypt and keep one uploaded file; `kinds` is `{"image"}`, `{"pdf"}` or both.

    Runs in the caller's transaction, so that a file lives or dies with what refers to it. Raises Invalid (`fields["files"]`)
    with a plain sentence for whatever is not taken.
    """
    if not upload.size:
        raise Invalid(EMPTY, code="file_refused", fields={"files": EMPTY})
    if upload.size > MAX_BYTES or getattr(upload, "was_cut", False):
        raise Invalid(TOO_BIG, code="file_refused", fields={"files": TOO_BIG})
    # Only the ending goes to the child: names stand in the process list.
    ending = (upload.name or "").rpartition(".")[2].lower()
    upload.seek(0)
    media_type, content = rewritten(
        upload.read(),
        kinds=kinds,
        extension=ending if ending in SAID_BY_NAME else "other" if "." in (upload.name or "") else "",
    )
    return store(content, media_type=media_type, by=by, at=at)


def store(content: bytes, *, media_type: str, by: Any, at: datetime) -> StoredFile:
    """Encrypt and keep bytes that are already clean: made by the product itself, or by `rewritten`."""
    pk = uuid.uuid4()
    with transaction.atomic():
        file = StoredFile.objects.create(
            pk=pk,
            media_type=media_type,
            byte_count=len(content),
            sha256=hashlib.sha256(content).hexdigest(),
            sealed=encrypt_bytes(content, context=_context(pk)),
            stored_at=at,
            stored_by=by,
        )
        audit.record(
            "file.stored",
            by=by,
            at=at,
            about=file,
            detail={"media_type": media_type, "bytes": len(content)},
        )
    return file


def _context(pk: uuid.UUID) -> str:
    """Bytes moved to another row do not decrypt."""
    return f"common_storedfile.sealed:{pk}"


def open_stored(file: StoredFile) -> bytes:
    """The file's bytes. Raises `cryptography.exceptions.InvalidTag` when the row was changed or its bytes moved."""
    return decrypt_bytes(file.sealed, context=_context(file.pk))


def forget(file: StoredFile, *, by: Any, at: datetime, why: str) -> None:
    """Delete a file for good: nobody refers to it, or the law says so. The trail keeps that it was there."""
    with transaction.atomic():
        audit.record("file.forgotten", by=by, at=at, about=file, reason=why)
        file.delete()


def clean_name(name: str, media_type: str = "") -> str:
    """A file's name as it is shown and saved: no path, no control or direction marks, the ending of its true kind, 80 letters."""
    base = re.split(r"[\\/]", unicodedata.normalize("NFC", name or ""))[-1]
    base = "".join(c for c in base if unicodedata.category(c)[0] != "C").strip(" .")
    if media_type:
        stem = base.rpartition(".")[0] if base.rpartition(".")[2].lower() in SAID_BY_NAME else base
        return f"{(stem or 'file')[:76]}.{EXTENSIONS[media_type]}"
    return (base or "file")[:80]


def serve(file: StoredFile, *, name: str, inline: bool = False) -> HttpResponse:
    """The one answer with a file's bytes. Pictures may be shown on a page of ours; everything else is saved, never opened here."""
    response = HttpResponse(open_stored(file), content_type=file.media_type)
    as_attachment = not (inline and file.media_type.startswith("image/"))
    disposition = content_disposition_header(as_attachment, clean_name(name, file.media_type))
    response.headers["Content-Disposition"] = disposition or "attachment"
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Content-Security-Policy"] = "sandbox; default-src 'none'"
    response.headers["Cross-Origin-Resource-Policy"] = "same-origin"
    response.headers["Cache-Control"] = "no-store, private"
    return response


def size_words(byte_count: int) -> str:
    """`340 KB` or `2.1 MB`."""
    if byte_count < 1_000_000:
        return f"{max(1, round(byte_count / 1000))} KB"
    return f"{byte_count / 1_000_000:.1f} MB"
