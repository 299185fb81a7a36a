"""Dead letters as an operator handles them: at a terminal while a gateway runs, and by HTTP."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.harness import Gateway, Listener, eventually, message, run

TOKEN = "operators-only-0123456789"
COUNT = 3


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Gateway]:
    settings = {"GATEWAY_SECURITY__OPERATOR_TOKEN": TOKEN, "GATEWAY_DELIVERY__RETRY_SECONDS": "[]"}
    with Gateway(tmp_path, **settings) as running:
        yield running


def told(gateway: Gateway, *arguments: str) -> Any:
    done = run("deliveries", *arguments, "--json", **gateway.environment)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def dead_letters(gateway: Gateway, listener: Listener) -> str:
    """Let some deliveries die; the subscription they were for."""
    listener.answers.status = 400
    listener.answers.body = b"no, 9990001006"
    subscription = gateway.subscribe_webhook(listener.url)
    for _ in range(COUNT):
        gateway.publish(message())
    eventually(lambda: told(gateway, "list")["count"] == COUNT)
    listener.answers.status = 204
    listener.answers.body = b""
    listener.received.clear()
    return subscription


def test_dead_letters_are_listed_shown_and_sent_again(gateway: Gateway, listener: Listener) -> None:
    subscription = dead_letters(gateway, listener)
    first, *_ = told(gateway, "list", "--subscription", subscription)["deliveries"]
    assert (first["state"], first["endpoint"]) == ("dead", listener.url)
    assert [attempt["detail"] for attempt in first["attempts"]] == ["HTTP 400"]
    assert "refused 400 HTTP 400" in run("deliveries", "list", **gateway.environment).stdout
    shown = told(gateway, "show", first["id"])
    assert [attempt["status"] for attempt in shown["attempts"]] == [400]
    assert "9990001006" not in json.dumps(shown)
    assert told(gateway, "show", first["id"], "--answers")["attempts"][0]["answer"] == "no, 9990001006"
    environment = gateway.environment
    assert run("deliveries", "replay", first["id"], "--dry-run", **environment).stdout == "1 to send again\n"
    assert listener.received == []
    assert "1 of 1" in run("deliveries", "replay", first["id"], "--yes", **environment).stdout
    listener.wait_for(1)
    eventually(lambda: told(gateway, "show", first["id"])["state"] == "delivered")
    assert told(gateway, "show", first["id"])["replays"] == 1
    done = run("deliveries", "replay", "--subscription", subscription, "--yes", **environment)
    assert f"{COUNT - 1} of {COUNT - 1}" in done.stdout
    assert len(listener.wait_for(COUNT)) == COUNT
    eventually(lambda: told(gateway, "list")["count"] == 0)


def test_a_window_of_what_was_delivered_is_sent_again(gateway: Gateway, listener: Listener) -> None:
    subscription = gateway.subscribe_webhook(listener.url)
    for _ in range(COUNT):
        gateway.publish(message())
    listener.wait_for(COUNT)
    gateway.wait_until_idle()
    ids = {request.headers["webhook-id"] for request in listener.received}
    window = ("--subscription", subscription, "--state", "delivered", "--since", "2026-01-01T00:00:00Z")
    dry = run("deliveries", "replay", *window, "--dry-run", **gateway.environment)
    assert dry.stdout == f"{COUNT} to send again\n"
    run("deliveries", "replay", *window, "--yes", **gateway.environment)
    again = listener.wait_for(2 * COUNT)
    assert {request.headers["webhook-id"] for request in again} == ids, "a receiver can tell what it has had"
    assert [request.headers.get("webhook-replay") for request in again] == [None] * COUNT + ["1"] * COUNT


def test_nothing_is_sent_again_to_a_subscription_that_was_deleted(gateway: Gateway, listener: Listener) -> None:
    subscription = dead_letters(gateway, listener)
    gateway.http.delete(f"/R4/Subscription/{subscription}")
    done = run("deliveries", "replay", "--subscription", subscription, "--yes", **gateway.environment)
    assert done.stdout.startswith(f"0 to send again; {COUNT} cannot be: ")
    assert told(gateway, "list")["count"] == COUNT


def test_a_dead_letter_is_given_up(gateway: Gateway, listener: Listener) -> None:
    dead_letters(gateway, listener)
    first, *_ = told(gateway, "list")["deliveries"]
    assert run("deliveries", "discard", first["id"], "--dry-run", **gateway.environment).stdout == "1 to give up\n"
    run("deliveries", "discard", first["id"], "--yes", **gateway.environment)
    assert told(gateway, "list")["count"] == COUNT - 1
    assert told(gateway, "list", "--discarded")["count"] == COUNT
    assert told(gateway, "show", first["id"])["discarded"]


def test_without_a_word_of_which_nothing_is_sent_again(gateway: Gateway, listener: Listener) -> None:
    dead_letters(gateway, listener)
    everything = ("discard", "--state", "delivered", "--endpoint", listener.url, "--yes")
    for arguments in (
        everything,
        ("replay", "--yes"),
        ("discard", "--yes"),
        ("replay", "--since", "yesterday"),
        ("list", "--since", "2026-11-02T09:15:00"),  # where?
        ("replay", "--state", "pending", "--endpoint", listener.url, "--yes"),
        ("replay", "0SA04MDTYBW00", "--yes"),
        ("discard", "0SA04MDTYBW00", "--dry-run"),
        ("show", "x"),
    ):
        done = run("deliveries", *arguments, **gateway.environment)
        assert done.returncode == 2
        assert done.stderr.startswith("gateway: ")
    assert told(gateway, "list", "--until", "9999-12-31T23:59:59Z")["count"] == COUNT
    without_a_yes = run("deliveries", "replay", "--endpoint", listener.url, **gateway.environment)
    assert without_a_yes.returncode != 0
    assert listener.received == []


def operators(gateway: Gateway) -> httpx.Client:
    return httpx.Client(base_url=gateway.url + "/operations", headers={"Authorization": f"Bearer {TOKEN}"}, timeout=30)


def test_the_same_by_http(gateway: Gateway, listener: Listener) -> None:
    subscription = dead_letters(gateway, listener)
    with operators(gateway) as http:
        found = http.get("/deliveries", params={"subscription": subscription}).json()
        assert found["count"] == len(found["deliveries"]) == COUNT
        first, second, third = (one["id"] for one in found["deliveries"])
        pages = [http.get("/deliveries", params={"limit": 2, "after": after}).json() for after in ("", second, third)]
        assert [page["count"] for page in pages] == [COUNT] * 3
        assert [[one["id"] for one in page["deliveries"]] for page in pages] == [[first, second], [third], []]
        assert http.get(f"/deliveries/{first}").json()["state"] == "dead"
        dry = http.post("/deliveries/$replay", json={"subscription": subscription, "dry_run": True})
        assert dry.json() == {"found": COUNT, "done": 0}
        assert http.post("/deliveries/$discard", json={"ids": [third], "dry_run": False}).json()["done"] == 1
        assert listener.received == []
        told = http.post("/deliveries/$replay", json={"subscription": subscription, "dry_run": False}).json()
        assert told == {"found": 2, "done": 2}
        listener.wait_for(2)
        for _ in range(100):
            if http.get("/deliveries").json()["count"] == 0:
                break
        assert {http.get(f"/deliveries/{one}").json()["replays"] for one in (first, second)} == {1}


@pytest.mark.parametrize("query", ["after=x", "limit=0", "limit=1001", "colour=red"])
def test_a_page_that_cannot_be_understood_is_refused(gateway: Gateway, query: str) -> None:
    with operators(gateway) as http:
        assert http.get(f"/deliveries?{query}").status_code in {400, 422}


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/deliveries/$replay", {}),
        ("/deliveries/$replay", {"dry_run": False}),
        ("/deliveries/$replay", {"dry_run": True, "colour": "red"}),
        ("/deliveries/$replay", {"dry_run": True, "since": "yesterday"}),
        ("/deliveries/$replay", {"dry_run": True, "ids": ["x"]}),
        ("/deliveries/$replay", {"dry_run": True, "ids": ["0SA04MDTYBW00"]}),
        ("/deliveries/$replay", {"dry_run": True, "subscription": "\0"}),
        ("/deliveries/$replay", {"dry_run": True, "endpoint": "http://one/", "state": ["held"]}),
        ("/deliveries/$resend", {"dry_run": True}),
        ("/deliveries/$discard", {"dry_run": True, "state": ["delivered"]}),
    ],
)
def test_what_cannot_be_understood_is_refused(gateway: Gateway, path: str, body: dict[str, Any]) -> None:
    with operators(gateway) as http:
        assert http.post(path, json=body).status_code in {400, 422}


def test_operators_need_the_token(gateway: Gateway) -> None:
    for headers in ({}, {"Authorization": f"Bearer {TOKEN}x"}, {"Authorization": TOKEN}, {"Authorization": "Bearer"}):
        for path in ("/operations/deliveries", "/operations/endpoints"):
            assert gateway.http.get(path, headers=headers).status_code == 401


def test_without_a_token_there_are_no_operations(tmp_path: Path) -> None:
    with Gateway(tmp_path) as gateway:
        assert gateway.http.get("/operations/deliveries").status_code == 404
    done = run("serve", **gateway.environment, GATEWAY_SECURITY__OPERATOR_TOKEN="short")
    assert "at least 24 characters" in done.stderr


def test_failing_endpoints_are_listed_and_probed_by_hand(tmp_path: Path, listener: Listener) -> None:
    settings = {"GATEWAY_SECURITY__OPERATOR_TOKEN": TOKEN, "GATEWAY_DELIVERY__PROBE_SECONDS": "[600]"}
    listener.answers.status = 503
    with Gateway(tmp_path, **settings) as gateway, operators(gateway) as http:
        gateway.subscribe_webhook(listener.url)
        gateway.publish(message())
        eventually(lambda: [one["endpoint"] for one in http.get("/endpoints").json()] == [listener.url])
        assert listener.url in run("endpoints", "list", **gateway.environment).stdout
        listener.answers.status = 204
        assert http.post("/endpoints/$probe", json={"endpoint": "http://other/"}).status_code == 404
        assert run("endpoints", "probe", listener.url, **gateway.environment).returncode == 0
        eventually(lambda: http.get("/endpoints").json() == [])
        assert http.get("/deliveries", params={"state": "delivered"}).json()["count"] == 1
