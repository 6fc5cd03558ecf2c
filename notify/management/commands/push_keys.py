"""`manage.py push_keys`: a fresh pair of keys for notices on devices, as two lines for the environment."""

import base64
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django.core.management.base import BaseCommand


def fresh_pair() -> tuple[str, str]:
    """(private, public) on P-256, in the form that browsers and push services take."""

    def words(raw: bytes) -> str:
        return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()

    key = ec.generate_private_key(ec.SECP256R1())
    return (
        words(key.private_numbers().private_value.to_bytes(32, "big")),
        words(key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)),
    )


class Command(BaseCommand):
    help = "Prints a fresh pair of keys for notices on devices. Changing keys means that every device must be added anew."

    def handle(self, *args: Any, **options: Any) -> None:
        private, public = fresh_pair()
        self.stdout.write(f"VAPID_PRIVATE_KEY={private}\nVAPID_PUBLIC_KEY={public}")
