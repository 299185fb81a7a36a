"""The benchmark of the stores, run short, without other libraries: what it counts agrees. No time is looked at."""

from __future__ import annotations

from pathlib import Path

from tests.bench import stores
from tests.postgres import PostgresServer


def test_everything_is_measured_and_counted(tmp_path: Path, postgres: PostgresServer) -> None:
    chosen = stores.own(postgres, 0.3, 1000)
    one = stores._round(1, chosen, tmp_path)
    assert one.keys() == {stores.ON_SQLITE, stores.ON_POSTGRES, *stores.OWN.values()}
    assert {one[name].count for name in stores.OWN.values()} == {1000}
    assert one[stores.ON_POSTGRES].count > 0
    assert list(stores.shares([one])) == ["durable accept, PostgreSQL to SQLite"]
