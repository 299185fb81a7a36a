"""The busiest routes answer alike with and without the shortcut, which takes bodies whose length is told."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.protocol import SHORT_BYTES
from tests.contract.mns.acts import BASE, V2, cloudevent
from tests.harness import Gateway, interaction, message, nems_headers

EVENTS = f"{BASE}/events"
PROCESS_MESSAGE = "/STU3/Events/1/$process-message"
CORRELATED = {"X-Correlation-ID": "a", "Content-Type": V2}
GOOD = json.dumps(cloudevent()).encode()
NEMS = interaction("pds-change-of-gp-1")


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    folder: Path = tmp_path_factory.mktemp("shortcut")
    with Gateway(folder, GATEWAY_HTTP__MAX_BODY_BYTES="12000") as running:
        yield running


@pytest.mark.parametrize(
    ("path", "headers", "body", "status"),
    [
        (EVENTS, CORRELATED, GOOD, 200),
        (EVENTS, CORRELATED, b"{", 400),
        (EVENTS, CORRELATED, b"", 400),
        (EVENTS, CORRELATED, b'{"id": "a b"}', 400),
        (EVENTS, CORRELATED, b" " * 15_000, 413),
        (EVENTS, {"Content-Type": V2}, GOOD, 400),
        (EVENTS, CORRELATED | {"Content-Encoding": "gzip"}, GOOD, 415),
        (EVENTS, CORRELATED | {"Content-Type": "text/plain"}, GOOD, 415),
        (PROCESS_MESSAGE, NEMS, message(), 202),
        (PROCESS_MESSAGE, NEMS, b"<Bundle", 400),
        (PROCESS_MESSAGE, NEMS, b" " * 15_000, 413),
        (PROCESS_MESSAGE, NEMS | {"fromASID": "1"}, message(), 400),
        (PROCESS_MESSAGE, NEMS | {"Accept": "application/fhir+json"}, b"<Bundle", 400),
        (PROCESS_MESSAGE, {}, message(), 400),
    ],
)
def test_both_ways_answer_alike(gateway: Gateway, path: str, headers: dict[str, str], body: bytes, status: int) -> None:
    assert len(body) <= SHORT_BYTES, "or it would go the same way twice"
    if headers.keys() >= NEMS.keys():
        headers = nems_headers(**headers)  # now: a JWT is good for some minutes
    told = gateway.http.post(path, content=body, headers=headers)
    chunked = gateway.http.post(path, content=iter([body[:10], body[10:]]), headers=headers)
    assert (told.status_code, told.content) == (status, chunked.content)
    assert chunked.status_code == status
    own = {"date", "x-amzn-requestid", "connection"}
    assert {name: value for name, value in told.headers.items() if name not in own} == {
        name: value for name, value in chunked.headers.items() if name not in own
    }
