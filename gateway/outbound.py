"""Outbound HTTP: to public addresses and, where that is allowed, to this machine; redirects are not followed."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final

import aiohttp

from gateway.addresses import is_webhook_url, may_reach, names_forbidden_address
from gateway.errors import GatewayError

USER_AGENT: Final = "fhir-event-gateway"


class ForbiddenAddress(OSError):
    """The endpoint is at an address that must not be reached."""


class FetchFailed(GatewayError):
    """What was asked for did not come; the text holds nothing of the request. `lasting` says that asking again cannot
    help.
    """

    def __init__(self, why: str, *, lasting: bool = False) -> None:
        self.lasting = lasting
        super().__init__(why)


def session(seconds: float, *, loopback: bool = False, anywhere: bool = False) -> aiohttp.ClientSession:
    """A session that reaches only what it may, gives up after `seconds`, and keeps no cookies. `anywhere` is for what
    an operator has set.
    """
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(
            limit=0,
            resolver=aiohttp.ThreadedResolver(),
            socket_factory=None if anywhere else partial(_socket, loopback=loopback),
        ),
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=seconds),
        auto_decompress=False,
        headers={"User-Agent": USER_AGENT},
        trust_env=False,
    )


def _socket(address: aiohttp.AddrInfoType, *, loopback: bool) -> socket.socket:
    """A socket for an address that may be reached.

    This is asked with the very address that is about to be connected to, so a name that changes its address after it
    was looked at gains nothing.
    """
    family, kind, protocol, _, place = address
    if not may_reach(str(place[0]), loopback=loopback):
        raise ForbiddenAddress("the host has no public address")
    return socket.socket(family, kind, protocol)


@dataclass(frozen=True, slots=True)
class Fetched:
    """The body of a 200, and its media type, in lower case and without parameters."""

    body: bytes
    media_type: str


class Fetcher:
    """Gets small documents: a key set, a patient's record. A body larger than `max_bytes` is not taken."""

    def __init__(self, seconds: float, max_bytes: int, *, loopback: bool) -> None:
        self._loopback, self._max_bytes = loopback, max_bytes
        self._session = session(seconds, loopback=loopback)

    async def close(self) -> None:
        """Close the connections."""
        await self._session.close()

    async def get(self, url: str, headers: Mapping[str, str]) -> Fetched:
        """What stands at `url`.

        Raises:
            FetchFailed: it is no URL to fetch, its host must not be reached, it did not answer in time, or not 200.
        """
        return await self._request("GET", url, headers)

    async def post(self, url: str, form: Mapping[str, str]) -> Fetched:
        """What `url` answers to a form.

        Raises:
            FetchFailed: as for `get`.
        """
        return await self._request("POST", url, {}, form)

    async def _request(
        self, method: str, url: str, headers: Mapping[str, str], form: Mapping[str, str] | None = None
    ) -> Fetched:
        if not is_webhook_url(url) or names_forbidden_address(url, loopback=self._loopback):
            raise FetchFailed("not at a public address", lasting=True)
        try:
            # A compressed body could be a small one that fills the memory.
            asked = {**headers, "Accept-Encoding": "identity"}
            async with self._session.request(method, url, headers=asked, data=form, allow_redirects=False) as response:
                return await self._taken(response)
        except TimeoutError:
            raise FetchFailed("no answer in time") from None
        except aiohttp.ClientConnectorError as error:
            lasting = isinstance(error.os_error, ForbiddenAddress)
            raise FetchFailed(str(error.os_error) if lasting else type(error).__name__, lasting=lasting) from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise FetchFailed(type(error).__name__) from None

    async def _taken(self, response: aiohttp.ClientResponse) -> Fetched:
        if response.status != 200:
            lasting = 300 <= response.status < 500 and response.status not in {401, 403, 408, 425, 429}
            raise FetchFailed(f"HTTP {response.status}", lasting=lasting)
        if response.headers.get("Content-Encoding", "identity") != "identity":
            raise FetchFailed("a compressed body", lasting=True)
        body = bytearray()
        async for chunk in response.content.iter_chunked(65_536):
            body += chunk
            if len(body) > self._max_bytes:
                raise FetchFailed(f"larger than {self._max_bytes} bytes", lasting=True)
        return Fetched(bytes(body), response.content_type.lower())
