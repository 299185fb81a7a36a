"""The claims of PostgreSQL: what is due, and what is held for an endpoint, taken under a lease in one statement."""

from __future__ import annotations

from typing import Final

from gateway.store import rows

# How many bytes the events of those before each one have is known without reading large bodies: they are kept apart.
# A lease that ended tells of an attempt whose end nobody saw.
_TAKE = f"""
fit AS MATERIALIZED (
    SELECT found.id, found.state, row_number() OVER places AS place,
        sum(octet_length(body)) OVER places - octet_length(body) AS bytes_before
    FROM found JOIN events e ON e.id = found.event_id WHERE NOT found.over
    WINDOW places AS (ORDER BY found.next_ms, found.id ROWS UNBOUNDED PRECEDING)
)
UPDATE deliveries d
SET state = 'sending', next_ms = $1 + (SELECT ahead FROM clock), uncertain = d.uncertain OR fit.state = 'sending',
    claim = d.claim + 1
FROM fit, events e
WHERE d.id = fit.id AND e.id = d.event_id AND place <= $3 AND bytes_before < $4 RETURNING {rows.DELIVERY}, {rows.EVENT}
"""  # noqa: S608  # our own column names
LOOK: Final = 500
LOOKS: Final = 4
"""A claim looks at no more than so many times so many deliveries, where an endpoint is full."""
DUE: Final = f"""
WITH clock AS MATERIALIZED (SELECT clock_ms() - $2::bigint AS ahead),
found AS MATERIALIZED (
    SELECT id, event_id, state, next_ms, endpoint = ANY ($6::text[]) AS over FROM deliveries
    WHERE state IN ('pending', 'sending') AND next_ms <= $5 + (SELECT ahead FROM clock)
    ORDER BY next_ms LIMIT $7 FOR UPDATE SKIP LOCKED
),
put_off AS (
    UPDATE deliveries d SET uncertain = d.uncertain OR found.state = 'sending', state = 'held'
    FROM found WHERE d.id = found.id AND found.over
),
{_TAKE}"""  # noqa: S608
HELD: Final = f"""
WITH clock AS MATERIALIZED (SELECT clock_ms() - $2::bigint AS ahead),
found AS MATERIALIZED (
    SELECT id, event_id, state, 0 AS next_ms, false AS over FROM deliveries
    WHERE state = 'held' AND NOT blocked AND endpoint = $5 ORDER BY id LIMIT $3 FOR UPDATE SKIP LOCKED
),
{_TAKE}"""  # noqa: S608
_NEXT_ENDPOINT: Final = "SELECT endpoint FROM deliveries WHERE state = 'held' AND NOT blocked AND endpoint >"
# One step in the index for each endpoint, however many deliveries are held for it.
HELD_ENDPOINTS: Final = f"""
WITH RECURSIVE step AS (
    ({_NEXT_ENDPOINT} $1 ORDER BY endpoint LIMIT 1)
    UNION ALL
    SELECT ({_NEXT_ENDPOINT} step.endpoint ORDER BY endpoint LIMIT 1) FROM step WHERE step.endpoint IS NOT NULL
)
SELECT endpoint FROM step WHERE endpoint IS NOT NULL LIMIT $2
"""  # noqa: S608
