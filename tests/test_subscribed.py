"""Subscriptions as an operator looks through them, while a gateway runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gateway.store.sqlite import SqliteStore
from tests.harness import run
from tests.samples import subscription

PATIENT = "9990001006"
SECRETS = '{"headers": [["Authorization", "Bearer abc"]]}'


@pytest.fixture
async def url(tmp_path: Path) -> str:
    """A store with four subscriptions, one of which is deleted."""
    store = SqliteStore(tmp_path / "gateway.db")
    await store.open()
    to_webhook = {"face": "r4", "channel": "rest-hook", "endpoint": "https://example.org/in", "form": "r4-id-only"}
    for one in (
        subscription(id="generic", filter=f"nhsnumber IN ('{PATIENT}', '1') OR practice = 'A20047' OR x = '{PATIENT}'"),
        subscription(id="explicit", subject=PATIENT, criteria=f"…|{PATIENT}", application="surgery", end_ms=1),
        subscription(id="webhook", state="error", reason="it failed", unproven=True, private=SECRETS, **to_webhook),
        subscription(id="deleted", application="surgery"),
    ):
        await store.add_subscription(one)
    await store.delete_subscription("deleted", 1_793_610_000_000)
    await store.close()
    return f"sqlite:///{tmp_path}/gateway.db"


def told(url: str, *arguments: str) -> Any:
    done = run("subscriptions", *arguments, "--json", GATEWAY_STORE__URL=url)
    assert done.returncode == 0, done.stderr
    assert PATIENT not in done.stdout
    assert "abc" not in done.stdout
    return json.loads(done.stdout)


@pytest.mark.parametrize(
    ("options", "ids"),
    [
        ([], ["webhook", "explicit", "generic"]),
        (["--application", "surgery"], ["explicit"]),
        (["--face", "r4"], ["webhook"]),
        (["--state", "error"], ["webhook"]),
        (["--state", "off"], ["explicit"]),
        (["--event", "pds-change-of-gp-1", "--face", "nems"], ["explicit", "generic"]),
        (["--event", "pds-birth-notification-1"], []),
        (["--endpoint", "https://example.org/in"], ["webhook"]),
    ],
)
def test_those_that_are_asked_for_are_listed(url: str, options: list[str], ids: list[str]) -> None:
    found = told(url, "list", *options)
    assert found["count"] == len(ids)
    assert [one["id"] for one in found["subscriptions"]] == ids


def test_of_many_some_are_shown_and_all_counted(url: str) -> None:
    done = run("subscriptions", "list", "--limit", "1", GATEWAY_STORE__URL=url)
    assert "webhook" in done.stdout
    assert done.stdout.endswith("1 of 3\n")
    assert PATIENT not in done.stdout


def test_one_is_shown_with_why_it_is_in_its_state(url: str) -> None:
    shown = told(url, "show", "webhook")
    assert (shown["state"], shown["reason"], shown["numbered_events"]) == ("error", "it failed", 0)
    assert shown["created"] == "2026-11-02T09:00:00.000Z"
    assert "it failed" in run("subscriptions", "show", "webhook", GATEWAY_STORE__URL=url).stdout


def test_whose_patient_one_is_for_is_not_told(url: str) -> None:
    assert told(url, "show", "explicit")["kind"] == "explicit"
    assert told(url, "show", "generic")["filter"] == "nhsnumber IN ('…', '…') OR practice = 'A20047' OR x = '…'"


def test_of_one_that_is_deleted_that_is_told(url: str) -> None:
    assert told(url, "show", "deleted")["deleted"] is True
    assert told(url, "show", "generic")["deleted"] is False


def test_one_that_there_is_not_is_told_in_a_line(url: str) -> None:
    done = run("subscriptions", "show", "nobody", GATEWAY_STORE__URL=url)
    assert (done.returncode, done.stderr) == (2, "gateway: nobody: there is no such subscription\n")
