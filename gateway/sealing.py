"""What a subscriber gave us in confidence, kept so that a copy of the database does not give it away."""

from __future__ import annotations

from collections.abc import Sequence

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from gateway.errors import ConfigurationError

_TOKEN = "gAAAA"  # noqa: S105  # how every Fernet token starts: its version and the top of its time stamp
_KEYS = "security.secret_keys (GATEWAY_SECURITY__SECRET_KEYS)"


class Sealer:
    """Seals texts with the first of `keys` and opens those sealed with any (Fernet: AES-128-CBC and HMAC-SHA256).

    Without a key texts are kept as they are, and those kept so before there was one can still be read.

    Raises:
        ConfigurationError: a key is not 32 bytes in URL-safe base 64.
    """

    def __init__(self, keys: Sequence[str] = ()) -> None:
        try:
            fernets = [Fernet(key) for key in keys]
        except ValueError:
            raise ConfigurationError(f"{_KEYS}: each must be 32 bytes in URL-safe base 64") from None
        self._first = fernets[0] if fernets else None
        self._all = MultiFernet(fernets) if fernets else None

    def seal(self, text: str) -> str:
        """`text`, sealed if there is a key."""
        return self._first.encrypt(text.encode()).decode() if self._first else text

    def open(self, kept: str) -> str:
        """The text that `seal` made `kept` of.

        Raises:
            ConfigurationError: it is sealed with a key that is not among ours.
        """
        if not kept.startswith(_TOKEN):
            return kept
        if self._all is None:
            raise ConfigurationError(f"{_KEYS}: the store holds sealed secrets, and no key is set")
        try:
            return self._all.decrypt(kept).decode()
        except InvalidToken:
            raise ConfigurationError(f"{_KEYS}: the store holds secrets sealed with a key that is not set") from None

    def is_current(self, kept: str) -> bool:
        """Whether `kept` is as `seal` would keep it now."""
        if self._first is None:
            return True
        try:
            self._first.decrypt(kept)
        except InvalidToken:
            return False
        return True
