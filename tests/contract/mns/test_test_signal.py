"""The test signal: published by the clock, hydrated, and shown as a check of connectivity."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tests.contract.mns.acts import BASE
from tests.harness import Gateway, Listener, eventually, run

PERIOD = 2


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Gateway]:
    """A gateway in open mode with a test signal every other second."""
    with Gateway(tmp_path, GATEWAY_MNS__TEST_SIGNAL_SECONDS=str(PERIOD)) as running:
        yield running
    assert '"level":"error"' not in running.log.read_text()


def subscribe(gateway: Gateway, url: str, **more: Any) -> str:
    body = {
        "resourceType": "Subscription", "status": "requested", "reason": "", "criteria": "eventType=mns-test-signal-1",
        "channel": {"type": "rest-hook", "endpoint": url, "payload": "application/fhir+json"}, **more,
    }  # fmt: skip
    headers = {"Content-Type": "application/fhir+json", "X-Correlation-ID": str(uuid.uuid4())}
    answer = gateway.http.post(f"{BASE}/subscriptions", json=body, headers=headers)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def connectivity(gateway: Gateway) -> Any:
    done = run("connectivity", "--json", **gateway.environment)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_nothing_is_published_while_nobody_subscribes(gateway: Gateway, listener: Listener) -> None:
    subscribe(gateway, listener.url)
    listener.wait_for(1)
    assert {trace.event.type for trace in gateway.events()} == {"mns-test-signal-1"}
    assert all(len(trace.deliveries) == 1 for trace in gateway.events())
    assert connectivity(gateway)


def test_the_signal_comes_once_in_each_interval_with_what_it_points_to(gateway: Gateway, listener: Listener) -> None:
    subscribe(gateway, listener.url, hydration={"enabled": True})
    gateway.kill()  # what was published before is known after, and by every other node
    gateway.start()
    signals = [json.loads(request.body) for request in listener.wait_for(4)]
    times = [datetime.fromisoformat(signal["timestamp"]).timestamp() for signal in signals]
    assert times == sorted(times)
    assert all(time % PERIOD == 0 for time in times)
    assert len({signal["id"] for signal in signals}) == len(set(times))
    for signal in signals:
        dataref = signal["entry"][1]["fullUrl"]
        assert dataref == f"{gateway.url}{BASE}/mns-mock-hydration/FHIRR4Response"
        assert signal["entry"][1]["resource"] == gateway.http.get(dataref).json()
    assert len({trace.event.id for trace in gateway.events()}) == len(gateway.events())


def test_the_last_signal_of_each_subscriber_is_shown(gateway: Gateway, listener: Listener) -> None:
    with Listener() as other:
        other.answers.status = 410
        well, gone = subscribe(gateway, listener.url), subscribe(gateway, other.url)
        listener.wait_for(1)
        other.wait_for(1)

        def shown() -> dict[str, Any]:
            return {one["subscription"]: one for one in connectivity(gateway)}

        eventually(lambda: {one["state"] for one in shown().values()} == {"delivered", "dead"})
        assert (shown()[well]["state"], shown()[well]["endpoint"]) == ("delivered", listener.url)
        assert shown()[gone]["state"] == "dead"


def test_without_subscribers_there_is_nothing_to_show(gateway: Gateway) -> None:
    assert connectivity(gateway) == []
    assert not gateway.events()
