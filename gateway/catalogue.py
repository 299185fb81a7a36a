"""The event catalogue: an EventType for each file of `config/event-types/`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from gateway.documents import read_yaml
from gateway.errors import ConfigurationError
from gateway.resources import folder

LifeCycle = Literal["active", "deprecated", "no-longer-supported", "withdrawn"]
Name = Annotated[str, Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Nems(_Part):
    """What NEMS calls the event: its EventType-1 code, the MESH workflow it is delivered under, and the codes it had in
    the code system EMS-EventType-1 of 2018.
    """

    code: Name
    workflow: Annotated[str, Field(pattern=r"^[A-Z0-9_]+$")]
    former: tuple[Annotated[str, Field(pattern=r"^[A-Z]+[0-9]{3}$")], ...] = ()

    @property
    def codes(self) -> frozenset[str]:
        """Every code that a message may name the event by."""
        return frozenset({self.code, *self.former})


class Mns(_Part):
    """What MNS calls the event, and what it called it before."""

    type: Name
    former: tuple[Name, ...] = ()

    @property
    def types(self) -> frozenset[str]:
        """Every type that a CloudEvent may name the event by."""
        return frozenset({self.type, *self.former})


class EventType(_Part):
    """An entry of the catalogue; `filters` are the filtering attributes it offers, with their types; `state_ends` is
    when an event type that is given up goes on to the next state, where that is known.
    """

    id: Name
    name: str
    state: LifeCycle = "active"
    state_ends: date | None = None
    nems: Nems | None = None
    mns: Mns | None = None
    topic: Annotated[str, Field(pattern=r"^https?://\S+$")]
    filters: dict[str, Literal["string", "boolean", "integer"]] = {}

    @property
    def names(self) -> frozenset[str]:
        """Every name it goes by."""
        nems = self.nems.codes if self.nems else frozenset()
        mns = self.mns.types if self.mns else frozenset()
        return nems | mns | {self.id}

    @property
    def takes_subscribers(self) -> bool:
        """Whether anybody new may subscribe to it (NEMS, "Event life cycle")."""
        return self.state in {"active", "deprecated"}


def interaction_key(name: str) -> str:
    """`name` without what its two spellings in NEMS InteractionIDs differ by: case, hyphens and the version at its
    end.
    """
    return name.removesuffix("-1").replace("-", "").lower()


class Catalogue:
    """Finds event types by any of their names.

    Raises:
        ConfigurationError: two event types claim one name, workflow or topic.
    """

    def __init__(self, event_types: Iterable[EventType]) -> None:
        self._by_id: dict[str, EventType] = {}
        self._by_name: dict[str, EventType] = {}
        self._by_workflow: dict[str, EventType] = {}
        self._by_topic: dict[str, EventType] = {}
        for event_type in event_types:
            self._by_id[event_type.id] = event_type
            for name in event_type.names:
                self._claim(self._by_name, name, event_type)
            self._claim(self._by_topic, event_type.topic, event_type)
            if event_type.nems:
                self._claim(self._by_workflow, event_type.nems.workflow, event_type)

    def __iter__(self) -> Iterator[EventType]:
        return iter(self._by_id.values())

    def __getitem__(self, event_type_id: str) -> EventType:
        return self._by_id[event_type_id]

    def named(self, name: str) -> EventType | None:
        """The event type that goes by `name`."""
        return self._by_name.get(name)

    def with_workflow(self, workflow: str) -> EventType | None:
        """The event type that NEMS delivers under that MESH workflow id."""
        return self._by_workflow.get(workflow)

    def with_topic(self, topic: str) -> EventType | None:
        """The event type of that SubscriptionTopic canonical."""
        return self._by_topic.get(topic)

    def resolve(self, names: Iterable[str]) -> frozenset[str]:
        """The ids of the event types that `names` mean; `*` means all.

        Raises:
            ConfigurationError: a name that no event type goes by.
        """
        found: set[str] = set()
        for name in names:
            if name == "*":
                found |= self._by_id.keys()
            elif (event_type := self.named(name)) is not None:
                found.add(event_type.id)
            else:
                raise ConfigurationError(
                    f"there is no event type {name!r}; there are: {', '.join(sorted(self._by_id))}"
                )
        return frozenset(found)

    @staticmethod
    def _claim(table: dict[str, EventType], key: str, event_type: EventType) -> None:
        holder = table.setdefault(key, event_type)
        if holder is not event_type:
            raise ConfigurationError(f"event types {holder.id} and {event_type.id} both claim {key}")


def load(path: Path) -> Catalogue:
    """Read the catalogue.

    Raises:
        ConfigurationError: a file is wrong, or two contradict each other.
    """
    return Catalogue([_read(file) for file in sorted(path.glob("*.yaml"))])


def layered(own: str) -> Catalogue:
    """The event types that come with the gateway, and over them those of the folder `own`, unless that is empty.

    Raises:
        ConfigurationError: there is no such folder, a file is wrong, or two contradict each other.
    """
    if own and not Path(own).is_dir():
        raise ConfigurationError(f"event_types (GATEWAY_EVENT_TYPES): {own}: there is no such folder")
    folders = [folder("config") / "event-types", *([Path(own)] if own else [])]
    return Catalogue({one.id: one for path in folders for one in load(path)}.values())


def _read(path: Path) -> EventType:
    try:
        event_type = EventType.model_validate(read_yaml(path))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise ConfigurationError(f"{path}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from None
    if path.stem != event_type.id:
        raise ConfigurationError(f"{path}: the file must be called {event_type.id}.yaml")
    return event_type
