"""The operations of the face that no guide defines: `GET /R4/OperationDefinition/{id}`."""

from __future__ import annotations

from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from gateway.errors import Refusal
from gateway.faces.r4.outcome import fhir_response

PROCESS_NOTIFICATION: Final = "process-notification"
SIGNING_SECRET: Final = "signing-secret"  # noqa: S105  # a name
_OWN: Final[dict[str, dict[str, Any]]] = {
    PROCESS_NOTIFICATION: {
        "name": "ProcessNotification",
        "description": "Takes a notification of a topic-based subscription, as a rest-hook endpoint does.",
        "affectsState": True,
        "system": True,
        "type": False,
        "instance": False,
        "parameter": [{"name": "resource", "use": "in", "min": 1, "max": "1", "type": "Bundle"}],
    },
    SIGNING_SECRET: {
        "name": "SigningSecret",
        "description": "Tells the secret that a webhook's requests are signed with (GET), or makes a new one (POST).",
        "affectsState": True,
        "resource": ["Subscription"],
        "system": False,
        "type": False,
        "instance": True,
        "parameter": [
            {"name": "secret", "use": "out", "min": 1, "max": "1", "type": "string"},
            {"name": "previous-until", "use": "out", "min": 0, "max": "1", "type": "instant"},
        ],
    },
}


class Definitions:
    """Tells the definitions of the gateway's own operations; `url` is that of the R4 face."""

    def __init__(self, url: str) -> None:
        self._url = f"{url}/OperationDefinition"

    def canonical(self, name: str) -> str:
        """The canonical URL of the operation of that name."""
        return f"{self._url}/{name}"

    async def read(self, request: Request) -> Response:
        """200 with the OperationDefinition; nobody needs to be known for it."""
        name = request.path_params["id"]
        if name not in _OWN:
            raise Refusal.because("NO_RECORD_FOUND", "there is no such operation of the gateway's own")
        told = {"id": name, "url": self.canonical(name), "status": "active", "kind": "operation", "code": name}
        return fhir_response({"resourceType": "OperationDefinition", **told, **_OWN[name]}, 200)
