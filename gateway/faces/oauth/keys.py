"""The public keys of applications: JWK sets (RFC 7517) from files or URLs."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import jwt
import structlog

from gateway.applications import Application, Applications
from gateway.errors import ConfigurationError
from gateway.outbound import Fetcher, FetchFailed

log = structlog.get_logger()
FRESH_SECONDS: Final = 300.0
"""How long a key set is used before it is read again; a key that is taken out of it is refused after that."""
RETRY_SECONDS: Final = 10.0
"""How soon it is read again for a key that it does not have, or after it could not be read."""
SHORTEST_BITS: Final = 2048

Keys = dict[str, jwt.PyJWK]


class KeySets:
    """Finds the public key of an application by its `kid`; a set may have several, so that keys change with an overlap.

    What cannot be read keeps its former keys: a key server that is away for a while shuts nobody out.

    Raises:
        ConfigurationError: a `jwks_file` cannot be read, or holds no key set.
    """

    def __init__(
        self, applications: Applications, fetcher: Fetcher, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._fetcher, self._clock = fetcher, clock
        self._sets = {one.id: _KeySet() for one in applications}
        for one in applications:
            if one.jwks_file:
                try:
                    parse(one.jwks_file.read_bytes())
                except (OSError, ValueError) as error:
                    why = error.strerror if isinstance(error, OSError) else error
                    raise ConfigurationError(f"application {one.id!r}: jwks_file {one.jwks_file}: {why}") from None

    async def find(self, application: Application, kid: str) -> jwt.PyJWK | None:
        """The key of that name; None when the application has none of it."""
        held = self._sets[application.id]
        async with held.reading:  # many callers wait for one reading
            age = self._clock() - held.read_at
            if age > (FRESH_SECONDS if kid in held.keys else RETRY_SECONDS):
                held.read_at = self._clock()
                held.keys = await self._read(application, held.keys)
        return held.keys.get(kid)

    async def _read(self, application: Application, former: Keys) -> Keys:
        try:
            if application.jwks_file:
                return parse(await asyncio.to_thread(Path.read_bytes, application.jwks_file))
            if application.jwks_url:
                return parse((await self._fetcher.get(application.jwks_url, {"Accept": "application/json"})).body)
        except (FetchFailed, OSError, ValueError) as error:
            log.warning("read-keys", application=application.id, error=type(error).__name__, why=str(error)[:200])
        return former


class _KeySet:
    def __init__(self) -> None:
        self.keys: Keys = {}
        self.read_at = -float("inf")
        self.reading = asyncio.Lock()


def parse(document: bytes) -> Keys:
    """The RSA keys of a key set that have a `kid` and are for signing.

    Raises:
        ValueError: it is no key set.
    """
    found = json.loads(document)
    listed = found.get("keys") if isinstance(found, dict) else None
    if not isinstance(listed, list):
        raise ValueError("not a JWK set: an object with `keys` is expected")
    keys: Keys = {}
    for one in listed:
        if not isinstance(one, dict) or one.get("kty") != "RSA" or one.get("use", "sig") != "sig":
            continue
        key = _key(one)
        if key.key_id:
            keys[key.key_id] = key
    return keys


def _key(one: dict[str, object]) -> jwt.PyJWK:
    if "d" in one:
        raise ValueError("a private key, which no key set may hold")
    try:
        key = jwt.PyJWK(one, algorithm="RS512")
    except (jwt.PyJWTError, ValueError, TypeError):
        raise ValueError("a key of the set cannot be read") from None
    if key.key.key_size < SHORTEST_BITS:
        raise ValueError(f"a key of the set is shorter than {SHORTEST_BITS} bits")
    return key
