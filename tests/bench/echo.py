"""What all is measured beside: a bare ASGI application that echoes the body, served exactly as the gateway is."""

from __future__ import annotations

import asyncio
import contextlib
import sys

import uvicorn
from uvicorn._types import ASGIReceiveCallable, ASGISendCallable, Scope

# The gateway's own, so that the two servers cannot come to differ.
from gateway.listener import listen, loop_factory


async def echo(scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
    """200 with the body that came."""
    body, more = b"", True
    while more:
        part = await receive()
        body += part["body"]
        more = part["more_body"]
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]})
    await send({"type": "http.response.body", "body": body})


def main(port: int) -> None:
    config = uvicorn.Config(
        echo, http="httptools", lifespan="off", log_config=None, access_log=False, server_header=False
    )
    with (
        contextlib.closing(listen("127.0.0.1", port)) as listener,
        contextlib.suppress(KeyboardInterrupt),
        asyncio.Runner(loop_factory=loop_factory()) as runner,
    ):
        runner.run(uvicorn.Server(config).serve(sockets=[listener]))


if __name__ == "__main__":
    main(int(sys.argv[1]))
