"""Signatures of webhooks, by the Standard Webhooks scheme (symmetric, `v1`), so that a receiver can tell our requests
from others'.
"""

from __future__ import annotations

import base64
import hmac
import secrets
from collections.abc import Iterable
from typing import NamedTuple

_PREFIX = "whsec_"
_BYTES = 32


class Secret(NamedTuple):
    """A signing secret, good until `until_ms` (epoch milliseconds); None for the present one."""

    text: str
    until_ms: int | None = None


def new_secret() -> Secret:
    """A secret as Standard Webhooks writes it: `whsec_` and random bytes in base 64."""
    return Secret(_PREFIX + base64.b64encode(secrets.token_bytes(_BYTES)).decode())


def is_secret(text: str) -> bool:
    """Whether `text` is a secret, or "" for none."""
    try:
        return not text or (
            text.startswith(_PREFIX) and bool(base64.b64decode(text.removeprefix(_PREFIX), validate=True))
        )
    except ValueError:
        return False


def rotated(present: Iterable[Secret], now_ms: int, until_ms: int) -> tuple[Secret, ...]:
    """A new secret and, until `until_ms`, the one before it: a receiver has so long to take up the new one."""
    good = [one for one in present if one.until_ms is None or one.until_ms > now_ms]
    return new_secret(), *(Secret(one.text, one.until_ms or until_ms) for one in good)


def sign(secrets_: Iterable[Secret], identity: str, now_ms: int, body: bytes) -> dict[str, str]:
    """The headers that sign a request; `webhook-signature` holds a signature for each secret that is good now."""
    seconds = now_ms // 1000
    signed = b"%s.%d.%s" % (identity.encode(), seconds, body)
    made = [_signature(one.text, signed) for one in secrets_ if one.until_ms is None or one.until_ms > now_ms]
    told = {"webhook-id": identity, "webhook-timestamp": str(seconds)}
    return told | {"webhook-signature": " ".join(made)} if made else told


def _signature(secret: str, signed: bytes) -> str:
    key = base64.b64decode(secret.removeprefix(_PREFIX))
    return "v1," + base64.b64encode(hmac.digest(key, signed, "sha256")).decode()
