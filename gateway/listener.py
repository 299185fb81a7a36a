"""What the gateway's server stands on: its socket and its event loop. Apart, so that what is measured beside it has the
same without loading the gateway.
"""

from __future__ import annotations

import asyncio
import socket

from gateway.errors import ConfigurationError


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens there.

    Raises:
        ConfigurationError: the address cannot be listened on.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    # asyncio sets this on sockets that it makes itself; without it, answers wait for the other side's acknowledgements.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise ConfigurationError(
            f"cannot listen on {host}:{port}: {error.strerror}; set GATEWAY_HTTP__HOST or GATEWAY_HTTP__PORT"
        ) from None
    listener.listen(2048)
    listener.set_inheritable(True)
    return listener


def loop_factory() -> type[asyncio.AbstractEventLoop] | None:
    """What makes the event loop: uvloop where there is one."""
    try:
        import uvloop
    except ImportError:  # there is none for Windows
        return None
    return uvloop.Loop
