"""Access tokens: made and checked by any node that has the key, without asking the store.

A token is `<expiry>.<nonce>.<application>.<signature>`: the epoch milliseconds at which it ends, in hexadecimal; eight
random bytes; the application's id; and the HMAC-SHA256 of all that stands before it, as base64url without padding.
"""

from __future__ import annotations

import base64
import hmac
import secrets
from typing import Final

from gateway.errors import Refusal

SECONDS: Final = 600
"""How long a token lasts, as on the NHS API platform (API platform, application-restricted access, signed JWT)."""
_REMEMBERED: Final = 10_000


class Tokens:
    """Makes and checks tokens with `key`, which every node of one store shares."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        # The signature of a token is computed once: the same one comes with every request of ten minutes.
        self._checked: dict[str, tuple[str, int]] = {}

    def issue(self, application: str, now_ms: int) -> str:
        """A token for that application, from now on."""
        signed = f"{now_ms + SECONDS * 1000:x}.{secrets.token_urlsafe(8)}.{application}"
        return f"{signed}.{self._signature(signed)}"

    def application(self, token: str, now_ms: int) -> str:
        """The id of the application that `token` was made for.

        Raises:
            Refusal: TOKEN_INVALID, or TOKEN_EXPIRED.
        """
        known = self._checked.get(token) or self._check(token)
        if known[1] <= now_ms:
            self._checked.pop(token, None)
            raise Refusal.because("TOKEN_EXPIRED", "the access token has expired", "Authorization")
        return known[0]

    def _check(self, token: str) -> tuple[str, int]:
        signed, _, signature = token.rpartition(".")
        # As bytes: compare_digest takes no text beyond ASCII.
        if not hmac.compare_digest(self._signature(signed).encode(), signature.encode("utf-8", "replace")):
            raise Refusal.because("TOKEN_INVALID", "the access token is not one of this gateway", "Authorization")
        expiry, _, application = signed.split(".", 2)
        known = application, int(expiry, 16)
        if len(self._checked) >= _REMEMBERED:
            self._checked.clear()
        self._checked[token] = known
        return known

    def _signature(self, signed: str) -> str:
        digest = hmac.digest(self._key, signed.encode("utf-8", "replace"), "sha256")
        return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
