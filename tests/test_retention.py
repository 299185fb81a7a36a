"""What an operator sees of retention."""

from __future__ import annotations

import json
from pathlib import Path

from gateway import ids
from tests.contract.r4.acts import parameters, subscribe, topical
from tests.harness import Gateway, Listener, message, run


def test_an_erased_event_is_told_of_by_a_line(tmp_path: Path) -> None:
    with Gateway(tmp_path) as gateway:
        assert gateway.publish(message()).status_code == 202
        (trace,) = gateway.events()
        short = {**gateway.environment, "GATEWAY_RETENTION__DAYS": "0.000001"}
        assert run("retention", "run", "--dry-run", **short).stdout.splitlines() == [
            "pds-change-of-gp-1: 1", "1 events would be erased",
        ]  # fmt: skip
        assert run("retention", "run", **short).stdout == "1 events erased\n"
        shown = run("events", "show", ids.show(trace.event.row_id), "--json", **gateway.environment)
    told = json.loads(shown.stdout)
    assert (told["publisher_id"], told["erased"], told["delivered"], told["dead"]) == (trace.event.id, True, 0, 0)
    assert trace.event.subject
    assert trace.event.subject not in shown.stdout


def test_what_is_erased_is_read_no_more_and_its_number_is_not_given_again(tmp_path: Path, listener: Listener) -> None:
    with Gateway(tmp_path) as gateway:
        place = subscribe(gateway, topical(listener.url, "full-resource"))
        for _ in range(2):
            gateway.publish(message())
        bundles = [json.loads(one.body) for one in listener.wait_for(3)[1:]]
        foci = [bundle["entry"][1]["fullUrl"] for bundle in bundles]
        assert [gateway.http.get(focus).status_code for focus in foci] == [200, 200]
        gateway.wait_until_idle()
        run("retention", "run", **gateway.environment, GATEWAY_RETENTION__DAYS="0.000001")
        assert [gateway.http.get(focus).status_code for focus in foci] == [404, 404]
        assert numbers(gateway, place) == []
        gateway.publish(message())
        listener.wait_for(4)
        assert numbers(gateway, place) == ["3"]


def numbers(gateway: Gateway, place: str) -> list[str]:
    """The numbers of the events that $events still tells."""
    said = parameters(gateway.http.get(f"{place}/$events").json()["entry"][0]["resource"])
    return [event["event-number"] for event in said.get("notification-event", [])]


def test_a_time_for_an_event_type_that_there_is_not_stops_the_start_with_one_line(tmp_path: Path) -> None:
    done = run(
        "serve",
        GATEWAY_STORE__URL=f"sqlite:///{tmp_path / 'gateway.db'}",
        GATEWAY_RETENTION__EVENT_TYPES='{"pds-change-of-gp-1": 3, "none-1": 5}',
    )
    assert (done.returncode, done.stderr) == (
        2, "gateway: retention.event_types (GATEWAY_RETENTION__EVENT_TYPES): no event type none-1\n",
    )  # fmt: skip
