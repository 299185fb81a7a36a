"""The PostgreSQL store: its concerns, joined."""

from __future__ import annotations

from gateway.store.postgres.answers import Answers
from gateway.store.postgres.deliveries import Deliveries
from gateway.store.postgres.endpoints import Endpoints
from gateway.store.postgres.events import Events
from gateway.store.postgres.identity import Identity
from gateway.store.postgres.inbox import Inbox
from gateway.store.postgres.letters import Letters
from gateway.store.postgres.numbers import Numbers
from gateway.store.postgres.reference import ReferenceData
from gateway.store.postgres.retention import Retention
from gateway.store.postgres.subscriptions import Subscriptions
from gateway.store.postgres.traces import Traces
from gateway.store.postgres.tracking import Tracking
from gateway.store.postgres.turns import Turns
from gateway.store.postgres.upstreams import Upstreams


class PostgresStore(
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
    """The Store of any number of nodes; `gateway.store.base` says what each method promises."""
