from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.errors import Refusal, Unavailable
from gateway.store.sqlite import SqliteStore
from gateway.subscriptions.book import Book
from gateway.subscriptions.index import Index
from tests.samples import event, subscription


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    opened = SqliteStore(tmp_path / "gateway.db")
    await opened.open()
    yield opened
    await opened.close()


@pytest.fixture
def index() -> Index:
    return Index()


@pytest.fixture
def book(store: SqliteStore, index: Index) -> Book:
    return Book(store, index, lambda _: True)


async def test_what_is_added_matches_and_is_kept(book: Book, index: Index, store: SqliteStore) -> None:
    one = subscription()
    await book.add(one)
    assert index.match(event()) == [one]
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
    assert index.match(event()) == []
    assert book.get(one.id) is None
    assert await book.find(one.id) == one


async def test_a_removal_that_the_store_refuses_changes_nothing(book: Book, index: Index, store: SqliteStore) -> None:
    one = subscription()
    await book.add(one)
    await store.close()
    with pytest.raises(Unavailable):
        await book.remove(one.id)
    assert index.match(event()) == [one]
    await store.open()


async def test_what_is_no_longer_allowed_is_left_out_when_the_book_is_loaded(book: Book, store: SqliteStore) -> None:
    kept, lost = subscription(application="kept"), subscription(application="lost")
    for one in (kept, lost):
        await book.add(one)
    index = Index()
    await Book(store, index, lambda one: one.application == "kept").load()
    assert index.match(event()) == [kept]
