"""Helpers as they run beside a gateway: what they do is the same, and nothing is lost with them."""

from __future__ import annotations

import os
import re
import signal
import time
from pathlib import Path

import pytest

from gateway.demo import EVENTS
from gateway.events import JSON
from gateway.fhir.json import render_json
from gateway.fhir.tables import load
from gateway.fhir.xml import parse_xml
from tests.harness import Gateway, Listener, event_id, eventually, header_id, message
from tests.helper.processes import helpers_of, made_by, maker_of, runs, start_of, wakes
from tests.test_crash import Load

IMPATIENT = {
    "GATEWAY_RETRIEVAL__SECONDS": "0.1",
    "GATEWAY_DELIVERY__WEBHOOK_SECONDS": "0.5",
    "GATEWAY_R4__TIMEOUT_MAX_SECONDS": "1",
    "GATEWAY_MESH__CONNECT_SECONDS": "0.1",
    "GATEWAY_MESH__READ_SECONDS": "0.1",
    "GATEWAY_DELIVERY__LEASE_SECONDS": "4",
}
"""The longest attempt takes 1.1 seconds; every second a helper is asked whether it is well."""


@pytest.mark.fault(
    "A helper of the gateway is killed (kill -9) under load",
    "all taken in and delivered; twice only what was on its way; the gateway works without it until, a second later,"
    " another takes its place",
)
def test_nothing_is_lost_with_a_helper(tmp_path: Path, listener: Listener) -> None:
    with Gateway(tmp_path) as gateway:
        gateway.subscribe_webhook(listener.url)
        (helper,) = helpers_of(gateway)
        with Load(gateway) as load:
            eventually(lambda: len(load.accepted) >= 100)
            os.kill(helper, signal.SIGKILL)
            eventually(lambda: len(load.accepted) >= 300)
            (other,) = helpers_of(gateway)
            assert other != helper
        gateway.wait_until_idle(60)
        arrived = [event_id(request.body) for request in listener.received]
        attempts = [one for trace in gateway.events() for each in trace.deliveries for one in each.attempts]
        assert set(load.accepted) <= set(arrived)
        unknown = sum(one.detail == "the process that was sending it ended" for one in attempts)
        assert len(arrived) - len(set(arrived)) <= unknown
        assert gateway.log.read_text().count('"action":"helper"') == 2


@pytest.mark.fault(
    "A helper of the gateway stands still",
    "it is ended when it should have answered; what it was to read is taken in then, what it was to send is sent again",
)
def test_a_helper_that_stands_still_is_ended(tmp_path: Path, listener: Listener) -> None:
    with Gateway(tmp_path, **IMPATIENT) as gateway:
        gateway.subscribe_webhook(listener.url)
        (helper,) = helpers_of(gateway)
        sending, reading = message(), message()
        listener.answers.delay_seconds = 0.4
        assert gateway.publish(sending).status_code == 202
        listener.wait_for(1)
        os.kill(helper, signal.SIGSTOP)
        listener.answers.delay_seconds = 0
        assert gateway.publish(reading).status_code == 202
        eventually(lambda: not runs(helper), 1)
        gateway.wait_until_idle()
        assert {event_id(one.body) for one in listener.received} == {header_id(sending), header_id(reading)}
        (unknown,) = (trace.deliveries for trace in gateway.events() if trace.event.id.encode() == header_id(sending))
        outcomes = [(one.outcome, one.detail) for one in unknown[0].attempts]
        assert outcomes == [("uncertain", "the process that was sending it ended"), ("delivered", "")]


@pytest.mark.fault(
    "The process that makes helpers is killed, and a helper stands still",
    "the helper is ended as ever; the gateway works without, and says so, until it is started anew",
)
def test_without_what_makes_helpers_the_gateway_works_without_those_that_ended(
    tmp_path: Path, listener: Listener
) -> None:
    with Gateway(tmp_path, **IMPATIENT) as gateway:
        gateway.subscribe_webhook(listener.url)
        (helper,) = helpers_of(gateway)
        os.kill(maker_of(gateway), signal.SIGKILL)
        assert gateway.publish(message()).status_code == 202
        listener.wait_for(1)
        os.kill(helper, signal.SIGSTOP)
        assert gateway.publish(message()).status_code == 202
        listener.wait_for(2)
        eventually(lambda: not runs(helper), 1)
        eventually(lambda: "no other can be made until the gateway is started anew" in gateway.log.read_text())
        assert gateway.publish(message()).status_code == 202
        listener.wait_for(3)
        gateway.wait_until_idle()


def test_a_gateway_ends_with_a_helper_that_stands_still(tmp_path: Path) -> None:
    with Gateway(tmp_path, GATEWAY_HELPERS="2") as gateway:
        made = [*helpers_of(gateway, 2), maker_of(gateway)]
        os.kill(made[0], signal.SIGSTOP)
        began = time.monotonic()
        gateway.stop()
        assert not any(map(runs, made))
        assert time.monotonic() - began < 15


def test_what_helpers_take_is_in_the_metrics(tmp_path: Path) -> None:
    with Gateway(tmp_path, GATEWAY_HELPERS="2") as gateway:
        helpers = helpers_of(gateway, 2)
        told = gateway.http.get("/metrics").text
        assert told.count("# TYPE gateway_helper_process_cpu_seconds_total counter") == 1
        for number, helper in enumerate(helpers, 1):
            (began,) = re.findall(f'^gateway_helper_process_start_time_seconds{{helper="{number}"}} (.+)', told, re.M)
            assert float(began) == pytest.approx(start_of(helper), abs=0.1)
            (resident,) = re.findall(
                f'^gateway_helper_process_resident_memory_bytes{{helper="{number}"}} (.+)', told, re.M
            )
            assert float(resident) > 10e6


@pytest.mark.parametrize("busy", [False, True])
def test_a_helper_ends_with_its_gateway(tmp_path: Path, listener: Listener, busy: bool) -> None:
    with Gateway(tmp_path, GATEWAY_HELPERS="3") as gateway:
        gateway.subscribe_webhook(listener.url)
        made = [*helpers_of(gateway, 3), maker_of(gateway)]
        if busy:
            with Load(gateway) as load:
                eventually(lambda: len(load.accepted) >= 1000, 60)
                gateway.kill()
        else:
            gateway.kill()
        eventually(lambda: not any(map(runs, made)))


def test_a_helper_outlives_no_stop_and_is_not_ended_before(tmp_path: Path, listener: Listener) -> None:
    """Whoever ends a gateway often signals all of its processes: what is under way is finished first."""
    with Gateway(tmp_path) as gateway:
        gateway.subscribe_webhook(listener.url)
        (helper,) = helpers_of(gateway)
        listener.answers.delay_seconds = 1
        assert gateway.publish(message()).status_code == 202
        listener.wait_for(1)
        for number in (signal.SIGINT, signal.SIGTERM):
            os.kill(helper, number)
            os.kill(maker_of(gateway), number)
        gateway.stop()
        assert not runs(helper)
        (delivery,) = gateway.events()[0].deliveries
        assert (delivery.state, len(delivery.attempts)) == ("delivered", 1)


def test_several_helpers_send_each_notification_once(tmp_path: Path, listener: Listener) -> None:
    with Gateway(tmp_path, GATEWAY_HELPERS="2") as gateway:
        subscription = gateway.subscribe_webhook(listener.url)
        idle = {helper: wakes(helper) for helper in helpers_of(gateway, 2)}
        bodies = [message() for _ in range(40)]
        for body in bodies:
            assert gateway.publish(body).status_code == 202
        gateway.wait_until_idle()
        assert sorted(event_id(one.body) for one in listener.received) == sorted(map(header_id, bodies))
        assert all(wakes(helper) >= before + 5 for helper, before in idle.items()), "one did nothing"
        assert gateway.http.delete(f"/R4/Subscription/{subscription}").status_code == 204


def test_a_changed_subscription_is_sent_to_as_it_is_now(tmp_path: Path, listener: Listener) -> None:
    """A helper remembers subscriptions; a secret that was rotated signs the next notification."""
    with Gateway(tmp_path) as gateway:
        subscription = gateway.subscribe_webhook(listener.url)
        signatures = []
        for count in (1, 2):
            assert gateway.publish(message()).status_code == 202
            signatures.append(listener.wait_for(count)[-1].headers["webhook-signature"].split())
            rotated = gateway.http.post(f"/R4/Subscription/{subscription}/$signing-secret")
            assert rotated.status_code == 200, rotated.text
        assert [len(one) for one in signatures] == [1, 2]


def _as_json(body: bytes) -> bytes:
    return render_json(parse_xml(body, load("STU3")).resource)


def test_a_message_is_read_alike_with_and_without_helpers(tmp_path: Path) -> None:
    """What is answered, and what is kept."""
    good = message(EVENTS[0])
    attempts = [
        (good, {}),
        (message(EVENTS[1]), {"InteractionID": f"urn:nhs:names:services:events:{EVENTS[1]}.Write"}),
        (_as_json(message(EVENTS[0])), {"Content-Type": JSON}),
        (good[: len(good) // 2], {}),
        (b"", {}),
        (b'{"resourceType": "Bundle", "type": "message"', {"Content-Type": JSON}),
        (good.replace(b"<MessageHeader>", b"<MessageHeader><unheard value='1'/>"), {}),
        (good.replace(EVENTS[0].encode(), b"pds-of-nothing-1"), {}),
        (good.replace(b'<type value="message"/>', b'<type value="batch"/>'), {}),
        (good.replace(b"<timestamp value=", b"<timestamp id='x' value="), {}),
        (good, {"InteractionID": "urn:nhs:names:services:events:another-1.Write"}),
        (good, {"InteractionID": ""}),
        (good, {"Content-Type": "text/plain"}),
    ]
    told = []
    for helpers in ("0", "1"):
        folder = tmp_path / helpers
        folder.mkdir()
        with Gateway(folder, GATEWAY_HELPERS=helpers) as gateway:
            assert len(made_by(gateway.pid)) == int(helpers)
            if helpers == "1":
                helpers_of(gateway)
            assert f"gateway_helpers {helpers}.0" in gateway.http.get("/metrics").text
            answers = [gateway.publish(body, **headers) for body, headers in attempts]
            said = [(one.status_code, re.sub(r"[0-9a-f-]{36}", "", one.text)) for one in answers]
            events = [(e.id, e.type, e.time, e.subject, e.versionid, e.filtering, e.warnings, e.original.body)
                      for e in (trace.event for trace in gateway.events())]  # fmt: skip
            told.append((said, events))
            assert '"action":"helper"' not in gateway.log.read_text(), "what it failed at the gateway did itself"
    assert told[0] == told[1]
    statuses = [status for status, _ in told[0][0]]
    assert statuses[:3] == [202, 202, 202]
    assert all(400 <= status < 500 for status in statuses[3:9] + statuses[10:])
    assert len(told[0][1]) == sum(status == 202 for status in statuses)
