"""Several gateways on one PostgreSQL number the events of one subscription together, and beat for it once."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from tests.contract.r4.acts import extension, subscribe, topical
from tests.harness import Gateway, Listener, Request, eventually, message
from tests.postgres import PostgresServer
from tests.test_nodes import SHORT_LEASES, load, nodes, wait_for


def told(requests: list[Request]) -> dict[str, set[str]]:
    """The event numbers told, each with the ids of the notifications that told it."""
    found: dict[str, set[str]] = {}
    for one in requests:
        parameters: list[dict[str, Any]] = json.loads(one.body)["entry"][0]["resource"]["parameter"]
        for part in (part for parameter in parameters for part in parameter.get("part", [])):
            if part["name"] == "event-number":
                found.setdefault(part["valueString"], set()).add(one.headers["webhook-id"])
    return found


def test_numbers_have_no_gap_while_a_node_is_killed(
    tmp_path: Path, postgres: PostgresServer, listener: Listener
) -> None:
    with nodes(tmp_path, postgres.database(), 2, **SHORT_LEASES) as gateways:
        subscribe(gateways[0], topical(listener.url))
        with load(gateways) as loads:
            wait_for(loads, 40)
            gateways[1].kill()
            wait_for(loads, 20)
            gateways[1].start()
            wait_for(loads, 20)
        gateways[0].wait_until_idle(90)
        numbers = told(listener.received)
        # Events whose answer the killed node did not give any more may be there too: they have their numbers.
        assert len(numbers) >= sum(len(one.accepted) for one in loads)
        assert {int(number) for number in numbers} == set(range(1, len(numbers) + 1))
        assert all(len(ids) == 1 for ids in numbers.values()), "a number is of one notification"


def test_a_heartbeat_is_of_one_node(tmp_path: Path, postgres: PostgresServer, listener: Listener) -> None:
    often = {"GATEWAY_R4__HEARTBEAT_MIN_SECONDS": "1"}
    with nodes(tmp_path, postgres.database(), 2, **often) as gateways:
        period = [extension("backport-heartbeat-period", valueUnsignedInt=2)]
        subscribe(gateways[0], topical(listener.url, channel={"extension": period}))
        began = time.monotonic()
        listener.wait_for(5)
        assert time.monotonic() - began > 2 * 3, "both nodes beat"


def test_a_subscription_made_at_one_node_is_active_at_the_other(
    tmp_path: Path, postgres: PostgresServer, listener: Listener
) -> None:
    with nodes(tmp_path, postgres.database(), 2) as (one, other):
        place = subscribe(one, topical(listener.url)).rpartition("/")[2]
        eventually(lambda: status(other, place) == "active")
        other.publish(message())
        assert set(told(listener.wait_for(2))) == {"1"}


def status(gateway: Gateway, subscription_id: str) -> str:
    answer = gateway.http.get(f"/R4/Subscription/{subscription_id}")
    return str(answer.json().get("status"))
