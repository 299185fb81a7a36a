"""The ASGI application of a gateway: its faces and, in FastAPI behind them, probes, metrics and operations."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.types import ASGIApp

from gateway.app import Gateway
from gateway.errors import Unavailable
from gateway.faces import operations
from gateway.faces.routes import Faces


def create(gateway: Gateway) -> ASGIApp:
    """The ASGI application of a gateway that has started; its lifespan ends with the gateway's."""

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        await gateway.stop()

    # No OpenAPI page: it would show the probes only, since the faces are not FastAPI's.
    app = FastAPI(title="FHIR event gateway", lifespan=lifespan, openapi_url=None)
    app.add_exception_handler(Unavailable, _tell_when_to_come_back)
    _add_probes(app, gateway)
    if token := gateway.settings.security.operator_token.get_secret_value():
        app.include_router(operations.router(gateway.store, token))
    return app if gateway.only_delivers else Faces(gateway.parts(), app)


async def _tell_when_to_come_back(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, Unavailable)
    return JSONResponse({"detail": str(error)}, 503, {"Retry-After": str(error.retry_after_seconds)})


def _add_probes(app: FastAPI, gateway: Gateway) -> None:
    @app.get("/livez", tags=["operations"])
    async def livez() -> dict[str, str]:
        """Whether the process answers at all."""
        return {"status": "ok"}

    @app.get("/readyz", tags=["operations"])
    async def readyz() -> JSONResponse:
        """Whether the gateway can take in events: 503 unless the store answers and is migrated.

        MESH is told of too, but a MESH that is away does not make the gateway unready: what is for it waits in the
        store.
        """
        checks = await gateway.checks()
        ready = checks["store"] == checks["migrations"] == "ok"
        status = "not ready" if not ready else "ok" if checks["mesh"] in {"ok", "not set up"} else "degraded"
        return JSONResponse({"status": status, "checks": checks}, 200 if ready else 503)

    @app.get("/metrics", tags=["operations"])
    async def metrics() -> Response:
        """The metrics, in the text format of Prometheus."""
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)
