"""`gateway serve`: the gateway and its HTTP server in one process."""

from __future__ import annotations

import asyncio
import contextlib
import socket

import uvicorn

from gateway import logs, tls
from gateway.app import Gateway
from gateway.asgi import create
from gateway.errors import ConfigurationError
from gateway.protocol import BoundedProtocol
from gateway.settings import Settings
from gateway.tls import CertificateProtocol


def serve(settings: Settings, *, only_deliver: bool = False) -> None:
    """Serve until SIGINT or SIGTERM; a gateway that is to `only_deliver` answers nothing but the probes.

    Raises:
        ConfigurationError: the configuration is wrong, or the address cannot be listened on.
    """
    logs.configure(settings.log.level)
    tls.check(settings.http)
    gateway = Gateway(settings, only_delivers=only_deliver)
    with (
        contextlib.closing(_listen(settings.http.host, settings.http.port)) as listener,
        contextlib.suppress(KeyboardInterrupt),
        asyncio.Runner(loop_factory=_loop_factory()) as runner,
    ):
        runner.run(_serve(gateway, listener))


async def _serve(gateway: Gateway, listener: socket.socket) -> None:
    http = gateway.settings.http
    await gateway.start()
    config = uvicorn.Config(
        create(gateway),
        http=CertificateProtocol if http.tls_client_ca_file else BoundedProtocol,
        limit_concurrency=http.max_connections,
        # The address of a connection is what a proxy is known by: no header may change it.
        proxy_headers=False,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=round(gateway.settings.delivery.shutdown_seconds),
        **tls.options(http),
    )
    await uvicorn.Server(config).serve(sockets=[listener])


def _listen(host: str, port: int) -> socket.socket:
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


def _loop_factory() -> type[asyncio.AbstractEventLoop] | None:
    try:
        import uvloop
    except ImportError:  # there is none for Windows
        return None
    return uvloop.Loop
