"""The Subscription of MNS, which is nearly FHIR R4's (OpenAPI description of MNS, POST /subscriptions)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from gateway.addresses import is_webhook_url, names_forbidden_address
from gateway.errors import Issue, Refusal
from gateway.events import Form
from gateway.faces.mns.attributes import issue
from gateway.fhir.primitives import CHECKS
from gateway.fhir.tables import load

PAYLOADS: Final[Mapping[str, Form]] = {"application/json": "cloudevent", "application/fhir+json": "mns-signal"}
_ENDPOINT: Final = re.compile(r"mesh://(?P<mailbox>\w{1,100})\?workflow_id=(?P<workflow>[\w.-]{1,100})", re.ASCII)
_SQS: Final = re.compile(r"arn:aws:sqs:.*", re.ASCII)
_HEADER_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HEADER_VALUE: Final = re.compile(r"[\x21-\x7e](?:[\x20-\x7e\t]*[\x21-\x7e])?")
# What HTTP itself, or the gateway, must say.
_OWN_HEADERS: Final = frozenset(
    [
        "accept-encoding",
        "connection",
        "content-length",
        "expect",
        "host",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    ]
)
# What must not be passed over unless it is understood (FHIR R4, "Modifier elements").
_MODIFIERS: Final = frozenset({"modifierExtension", "implicitRules"})
_KNOWN: Final = frozenset({"resourceType", "hydration", *load("R4").fields("Subscription")}) - _MODIFIERS
_CHANNEL: Final = ("type", "endpoint", "payload")
_MESH: Final = "Please provide a valid endpoint: mesh://MAILBOX?workflow_id=WORKFLOW"
_NOT_HERE: Final = "Please leave this out: a Subscription of MNS has no such element"
_encode = msgspec.json.Encoder().encode


def check(resource: Mapping[str, Any], *, rest_hook: bool, loopback: bool) -> None:
    """Check a Subscription but for its criteria; `rest_hook` says that its endpoint may be a webhook, `loopback` that
    this may be on this machine.

    Raises:
        Refusal: every element that is wrong is told.
    """
    issues = [*_elements(resource), *_channel(resource.get("channel"), rest_hook=rest_hook, loopback=loopback)]
    issues += _hydration(resource)
    if issues:
        raise Refusal(issues)


def _elements(resource: Mapping[str, Any]) -> list[Issue]:
    issues = [issue(name, _NOT_HERE) for name in resource if name not in _KNOWN]
    if resource.get("resourceType") != "Subscription":
        issues.append(issue("resourceType", "Please provide the correct resource type for this endpoint"))
    if resource.get("status") != "requested":
        issues.append(issue("status", "Please provide a valid status: requested"))
    issues += [issue(name) for name in ("reason", "criteria") if type(resource.get(name)) is not str]
    # MNS looks at the form of `end` and does not use it; its own examples have one that has passed.
    if "end" in resource and not (type(resource["end"]) is str and CHECKS["instant"](resource["end"])):
        issues.append(issue("end"))
    return issues


def _channel(channel: Any, *, rest_hook: bool, loopback: bool) -> list[Issue]:
    if type(channel) is not dict:
        return [issue("channel")]
    issues = [issue(f"channel.{name}", _NOT_HERE) for name in channel if name not in _CHANNEL]
    kind, endpoint = channel.get("type"), channel.get("endpoint")
    kinds = ["message", *(["rest-hook"] if rest_hook else [])]
    if kind == "rest-hook" and rest_hook:
        issues += _webhook(endpoint, loopback=loopback)
    elif kind != "message":
        issues.append(issue("channel.type", f"Please provide a valid type: {' or '.join(kinds)}"))
    elif type(endpoint) is not str or not _ENDPOINT.fullmatch(endpoint):
        queue = type(endpoint) is str and _SQS.fullmatch(endpoint)
        words = "Please provide a MESH endpoint: this gateway delivers to no queues of AWS" if queue else _MESH
        issues.append(issue("channel.endpoint", words))
    payload = channel.get("payload")
    if type(payload) is not str or payload not in PAYLOADS:
        issues.append(issue("channel.payload", f"Please provide a valid payload: {' or '.join(PAYLOADS)}"))
    return issues


def _webhook(url: Any, *, loopback: bool) -> list[Issue]:
    if type(url) is not str or not is_webhook_url(url) or not (loopback or url.startswith("https:")):
        return [issue("channel.endpoint", "Please provide a valid endpoint: an https URL")]
    forbidden = names_forbidden_address(url, loopback=loopback)
    return [issue("channel.endpoint", "Please provide an endpoint at a public address")] if forbidden else []


def _hydration(resource: Mapping[str, Any]) -> list[Issue]:
    if "hydration" not in resource:
        return []
    block, channel = resource["hydration"], resource.get("channel")
    if type(block) is not dict or type(block.get("enabled")) is not bool or block.keys() - {"enabled", "headers"}:
        return [issue("hydration")]
    headers = block.get("headers", {})
    if type(headers) is not dict or not all(_is_header(*pair) for pair in headers.items()):
        return [issue("hydration.headers")]
    return _hydrated(channel, headers) if block["enabled"] and type(channel) is dict else []


def _hydrated(channel: Mapping[str, Any], headers: Mapping[str, Any]) -> list[Issue]:
    if channel.get("payload") != "application/fhir+json":
        return [issue("hydration", "Please provide a payload of application/fhir+json, which hydration needs")]
    if headers and channel.get("type") == "rest-hook":
        return [issue("hydration.headers", "Please provide headers for hydration with a MESH endpoint only")]
    return []


def _is_header(name: str, value: Any) -> bool:
    named = _HEADER_NAME.fullmatch(name) and name.lower() not in _OWN_HEADERS
    return bool(named) and type(value) is str and bool(_HEADER_VALUE.fullmatch(value))


def mailbox(endpoint: str) -> tuple[str, str]:
    """The mailbox, in upper case since MESH knows none, and the workflow of a MESH endpoint that was checked."""
    match = _ENDPOINT.fullmatch(endpoint)
    assert match
    return match["mailbox"].upper(), match["workflow"]


def form(resource: Mapping[str, Any]) -> Form:
    """The form that a checked Subscription asks for."""
    hydrated = resource.get("hydration", {}).get("enabled", False)
    return "hydrated-signal" if hydrated else PAYLOADS[resource["channel"]["payload"]]


def hydration_headers(resource: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """The headers with which a checked Subscription has what events point to fetched."""
    headers = resource["hydration"].get("headers", {}) if form(resource) == "hydrated-signal" else {}
    return tuple(headers.items())


def kept(resource: Mapping[str, Any]) -> bytes:
    """A Subscription as it is kept: without the headers of its hydration, which may hold a secret."""
    hydration = {"hydration": {"enabled": resource["hydration"]["enabled"]}} if "hydration" in resource else {}
    return _encode({**resource, **hydration})


def shown(resource: bytes, identity: str, status: str) -> dict[str, Any]:
    """A kept Subscription as its owner sees it."""
    found: dict[str, Any] = msgspec.json.decode(resource)
    return {"id": identity, **{name: found[name] for name in found if name != "id"}, "status": status}
