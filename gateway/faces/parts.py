"""What the faces are made of."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.applications import Applications
from gateway.catalogue import Catalogue
from gateway.delivery.render import Renderer
from gateway.faces.mns.acknowledgement import Acknowledgements
from gateway.faces.mns.criteria import Extensions
from gateway.faces.nems.identity import Identity
from gateway.faces.nems.reading import Reading
from gateway.faces.nems.subscription import Limits as NemsLimits
from gateway.faces.oauth.bearer import Bearer
from gateway.faces.oauth.endpoint import TokenEndpoint
from gateway.faces.r4.incoming import Incoming
from gateway.faces.r4.request import Limits
from gateway.faces.r4.subscription import Greeter
from gateway.intake import Intake
from gateway.subscriptions.book import Book


@dataclass(frozen=True, slots=True)
class Parts:
    """What the faces are made of: `identity`, `reading` and `nems_limits` are of nems, `bearer` that of mns and r4;
    `greeter`, `limits`, `incoming` and `acknowledgements` are of r4, `renderer` of the claim check.
    """

    intake: Intake
    reading: Reading
    book: Book
    catalogue: Catalogue
    identity: Identity
    nems_limits: NemsLimits
    repeat_seconds: float
    bearer: Bearer
    token_endpoint: TokenEndpoint
    base_url: str
    max_body_bytes: int
    max_in_flight_bytes: int
    mns_path: str
    mns_extensions: Extensions
    greeter: Greeter
    renderer: Renderer
    limits: Limits
    incoming: Incoming
    acknowledgements: Acknowledgements
    applications: Applications
