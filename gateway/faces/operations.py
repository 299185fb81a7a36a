"""What operators do by HTTP: `/operations/`, off unless `security.operator_token` is set."""

from __future__ import annotations

import hmac
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Header, HTTPException, Query
from pydantic import BaseModel, ConfigDict, Field

from gateway import letters
from gateway.clock import now_ms
from gateway.errors import ConfigurationError
from gateway.events import DeliveryState
from gateway.shown import delivery_shown, endpoint_shown
from gateway.store.base import Selection, Store

_LIMIT = 1000


class Filter(BaseModel):
    """Which deliveries: of these ids or, if there are none, all for which each of what is given holds."""

    model_config = ConfigDict(extra="forbid")

    ids: list[str] = []
    state: list[DeliveryState] = ["dead"]
    subscription: str = ""
    endpoint: str = ""
    event: str = ""
    since: str = ""
    until: str = ""

    def selection(self) -> Selection:
        """It, as the store is asked."""
        return letters.selection(
            states=() if self.ids else tuple(self.state), subscription=self.subscription, endpoint=self.endpoint,
            event_type=self.event, since=self.since, until=self.until,
        )  # fmt: skip

    def chosen(self) -> list[int]:
        """The ids."""
        return [letters.delivery_id(one) for one in self.ids]


class Page(Filter):
    """Which deliveries: as many as `limit`, from the one after that of the id `after`."""

    after: str = ""
    limit: int = Field(_LIMIT, ge=1, le=_LIMIT)


class Change(Filter):
    """What is to be changed; with `dry_run` it is only counted."""

    dry_run: bool


class Endpoint(BaseModel):
    """One endpoint."""

    endpoint: str


def router(store: Store, token: str) -> APIRouter:
    """The routes, for whoever has the token."""

    def check(authorization: Annotated[str, Header()] = "") -> None:
        # Compared in a time that does not tell how much of it was right.
        if not hmac.compare_digest(authorization.encode(), f"Bearer {token}".encode()):
            raise HTTPException(401, "the operator's token is needed", {"WWW-Authenticate": "Bearer"})

    routes = APIRouter(prefix="/operations", tags=["operations"], dependencies=[Depends(check)])
    _add_deliveries(routes, store)
    _add_endpoints(routes, store)
    return routes


def _add_deliveries(routes: APIRouter, store: Store) -> None:
    @routes.get("/deliveries")
    async def found(
        which: Annotated[Page, Query()],
    ) -> dict[str, Any]:
        """Deliveries, dead ones unless `state` says otherwise: how many in all, and a page of them."""
        selected = _asked(which.selection)
        after = _asked(lambda: letters.delivery_id(which.after)) if which.after else 0
        told = await store.deliveries(selected, which.limit, after)
        return {"count": await store.count_deliveries(selected), "deliveries": [delivery_shown(one) for one in told]}

    @routes.get("/deliveries/{identity}")
    async def one(identity: str) -> dict[str, Any]:
        """One delivery with its attempts."""
        told = await store.delivery(_asked(lambda: letters.delivery_id(identity)))
        if told is None:
            raise HTTPException(404, "there is no such delivery")
        return delivery_shown(told)

    @routes.post("/deliveries/{act}")
    async def change(act: Literal["$replay", "$discard"], what: Change) -> dict[str, int]:
        """Send deliveries again, or give them up; how many were found, and how many it was done to."""
        which, chosen = _asked(what.selection), _asked(what.chosen)
        replays = act == "$replay"
        try:
            letters.require_some(which, chosen)
            await letters.require_known(store, chosen)
            count = await (letters.count_replay if replays else letters.count_discard)(store, which, chosen)
        except ConfigurationError as error:
            raise HTTPException(400, str(error)) from None
        if what.dry_run:
            return {"found": count, "done": 0}
        done = await (letters.replay if replays else letters.discard)(store, which, chosen, count)
        return {"found": count, "done": done}


def _add_endpoints(routes: APIRouter, store: Store) -> None:
    @routes.get("/endpoints")
    async def failing() -> list[dict[str, object]]:
        """The webhook endpoints that fail and are left alone."""
        return [endpoint_shown(one) for one in await store.failing_endpoints()]

    @routes.post("/endpoints/$probe", status_code=202)
    async def probe(which: Endpoint) -> None:
        """Try one of them at once."""
        if not await store.hasten_probe(which.endpoint, now_ms()):
            raise HTTPException(404, "it is not failing")


def _asked(read: Any) -> Any:
    try:
        return read()
    except ConfigurationError as error:
        raise HTTPException(400, str(error)) from None
