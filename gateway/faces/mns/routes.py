"""Which handler of the MNS face answers a request."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from gateway.errors import Refusal
from gateway.faces.claim_check import ClaimCheck
from gateway.faces.guard import Guard, wrong_verb
from gateway.faces.mns import test_signal
from gateway.faces.mns.answers import refusal_response
from gateway.faces.mns.edge import Correlation
from gateway.faces.mns.publish import Publish
from gateway.faces.mns.secret import SigningSecret
from gateway.faces.mns.subscription import Subscriptions
from gateway.faces.parts import Parts


class Mns:
    """The MNS face under its base path; `publish` answers `POST /events`, the busiest."""

    def __init__(self, parts: Parts, claim_check: ClaimCheck) -> None:
        guarded = Guard("mns", refusal_response, Correlation())
        self.publish = guarded("publish", Publish(parts.intake, parts.catalogue, parts.bearer, parts.max_body_bytes))
        base = parts.mns_path
        subscriptions = Subscriptions(
            parts.book, parts.catalogue, parts.bearer, parts.mns_extensions,
            loopback=parts.limits.loopback, mesh=parts.limits.mesh,
        )  # fmt: skip
        all_of_them, one = f"{base}/subscriptions", f"{base}/subscriptions/{{id}}"
        secret = SigningSecret(parts.book, subscriptions, parts.limits.secret_overlap)
        sign = f"{one}/$signing-secret"
        self.routes: list[BaseRoute] = [
            Route(all_of_them, guarded("subscribe", subscriptions.create), methods=["POST"]),
            Route(all_of_them, guarded("search", subscriptions.search), methods=["GET"]),
            Route(one, guarded("read", subscriptions.read), methods=["GET"]),
            Route(one, guarded("resubscribe", subscriptions.replace), methods=["PUT"]),
            Route(one, guarded("unsubscribe", subscriptions.delete), methods=["DELETE"]),
            Route(sign, guarded("signing-secret", secret.read), methods=["GET"]),
            Route(sign, guarded("signing-secret", secret.rotate), methods=["POST"]),
            Route(sign, guarded("signing-secret", wrong_verb("GET", "HEAD", "POST"))),
            Route(all_of_them, guarded("subscribe", wrong_verb("GET", "HEAD", "POST"))),
            Route(one, guarded("subscribe", wrong_verb("DELETE", "GET", "HEAD", "PUT"))),
            Route(base + test_signal.PATH, guarded("hydrate", test_signal.hydration), methods=["GET"]),
            Route(f"{base}/claim-check/{{id}}", guarded("claim-check", claim_check.read), methods=["GET"]),
            Route(f"{base}/claim-check/{{id}}", guarded("claim-check", wrong_verb("GET", "HEAD"))),
            Route(f"{base}/events", guarded("publish", wrong_verb("POST"))),
            Route(f"{base}/{{rest:path}}", guarded("receive", _no_such_place)),
        ]


async def _no_such_place(_: Request) -> Response:
    raise Refusal.because("NO_RECORD_FOUND", "Not found")
