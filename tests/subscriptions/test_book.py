from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from structlog.testing import capture_logs

from gateway.clock import now_ms
from gateway.errors import ConfigurationError, Refusal, Unavailable
from gateway.reference.data import postcodes_of
from gateway.sealing import Sealer
from gateway.signing import Secret
from gateway.store.base import Acceptance
from gateway.store.sqlite import SqliteStore
from gateway.subscriptions.book import Book
from gateway.subscriptions.index import Index
from tests.samples import delivery, event, subscription


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    opened = SqliteStore(tmp_path / "gateway.db")
    await opened.open()
    yield opened
    await opened.close()


@pytest.fixture
def index() -> Index:
    return Index()


def matching(index: Index) -> list[str]:
    return [one.id for one in index.match(event())]


@pytest.fixture
def book(store: SqliteStore, index: Index) -> Book:
    return Book(store, index, lambda _terms, _kind: True)


async def test_what_is_added_matches_and_is_kept(book: Book, index: Index, store: SqliteStore) -> None:
    one = subscription()
    await book.add(one)
    assert matching(index) == [one.id]
    assert await store.subscriptions() == [one]


async def test_of_many_alike_at_once_one_is_made(book: Book, store: SqliteStore) -> None:
    results = await asyncio.gather(*(book.add(subscription()) for _ in range(8)), return_exceptions=True)
    assert sum(isinstance(result, Refusal) for result in results) == 7
    assert len(await store.subscriptions()) == 1


async def test_what_is_removed_matches_no_more_but_is_found(book: Book, index: Index) -> None:
    one = subscription()
    await book.add(one)
    assert await book.remove(one.id)
    assert not await book.remove(one.id)
    assert matching(index) == []
    assert await book.get(one.id) is None
    assert await book.find(one.id) == one


async def test_a_removal_that_the_store_refuses_changes_nothing(book: Book, index: Index, store: SqliteStore) -> None:
    one = subscription()
    await book.add(one)
    await store.close()
    with pytest.raises(Unavailable):
        await book.remove(one.id)
    assert matching(index) == [one.id]
    await store.open()


async def test_what_is_no_longer_allowed_is_left_out_when_the_book_is_loaded(book: Book, store: SqliteStore) -> None:
    kept, lost = subscription(application="kept"), subscription(application="lost")
    for one in (kept, lost):
        await book.add(one)
    index = Index()
    await Book(store, index, lambda one, _: one.application == "kept").load()
    assert matching(index) == [kept.id]


WEBHOOK = {"channel": "rest-hook", "endpoint": "https://example.org/in", "face": "r4", "form": "mns-signal"}


async def test_headers_and_secrets_are_sealed_in_the_store_and_read_back(store: SqliteStore) -> None:
    sealer = Sealer([Fernet.generate_key().decode()])
    await Book(store, Index(), lambda _terms, _kind: True, sealer).add(
        subscription(**WEBHOOK, headers=(("X-Key", "hush"),))
    )
    (kept,) = await store.subscriptions()
    assert "hush" not in repr(kept)
    assert "hush" not in kept.private
    again = Book(store, Index(), lambda _terms, _kind: True, sealer)
    await again.load()
    (read,) = again.at("https://example.org/in")
    assert read.headers == (("X-Key", "hush"),)
    assert read.secrets[0].text.startswith("whsec_")
    found = await again.find(kept.id)
    assert found == read


async def test_a_new_key_seals_anew_what_was_kept_with_an_old_one_or_none(store: SqliteStore) -> None:
    old, new = Fernet.generate_key().decode(), Fernet.generate_key().decode()
    await Book(store, Index(), lambda _terms, _kind: True).add(subscription(**WEBHOOK))
    for keys in ([old], [new, old], [new]):
        book = Book(store, Index(), lambda _terms, _kind: True, Sealer(keys))
        await book.load()
        (kept,) = await store.subscriptions()
        assert Sealer(keys[:1]).is_current(kept.private)
    with pytest.raises(ConfigurationError, match="a key that is not set"):
        await Book(store, Index(), lambda _terms, _kind: True, Sealer([old])).load()


async def test_a_rotated_secret_overlaps_with_the_one_before(book: Book, store: SqliteStore) -> None:
    one = subscription(**WEBHOOK)
    await book.add(one)
    first = await book.get(one.id)
    assert first
    until_ms = now_ms() + 60_000
    made = await book.rotate_secret(one.id, until_ms)
    after = await Book(store, Index(), lambda _terms, _kind: True).find(one.id)
    assert after
    assert after.secrets == (made, Secret(first.secrets[0].text, until_ms))
    assert await book.rotate_secret("none", until_ms) is None


async def test_its_state_says_whether_a_subscription_matches_and_watchers_are_told(book: Book, index: Index) -> None:
    one = subscription(state="requested")
    await book.add(one)
    told: list[tuple[str, str, str]] = []
    book.watchers.append(lambda now, before: told.append((before, now.state, now.reason)))
    assert matching(index) == []
    assert await book.set_state(one.id, "active", was=["requested"])
    assert not await book.set_state(one.id, "active", was=["requested"])
    assert len(index.match(event())) == 1
    assert await book.set_state(one.id, "error", "no answer")
    assert await book.set_state(one.id, "error", "still none")
    assert len(index.match(event())) == 1
    assert await book.set_state(one.id, "off")
    assert matching(index) == []
    assert told == [("requested", "active", ""), ("active", "error", "no answer"), ("error", "off", "")]
    await book.remove(one.id)
    assert not await book.set_state(one.id, "active")


async def test_a_subscription_that_is_replaced_keeps_its_secrets(book: Book, index: Index, store: SqliteStore) -> None:
    one = subscription(**WEBHOOK)
    await book.add(one)
    before = await book.get(one.id)
    assert before
    assert await book.replace(subscription(**WEBHOOK, id=one.id, subject="9990001006", headers=(("X-Key", "new"),)))
    after = await Book(store, Index(), lambda _terms, _kind: True).find(one.id)
    assert after
    assert (after.headers, after.secrets) == ((("X-Key", "new"),), before.secrets)
    assert index.match(event(subject="9990001014")) == []
    assert not await book.replace(subscription())


@pytest.mark.rule("r4-77")
async def test_events_are_for_a_subscription_in_error_unless_its_endpoint_never_answered(
    store: SqliteStore, index: Index, book: Book
) -> None:
    one = subscription(channel="rest-hook", form="r4-id-only", state="requested", unproven=True)
    await book.add(one)
    await book.set_state(one.id, "error", "HTTP 404")
    assert matching(index) == []
    await book.set_state(one.id, "active")
    await book.set_state(one.id, "error", "HTTP 500")
    assert matching(index) == [one.id]
    told = event()
    made = delivery(told, form="r4-id-only", subscriptions=(one.id,))
    await store.accept(Acceptance(told, [made]))
    assert await store.event_counts([one.id]) == {one.id: 1}


async def test_a_subscription_that_cannot_match_before_data_are_loaded_is_warned_of(book: Book, index: Index) -> None:
    with capture_logs() as logs:
        await book.add(subscription(filter="patient.country = 'E92000001'"))
        await book.add(subscription(filter="patient.practice = 'A91720'"))
        index.reference.postcodes = postcodes_of([])
        await book.add(subscription(filter="patient.country = 'W92000004'"))
    assert [one["dataset"] for one in logs if one["event"] == "reference-lacking"] == ["postcodes"]
