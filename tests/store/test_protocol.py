from __future__ import annotations

import inspect

import pytest

from gateway.store.base import Store
from gateway.store.postgres import PostgresStore
from gateway.store.sqlite import SqliteStore

MEMBERS = {name: member for name, member in inspect.getmembers(Store) if not name.startswith("_")}


@pytest.mark.parametrize("engine", [SqliteStore, PostgresStore])
def test_each_engine_has_the_whole_protocol(engine: type) -> None:
    for name, member in MEMBERS.items():
        own = inspect.getattr_static(engine, name)
        if inspect.isfunction(member):
            asked = list(inspect.signature(member).parameters)
            assert [one.lstrip("_") for one in inspect.signature(own).parameters] == asked, name
            assert inspect.iscoroutinefunction(own) == inspect.iscoroutinefunction(member), name
