"""Whatever is sent to the NEMS face is accepted or refused, and never makes it fail."""

from __future__ import annotations

import base64
import json
import re
import time
from collections.abc import Callable
from urllib.parse import quote

import httpx
import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.fhir.json import render_json
from gateway.fhir.tables import load
from gateway.fhir.xml import parse_xml
from tests.harness import (
    EVENTS,
    Gateway,
    claims,
    interaction,
    nems_headers,
    nems_subscription,
    subscriptions_api,
)
from tests.upset import bodies_sent, restructured

PUBLISH = "/STU3/Events/1/$process-message"
SUBSCRIPTION = "/STU3/Subscription"
SOAK_SECONDS = 600
EVENT = re.compile(rb'code"? ?(?:value=|:)"([a-z0-9-]+-1)"')

quick = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
at_length = settings(quick, max_examples=2000, database=None)
# What a header may hold; what else comes is refused by the HTTP server.
letters = st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f")
short = st.text(letters, max_size=60).map(str.strip)
words = short | st.builds(str.__mul__, letters, st.integers(1, 9_000)).map(str.strip)
# What is near to right gets further than what is not.
names = st.sampled_from([*EVENTS, "Vaccinations", "VACCINATIONS-1", "no-such-1", ""])
media_types = st.sampled_from(
    ["application/fhir+xml", "application/json+fhir; charset=utf-8", "application/fhir+json", "xml", "*/*;q=0.1", "*/*"]
)


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """A message with pieces cut out, doubled or replaced, or with bytes changed."""
    body = bytearray(draw(st.sampled_from(bodies_sent())))
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(body)))
        end = start + draw(st.integers(0, 60))
        piece = draw(
            st.sampled_from(
                [b"", b"<", b'"', b"\x00", b"\xff\xfe", b"&", b"<id/>", b'value="', bytes(body[start:end]) * 2]
            )
        )
        body[start:end] = piece
    return bytes(body)


@st.composite
def as_json(draw: st.DrawFn) -> bytes:
    """A message or subscription in JSON, with pieces cut out or replaced."""
    tables = load("STU3")
    body = bytearray(render_json(parse_xml(draw(st.sampled_from(bodies_sent())), tables).resource))
    for _ in range(draw(st.integers(0, 3))):
        start = draw(st.integers(0, len(body)))
        end = start + draw(st.integers(0, 40))
        body[start:end] = draw(st.sampled_from([b"", b"{", b"[]", b"null", b'"', b"1e999", b"\\u0000", b"\xff"]))
    return bytes(body)


@st.composite
def criteria(draw: st.DrawFn) -> bytes:
    """A subscription whose criteria are made of likely and unlikely pieces."""
    pieces = st.sampled_from(
        [
            "/Bundle?type=message", "&amp;", "MessageHeader.event=", "pds-change-of-gp-1", "Patient.identifier=",
            "https://fhir.nhs.uk/Id/nhs-number|", "9990001006", "%7C", "%", "%ff", "serviceType=GP", "Patient.age=", "lt14",
            "gt", "9" * 400, "GPRegistration=RegisteredOnly", "subscriptionRuleType=", "GP_GP_GP", "COUNTRYCODE",
            "Organization.identifier=", "A20047", "E92000001", "tag=", "|,", "=", " ", "é",
        ]
    )  # fmt: skip
    text = "/Bundle?type=message" + "".join(draw(st.lists(pieces, max_size=20)))
    resource = nems_subscription("pds-change-of-gp-1").decode()
    start = resource.index('<criteria value="') + len('<criteria value="')
    return (resource[:start] + text + resource[resource.index('"', start) :]).encode()


scalars = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=20))
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
)
nested = st.builds(lambda opens, depth, closes: (opens * depth + "1" + closes * depth).encode(),
                   st.sampled_from(["[", '{"a":']), st.integers(1, 3000), st.sampled_from(["", "]", "}"]))  # fmt: skip


@st.composite
def tokens(draw: st.DrawFn) -> str:
    """An Authorization header, right but for one claim, or with anything in place of the claims or of the JOSE header."""
    payload = msgspec.structs.asdict(claims())
    name = draw(st.sampled_from([*payload, "requesting_user", "requesting_organization", "nbf", "jti"]))
    if draw(st.booleans()):
        payload[name] = draw(values)
    parts = [b'{"alg":"none","typ":"JWT"}', json.dumps(payload).encode()]
    if draw(st.integers(0, 3)) == 0:
        parts[draw(st.integers(0, 1))] = draw(
            nested | st.binary(max_size=60) | values.map(lambda one: json.dumps(one).encode())
        )
    return "Bearer " + ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts) + "."


@st.composite
def headers(draw: st.DrawFn, right: dict[str, str], body: bytes) -> dict[str, str]:
    """The headers of a request: right ones for half of the bodies, else some of them changed, taken away or added."""
    syntax = "json" if body.startswith(b"{") else "xml"
    made = nems_headers(**right) | {"Content-Type": f"application/fhir+{syntax}"}
    if draw(st.booleans()):
        return made
    changes = {
        "fromASID": words,
        "toASID": words,
        "Authorization": tokens() | words,
        "InteractionID": names.map(lambda name: interaction(name)["InteractionID"]) | words,
        "Content-Type": media_types | words,
        "Accept": media_types | words,
        "Content-Encoding": words,
        "Client-Cert": words,
    }
    for name in draw(st.lists(st.sampled_from(sorted(changes)), max_size=2)):
        made[name] = draw(changes[name])
    for name in draw(st.lists(st.sampled_from(sorted(made)), max_size=1)):
        del made[name]
    return made


whole = st.deferred(lambda: st.sampled_from(bodies_sent()))
bodies = st.one_of(whole, whole, restructured(), restructured(), as_json(), mutated(), st.binary(max_size=200))
queries = st.one_of(
    st.just(""),
    st.just(""),
    st.just(""),
    short,
    st.builds("_format={}".format, short | media_types),
    st.sampled_from(["_format=%", "%ff=%00", "&&==&"]),
)
methods = st.sampled_from([*["POST"] * 8, "GET", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"])
places = st.sampled_from(
    [*[SUBSCRIPTION] * 6, f"{SUBSCRIPTION}/{'0' * 32}", f"{SUBSCRIPTION}/", f"{SUBSCRIPTION}/%00", "/STU3/"]
)


def send(gateway: Gateway, method: str, path: str, query: str, sent: dict[str, str], body: bytes) -> httpx.Response:
    """Send it as it is, whatever it is."""
    raw = [(name.encode(), value.encode("latin-1")) for name, value in sent.items()]
    target = f"{path}?{quote(query, safe='=&%')}" if query else path
    url = httpx.URL(gateway.url).copy_with(raw_path=target.encode())
    return gateway.http.request(method, url, headers=raw, content=body)


def check(answer: httpx.Response) -> None:
    """Check that it is an answer, and not a fault; what NEMS does not have is 501 by its own rules."""
    assert answer.status_code < 500 or answer.status_code == 501, answer.text
    assert "Traceback" not in answer.text
    if answer.status_code >= 400 and answer.request.method != "HEAD":
        assert b"OperationOutcome" in answer.content or answer.text == "Invalid HTTP request received."


def publishing(gateway: Gateway, examples: settings) -> Callable[[], None]:
    """A test that publishes."""

    @examples
    @given(data=st.data(), body=bodies, query=queries, method=methods)
    def publishes(data: st.DataObject, body: bytes, query: str, method: str) -> None:
        code = EVENT.search(body)
        name = code[1].decode() if code and data.draw(st.booleans()) else data.draw(names)
        sent = data.draw(headers(interaction(name), body))
        check(send(gateway, method, PUBLISH, query, sent, body))

    return publishes


def subscribing(gateway: Gateway, examples: settings) -> Callable[[], None]:
    """A test that makes, reads and deletes subscriptions."""

    @examples
    @given(data=st.data(), body=bodies | criteria(), query=queries, method=methods, path=places)
    def subscribes(data: st.DataObject, body: bytes, query: str, method: str, path: str) -> None:
        verb = {"GET": "Get", "DELETE": "Delete"}.get(method, "Post")
        answer = send(gateway, method, path, query, data.draw(headers(subscriptions_api(verb), body)), body)
        check(answer)
        if place := answer.headers.get("Location"):
            own = "/STU3/" + place.split("/STU3/")[1]
            check(send(gateway, "GET", own, "", nems_headers(**subscriptions_api("Get")), b""))
            assert send(gateway, "DELETE", own, "", nems_headers(**subscriptions_api("Delete")), b"").status_code == 200

    return subscribes


@pytest.mark.rule("nems-no-fault")
def test_whatever_is_published_is_accepted_or_refused(gateway: Gateway) -> None:
    publishing(gateway, quick)()


@pytest.mark.rule("nems-no-fault")
def test_whatever_is_subscribed_to_is_accepted_or_refused(gateway: Gateway) -> None:
    subscribing(gateway, quick)()


@pytest.mark.soak
@pytest.mark.timeout(SOAK_SECONDS + 300)
@pytest.mark.rule("nems-no-fault")
def test_ten_minutes_of_anything_make_no_fault(gateway: Gateway) -> None:
    end = time.monotonic() + SOAK_SECONDS
    while time.monotonic() < end:
        publishing(gateway, at_length)()
        subscribing(gateway, at_length)()
    assert gateway.http.get("/readyz").json()["checks"]["store"] == "ok"


@pytest.mark.rule("nems-no-fault")
@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(body=st.one_of(mutated(), restructured()), data=st.data())
def test_a_mutated_message_is_accepted_or_refused_but_never_a_fault(
    gateway: Gateway, body: bytes, data: st.DataObject
) -> None:
    event = data.draw(st.sampled_from(EVENTS))
    answer = gateway.publish(body, event)
    assert answer.status_code == 202 or 400 <= answer.status_code < 500, answer.text
    if answer.status_code != 202:
        assert b"OperationOutcome" in answer.content
