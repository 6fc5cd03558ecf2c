"""The six digits of an authenticator app (RFC 6238), so that the walk can log in as staff do."""

import base64
import hashlib
import hmac
import struct

STEP_S = 30


def code_of(secret: str, unix_time_s: float) -> str:
    """What the app shows at that time."""
    counter = struct.pack(">Q", int(unix_time_s) // STEP_S)
    digest = hmac.new(base64.b32decode(secret + "=" * (-len(secret) % 8)), counter, hashlib.sha1).digest()
    offset = digest[-1] & 0xF
    number = struct.unpack(">I", digest[offset : offset + 4])[0] & 0x7FFFFFFF
    return f"{number % 1_000_000:06d}"


def wait_s(unix_time_s: float) -> float:
    """How long until the app shows another code."""
    return STEP_S - unix_time_s % STEP_S
