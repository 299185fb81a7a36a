"""Which handler of the MNS face answers a request."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp

from gateway.errors import Refusal
from gateway.faces.guard import Guard, Handler
from gateway.faces.mns.answers import refusal_response
from gateway.faces.mns.edge import Correlated
from gateway.faces.mns.publish import Publish
from gateway.faces.parts import Parts


class Mns:
    """The MNS face under its base path; `publish` answers `POST /events`, the busiest."""

    def __init__(self, parts: Parts) -> None:
        self.publish = _guarded("publish", Publish(parts.intake, parts.catalogue, parts.bearer, parts.max_body_bytes))
        base = parts.mns_path
        self.routes: list[BaseRoute] = [
            Route(f"{base}/events", _guarded("publish", _wrong_verb)),
            Route(f"{base}/{{rest:path}}", _guarded("receive", _no_such_place)),
        ]


def _guarded(action: str, handler: Handler) -> ASGIApp:
    return Correlated(Guard("mns", refusal_response)(action, handler))


async def _wrong_verb(_: Request) -> Response:
    raise Refusal.because("METHOD_NOT_ALLOWED", "Method not allowed")


async def _no_such_place(_: Request) -> Response:
    raise Refusal.because("NO_RECORD_FOUND", "Not found")
