"""The whole circle: a NEMS delivers to the gateway's mailbox what the gateway subscribed to, and the gateway tells its own
subscribers. The NEMS is another gateway.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from mesh.sandbox.run import LocalMailbox, LocalMesh
from tests.contract.mesh.acts import waiting
from tests.harness import GATEWAY_MAILBOX, Gateway, Listener, eventually, message, run

NEMS_MAILBOX = "NEMS00001"
CRITERIA = "/Bundle?type=message&serviceType=GP&MessageHeader.event=pds-change-of-gp-1"
EXPLICIT = CRITERIA + "&Patient.identifier=https://fhir.nhs.uk/Id/nhs-number|9990001006"


@pytest.fixture(scope="module")
def mesh() -> Iterator[LocalMesh]:
    with LocalMesh([LocalMailbox(GATEWAY_MAILBOX), LocalMailbox(NEMS_MAILBOX, "nems")]) as running:
        yield running


@pytest.fixture(scope="module")
def nems(mesh: LocalMesh, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    mailbox = {"GATEWAY_MESH__MAILBOX": NEMS_MAILBOX, "GATEWAY_MESH__PASSWORD": "nems"}
    with Gateway(tmp_path_factory.mktemp("nems"), mesh, **mailbox) as running:
        yield running


@pytest.fixture(scope="module")
def gateway(mesh: LocalMesh, nems: Gateway, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    upstream = {
        "GATEWAY_NEMS__UPSTREAM__URL": nems.url,
        "GATEWAY_NEMS__UPSTREAM__FROM_ASID": "200000000115",
        "GATEWAY_NEMS__UPSTREAM__TO_ASID": "200000000306",
        "GATEWAY_NEMS__UPSTREAM__ODS_CODE": "A20047",
        "GATEWAY_NEMS__UPSTREAM__ISSUER": "https://gateway.example.nhs.uk",
    }
    with Gateway(tmp_path_factory.mktemp("gateway"), mesh, **upstream) as running:
        yield running


def order(gateway: Gateway, *arguments: str) -> str:
    done = run("nems", *arguments, **gateway.environment)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.strip()


def test_what_is_published_at_nems_reaches_a_webhook_of_ours(
    mesh: LocalMesh, nems: Gateway, gateway: Gateway, listener: Listener
) -> None:
    gateway.subscribe_webhook(listener.url)
    subscription = order(gateway, "subscribe", EXPLICIT)
    assert GATEWAY_MAILBOX in order(gateway, "read", subscription)
    body = message()
    assert nems.publish(body).status_code == 202
    (notified,) = listener.wait_for(1)
    assert b"9990001006" in notified.body
    (trace,) = gateway.events()
    assert (trace.event.face, trace.event.type) == ("mesh", "pds-change-of-gp-1")
    assert trace.event.original.body == body
    eventually(lambda: waiting(mesh) == [])

    assert order(gateway, "delete", subscription) == f"deleted {subscription}"
    nems.publish(message())
    nems.wait_until_idle()
    assert [len(trace.deliveries) for trace in nems.events()] == [0, 1]
    assert len(gateway.events()) == 1


def test_what_nems_refuses_is_told_in_one_line(gateway: Gateway) -> None:
    first = order(gateway, "subscribe", CRITERIA)
    done = run("nems", "subscribe", CRITERIA, **gateway.environment)
    assert done.returncode == 2
    assert done.stderr.startswith("gateway: NEMS refuses: HTTP 422, DUPLICATE_REJECTED: ")
    assert f"subscription already exists : {first}" in done.stderr
    assert done.stderr.count("\n") == 1
    order(gateway, "delete", first)


def test_a_mailbox_that_is_not_ours_is_refused_before_nems_is_asked(gateway: Gateway) -> None:
    done = run("nems", "subscribe", CRITERIA, "--mailbox", "OTHER", **gateway.environment)
    assert done.stderr == f"gateway: OTHER is not a mailbox of the gateway's own; there are: {GATEWAY_MAILBOX}\n"
