from __future__ import annotations

from dataclasses import replace

from gateway.store.base import Acceptance, InboxMessage, Store
from tests.samples import delivery, event, verdict
from tests.store.acts import LATER, SOON, accept
from tests.store.engines import Engine


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
    assert [await store.add_report(report, made.id) for _ in range(2)] == [True, False]
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


async def test_a_message_makes_one_event(store: Store) -> None:
    """Two nodes that both took it from the mailbox."""
    one, other = event(), event()
    message = InboxMessage("20261102_A", SOON, "event")
    assert (await store.accept(Acceptance(one, [], inbox=message))).first is None
    assert (await store.accept(Acceptance(other, [delivery(other)], inbox=message))).first == one.row_id
    assert [found.row_id for found in await store.events(10)] == [one.row_id]


async def test_the_quarantine_is_listed_newest_first_without_bodies(store: Store) -> None:
    for number in range(3):
        await store.add_to_inbox(
            InboxMessage(f"M{number}", SOON + number, "quarantine", "why", {"mex-from": "X"}, b"body", "GATEWAY01")
        )
    await store.add_to_inbox(InboxMessage("M9", SOON + 9, "report"))
    expected = InboxMessage("M2", SOON + 2, "quarantine", "why", {"mex-from": "X"}, None, "GATEWAY01")
    assert await store.quarantine(2) == [expected, replace(expected, message_id="M1", received_ms=SOON + 1)]


async def test_a_released_message_can_become_an_event(store: Store) -> None:
    message = InboxMessage("M1", SOON, "quarantine", "why", {"mex-from": "X"}, b"body", "GATEWAY01")
    await store.add_to_inbox(message)
    assert await store.released(10) == []
    assert [await store.release_message(name, LATER) for name in ("M1", "M2")] == [True, False]
    assert await store.released(10) == [replace(message, released_ms=LATER)]
    kept = await store.accept(Acceptance(event(), [], inbox=replace(message, disposition="event", body=None)))
    assert kept.first is None
    found = await store.inbox("M1")
    assert found
    assert (found.disposition, found.body, found.released_ms) == ("event", None, None)
    assert (await store.quarantine(10), await store.released(10)) == ([], [])
    assert not await store.release_message("M1", LATER)


async def test_a_released_message_can_go_back_into_quarantine(store: Store) -> None:
    message = InboxMessage("M1", SOON, "quarantine", "why", {}, b"body")
    await store.add_to_inbox(message)
    await store.release_message("M1", LATER)
    await store.add_to_inbox(replace(message, reason="another reason"))
    assert await store.inbox("M1") == replace(message, reason="another reason")
    assert await store.released(10) == []


async def test_a_quarantined_message_that_was_not_read_can_be_an_event_later(store: Store) -> None:
    message = InboxMessage("M1", SOON, "quarantine", "too large", {})
    await store.add_to_inbox(message)
    assert await store.unread() == ["M1"]
    await store.release_message("M1", LATER)
    assert (await store.unread(), await store.released(10)) == ([], [])
    one = event()
    assert (await store.accept(Acceptance(one, [], inbox=replace(message, disposition="event")))).first is None
    assert [found.row_id for found in await store.events(10)] == [one.row_id]


async def test_an_operator_can_let_a_message_out_while_a_gateway_has_the_store(engine: Engine, store: Store) -> None:
    await store.add_to_inbox(InboxMessage("M1", SOON, "quarantine", "why", {}, b"body"))
    beside = engine.store()
    await beside.open_beside()
    assert await beside.release_message("M1", LATER)
    await beside.close()
    assert [message.message_id for message in await store.released(10)] == ["M1"]
    await accept(store)
