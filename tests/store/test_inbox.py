from __future__ import annotations

from dataclasses import replace

from gateway.store.base import Acceptance, InboxMessage, Store
from tests.samples import event, verdict
from tests.store.acts import LATER, SOON, accept


async def test_an_inbox_message_is_remembered_with_its_event(store: Store) -> None:
    one = event()
    message = InboxMessage("20261102_A", SOON, "event", headers={"mex-from": "X"})
    await store.accept(Acceptance(one, [], inbox=message))
    assert await store.inbox("20261102_A") == message
    assert await store.inbox("20261102_B") is None


async def test_a_quarantined_message_keeps_its_bytes(store: Store) -> None:
    message = InboxMessage("20261102_A", SOON, "quarantine", "why", {}, b"\x00bytes")
    await store.add_to_inbox(message)
    await store.add_to_inbox(replace(message, reason="again"))
    assert await store.inbox("20261102_A") == message


async def test_a_report_lets_its_delivery_be_dead_once(store: Store) -> None:
    one, (made,) = await accept(store, lease_ms=LATER)
    await store.record(verdict(made, remote_id="M1"))
    report = InboxMessage("R1", SOON, "report", "MESH report 14")
    for _ in range(2):
        await store.add_report(report, made.id)
    trace = await store.trace(one.row_id)
    assert trace
    (told,) = trace.deliveries
    assert told.state == "dead"
    assert [(attempt.outcome, attempt.detail) for attempt in told.attempts] == [
        ("delivered", ""),
        ("reported", "MESH report 14"),
    ]


async def test_a_message_whose_event_is_there_already_is_remembered_too(store: Store) -> None:
    await store.accept(Acceptance(event(), [], once=True))
    message = InboxMessage("20261102_A", SOON, "event")
    assert (await store.accept(Acceptance(event(), [], inbox=message, once=True))).first
    assert await store.inbox("20261102_A") == message
