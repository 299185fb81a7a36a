"""Endpoints that are ill for a while: nothing that was answered 202 is lost, and what comes twice was in doubt.

`make test` lets each be ill for a second, `make soak` for a minute.
"""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from gateway.store.base import DeliveryTrace
from tests.faults.endpoint import Endpoint, Illness, hang, reset, says
from tests.harness import Gateway, Listener, eventually, message

COUNT = 8
SETTINGS = {
    "GATEWAY_DELIVERY__WEBHOOK_SECONDS": "1",
    "GATEWAY_DELIVERY__JITTER": "0",
    "GATEWAY_DELIVERY__RETRY_SECONDS": json.dumps([0.2, 0.5, *[2] * 60]),
}
DURATIONS = [pytest.param(1.0, id="short"), pytest.param(60.0, id="long", marks=pytest.mark.soak)]
NOTHING = b"Content-Length: 0\r\nConnection: close\r\n\r\n"


def ill_for(folder: Path, illness: Illness, seconds: float) -> tuple[Endpoint, list[DeliveryTrace]]:
    """Publish while an endpoint is ill, and wait until all has ended; the endpoint, and what became of deliveries."""
    with Endpoint() as endpoint, Gateway(folder, **SETTINGS) as gateway:
        endpoint.illness = illness
        gateway.subscribe_webhook(endpoint.url)
        end = time.monotonic() + seconds
        accepted = 0
        while accepted < COUNT or time.monotonic() < end:
            assert gateway.publish(message()).status_code == 202
            accepted += 1
            time.sleep(seconds / COUNT / 4)
        endpoint.illness = None
        gateway.wait_until_idle(60)
        found = [one for trace in gateway.events() for one in trace.deliveries]
        assert len(found) == accepted, "each event has its delivery"
        return endpoint, found


def all_arrive(endpoint: Endpoint, found: list[DeliveryTrace]) -> None:
    """Each delivery arrived; those that came to the endpoint more than once had an attempt whose end was not known."""
    assert {one.state for one in found} == {"delivered"}
    assert len(endpoint.taken) == len(found)
    in_doubt = sum(any(attempt.outcome == "uncertain" for attempt in one.attempts) for one in found)
    assert sum(count > 1 for count in endpoint.taken.values()) <= in_doubt


@pytest.mark.fault(
    "A webhook takes requests and never answers", "all delivered when it is well; it was left alone between probes"
)
@pytest.mark.parametrize("seconds", DURATIONS)
def test_an_endpoint_that_hangs(tmp_path: Path, seconds: float) -> None:
    endpoint, found = ill_for(tmp_path, hang, seconds)
    all_arrive(endpoint, found)
    assert any("no answer in time" in attempt.detail for one in found for attempt in one.attempts)


@pytest.mark.fault("A webhook breaks connections off", "all delivered when it is well")
@pytest.mark.parametrize("seconds", DURATIONS)
def test_an_endpoint_that_resets(tmp_path: Path, seconds: float) -> None:
    all_arrive(*ill_for(tmp_path, reset, seconds))


@pytest.mark.fault("A webhook answers 500", "all delivered when it is well, none twice")
@pytest.mark.parametrize("seconds", DURATIONS)
def test_an_endpoint_that_fails(tmp_path: Path, seconds: float) -> None:
    endpoint, found = ill_for(tmp_path, says(b"HTTP/1.1 500 Oh\r\n" + NOTHING), seconds)
    all_arrive(endpoint, found)
    assert set(endpoint.taken.values()) == {1}


@pytest.mark.fault(
    "A webhook answers 429 with Retry-After", "all delivered, none twice, and it is left alone for as long as it asks"
)
@pytest.mark.parametrize("seconds", DURATIONS)
def test_an_endpoint_that_is_busy(tmp_path: Path, seconds: float) -> None:
    illness = says(b"HTTP/1.1 429 Slow down\r\nRetry-After: 2\r\n" + NOTHING)
    endpoint, found = ill_for(tmp_path, illness, seconds)
    all_arrive(endpoint, found)
    assert set(endpoint.taken.values()) == {1}
    first, after = endpoint.times[0], [moment for moment in endpoint.times if moment > endpoint.times[0] + 0.5]
    assert min(after) - first > 1.8


@pytest.mark.fault("A webhook redirects", "all delivered when it is well; the place it names is never asked")
@pytest.mark.parametrize("seconds", DURATIONS)
def test_an_endpoint_that_redirects(tmp_path: Path, listener: Listener, seconds: float) -> None:
    illness = says(f"HTTP/1.1 307 There\r\nLocation: {listener.url}\r\n".encode() + NOTHING)
    all_arrive(*ill_for(tmp_path, illness, seconds))
    assert listener.received == []


@pytest.mark.fault(
    "A webhook answers 200 with a body without end", "the answer is cut off and counts: delivered, none twice"
)
@pytest.mark.parametrize("seconds", DURATIONS)
def test_an_endpoint_that_floods(tmp_path: Path, seconds: float) -> None:
    flood = says(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"8000\r\n" + b"x" * 32768 + b"\r\n", again=9999
    )
    endpoint, found = ill_for(tmp_path, flood, seconds)
    assert {one.state for one in found} == {"delivered"}
    assert set(endpoint.asked.values()) == {1}


@pytest.mark.fault(
    "A webhook answers with headers without end", "no answer: tried again, all delivered when it is well"
)
@pytest.mark.parametrize("seconds", DURATIONS)
def test_an_endpoint_that_floods_headers(tmp_path: Path, seconds: float) -> None:
    all_arrive(*ill_for(tmp_path, says(b"HTTP/1.1 200 OK\r\n", b"X: " + b"x" * 4000 + b"\r\n", again=9999), seconds))


@pytest.mark.fault("A webhook answers 200 and sends its body byte by byte", "the status counts: delivered, none twice")
@pytest.mark.parametrize("seconds", DURATIONS)
def test_an_endpoint_that_drips(tmp_path: Path, seconds: float) -> None:
    drip = says(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n", b"x", pause=0.2, again=999)
    endpoint, found = ill_for(tmp_path, drip, seconds)
    assert {one.state for one in found} == {"delivered"}
    assert set(endpoint.asked.values()) == {1}


@pytest.mark.fault("A webhook answers what is no HTTP", "all delivered when it is well")
@pytest.mark.parametrize("seconds", DURATIONS)
def test_an_endpoint_that_talks_nonsense(tmp_path: Path, seconds: float) -> None:
    all_arrive(*ill_for(tmp_path, says(b"220 mail.example ESMTP\r\n"), seconds))


@pytest.mark.fault("A webhook answers 410", "dead letters at once, each after one attempt")
@pytest.mark.parametrize("seconds", DURATIONS)
def test_an_endpoint_that_is_gone(tmp_path: Path, seconds: float) -> None:
    endpoint, found = ill_for(tmp_path, says(b"HTTP/1.1 410 Gone\r\n" + NOTHING), seconds)
    dead = [one for one in found if one.state == "dead"]
    assert dead
    assert {len(one.attempts) for one in dead} == {1}
    assert len(endpoint.taken) == len(found) - len(dead)


@pytest.mark.fault("One webhook of several hangs", "the others get theirs at once")
def test_one_that_hangs_delays_no_other(tmp_path: Path) -> None:
    """How long they take beside it is measured by the soak test below."""
    with Endpoint() as ill, Endpoint() as well, Gateway(tmp_path, GATEWAY_DELIVERY__IN_MEMORY="20") as gateway:
        ill.illness = hang
        for endpoint in (ill, well):
            gateway.subscribe_webhook(endpoint.url)
        for _ in range(40):
            gateway.publish(message())
        eventually(lambda: len(well.taken) == 40, 10)
        assert set(well.taken.values()) == {1}


@pytest.mark.soak
@pytest.mark.fault(
    "One webhook of a hundred hangs, under load", "the 99th percentile of the others' waits is under twice the usual"
)
def test_ninety_nine_keep_their_pace_beside_one_that_hangs(tmp_path: Path) -> None:
    usual = _p99(tmp_path / "usual", hanging=False)
    beside = _p99(tmp_path / "beside", hanging=True)
    assert beside < 2 * usual, f"{beside * 1000:.0f} ms beside one that hangs, {usual * 1000:.0f} ms without"


def _p99(folder: Path, *, hanging: bool) -> float:
    """The 99th percentile of the seconds from an event's acceptance until its delivery is recorded, of 99 endpoints."""
    folder.mkdir()
    with Gateway(folder) as gateway:
        endpoints = [Endpoint() for _ in range(100)]
        for endpoint in endpoints:
            endpoint.__enter__()
            gateway.subscribe_webhook(endpoint.url)
        endpoints[0].illness = hang if hanging else None
        for _ in range(200):
            gateway.publish(message())
            time.sleep(0.1)
        eventually(lambda: all(len(one.taken) == 200 for one in endpoints[1:]), 120)
        others = {one.url for one in endpoints[1:]}
        waits = sorted(
            (one.ended_ms or 0) - trace.event.received_ms
            for trace in gateway.events()
            for one in trace.deliveries
            if one.delivery.endpoint in others
        )
        for endpoint in endpoints:
            endpoint.__exit__(None, None, None)
    return waits[len(waits) * 99 // 100] / 1000
