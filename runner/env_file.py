"""The demo's secrets: made once, kept in var/env for this user alone. What the environment says wins over the file."""

from __future__ import annotations

import base64
import os
import secrets
from collections.abc import Mapping

from runner.paths import ENV_FILE
from runner.say import Trouble


def fresh() -> dict[str, str]:
    """New secrets: Django's key and the first key of the encrypted fields, as `id:base64key`."""
    return {
        "SECRET_KEY": secrets.token_urlsafe(48),
        "FIELD_KEYS": "k1:" + base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
    }


def servers() -> dict[str, str]:
    """New passwords for the servers of this checkout."""
    return {"POSTGRES_PASSWORD": secrets.token_hex(16), "REDIS_PASSWORD": secrets.token_hex(16)}


def read() -> dict[str, str]:
    """The file's settings: one KEY=value a line, # begins a comment."""
    found: dict[str, str] = {}
    if not ENV_FILE.exists():
        return found
    for number, raw in enumerate(ENV_FILE.read_text().splitlines(), start=1):
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        name, equals, value = line.partition("=")
        if not equals or not name.strip().isidentifier():
            raise Trouble(f"{ENV_FILE} line {number} is not KEY=value: put it right, or remove the line.")
        found[name.strip()] = value.strip()
    return found


def settings(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The file's settings, with missing secrets made and remembered."""
    found = read()
    missing = {name: value for name, value in {**fresh(), **servers()}.items() if name not in found}
    if missing:
        # Written whole to a second file and renamed: a cut-short write must not lose the key of the data.
        new = ENV_FILE.with_suffix(".new")
        new.unlink(missing_ok=True)
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as handle:
            if ENV_FILE.exists():
                handle.write(ENV_FILE.read_text().rstrip("\n") + "\n")
            else:
                handle.write(
                    "# Made by `make up` for this checkout's demo. Lose FIELD_KEYS and the encrypted fields are lost.\n"
                )
            handle.writelines(f"{name}={value}\n" for name, value in missing.items())
            handle.flush()
            os.fsync(handle.fileno())
        new.rename(ENV_FILE)
        found.update(missing)
    return {name: environment.get(name) or value for name, value in found.items()}
