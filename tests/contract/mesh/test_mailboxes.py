"""Several mailboxes of the gateway's own, and its end while MESH hangs."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from mesh.sandbox.run import LocalMailbox, LocalMesh
from tests.contract.mesh.acts import remembered, send, waiting
from tests.harness import GATEWAY_MAILBOX, SUBSCRIBER_MAILBOX, Gateway, collect, eventually, message, run

SECOND = "GATEWAY02"


@pytest.fixture(scope="module")
def mesh() -> Iterator[LocalMesh]:
    with LocalMesh(
        [LocalMailbox(GATEWAY_MAILBOX), LocalMailbox(SECOND, "another"), LocalMailbox(SUBSCRIBER_MAILBOX)]
    ) as running:
        yield running


@pytest.fixture(autouse=True)
def no_faults(mesh: LocalMesh) -> Iterator[None]:
    mesh.clear()
    yield
    mesh.clear_faults()


def test_every_mailbox_is_collected_from_and_the_first_one_sends(mesh: LocalMesh, tmp_path: Path) -> None:
    others = json.dumps([{"mailbox": SECOND, "password": "another"}])
    with Gateway(tmp_path, mesh, GATEWAY_MESH__MAILBOXES=others) as gateway:
        gateway.subscribe_mailbox()
        sent = [send(mesh, message(), to=mailbox) for mailbox in (GATEWAY_MAILBOX, SECOND)]
        assert {one.sender for one in collect(mesh, 2)} == {GATEWAY_MAILBOX}
        eventually(lambda: not waiting(mesh) and not waiting(mesh, SECOND))
        assert [remembered(gateway, one).mailbox for one in sent] == [GATEWAY_MAILBOX, SECOND]
        metrics = gateway.http.get("/metrics").text
    for mailbox in (GATEWAY_MAILBOX, SECOND):
        for name in ("collection", "handshake"):
            assert f'gateway_mesh_last_{name}_timestamp_seconds{{mailbox="{mailbox}"}} 1.' in metrics


def test_a_mailbox_that_is_refused_holds_up_no_other(mesh: LocalMesh, tmp_path: Path) -> None:
    others = json.dumps([{"mailbox": SECOND, "password": "wrong"}])
    with Gateway(tmp_path, mesh, GATEWAY_MESH__MAILBOXES=others) as gateway:
        send(mesh, message())
        eventually(lambda: len(gateway.events()) == 1)
        assert f'"mailbox":"{SECOND}","result":"auth"' in gateway.log.read_text()


def test_a_mailbox_that_stands_there_twice_stops_the_start(mesh: LocalMesh) -> None:
    others = json.dumps([{"mailbox": GATEWAY_MAILBOX.lower(), "password": "x"}])
    done = run("serve", **Gateway.of_mesh(mesh), GATEWAY_MESH__MAILBOXES=others)
    assert done.stderr == "gateway: mesh.mailboxes (GATEWAY_MESH__MAILBOXES): a mailbox stands there twice\n"


@pytest.mark.parametrize("chunks", [1, 3], ids=["whole", "in chunks"])
@pytest.mark.parametrize("compress", ["false", "true"], ids=["plain", "compressed"])
def test_what_is_sent_in_chunks_or_compressed_arrives_as_it_was_published(
    mesh: LocalMesh, tmp_path: Path, compress: str, chunks: int
) -> None:
    body = message()
    environment = {"GATEWAY_MESH__COMPRESS": compress, "GATEWAY_MESH__CHUNK_BYTES": str(len(body) // chunks + 1)}
    with Gateway(tmp_path, mesh, **environment) as gateway:
        gateway.subscribe_mailbox()
        gateway.publish(body)
        (one,) = collect(mesh, 1)
    assert (one.body, one.content_type) == (body, "application/fhir+xml")
    assert int(one.headers.get("mex-chunk-range", "1:1").partition(":")[2]) == chunks
    details = requests.get(f"{mesh.url}/messageexchange/admin/message/{one.message_id}", timeout=5).json()
    assert details.get("content_encoding", "") == ("gzip" if compress == "true" else "")


@pytest.mark.fault(
    "MESH hangs while the gateway is stopped",
    "it ends within the set time; what was under way is resolved after the start",
)
@pytest.mark.parametrize("path", ["/inbox", "/outbox"], ids=["collecting", "sending"])
def test_the_gateway_ends_in_time_while_mesh_hangs(mesh: LocalMesh, tmp_path: Path, path: str) -> None:
    environment = {"GATEWAY_DELIVERY__SHUTDOWN_SECONDS": "1", "GATEWAY_MESH__READ_SECONDS": "30"}
    mesh.fault("delay", path_contains=path, times=50, seconds=60)
    with Gateway(tmp_path, mesh, **environment) as gateway:
        gateway.subscribe_mailbox()
        gateway.publish(message())
        eventually(lambda: path == "/inbox" or gateway.events()[0].deliveries[0].state == "sending")
        time.sleep(0.5)
        started = time.monotonic()
        gateway.stop()
        assert time.monotonic() - started < 8
        assert '"action":"stop"' in gateway.log.read_text()
