"""Signing in to a source: an access token for a signed JWT (NHS API platform, "Application-restricted RESTful APIs -
signed JWT authentication").
"""

from __future__ import annotations

import asyncio
import time
import uuid
from typing import Final

import jwt
import msgspec

from gateway.outbound import Fetcher, FetchFailed
from gateway.sources import Login

_ASSERTION_TYPE: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_GOOD_FOR_SECONDS: Final = 300
_EARLY_SECONDS: Final = 30
"""A token is used no longer than until so long before its end."""


class _Answer(msgspec.Struct):
    access_token: str
    expires_in: int | str = 0


class Session:
    """The token of one Login, got when it is first needed, and again before it ends."""

    def __init__(self, login: Login, fetcher: Fetcher) -> None:
        self._login, self._fetcher = login, fetcher
        self._token, self._until = "", 0.0
        self._asking = asyncio.Lock()

    async def token(self) -> str:
        """A token that is good now.

        Raises:
            FetchFailed: the source gives none.
        """
        async with self._asking:
            if time.monotonic() >= self._until:
                await self._ask()
        return self._token

    async def _ask(self) -> None:
        form = {
            "grant_type": "client_credentials", "client_assertion_type": _ASSERTION_TYPE,
            "client_assertion": self._assertion(),
        }  # fmt: skip
        try:
            answer = msgspec.json.decode((await self._fetcher.post(self._login.token_url, form)).body, type=_Answer)
            self._until = time.monotonic() + int(answer.expires_in) - _EARLY_SECONDS
        except FetchFailed as failed:
            # However it refused, the fault is in the settings or will pass: no event is to blame.
            raise FetchFailed(f"no access token: {failed}") from None
        except (msgspec.DecodeError, ValueError):
            raise FetchFailed("no access token: not the answer of a token endpoint") from None
        self._token = answer.access_token

    def _assertion(self) -> str:
        login = self._login
        claims = {
            "iss": login.client_id, "sub": login.client_id, "aud": login.token_url, "jti": str(uuid.uuid4()),
            "exp": int(time.time()) + _GOOD_FOR_SECONDS,
        }  # fmt: skip
        try:
            return jwt.encode(claims, login.key_file.read_text(), "RS512", headers={"kid": login.key_id})
        except (OSError, ValueError, jwt.PyJWTError):
            raise FetchFailed("no access token: key_file is not a private RSA key") from None
