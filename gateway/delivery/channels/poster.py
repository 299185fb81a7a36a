"""POST by HTTP/1.1 on connections that are kept, to public addresses and, where that is allowed, to this machine."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import ssl
import time
from collections import defaultdict
from collections.abc import Sequence
from functools import lru_cache, partial
from typing import Final, NamedTuple
from urllib.parse import quote, urlsplit

from aiohttp import ThreadedResolver
from aiohttp.abc import AbstractResolver

from gateway.addresses import may_reach
from gateway.delivery.channels.connection import Answer, Connection
from gateway.outbound import USER_AGENT, ForbiddenAddress

_PORTS: Final = {"http": 80, "https": 443}
_NAME_SECONDS: Final = 10.0
"""A name is looked up again after so long."""
_NAMES: Final = 4096
_NEXT_SECONDS: Final = 2.0
"""An address that has not answered for so long is left for the next of its name."""
_AS_WRITTEN: Final = "/?:@!$&'()*+,;=%[]"


class NotConnected(OSError):
    """There was no connection, so nothing was sent."""


class _Place(NamedTuple):
    """Where a connection goes."""

    host: str
    port: int
    is_tls: bool


class Poster:
    """Posts, on connections of its own. `tls` is how the other side is verified; `resolver` how names are looked up, by
    default as the system does.

    Redirects are not followed, cookies and proxies not known.
    """

    def __init__(
        self, *, loopback: bool, tls: ssl.SSLContext | None = None, resolver: AbstractResolver | None = None
    ) -> None:
        self._loopback, self._tls = loopback, tls or ssl.create_default_context()
        self._resolver = resolver or ThreadedResolver()
        self._names: dict[str, tuple[float, list[str]]] = {}
        self._connections: set[Connection] = set()
        self._idle: defaultdict[_Place, list[Connection]] = defaultdict(list)

    async def close(self) -> None:
        """Close the connections."""
        lost = [connection.lost for connection in self._connections]
        for connection in self._connections:
            connection.abort()
        await asyncio.gather(*lost)
        await self._resolver.close()

    async def post(self, url: str, headers: Sequence[tuple[str, str]], body: bytes, seconds: float) -> Answer:
        """Post `body` to `url`, which must be one that `gateway.addresses` calls a webhook's; all of it within
        `seconds`.

        Raises:
            NotConnected: there is no connection.
            ForbiddenAddress: the host has no address that may be reached.
            TimeoutError: no answer in time.
            ConnectionError: the connection ended before an answer, or what came is no HTTP.
            ValueError: a header would end within itself.
        """
        place, start = _target(url)
        request = b"%b%bContent-Length: %d\r\n\r\n%b" % (start, _lines(headers), len(body), body)
        connection = self._take(place)
        if connection is None:
            started = time.monotonic()
            connection = await self._connect(place, seconds)
            seconds -= time.monotonic() - started
        try:
            return await connection.ask(request, seconds)
        except asyncio.CancelledError:
            connection.abort()
            raise

    def _take(self, place: _Place) -> Connection | None:
        idle = self._idle.get(place)
        while idle:
            connection = idle.pop()
            if connection.is_open:
                return connection
        return None

    async def _connect(self, place: _Place, seconds: float) -> Connection:
        try:
            async with asyncio.timeout(seconds):
                addresses = [one for one in await self._addresses(place) if may_reach(one, loopback=self._loopback)]
                if not addresses:
                    raise ForbiddenAddress("the host has no public address")
                return await self._connect_to(addresses, place)
        except ForbiddenAddress:
            raise
        except TimeoutError:
            raise NotConnected("no connection in time") from None
        except (OSError, ValueError) as error:  # ValueError is what a certificate for another host raises
            raise NotConnected(f"no connection: {type(error).__name__}") from None

    async def _addresses(self, place: _Place) -> list[str]:
        try:
            ipaddress.ip_address(place.host)
        except ValueError:
            return await self._addresses_of(place)
        return [place.host]

    async def _addresses_of(self, place: _Place) -> list[str]:
        now = time.monotonic()
        until, addresses = self._names.get(place.host, (0.0, []))
        if until < now:
            found = await self._resolver.resolve(place.host, place.port, socket.AF_UNSPEC)
            addresses = list(dict.fromkeys(one["host"] for one in found))
            if len(self._names) >= _NAMES:
                self._names.clear()
            self._names[place.host] = now + _NAME_SECONDS, addresses
        return addresses

    async def _connect_to(self, addresses: list[str], place: _Place) -> Connection:
        for address in addresses[:-1]:
            try:
                async with asyncio.timeout(_NEXT_SECONDS):
                    return await self._open(address, place)
            except OSError:  # a TimeoutError is one
                continue
        return await self._open(addresses[-1], place)

    async def _open(self, address: str, place: _Place) -> Connection:
        """A connection to the very address that may be reached: a name that changes its address gains nothing."""
        _, connection = await asyncio.get_running_loop().create_connection(
            partial(Connection, partial(self._keep, place)),
            address,
            place.port,
            ssl=self._tls if place.is_tls else None,
            server_hostname=place.host if place.is_tls else None,
        )
        self._connections.add(connection)
        connection.lost.add_done_callback(partial(self._forget, place, connection))
        return connection

    def _keep(self, place: _Place, connection: Connection) -> None:
        self._idle[place].append(connection)

    def _forget(self, place: _Place, connection: Connection, _: object) -> None:
        self._connections.discard(connection)
        left = [one for one in self._idle.pop(place, ()) if one is not connection]
        if left:
            self._idle[place] = left


@lru_cache(maxsize=4096)
def _target(url: str) -> tuple[_Place, bytes]:
    """Where `url` is, and how a request to it begins."""
    parts = urlsplit(url)
    place = _Place(parts.hostname or "", parts.port or _PORTS[parts.scheme], parts.scheme == "https")
    path = quote((parts.path or "/") + (f"?{parts.query}" if parts.query else ""), safe=_AS_WRITTEN)
    start = f"POST {path} HTTP/1.1\r\nHost: {parts.netloc}\r\nUser-Agent: {USER_AGENT}\r\nAccept-Encoding: identity\r\n"
    return place, start.encode("ascii")


def _lines(headers: Sequence[tuple[str, str]]) -> bytes:
    lines = "".join([f"{name}: {value}\r\n" for name, value in headers])
    if lines.count("\r") != len(headers) or lines.count("\n") != len(headers) or "\0" in lines:
        raise ValueError("not a header")
    return lines.encode()
