"""The folder of modules that a person works on, beside the ones that come with the gateway."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from gateway.errors import ConfigurationError, ModuleError
from gateway.mapping import conceptmap
from gateway.mapping.conceptmap import ConceptMap
from gateway.mapping.declaration import read_file
from gateway.mapping.document import MapNode, Place, ScalarNode
from gateway.mapping.forms import suggestion
from gateway.mapping.module import Module, load_module
from gateway.mapping.modules import CASES, CONCEPTMAPS
from gateway.resources import folder as shipped_folder


@dataclass(frozen=True, slots=True)
class Workspace:
    """A folder of modules; its ConceptMaps stand over the shipped ones."""

    folder: Path

    def maps(self) -> Mapping[str, ConceptMap]:
        """Every ConceptMap that a module of the folder may use.

        Raises:
            ModuleError: a file is no ConceptMap.
        """
        return {
            name: found
            for folder in (shipped_folder("mappings"), self.folder)
            for name, found in conceptmap.load_all(folder / CONCEPTMAPS).items()
        }

    def files(self, wanted: Iterable[str] = ()) -> list[Path]:
        """The files of the modules wanted, each by its name or its path; all when none is named.

        Raises:
            ConfigurationError: there is no such module, or no module at all.
        """
        names = list(wanted)
        if names:
            return [self.file(name) for name in names]
        found = module_files(self.folder)
        if not found:
            raise ConfigurationError(f"{self.folder}: there is no mapping module here")
        return found

    def texts(self, wanted: Iterable[str] = ()) -> list[Path]:
        """The files of the modules wanted; the fragments too when none is named."""
        names = list(wanted)
        return self.files(names) if names else yaml_files(self.folder)

    def file(self, wanted: str) -> Path:
        """The file of one module, by its name or its path."""
        if Path(wanted).is_file():
            return Path(wanted)
        known = {name_of(path, read_keys(path)): path for path in module_files(self.folder)}
        if wanted not in known:
            raise ConfigurationError(f"{self.folder}: there is no module '{wanted}'{suggestion(wanted, known)}")
        return known[wanted]

    def module(self, wanted: str, params: Mapping[str, str] | None = None) -> Module:
        """One module, compiled; `params` overrides the defaults of its params.

        Raises:
            ConfigurationError: there is no such module, or it has no such param.
            ModuleError: it is wrong.
        """
        module = load_module(self.file(wanted), self.maps(), params)
        for name in params or ():
            if name not in module.params:
                raise ConfigurationError(f"{module.name} has no param '{name}'{suggestion(name, module.params)}")
        return module


def yaml_files(folder: Path) -> list[Path]:
    """The modules and fragments of a folder."""
    return sorted(path for path in folder.rglob("*.yaml") if CASES not in path.parts)


def module_files(folder: Path) -> list[Path]:
    """The modules of a folder, and files that cannot be read, since they may be meant as such."""
    return [path for path in yaml_files(folder) if not is_fragment(path)]


def is_fragment(path: Path) -> bool:
    """Whether the file is a fragment, which other modules include."""
    return "fragment" in read_keys(path).items


def name_of(path: Path, node: MapNode) -> str:
    """The name that the module of a file, whose content is `node`, gives itself, or else that of the file."""
    name = node.items.get("mapping")
    return name.value if isinstance(name, ScalarNode) and isinstance(name.value, str) else path.stem


def layered(shipped: Iterable[Module], own: Iterable[Module]) -> list[Module]:
    """The modules of both, where one of `own` takes over each use (forms and event type) that it shares.

    A use is that of `Modules`: no event type means any, which is a use of its own.
    """
    own = list(own)
    taken = {(one.source, one.target, event) for one in own for event in one.events or ("",)}
    left = []
    for module in shipped:
        uses = [event for event in module.events or ("",) if (module.source, module.target, event) not in taken]
        if uses:
            left.append(replace(module, events=tuple(event for event in uses if event)))
    return [*left, *own]


def read_keys(path: Path) -> MapNode:
    """What a file holds; nothing when it cannot be read, for whoever compiles it to tell."""
    try:
        return read_file(path)
    except ModuleError:
        return MapNode(Place(str(path), 1, 1), {}, {})
