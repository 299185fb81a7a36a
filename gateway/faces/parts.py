"""What the faces are made of."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.catalogue import Catalogue
from gateway.faces.nems.identity import Identity
from gateway.faces.oauth.bearer import Bearer
from gateway.faces.oauth.endpoint import TokenEndpoint
from gateway.intake import Intake
from gateway.subscriptions.book import Book


@dataclass(frozen=True, slots=True)
class Parts:
    """What the faces are made of: `identity` is that of the face nems, `bearer` that of mns and r4; `loopback`
    says that webhooks may go to this machine.
    """

    intake: Intake
    book: Book
    catalogue: Catalogue
    identity: Identity
    bearer: Bearer
    token_endpoint: TokenEndpoint
    base_url: str
    max_body_bytes: int
    loopback: bool
    mns_path: str
