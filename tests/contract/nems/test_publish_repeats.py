"""NEMS, "Subscriptions": a message published twice is delivered twice; unless the operator would rather not."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.harness import Gateway, eventually, message

MINE, OTHERS = "200000000115", "200000000222"
APPLICATIONS = f"""
applications:
  - {{id: mine, name: Mine, asids: ["{MINE}"], publish: ["*"]}}
  - {{id: others, name: Others, asids: ["{OTHERS}"], publish: ["*"]}}
"""


@pytest.fixture
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway that passes over repeats within an hour."""
    folder = tmp_path_factory.mktemp("repeats")
    (folder / "applications.yaml").write_text(APPLICATIONS)
    with Gateway(
        folder,
        GATEWAY_SECURITY__MODE="closed",
        GATEWAY_APPLICATIONS=str(folder / "applications.yaml"),
        GATEWAY_NEMS__REPEAT_SECONDS="3600",
    ) as running:
        yield running


@pytest.mark.rule("nems-dedup-window")
def test_a_repeat_is_answered_202_and_kept_once_even_across_a_restart(gateway: Gateway) -> None:
    body = message()
    for _ in range(3):
        answer = gateway.publish(body)
        assert (answer.status_code, answer.content) == (202, b"")
    gateway.kill()
    gateway.start()
    assert gateway.publish(body).status_code == 202
    assert len(gateway.events()) == 1


@pytest.mark.rule("nems-dedup-window")
def test_another_id_or_another_publisher_is_no_repeat(gateway: Gateway) -> None:
    body = message()
    assert gateway.publish(body).status_code == 202
    assert gateway.publish(message()).status_code == 202
    assert gateway.publish(body, fromASID=OTHERS).status_code == 202
    assert len(gateway.events()) == 3


@pytest.mark.rule("nems-dedup-window")
def test_after_the_window_a_repeat_counts(gateway: Gateway) -> None:
    gateway.stop()
    gateway.environment["GATEWAY_NEMS__REPEAT_SECONDS"] = "0.001"
    gateway.start()
    body = message()

    def counts_again() -> bool:
        assert gateway.publish(body).status_code == 202
        return len(gateway.events()) == 2

    eventually(counts_again)
