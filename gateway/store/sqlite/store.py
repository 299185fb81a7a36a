"""The SQLite store: its concerns, joined."""

from __future__ import annotations

from gateway.store.sqlite.answers import Answers
from gateway.store.sqlite.deliveries import Deliveries
from gateway.store.sqlite.endpoints import Endpoints
from gateway.store.sqlite.events import Events
from gateway.store.sqlite.identity import Identity
from gateway.store.sqlite.inbox import Inbox
from gateway.store.sqlite.letters import Letters
from gateway.store.sqlite.numbers import Numbers
from gateway.store.sqlite.reference import ReferenceData
from gateway.store.sqlite.retention import Retention
from gateway.store.sqlite.subscriptions import Subscriptions
from gateway.store.sqlite.traces import Traces
from gateway.store.sqlite.tracking import Tracking
from gateway.store.sqlite.turns import Turns
from gateway.store.sqlite.upstreams import Upstreams


class SqliteStore(
    Events,
    Numbers,
    Deliveries,
    Endpoints,
    Letters,
    Subscriptions,
    Inbox,
    Identity,
    Traces,
    Answers,
    Tracking,
    ReferenceData,
    Turns,
    Retention,
    Upstreams,
):
    """The Store of one process; `gateway.store.base` says what each method promises."""
