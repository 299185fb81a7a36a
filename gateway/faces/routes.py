"""The routes of every face, as plain Starlette routes: FastAPI's own cost twice the time of the busiest of them."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from gateway.catalogue import Catalogue
from gateway.errors import Refusal
from gateway.faces.authenticate import Authenticator
from gateway.faces.claim_check import ClaimCheck
from gateway.faces.guard import Guard
from gateway.faces.nems import publish, spine
from gateway.faces.nems import subscription as nems_subscription
from gateway.faces.r4 import outcome
from gateway.faces.r4 import subscription as r4_subscription
from gateway.intake import Intake
from gateway.subscriptions.book import Book

_METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]


@dataclass(frozen=True, slots=True)
class Parts:
    """What the faces are made of; `anywhere` says that webhooks may go to addresses that are not public."""

    intake: Intake
    book: Book
    catalogue: Catalogue
    authenticator: Authenticator
    base_url: str
    max_body_bytes: int
    anywhere: bool


def nems_routes(parts: Parts) -> list[BaseRoute]:
    """The NEMS face, under `/STU3`."""
    guard = Guard("nems", spine.refusal_response)
    publisher = publish.Publish(parts.intake, parts.catalogue, parts.authenticator, parts.max_body_bytes)
    subscriptions = nems_subscription.Subscriptions(
        parts.book, parts.catalogue, parts.authenticator, parts.base_url, parts.max_body_bytes
    )
    one = "/STU3/Subscription/{id}"
    return [
        Route("/STU3/Events/1/$process-message", guard("publish", publisher.__call__), methods=["POST"]),
        Route("/STU3/Subscription", guard("subscribe", subscriptions.create), methods=["POST"]),
        Route(one, guard("read", subscriptions.read), methods=["GET"]),
        Route(one, guard("unsubscribe", subscriptions.delete), methods=["DELETE"]),
        Route("/STU3/Events/1/$process-message", guard("publish", _wrong_verb), methods=_METHODS),
        Route("/STU3/Subscription", guard("subscribe", _wrong_verb), methods=_METHODS),
        Route(one, guard("subscribe", _wrong_verb), methods=_METHODS),
        Route("/STU3/{rest:path}", guard("receive", _not_implemented), methods=_METHODS),
    ]


def r4_routes(parts: Parts) -> list[BaseRoute]:
    """The R4 face, under `/R4`, and the claim check, whose links its signals carry."""
    guard = Guard("r4", outcome.refusal_response)
    subscriptions = r4_subscription.Subscriptions(
        parts.book, parts.catalogue, parts.authenticator, parts.base_url, anywhere=parts.anywhere
    )
    claim_check = ClaimCheck(parts.intake.store, parts.book, parts.authenticator)
    return [
        Route("/R4/Subscription", guard("subscribe", subscriptions.create), methods=["POST"]),
        Route("/R4/Subscription/{id}", guard("read", subscriptions.read), methods=["GET"]),
        Route("/R4/Subscription/{id}", guard("unsubscribe", subscriptions.delete), methods=["DELETE"]),
        Route("/R4/{rest:path}", guard("receive", _no_such_place), methods=_METHODS),
        Route("/claim-check/{id}", guard("claim-check", claim_check.read), methods=["GET"]),
    ]


async def _wrong_verb(_: Request) -> Response:
    raise Refusal.because("BAD_REQUEST", "this HTTP verb is not used here")


async def _not_implemented(_: Request) -> Response:
    raise Refusal.because("NOT_IMPLEMENTED", "NEMS has Events/1/$process-message and Subscription here")


async def _no_such_place(_: Request) -> Response:
    raise Refusal.because("NO_RECORD_FOUND", "this face has Subscription")
