"""What the caller tells a mapping module about one message, beside the message."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple


class Context(NamedTuple):
    """Facts that no message holds, each of which may be absent; an expression reads `%claimCheck`, `%mnsType`, ..."""

    claim_check: str | None = None
    """URL at which the gateway itself keeps the original message."""
    public_url: str | None = None
    """Base URL under which the gateway is reached, without a closing slash."""
    notification: str | None = None
    """UUID of the notification that is being rendered."""
    mns_type: str | None = None
    """The event type's MNS name, e.g. `pds-change-of-gp-2`."""
    nems_code: str | None = None
    """The event type's NEMS code, e.g. `pds-change-of-gp-1`."""
    mns_path: str | None = None
    """The path under which the gateway's MNS face stands, e.g. `/multicast-notification-service`."""


NAMES: Final[Mapping[str, str]] = {
    "claimCheck": "claim_check",
    "publicUrl": "public_url",
    "notification": "notification",
    "mnsType": "mns_type",
    "mnsPath": "mns_path",
    "nemsCode": "nems_code",
}
"""The name in an expression of every fact, and its name here."""

TYPES: Final[Mapping[str, str]] = {
    **dict.fromkeys(("claimCheck", "publicUrl"), "url"),
    "notification": "id",
    "nemsCode": "code",
}
"""The FHIR types of those that are more than a string."""
