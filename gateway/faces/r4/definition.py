"""The operations of the face that no guide defines: `GET /R4/OperationDefinition/{id}`."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from gateway.errors import Refusal
from gateway.faces.r4.outcome import fhir_response

PROCESS_NOTIFICATION = "process-notification"


class Definitions:
    """Tells the definition of $process-notification; `url` is that of the R4 face."""

    def __init__(self, url: str) -> None:
        self._url = f"{url}/OperationDefinition"

    def canonical(self, name: str) -> str:
        """The canonical URL of the operation of that name."""
        return f"{self._url}/{name}"

    async def read(self, request: Request) -> Response:
        """200 with the OperationDefinition; nobody needs to be known for it."""
        if request.path_params["id"] != PROCESS_NOTIFICATION:
            raise Refusal.because("NO_RECORD_FOUND", "there is no such operation")
        parameter = {"name": "resource", "use": "in", "min": 1, "max": "1", "type": "Bundle"}
        definition = {
            "resourceType": "OperationDefinition",
            "id": PROCESS_NOTIFICATION,
            "url": self.canonical(PROCESS_NOTIFICATION),
            "name": "ProcessNotification",
            "status": "active",
            "kind": "operation",
            "affectsState": True,
            "code": PROCESS_NOTIFICATION,
            "system": True,
            "type": False,
            "instance": False,
            "description": "Takes a notification of a topic-based subscription, as a rest-hook endpoint does.",
            "parameter": [parameter],
        }
        return fhir_response(definition, 200)
