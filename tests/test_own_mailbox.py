"""What OwnMailbox does that a whole gateway would take a day to do; the rest is in tests/contract/mesh."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from mesh_client import MeshClient
from prometheus_client import REGISTRY

from gateway.app import Gateway
from gateway.applications import Applications
from gateway.faces.mesh_inbox import MeshInbox
from gateway.own_mailbox import OwnMailbox
from gateway.settings import load
from mesh.mailbox import Mailbox
from mesh.message import OutgoingMessage
from mesh.sandbox.run import LocalMesh
from tests.harness import GATEWAY_MAILBOX, SUBSCRIBER_MAILBOX, message


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[Gateway]:
    """A gateway in this process, without MESH."""
    settings = tmp_path / "settings.toml"
    settings.write_text(f'[store]\nurl = "sqlite:///{tmp_path}/gateway.db"\n')
    running = Gateway(load(settings))
    await running.start()
    yield running
    await running.stop()


def inbox(gateway: Gateway) -> MeshInbox:
    return MeshInbox(gateway.intake, Applications(), "open", gateway.incoming, gateway.acknowledgements)


def send_in_part(mesh: LocalMesh) -> str:
    """Send a message whose middle never comes, which nobody can download; its id."""
    settings = mesh.settings_for(SUBSCRIBER_MAILBOX)
    key = settings.shared_key.encode()
    with MeshClient(settings.url, settings.mailbox_id, settings.password, key, max_retries=0) as client:
        first = client.send_chunk(GATEWAY_MAILBOX, b"1", 1, 3, workflow_id="CHANGEOFGP_1").json()["message_id"]
        client.send_chunk(GATEWAY_MAILBOX, b"3", 3, 3, message_id=first)
    return str(first)


def left() -> tuple[float | None, float | None]:
    labels = {"mailbox": GATEWAY_MAILBOX}
    return (
        REGISTRY.get_sample_value("gateway_mesh_inbox_left", labels),
        REGISTRY.get_sample_value("gateway_mesh_inbox_left_oldest_seconds", labels),
    )


async def test_a_message_that_cannot_be_downloaded_for_long_is_put_aside_and_stays(
    mesh: LocalMesh, gateway: Gateway
) -> None:
    mesh.clear()
    message_id = send_in_part(mesh)
    with Mailbox(mesh.settings_for(GATEWAY_MAILBOX)) as mailbox:
        patient = OwnMailbox(mailbox, inbox(gateway))
        await patient.collect()
        await patient.collect()
        assert await gateway.store.inbox(message_id) is None
        count, age = left()
        assert count == 1
        assert age
        hasty = OwnMailbox(mailbox, inbox(gateway), give_up_seconds=0)
        await hasty.collect()
        held = await gateway.store.inbox(message_id)
        assert held
        assert (held.is_unread, held.mailbox) == (True, GATEWAY_MAILBOX)
        assert held.reason == "could not be collected: HTTPError 404"
        # From now on it is left alone, and holds up nothing.
        await hasty.collect()
        assert left() == (1, 0)
        assert mailbox.list_messages() == [message_id]
        for own in (patient, hasty):
            await own.close()


async def test_a_mailbox_that_is_closed_takes_no_more(mesh: LocalMesh, gateway: Gateway) -> None:
    mesh.clear()
    with Mailbox(mesh.settings_for(SUBSCRIBER_MAILBOX)) as sender:
        sender.send(OutgoingMessage(GATEWAY_MAILBOX, "CHANGEOFGP_1", str(uuid.uuid4()), message()))
    with Mailbox(mesh.settings_for(GATEWAY_MAILBOX)) as mailbox:
        own = OwnMailbox(mailbox, inbox(gateway))
        own.stop()
        await own.collect()
        assert await gateway.store.events(1) == []
        assert len(mailbox.list_messages()) == 1
        await own.close()


async def test_a_cycle_that_ends_early_forgets_nothing_of_what_fails(mesh: LocalMesh, gateway: Gateway) -> None:
    mesh.clear()
    send_in_part(mesh)
    with Mailbox(mesh.settings_for(GATEWAY_MAILBOX)) as mailbox:
        own = OwnMailbox(mailbox, inbox(gateway))
        await own.collect()
        await asyncio.sleep(0.2)
        mesh.fault("status", status=503, method="GET", path_contains="/inbox")
        await own.collect()
        await own.collect()
        _, age = left()
        assert age
        assert age >= 0.2
        await own.close()
