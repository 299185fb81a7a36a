"""Where a message that was sent stands (MESH API, GET /outbox/tracking)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import requests
from mesh_client import MeshClient


@dataclass(frozen=True, slots=True)
class Tracking:
    """Where a message stands.

    `status` is MESH's word: uploading, accepted, acknowledged (the recipient has collected it), undeliverable or error;
    `at` is when it became so, in MESH's form, "" when MESH does not say. `code` and `reason` tell of an error.
    """

    status: str
    at: str = ""
    code: str = ""
    reason: str = ""

    @classmethod
    def of(cls, client: MeshClient, message_id: str) -> Tracking | None:
        """Ask MESH, which wants to be asked seldom; None when it knows no such message."""
        try:
            return cls.read(dict(client.track_message(message_id)))
        except requests.HTTPError as error:
            if error.response is not None and error.response.status_code in (404, 410):
                return None
            raise

    @classmethod
    def read(cls, answer: dict[str, Any]) -> Tracking:
        """Take it from MESH's answer."""

        def text(*names: str) -> str:
            return next((str(answer[name]) for name in names if answer.get(name)), "")

        return cls(
            status=text("status").lower(),
            at=text("status_timestamp", "statusTimestamp"),
            code=text("status_code", "statusCode"),
            reason=text("status_description", "statusDescription")[:200],
        )


def by_local_id(client: MeshClient, local_id: str) -> requests.Response:
    """Ask for a message by its local id, which the MESH API deprecates and mesh-client has no public call for."""
    url = f"{client.mailbox_url}/outbox/tracking/{quote(local_id, safe='')}"
    return client._session.get(url, timeout=client._timeout)
