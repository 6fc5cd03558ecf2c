"""Which addresses may be called for a notice on a device: a browser names its own, and it could name one inside our network."""

import functools
import json
from urllib.parse import urlsplit

from django.conf import settings


@functools.lru_cache(maxsize=1)
def known_hosts() -> tuple[str, ...]:
    """Hosts of push services; one that begins with a dot stands for all below it."""
    path = settings.BASE_DIR / "notify" / "data" / "push_services.json"
    return tuple(entry["host"] for entry in json.loads(path.read_text())["hosts"])


def host_is_allowed(endpoint: str) -> bool:
    """May this address be called? https, the usual port, no log-in in it, and the host of a known push service."""
    try:
        parts = urlsplit(endpoint)
        host, port = (parts.hostname or "").lower(), parts.port
    except ValueError:
        return False
    if not settings.PRODUCTION and parts.netloc in settings.PUSH_TEST_HOSTS:
        return True
    if parts.scheme != "https" or port not in (None, 443) or parts.username or parts.password:
        return False
    return any(host.endswith(name) if name.startswith(".") else host == name for name in known_hosts())
