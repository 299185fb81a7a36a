"""The modules of a running gateway: read again when their files change, and exchanged when they are right."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Protocol

import structlog

from gateway.errors import ConfigurationError, ModuleError
from gateway.mapping import conceptmap
from gateway.mapping.conceptmap import ConceptMap
from gateway.mapping.module import Module, load_module, unknown_events
from gateway.mapping.modules import CASES, CONCEPTMAPS, Modules
from gateway.mapping.tools import cases
from gateway.mapping.tools.workspace import layered, name_of, read_keys

log = structlog.get_logger()
_SILENT: Final = structlog.ReturnLogger()

_SUFFIXES: Final = (".yaml", ".json")

Stamps = dict[Path, tuple[int, int]]
"""When each file was last changed, and its size."""


class LiveModules(Modules):
    """Modules that are exchanged while they are in use; each look-up sees all of the old or all of the new."""

    def become(self, other: Modules) -> None:
        """Be as `other` from now on."""
        self._by_use = other._by_use


class Follower(Protocol):
    """A process that has the same modules; one that `is_behind` is not to use them."""

    is_behind: bool

    async def follow(self, mark: bytes) -> None:
        """Have it load what `mark` stands for; it is behind no more when it has done so."""
        ...


@dataclass(frozen=True, slots=True)
class _Loaded:
    """A module, the files that were last looked at for it, and those it was made of: it stays when they are wrong."""

    module: Module
    stamps: Stamps
    made_of: Stamps


class Reloader:
    """The modules of the shipped folder and of an operator's own, which adds to it and takes over what it shares.

    `modules` is always whole: a module that is wrong, or fails a case of its own, stays as it was. The `followers` are
    behind from before a module is exchanged until they have it, too.
    """

    def __init__(self, events: Collection[str], shipped: Path, own: Path | None = None) -> None:
        """Load all modules; their cases are not run. `events` are the ids of all event types.

        Raises:
            ConfigurationError: there is no such folder.
            ModuleError: a module is wrong, or for an event type that there is not, or two of one folder are for the
                same.
        """
        if own and not own.is_dir():
            raise ConfigurationError(f"mapping.folder (GATEWAY_MAPPING__FOLDER): {own}: there is no such folder")
        self._events = events
        self._folders = [shipped, *([own] if own else [])]
        self._seen = self._settled = self._stamps()
        maps = self._maps()
        needs = _needs(self._seen)
        self._loaded = {path: _Loaded(self._load(path, maps), stamps, stamps) for path, stamps in needs.items()}
        self._first = _mark(self._loaded)
        self.modules = LiveModules(self._layered(self._loaded))
        self._turn = asyncio.Lock()
        self.followers: Sequence[Follower] = ()
        self._log = log

    async def run(self, seconds: float) -> None:
        """Look for changes every so many seconds, until cancelled."""
        while True:
            await asyncio.sleep(seconds)
            try:
                async with self._turn:
                    await asyncio.to_thread(self.look)
                    await self._bring_along(self.followers)
            except Exception as error:
                log.exception("reload", outcome="failed", error=type(error).__name__)

    async def bring_along(self, begun: Follower) -> None:
        """Have a follower that has the modules of the start load what there is."""
        async with self._turn:
            begun.is_behind = _mark(self._loaded) != self._first
            await self._bring_along([begun])

    async def _bring_along(self, followers: Sequence[Follower]) -> None:
        for follower in followers:
            if follower.is_behind:
                await follower.follow(_mark(self._loaded))

    def follow(self, mark: bytes) -> bool:
        """Load what there is, without a word: another process tells of it. Whether the modules are those of `mark`."""
        self._log = _SILENT
        self._settle(self._stamps())
        return _mark(self._loaded) == mark

    def look(self) -> None:
        """Read again what has changed, once it changes no more: a file may be half written at the first look."""
        stamps = self._stamps()
        if stamps == self._settled:
            return
        if stamps != self._seen:
            self._seen = stamps
            return
        for follower in self.followers:
            follower.is_behind = True
        self._settle(stamps)

    def _settle(self, stamps: Stamps) -> None:
        self._settled = stamps
        try:
            self._reload(stamps)
        except ModuleError as error:
            self._tell_kept(error)

    def _reload(self, stamps: Stamps) -> None:
        maps = self._maps()
        loaded: dict[Path, _Loaded] = {}
        for path, needs in _needs(stamps).items():
            before = self._loaded.get(path)
            if before and before.stamps == needs:
                loaded[path] = before
            elif module := self._checked(path, maps):
                loaded[path] = _Loaded(module, needs, needs)
            elif before:
                loaded[path] = replace(before, stamps=needs)
        self.modules.become(Modules(self._layered(loaded)))
        for path in {**self._loaded, **loaded}:
            self._tell(self._loaded.get(path), loaded.get(path))
        self._loaded = loaded

    def _checked(self, path: Path, maps: Mapping[str, ConceptMap]) -> Module | None:
        """The module if it is right and passes its cases."""
        try:
            module = self._load(path, maps)
            for case in cases.files(module):
                result = cases.run(module, case)
                if not result.passed:
                    where = result.differences[0].path if result.differences else "refusal"
                    raise ModuleError(f"this case of '{module.name}' fails, at {where}", file=str(case))
        except ModuleError as error:
            self._tell_kept(error)
            return None
        return module

    def _load(self, path: Path, maps: Mapping[str, ConceptMap]) -> Module:
        module = load_module(path, maps)
        for error in unknown_events(module, self._events):
            raise error
        return module

    def _tell(self, before: _Loaded | None, after: _Loaded | None) -> None:
        if before and after and before.module is after.module:
            return
        outcome = "swapped" if before and after else "added" if after else "removed"
        told = after or before
        assert told
        module = told.module
        self._log.info("reload", outcome=outcome, module=module.name, version=module.version, file=module.file)

    def _tell_kept(self, error: ModuleError) -> None:
        self._log.error(
            "reload", outcome="kept old", file=error.file, line=error.line, column=error.column, reason=error.message
        )

    def _layered(self, loaded: Mapping[Path, _Loaded]) -> list[Module]:
        shipped, *own = self._folders
        by_folder = [
            [one.module for path, one in loaded.items() if path.is_relative_to(folder)] for folder in (shipped, *own)
        ]
        # Each folder by itself must be sound, whatever the other takes over from it.
        for modules in by_folder:
            Modules(modules)
        return layered(by_folder[0], by_folder[1]) if own else by_folder[0]

    def _maps(self) -> dict[str, ConceptMap]:
        return {
            name: found for folder in self._folders for name, found in conceptmap.load_all(folder / CONCEPTMAPS).items()
        }

    def _stamps(self) -> Stamps:
        return {path: stamp for folder in self._folders for path, stamp in _stamps(folder)}


def _needs(stamps: Stamps) -> dict[Path, Stamps]:
    """For each module the stamps of what it is made of: its file, fragments beside it, ConceptMaps, its cases."""
    texts = [path for path in stamps if path.suffix == ".yaml" and CASES not in path.parts]
    nodes = {path: read_keys(path) for path in texts}
    fragments = {path for path, node in nodes.items() if "fragment" in node.items}
    maps = [path for path in stamps if path.parent.name == CONCEPTMAPS]
    found = {}
    for path, node in nodes.items():
        if path not in fragments:
            beside = [one for one in fragments if one.parent == path.parent]
            prefix = f"{name_of(path, node)}."
            own = [one for one in stamps if one.parent == path.parent / CASES and one.name.startswith(prefix)]
            found[path] = {one: stamps[one] for one in (path, *beside, *maps, *own)}
    return found


def _stamps(folder: Path) -> Iterator[tuple[Path, tuple[int, int]]]:
    for parent, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            if name.endswith(_SUFFIXES):
                path = Path(parent, name)
                try:
                    status = path.stat()
                except OSError:
                    continue  # gone since the folder was read
                yield path, (status.st_mtime_ns, status.st_size)


def _mark(loaded: Mapping[Path, _Loaded]) -> bytes:
    """What tells these modules from others."""
    told = sorted((path, sorted(one.made_of.items())) for path, one in loaded.items())
    return hashlib.sha256(repr(told).encode()).digest()
