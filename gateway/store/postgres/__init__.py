"""The engine for many nodes: PostgreSQL, through asyncpg.

A module for each concern, as in `gateway.store.base`: its statements, and a class that runs them on the `Engine`.

Statements that give a time also give the caller's own clock (`local`), and the database adds the difference of the two:
so leases and due times are of one clock, the database's, however wrong those of the nodes are.
"""

from __future__ import annotations

from gateway.store.postgres.store import PostgresStore

__all__ = ["PostgresStore"]
