"""Retrieve: what an event points to, fetched from its source before the event is mapped out."""

from __future__ import annotations

import asyncio
import uuid
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from gateway.delivery.login import Session
from gateway.errors import Refusal
from gateway.events import JSON, Delivery, Event
from gateway.fhir.json import parse_json, read_object
from gateway.fhir.tables import load
from gateway.fhir.validate import validate
from gateway.nhs_number import is_nhs_number
from gateway.outbound import Fetched, Fetcher, FetchFailed
from gateway.sources import Source
from gateway.subscriptions.subscription import Subscription

RETRIEVED: Final = "retrieved"
"""The name by which mapping modules read the record."""
_SHARED: Final = 64
_SHARED_SECONDS: Final = 30.0
"""How many records are remembered for the other deliveries of their events, and for how long."""

Find = Callable[[str], Awaitable[Subscription | None]]
Inputs = Callable[[Event, Delivery], Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class Retrieved:
    """What was fetched for a delivery: `inputs` for the mapping module, `hydrated` for the signal; `note` says what did
    not come, and why.
    """

    inputs: Mapping[str, Mapping[str, Any]]
    hydrated: dict[str, Any] | None = None
    note: str = ""


NOTHING: Final = Retrieved({})


class Retriever:
    """Fetches from the sources; `find` gives a subscription by its id, `inputs` the forms of what the mapping module
    for a delivery reads besides the event, by their names.
    """

    def __init__(self, sources: Sequence[Source], fetcher: Fetcher, find: Find, inputs: Inputs) -> None:
        self._sources, self._fetcher, self._find, self._inputs = sources, fetcher, find, inputs
        self._patients = [one for one in sources if one.patients]
        self._sessions = {one.url: Session(one.login, fetcher) for one in sources if one.login}
        self._records: OrderedDict[tuple[int, str], asyncio.Task[Fetched]] = OrderedDict()

    async def close(self) -> None:
        """Close the connections, and give up what is under way."""
        for task in self._records.values():
            task.cancel()
        await self._fetcher.close()

    async def retrieve(self, event: Event, delivery: Delivery) -> Retrieved:
        """What `delivery` needs of what `event` points to. A signal goes out without what cannot be fetched.

        Raises:
            FetchFailed: a record that a mapping module needs may come later.
        """
        if delivery.form == "hydrated-signal":
            return await self._hydrated(event, delivery)
        if self._patients and self._inputs(event, delivery).get(RETRIEVED) == "r4-patient":
            return await self._patient(event)
        return NOTHING

    async def _hydrated(self, event: Event, delivery: Delivery) -> Retrieved:
        source = next((one for one in self._sources if one.hydrate and one.holds(event.dataref or "")), None)
        if source is None or event.dataref is None:
            return Retrieved({}, note="not hydrated: the dataref is under no source that may hydrate")
        subscription = await self._find(delivery.subscriptions[0])
        try:
            fetched = await self._fetch(source, event.dataref, subscription.headers if subscription else ())
            return Retrieved({}, read_object(fetched.body))
        except FetchFailed as failed:
            return Retrieved({}, note=f"not hydrated: {failed}")
        except Refusal:
            return Retrieved({}, note="not hydrated: what came is not a JSON object")

    async def _patient(self, event: Event) -> Retrieved:
        found = self._place_of_patient(event)
        if found is None:
            return NOTHING
        try:
            fetched = await self._shared(event, *found)
            return Retrieved({RETRIEVED: _parsed(fetched.body)})
        except FetchFailed as failed:
            if not failed.lasting:
                raise
            return Retrieved({}, note=f"not retrieved: {failed}")
        except Refusal:
            return Retrieved({}, note="not retrieved: what came is not a Patient of FHIR R4")

    def _place_of_patient(self, event: Event) -> tuple[Source, str] | None:
        for source in self._patients:
            if source.holds(event.dataref or ""):
                return source, event.dataref or ""
        first = self._patients[0]
        # Any other subject could lead out of the source.
        return (first, f"{first.url}Patient/{event.subject}") if is_nhs_number(event.subject) else None

    async def _shared(self, event: Event, source: Source, url: str) -> Fetched:
        """The record, fetched once for all deliveries of the event that need it at about the same time."""
        key = event.row_id, url
        task = self._records.get(key)
        if task is None or (task.done() and (task.cancelled() or task.exception())):
            task = self._records[key] = asyncio.create_task(self._fetch(source, url, ()))
            asyncio.get_running_loop().call_later(_SHARED_SECONDS, self._records.pop, key, None)
            while len(self._records) > _SHARED:
                self._records.popitem(last=False)
        return await asyncio.shield(task)

    async def _fetch(self, source: Source, url: str, headers: Sequence[tuple[str, str]]) -> Fetched:
        asked = {"accept": JSON, "x-request-id": str(uuid.uuid4())}
        asked |= {name.lower(): value.get_secret_value() for name, value in source.headers.items()}
        if session := self._sessions.get(source.url):
            asked["authorization"] = f"Bearer {await session.token()}"
        return await self._fetcher.get(url, asked | {name.lower(): value for name, value in headers})


def _parsed(body: bytes) -> dict[str, Any]:
    tables = load("R4")
    patient = parse_json(body, tables).resource
    issues = validate(patient, tables)
    if patient["resourceType"] != "Patient" or any(issue.severity == "error" for issue in issues):
        raise Refusal.because("INVALID_RESOURCE", "not a Patient of FHIR R4", RETRIEVED)
    return patient
