"""The embedded engine: SQLite in WAL mode, every commit on disk before it is answered, one process at a time.

A module for each concern, as in `gateway.store.base`: its statements, and a class that runs them on the `Engine`.
"""

from __future__ import annotations

from gateway.store.sqlite.store import SqliteStore

__all__ = ["SqliteStore"]
