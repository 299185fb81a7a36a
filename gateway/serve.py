"""`gateway serve`: the gateway and its HTTP server in one process, and its helpers in theirs."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import socket
import sys

import uvicorn

from gateway import logs, tls
from gateway.app import Gateway
from gateway.asgi import create
from gateway.helper import process
from gateway.helper.maker import made
from gateway.listener import listen, loop_factory
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
    be_helper = functools.partial(process.run, tools=gateway.tools)
    # Elsewhere a copy may lack what the system's own libraries need.
    has_helpers = settings.helpers > 0 and sys.platform == "linux"
    with (
        made(be_helper) if has_helpers else contextlib.nullcontext() as gateway.maker,
        contextlib.closing(listen(settings.http.host, settings.http.port)) as listener,
        contextlib.suppress(KeyboardInterrupt),
        asyncio.Runner(loop_factory=loop_factory()) as runner,
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
