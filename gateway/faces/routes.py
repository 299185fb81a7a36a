"""Which handler of which face answers a request."""

from __future__ import annotations

import functools
from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route, Router
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.errors import Refusal
from gateway.faces.claim_check import ClaimCheck
from gateway.faces.guard import Guard, Guarded
from gateway.faces.http import WholeRequest
from gateway.faces.load import Load, refused
from gateway.faces.mns.acknowledgement import ProcessMessage
from gateway.faces.mns.routes import Mns
from gateway.faces.nems import publish, spine
from gateway.faces.nems import subscription as nems_subscription
from gateway.faces.oauth import endpoint as oauth
from gateway.faces.parts import Parts
from gateway.faces.r4 import face, outcome
from gateway.faces.r4.face import R4Parts
from gateway.faces.r4.incoming import ProcessNotification
from gateway.protocol import Respond

PROCESS_MESSAGE = "/STU3/Events/1/$process-message"


class Faces:
    """Every face, as one ASGI application in front of `rest`, which gets what is no face's.

    The busiest routes are found by a look-up. Inside FastAPI, its middleware, telemetry and router would take longer
    than all that publishing does but parsing and validation. A server that looks into `shortcuts` needs no ASGI for
    them: how a POST to each is answered, once its body is whole.
    """

    def __init__(self, parts: Parts, rest: ASGIApp) -> None:
        self._rest = rest
        self._load = Load(parts.max_in_flight_bytes, parts.max_body_bytes)
        claim_check = ClaimCheck(parts.intake.store, parts.book, parts.bearer, parts.renderer)
        mns = Mns(parts, claim_check)
        self._busy = {("POST", PROCESS_MESSAGE): _publish(parts), ("POST", f"{parts.mns_path}/events"): mns.publish}
        self.shortcuts: Mapping[bytes, Respond] = {
            path.encode(): functools.partial(self._respond, busy) for (_, path), busy in self._busy.items()
        }
        self._prefixes = ("/STU3", "/R4", "/claim-check/", oauth.PATH, f"{parts.mns_path}/")
        routes = [*_nems_routes(parts), *_r4_routes(parts, claim_check), *_oauth_routes(parts), *mns.routes]
        self._router = Router(routes, redirect_slashes=False)

    async def _respond(self, busy: Guarded, scope: Scope, body: bytes) -> Response:
        size = len(body)
        if size and not self._load.take(size):
            return await busy.respond(Request(scope, refused))
        try:
            return await busy.respond(WholeRequest(scope, body))
        finally:
            self._load.give_back(size)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        app = self._rest
        if scope["type"] == "http":
            path = scope["path"]
            busy = self._busy.get((scope["method"], path))
            app = busy or (self._router if path.startswith(self._prefixes) else app)
            await self._load(app, scope, receive, send)
            return
        await app(scope, receive, send)


def _publish(parts: Parts) -> Guarded:
    handler = publish.Publish(
        parts.intake, parts.reading, parts.catalogue, parts.identity, parts.max_body_bytes, parts.repeat_seconds
    )
    return Guard("nems", spine.refusal_response)("publish", handler)


def _nems_routes(parts: Parts) -> list[BaseRoute]:
    guard = Guard("nems", spine.refusal_response)
    subscriptions = nems_subscription.Subscriptions(
        parts.book, parts.catalogue, parts.identity, parts.base_url, parts.nems_limits
    )
    one = "/STU3/Subscription/{id}"
    return [
        Route("/STU3/Subscription", guard("subscribe", subscriptions.create), methods=["POST"]),
        Route(one, guard("read", subscriptions.read), methods=["GET"]),
        Route(one, guard("unsubscribe", subscriptions.delete), methods=["DELETE"]),
        Route(PROCESS_MESSAGE, guard("publish", _wrong_verb)),
        Route("/STU3/Subscription", guard("subscribe", _wrong_verb)),
        Route(one, guard("subscribe", _own_id), methods=["PUT"]),
        Route(one, guard("subscribe", _wrong_verb)),
        Route("/STU3{rest:path}", guard("receive", _not_implemented)),
    ]


def _r4_routes(parts: Parts, claim_check: ClaimCheck) -> list[BaseRoute]:
    """The R4 face, and the claim check, whose links its signals carry."""
    guard = Guard("r4", outcome.refusal_response)
    r4 = R4Parts(
        store=parts.intake.store,
        book=parts.book,
        catalogue=parts.catalogue,
        bearer=parts.bearer,
        greeter=parts.greeter,
        claim_check=claim_check,
        base_url=parts.base_url,
        limits=parts.limits,
        incoming=ProcessNotification(
            parts.incoming, parts.applications, parts.max_body_bytes, tokens=not parts.limits.loopback
        ),
        acknowledgements=ProcessMessage(parts.acknowledgements, parts.bearer, parts.max_body_bytes),
        tokens=not parts.limits.loopback,
    )
    return [
        *face.routes(r4),
        Route("/claim-check/{id}", guard("claim-check", claim_check.read), methods=["GET"]),
        Route("/claim-check/{rest:path}", guard("receive", _no_such_place)),
    ]


def _oauth_routes(parts: Parts) -> list[BaseRoute]:
    guard = Guard("oauth", oauth.refusal_response)
    return [Route(oauth.PATH, guard("token", parts.token_endpoint), methods=["POST"])]


async def _wrong_verb(_: Request) -> Response:
    raise Refusal.because("BAD_REQUEST", "this HTTP verb is not used here")


async def _own_id(_: Request) -> Response:
    raise Refusal.because("MSG_RESOURCE_ID_FAIL", "a subscription is made by POST and gets its id here")


async def _not_implemented(_: Request) -> Response:
    raise Refusal.because("NOT_IMPLEMENTED", "NEMS has Events/1/$process-message and Subscription here")


async def _no_such_place(_: Request) -> Response:
    raise Refusal.because("NO_RECORD_FOUND", "there is nothing here")
