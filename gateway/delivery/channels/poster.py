"""POST by HTTP/1.1 on connections that are kept, to public addresses and, where that is allowed, to this machine."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import re
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
_NEXT_SECONDS: Final = 2.0
"""An address that has not answered for so long is left for the next of its name."""
_AS_WRITTEN: Final = "/?:@!$&'()*+,;=%"
_lone_percent: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")


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
        self._lookups: dict[str, asyncio.Task[list[str]]] = {}
        self._connections: set[Connection] = set()
        self._idle: defaultdict[_Place, list[Connection]] = defaultdict(list)

    async def close(self) -> None:
        """Close the connections."""
        for lookup in self._lookups.values():
            lookup.cancel()
        lost = [connection.lost for connection in self._connections]
        for connection in self._connections:
            connection.abort()
        try:
            if lost:
                await asyncio.wait(lost)
        finally:
            await self._resolver.close()

    async def post(self, url: str, headers: Sequence[tuple[str, str]], body: bytes, seconds: float) -> Answer:
        """Post `body` to `url`, which must be one that `gateway.addresses` calls a webhook's; all of it within
        `seconds`.

        Raises:
            NotConnected: there is no connection, so nothing was sent.
            ForbiddenAddress: the host has no address that may be reached.
            TimeoutError: no answer in time.
            ConnectionError: the connection ended before an answer, or what came is no HTTP.
            ValueError: a header would end within itself; nothing was sent.
        """
        place, start = _target(url)
        request = b"%b%bContent-Length: %d\r\n\r\n%b" % (start, _lines(headers), len(body), body)
        connection = self._take(place)
        if connection is None:
            started = time.monotonic()
            connection = await self._connect(place, seconds)
            seconds -= time.monotonic() - started
        answer = connection.ask(request, seconds)
        try:
            return await answer
        except asyncio.CancelledError:
            # One that was answered is another's by now.
            if answer.cancelled():
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
                connection = await self._connect_to(await self._addresses(place), place, seconds)
        except ForbiddenAddress:
            raise
        except TimeoutError:
            raise NotConnected("no connection in time") from None
        except (OSError, ValueError) as error:  # ValueError is what a name raises that can be none
            raise NotConnected(f"no connection: {type(error).__name__}") from None
        if not connection.is_open:
            raise NotConnected("the connection was closed at once")
        return connection

    async def _addresses(self, place: _Place) -> list[str]:
        try:
            ipaddress.ip_address(place.host)
        except ValueError:
            return await self._addresses_of(place)
        return [place.host]

    async def _addresses_of(self, place: _Place) -> list[str]:
        """The addresses of a name, looked up once for all who ask at about the same time."""
        lookup = self._lookups.get(place.host)
        if lookup is None:
            lookup = self._lookups[place.host] = asyncio.create_task(self._look_up(place))
            lookup.add_done_callback(partial(self._looked_up, place.host))
        await asyncio.wait([lookup])
        if lookup.cancelled():  # by `close`: whoever asks is not to take it for its own end
            raise ConnectionAbortedError
        return lookup.result()

    async def _look_up(self, place: _Place) -> list[str]:
        found = await self._resolver.resolve(place.host, place.port, socket.AF_UNSPEC)
        return list(dict.fromkeys(one["host"] for one in found))

    def _looked_up(self, host: str, lookup: asyncio.Task[list[str]]) -> None:
        if lookup.cancelled() or lookup.exception():
            del self._lookups[host]
        else:
            asyncio.get_running_loop().call_later(_NAME_SECONDS, self._lookups.pop, host, None)

    async def _connect_to(self, addresses: list[str], place: _Place, seconds: float) -> Connection:
        """A connection to the first of `addresses` that may be reached and answers; one that does not is last then."""
        allowed = [one for one in addresses if may_reach(one, loopback=self._loopback)]
        if not allowed:
            raise ForbiddenAddress("the host has no public address")
        for address in allowed[:-1]:
            with contextlib.suppress(OSError):  # a TimeoutError is one
                async with asyncio.timeout(min(_NEXT_SECONDS, seconds / len(allowed))):
                    return await self._open(address, place)
            addresses.remove(address)
            addresses.append(address)
        return await self._open(allowed[-1], place)

    async def _open(self, address: str, place: _Place) -> Connection:
        """A connection to the very address that may be reached: a name that changes its address gains nothing."""
        _, connection = await asyncio.get_running_loop().create_connection(
            partial(Connection, partial(self._keep, place)),
            address,
            place.port,
            ssl=self._tls if place.is_tls else None,
            server_hostname=place.host.rstrip(".") if place.is_tls else None,
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
    written = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    path = quote(_lone_percent.sub("%25", written), safe=_AS_WRITTEN)
    start = f"POST {path} HTTP/1.1\r\nHost: {parts.netloc}\r\nUser-Agent: {USER_AGENT}\r\n"
    return place, start.encode("ascii")


def _lines(headers: Sequence[tuple[str, str]]) -> bytes:
    lines = "".join([f"{name}: {value}\r\n" for name, value in headers])
    if lines.count("\r") != len(headers) or lines.count("\n") != len(headers) or "\0" in lines:
        raise ValueError("not a header")
    return lines.encode()
