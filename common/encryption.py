"""Field encryption: AES-256-GCM, the key's id in front, the table and column as associated data.

A value moved to another column does not decrypt. Rotation: put a new key first in FIELD_KEYS; old rows still read.
"""

import base64
import functools
import hashlib
import hmac
import json
import os
from typing import Any

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings
from django.db import models


@functools.lru_cache(maxsize=8)
def _keys(spec: str) -> dict[str, AESGCM]:
    keys: dict[str, AESGCM] = {}
    for part in spec.split(","):
        name, _, encoded = part.strip().partition(":")
        keys[name] = AESGCM(base64.urlsafe_b64decode(encoded))
    return keys


def encrypt(text: str, *, context: str) -> str:
    """`id:nonce+ciphertext` in urlsafe base64; `context` must be given again to decrypt."""
    name, aead = next(iter(_keys(settings.FIELD_KEYS).items()))
    nonce = os.urandom(12)
    sealed = nonce + aead.encrypt(nonce, text.encode(), context.encode())
    return f"{name}:{base64.urlsafe_b64encode(sealed).decode()}"


def decrypt(sealed: str, *, context: str) -> str:
    """The text again; raises `cryptography.exceptions.InvalidTag` when it was changed or moved."""
    name, _, encoded = sealed.partition(":")
    raw = base64.urlsafe_b64decode(encoded)
    return _keys(settings.FIELD_KEYS)[name].decrypt(raw[:12], raw[12:], context.encode()).decode()


def encrypt_bytes(content: bytes, *, context: str) -> bytes:
    """A file's bytes: the key's id, a colon, nonce and ciphertext; `context` must be given again to decrypt."""
    name, aead = next(iter(_keys(settings.FIELD_KEYS).items()))
    nonce = os.urandom(12)
    return name.encode() + b":" + nonce + aead.encrypt(nonce, content, context.encode())


def decrypt_bytes(sealed: bytes, *, context: str) -> bytes:
    """The bytes again; raises `cryptography.exceptions.InvalidTag` when they were changed or moved."""
    name, _, raw = bytes(sealed).partition(b":")
    return _keys(settings.FIELD_KEYS)[name.decode()].decrypt(raw[:12], raw[12:], context.encode())


def lookup_digest(value: str) -> str:
    """A keyed digest, so that an encrypted value can be found by equality without being readable."""
    return hmac.new(settings.SECRET_KEY.encode(), value.strip().lower().encode(), hashlib.sha256).hexdigest()


class EncryptedTextField(models.TextField):
    """People's own words. Cannot be searched or sorted on; empty stays empty."""

    def _context(self) -> str:
        # The history tables hold copies of the same column, so the context is the column's own first home.
        return self.name

    def get_prep_value(self, value: Any) -> Any:
        value = super().get_prep_value(value)
        return value if value in (None, "") else encrypt(value, context=self._context())

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> Any:
        return value if value in (None, "") else decrypt(value, context=self._context())


class EncryptedJSONField(EncryptedTextField):
    """A JSON value, encrypted whole."""

    # For the type checker: any JSON value goes in and comes out, not text.
    _pyi_private_set_type: Any
    _pyi_private_get_type: Any

    def get_prep_value(self, value: Any) -> Any:
        return None if value is None else super().get_prep_value(json.dumps(value, separators=(",", ":")))

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> Any:
        text = super().from_db_value(value, expression, connection)
        return None if text is None else json.loads(text or "null")

    def to_python(self, value: Any) -> Any:
        return value
