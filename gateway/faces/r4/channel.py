"""The channel of an R4 Subscription: where notifications go, and what goes with them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from gateway.addresses import is_webhook_url, names_forbidden_address
from gateway.errors import Refusal
from gateway.events import ChannelType, Form
from gateway.subscriptions.subscription import Ordering

CHANNEL_TYPES: Final = "urn:fhir-event-gateway:channel-type"
"""The code system of channel types that FHIR has no code for; `mesh` is its one code."""
CONTENT_FORMS: Final[Mapping[str, Form]] = {
    "empty": "r4-empty",
    "id-only": "r4-id-only",
    "full-resource": "r4-full-resource",
}
# Without a payload level the subscriber gets what MNS delivers; the guide requires the level.
_FORMS_OF_MNS: Final[Mapping[str, Form]] = {
    "application/fhir+json": "mns-signal",
    "application/cloudevents+json": "cloudevent",
}
_PAYLOADS: Final = ("application/fhir+json", "application/json")
_MOST_WAITS: Final = 20
_WEEK: Final = 604_800
_FHIR_VERSIONS: Final = frozenset({"4.0", "4.0.1"})
_MESH: Final = re.compile(r"mesh://(\w{1,100})\?workflow_id=([\w.-]{1,100})", re.ASCII)
_HEADER: Final = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([\x21-\x7e](?:[\x20-\x7e\t]*[\x21-\x7e])?)")
# What HTTP itself, or the gateway, must say.
_OWN_HEADERS: Final = frozenset(
    {
        "connection",
        "content-encoding",
        "content-length",
        "content-type",
        "expect",
        "host",
        "keep-alive",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "user-agent",
        "webhook-id",
        "webhook-signature",
        "webhook-timestamp",
    }
)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where notifications go: a URL for `rest-hook`, a mailbox and a workflow for `mesh`."""

    channel: ChannelType
    address: str
    workflow: str = ""


def endpoint(channel: dict[str, Any], extensions: Mapping[str, list[Any]], *, loopback: bool) -> Endpoint:
    """Where the notifications of a Subscription's channel go; `loopback` says that this machine is allowed.

    Raises:
        Refusal: NOT_SUPPORTED; the type of the channel, or its endpoint.
    """
    if _channel_type(channel["type"], extensions) == "mesh":
        match = _MESH.fullmatch(channel.get("endpoint") or "")
        if match is None:
            raise unsupported("channel.endpoint", "must be mesh://MAILBOX?workflow_id=WORKFLOW")
        return Endpoint("mesh", match[1].upper(), match[2])  # MESH knows no case, and a mailbox has one lane
    return Endpoint("rest-hook", _url(channel.get("endpoint"), loopback=loopback))


def form(payload: str | None, content: str | None) -> Form:
    """What to deliver, by the MIME type of `channel.payload` and the level of its extension.

    Raises:
        Refusal: NOT_SUPPORTED.
    """
    media_type, _, parameters = (payload or "").partition(";")
    media_type = media_type.strip().lower()
    if content is None:
        found = _FORMS_OF_MNS.get(media_type)
        if found is None:
            raise unsupported("channel.payload", f"must be one of {', '.join(_FORMS_OF_MNS)}")
    elif content not in CONTENT_FORMS:
        raise unsupported("channel.payload", f"backport-payload-content must be one of {', '.join(CONTENT_FORMS)}")
    elif media_type not in _PAYLOADS:
        raise unsupported("channel.payload", f"must be one of {', '.join(_PAYLOADS)}")
    else:
        found = CONTENT_FORMS[content]
    _check_parameters(parameters)
    return found


def headers(channel: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    """The headers that go with every request, by name and value.

    Raises:
        Refusal: NOT_SUPPORTED.
    """
    return tuple(_header(index, text) for index, text in enumerate(channel.get("header", [])))


def unsupported(path: str, text: str) -> Refusal:
    """The refusal of an element of a Subscription that cannot be done."""
    return Refusal.because("NOT_SUPPORTED", text, f"Subscription.{path}")


def _channel_type(code: str, extensions: Mapping[str, list[Any]]) -> ChannelType:
    custom = extensions.get("backport-channel-type")
    if custom is None:
        if code != "rest-hook":
            raise unsupported("channel.type", "must be rest-hook, or message with backport-channel-type mesh")
        return "rest-hook"
    coding = custom[0]
    known = isinstance(coding, dict) and coding.get("system") == CHANNEL_TYPES and coding.get("code") == "mesh"
    if not known or code != "message":
        text = f"backport-channel-type must be the code mesh of {CHANNEL_TYPES}, on channel.type message"
        raise unsupported("channel.type", text)
    return "mesh"


def _url(url: str | None, *, loopback: bool) -> str:
    if url is None or not is_webhook_url(url):
        raise unsupported("channel.endpoint", "must be an http or https URL without credentials or fragment")
    if names_forbidden_address(url, loopback=loopback):
        raise unsupported("channel.endpoint", "must be at a public address")
    if not loopback and not url.startswith("https:"):
        raise unsupported("channel.endpoint", "must be https")
    return url


def _check_parameters(parameters: str) -> None:
    for one in filter(None, (part.strip() for part in parameters.split(";"))):
        name, _, value = one.partition("=")
        if name.lower() == "fhirversion" and value.strip('"') in _FHIR_VERSIONS:
            continue
        if name.lower() == "charset" and value.strip('"').lower() == "utf-8":
            continue
        raise unsupported("channel.payload", "its parameters may be fhirVersion=4.0 and charset=utf-8 only")


def _header(index: int, text: str) -> tuple[str, str]:
    match = _HEADER.fullmatch(text)
    if match is None or match[1].lower() in _OWN_HEADERS:
        raise unsupported(f"channel.header[{index}]", "must be `Name: value`, and not a header that the gateway sets")
    return match[1], match[2]


def ordering(code: Any) -> Ordering:
    """Whether notifications about a patient leave in the order in which their events came.

    Raises:
        Refusal: NOT_SUPPORTED.
    """
    if code not in (None, "none", "per-subject"):
        raise unsupported("channel", "the ordering must be none or per-subject")
    return "per-subject" if code == "per-subject" else "none"


def retry_seconds(text: Any) -> tuple[float, ...]:
    """The waits between attempts, `5, 30, 120`; () for those of the gateway.

    Raises:
        Refusal: NOT_SUPPORTED; it is not up to 20 numbers of up to a week.
    """
    if text is None:
        return ()
    try:
        waits = tuple(float(part) for part in text.split(","))
    except ValueError:
        waits = ()
    if not 0 < len(waits) <= _MOST_WAITS or not all(0 < wait <= _WEEK for wait in waits):
        raise unsupported("channel", f"retry-seconds must be up to {_MOST_WAITS} numbers of up to {_WEEK}, by commas")
    return waits
