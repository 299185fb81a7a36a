from __future__ import annotations

import asyncio
import resource
import signal
import sqlite3
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.errors import ConfigurationError, Unavailable
from gateway.events import Delivery, Event
from gateway.store.base import Acceptance, DeliveryTrace, InboxMessage
from gateway.store.database import migrate_file
from gateway.store.reader import SqliteReader
from gateway.store.sqlite import SqliteStore
from tests.samples import delivery, event, subscription, verdict

SOON, LATER, MUCH_LATER = 2_000_000_000_000, 2_000_000_060_000, 2_000_000_600_000


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    opened = SqliteStore(tmp_path / "gateway.db")
    await opened.open()
    yield opened
    await opened.close()


async def accept(store: SqliteStore, deliveries: int = 1, lease_ms: int = 0) -> tuple[Event, list[Delivery]]:
    one = event()
    made = [delivery(one) for _ in range(deliveries)]
    await store.accept(Acceptance(one, made, [each.id for each in made] if lease_ms else (), lease_ms))
    return one, made


async def deliveries_of(store: SqliteStore, one: Event) -> tuple[DeliveryTrace, ...]:
    trace = await store.trace(one.row_id)
    assert trace
    return trace.deliveries


async def test_an_accepted_event_is_read_back_whole(store: SqliteStore) -> None:
    one, made = await accept(store, 2)
    trace = await store.trace(one.row_id)
    assert trace
    assert trace.event == one
    assert [told.delivery for told in trace.deliveries] == made
    assert await store.trace(one.row_id + 1) is None


async def test_events_are_listed_newest_first(store: SqliteStore) -> None:
    accepted = [(await accept(store))[0] for _ in range(3)]
    assert await store.events(2) == [accepted[2], accepted[1]]


async def test_what_was_accepted_survives_a_crash(tmp_path: Path, store: SqliteStore) -> None:
    one, _ = await accept(store)
    # A copy of the files as they are is what a machine finds after it lost power.
    crashed = tmp_path / "crashed"
    crashed.mkdir()
    for name in ("gateway.db", "gateway.db-wal"):
        (crashed / name).write_bytes((tmp_path / name).read_bytes())
    again = SqliteStore(crashed / "gateway.db")
    await again.open()
    assert await again.events(9) == [one]
    assert again.instance == store.instance
    await again.close()


async def test_commits_are_on_disk_before_they_are_answered(store: SqliteStore) -> None:
    level = await store._writer.submit(lambda connection: connection.execute("PRAGMA synchronous").fetchone()[0])
    mode = await store._writer.submit(lambda connection: connection.execute("PRAGMA journal_mode").fetchone()[0])
    assert (level, mode) == (2, "wal")


async def test_many_at_once_share_commits_and_all_are_kept(store: SqliteStore) -> None:
    await asyncio.gather(*(accept(store) for _ in range(600)))
    assert len(await store.events(1000)) == 600


async def test_one_that_fails_does_not_fail_its_neighbours(store: SqliteStore) -> None:
    one, _ = await accept(store)
    fresh = [event() for _ in range(5)]
    results = await asyncio.gather(
        *(store.accept(Acceptance(each, [])) for each in [*fresh[:2], one, *fresh[2:]]), return_exceptions=True
    )
    assert [type(result).__name__ for result in results] == ["NoneType"] * 2 + ["Unavailable"] + ["NoneType"] * 3
    assert {found.row_id for found in await store.events(9)} == {one.row_id, *(each.row_id for each in fresh)}


async def test_an_event_and_its_deliveries_never_part(store: SqliteStore) -> None:
    one = event()
    twin = delivery(one)
    with pytest.raises(Unavailable):
        await store.accept(Acceptance(one, [twin, twin]))
    assert await store.events(9) == []


async def test_when_too_many_wait_nothing_more_is_taken(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "small.db", max_waiting=3)
    await store.open()
    waiting = [asyncio.create_task(accept(store)) for _ in range(10)]
    results = await asyncio.gather(*waiting, return_exceptions=True)
    kept = [result for result in results if not isinstance(result, BaseException)]
    assert any(isinstance(result, Unavailable) for result in results)
    assert len(await store.events(99)) == len(kept)
    await store.close()


async def test_a_due_delivery_is_claimed_once(store: SqliteStore) -> None:
    one, (made,) = await accept(store)
    (claimed,) = await store.claim(10, SOON, LATER)
    assert (claimed.delivery, claimed.event, claimed.lease_ms) == (replace(made, claim=1), one, LATER)
    assert await store.claim(10, SOON, LATER) == []


async def test_a_claim_takes_no_more_than_asked_and_the_longest_due_first(store: SqliteStore) -> None:
    early = event(received_ms=1_000)
    late = event(received_ms=2_000)
    for one in (late, early):
        await store.accept(Acceptance(one, [delivery(one)]))
    (first,) = await store.claim(1, SOON, LATER)
    assert first.event == early


async def test_a_delivery_that_is_not_due_is_left(store: SqliteStore) -> None:
    one = event()
    await store.accept(Acceptance(one, [delivery(one)]))
    assert await store.claim(10, one.received_ms - 1, LATER) == []


async def test_a_lease_that_ended_is_claimed_again_as_uncertain(store: SqliteStore) -> None:
    await accept(store)
    await store.claim(10, SOON, LATER)
    assert await store.claim(10, LATER - 1, MUCH_LATER) == []
    (again,) = await store.claim(10, LATER, MUCH_LATER)
    assert again.delivery.uncertain


async def test_deliveries_accepted_under_a_lease_are_not_claimed(store: SqliteStore) -> None:
    await accept(store, lease_ms=LATER)
    assert await store.claim(10, SOON, LATER) == []
    (after,) = await store.claim(10, LATER, MUCH_LATER)
    assert after.delivery.uncertain


async def test_what_a_dead_process_had_claimed_is_due_at_once_and_uncertain(tmp_path: Path, store: SqliteStore) -> None:
    _, (made,) = await accept(store, lease_ms=MUCH_LATER)
    await store.close()
    await store.open()
    (claimed,) = await store.claim(10, SOON, LATER)
    assert claimed.delivery == replace(made, uncertain=True, claim=1)


async def test_a_released_delivery_is_due_at_once_and_certain(store: SqliteStore) -> None:
    _, (made,) = await accept(store, lease_ms=MUCH_LATER)
    await store.release([made.id], SOON)
    (claimed,) = await store.claim(10, SOON, LATER)
    assert claimed.delivery == replace(made, claim=1)


async def test_a_delivered_delivery_is_done(store: SqliteStore) -> None:
    one, (made,) = await accept(store, lease_ms=LATER)
    await store.record(verdict(made, remote_id="M1"))
    trace = await store.trace(one.row_id)
    assert trace
    (told,) = trace.deliveries
    assert (told.state, told.remote_id, told.ended_ms, told.delivery.attempts) == (
        "delivered",
        "M1",
        1_793_610_901_012,
        1,
    )
    assert told.attempts == (verdict(made).attempt,)
    assert await store.claim(10, MUCH_LATER, MUCH_LATER) == []
    assert await store.delivery_with_remote_id("M1") == made.id


async def test_a_failed_delivery_is_due_when_its_verdict_says(store: SqliteStore) -> None:
    _, (made,) = await accept(store, lease_ms=LATER)
    await store.record(verdict(made, "pending", next_ms=SOON + 5, uncertain=True))
    assert await store.claim(10, SOON + 4, LATER) == []
    (claimed,) = await store.claim(10, SOON + 5, LATER)
    assert claimed.delivery == replace(made, attempts=1, uncertain=True, claim=1)


@pytest.mark.parametrize("first", ["late", "present"])
async def test_a_late_failure_never_undoes_a_delivery(store: SqliteStore, first: str) -> None:
    """Two attempts of one delivery, since the lease of the earlier ended; their verdicts come in either order."""
    one, _ = await accept(store)
    (late,) = await store.claim(10, SOON, LATER)
    (present,) = await store.claim(10, LATER, MUCH_LATER)
    verdicts = [verdict(late.delivery, "pending", next_ms=SOON), verdict(present.delivery)]
    for told in verdicts if first == "late" else reversed(verdicts):
        await store.record(told)
    (stands,) = await deliveries_of(store, one)
    assert stands.state == "delivered"
    assert sorted(attempt.outcome for attempt in stands.attempts) == ["delivered", "pending"]
    assert [attempt.number for attempt in stands.attempts] == [1, 2]


async def test_a_late_success_counts_whatever_the_present_attempt_came_to(store: SqliteStore) -> None:
    one, _ = await accept(store)
    (late,) = await store.claim(10, SOON, LATER)
    (present,) = await store.claim(10, LATER, MUCH_LATER)
    await store.record(verdict(present.delivery, "dead"))
    await store.record(verdict(late.delivery))
    (stands,) = await deliveries_of(store, one)
    assert stands.state == "delivered"


async def test_endpoints_that_are_full_are_left_alone(store: SqliteStore) -> None:
    one = event()
    slow, quick = delivery(one, endpoint="http://slow/"), delivery(one, endpoint="http://quick/")
    await store.accept(Acceptance(one, [slow, quick]))
    (claimed,) = await store.claim(10, SOON, LATER, ["http://slow/"])
    assert claimed.delivery.endpoint == "http://quick/"
    (claimed,) = await store.claim(10, SOON, LATER)
    assert claimed.delivery.endpoint == "http://slow/"


async def test_no_remote_id_finds_no_delivery(store: SqliteStore) -> None:
    await accept(store)
    assert await store.delivery_with_remote_id("") is None


async def test_subscriptions_are_read_back_whole(store: SqliteStore) -> None:
    plain = subscription()
    rich = subscription(subject="9990001006", tag="a|b", headers=(("X-Key", "v"),), end_ms=5, created_ms=1, face="r4")
    for one in (plain, rich):
        await store.add_subscription(one)
    assert await store.subscriptions() == [rich, plain]


async def test_a_deleted_subscription_is_gone_once(store: SqliteStore) -> None:
    one = subscription()
    await store.add_subscription(one)
    assert await store.delete_subscription(one.id, SOON)
    assert not await store.delete_subscription(one.id, SOON)
    assert await store.subscriptions() == []


async def test_an_inbox_message_is_remembered_with_its_event(store: SqliteStore) -> None:
    one = event()
    message = InboxMessage("20261102_A", SOON, "event", headers={"mex-from": "X"})
    await store.accept(Acceptance(one, [], inbox=message))
    assert await store.inbox("20261102_A") == message
    assert await store.inbox("20261102_B") is None


async def test_a_quarantined_message_keeps_its_bytes(store: SqliteStore) -> None:
    message = InboxMessage("20261102_A", SOON, "quarantine", "why", {}, b"\x00bytes")
    await store.add_to_inbox(message)
    await store.add_to_inbox(replace(message, reason="again"))
    assert await store.inbox("20261102_A") == message


async def test_a_report_lets_its_delivery_be_dead_once(store: SqliteStore) -> None:
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


async def test_two_processes_cannot_open_one_database(tmp_path: Path, store: SqliteStore) -> None:
    with pytest.raises(ConfigurationError, match="another gateway has it open"):
        await SqliteStore(tmp_path / "gateway.db").open()
    with pytest.raises(ConfigurationError, match="another gateway has it open"):
        migrate_file(tmp_path / "gateway.db")


async def test_a_database_may_be_read_while_a_gateway_has_it_open(tmp_path: Path, store: SqliteStore) -> None:
    one, _ = await accept(store)
    reader = SqliteReader(tmp_path / "gateway.db")
    assert reader.events(5) == [one]
    reader.close()


async def test_a_deleted_subscription_is_still_found_by_its_id(store: SqliteStore) -> None:
    one = subscription()
    await store.add_subscription(one)
    await store.delete_subscription(one.id, SOON)
    assert await store.subscription(one.id) == one
    assert await store.subscription("none") is None


async def test_a_store_that_cannot_be_written_says_so_and_recovers(tmp_path: Path, store: SqliteStore) -> None:
    """The size that files may have is limited, as a full disk does it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, ((tmp_path / "gateway.db-wal").stat().st_size, hard))
    try:
        with pytest.raises(Unavailable):
            await accept(store)
        assert (await store.check())["store"] != "ok"
        assert await store.events(9) == []
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, ignored)
    assert await store.check() == {"store": "ok", "migrations": "ok"}
    one, _ = await accept(store)
    assert await store.events(9) == [one]


async def test_a_closed_store_takes_nothing(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "closed.db")
    await store.open()
    await store.close()
    with pytest.raises(Unavailable):
        await accept(store)


async def test_a_database_of_a_later_release_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "later.db"
    migrate_file(path)
    connection = sqlite3.connect(path)
    connection.execute("INSERT INTO migrations VALUES (9999, 'later', 0)")
    connection.commit()
    connection.close()
    with pytest.raises(ConfigurationError, match="of a later release, by migration 9999"):
        await SqliteStore(path).open()


async def test_the_state_of_the_store_is_told(store: SqliteStore) -> None:
    assert await store.check() == {"store": "ok", "migrations": "ok"}


def test_migrations_are_applied_once(tmp_path: Path) -> None:
    assert [migration.number for migration in migrate_file(tmp_path / "new" / "gateway.db")] == [1]
    assert migrate_file(tmp_path / "new" / "gateway.db") == []


async def test_what_is_no_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "gateway.db"
    path.write_bytes(b"not a database" * 100)
    with pytest.raises(ConfigurationError, match="not a database"):
        await SqliteStore(path).open()
    with pytest.raises(ConfigurationError, match="not a database"):
        SqliteReader(path)


def test_a_missing_database_is_not_made_by_a_reader(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="there is no such database"):
        SqliteReader(tmp_path / "none.db")
    assert not (tmp_path / "none.db").exists()


def test_an_unmigrated_database_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "old.db"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE migrations (number INTEGER PRIMARY KEY)")
    connection.commit()
    connection.close()
    with pytest.raises(ConfigurationError, match="run `gateway migrate` first; migrations are missing: initial"):
        SqliteReader(path)
