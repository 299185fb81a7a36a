"""All mapping modules of a folder, found by what they map."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final, Self

from gateway.errors import ConfigurationError, ModuleError
from gateway.mapping import conceptmap
from gateway.mapping.declaration import read_file
from gateway.mapping.forms import suggestion
from gateway.mapping.module import Module, load_module

CASES: Final = "cases"
CONCEPTMAPS: Final = "conceptmaps"
_ANY_EVENT: Final = ""


class Modules:
    """Modules by source form, target form and event type."""

    def __init__(self, modules: list[Module]) -> None:
        """Raises ModuleError when two modules are for the same forms and event type."""
        self._by_use: dict[tuple[str, str, str], Module] = {}
        for module in modules:
            for event in module.events or (_ANY_EVENT,):
                first = self._by_use.setdefault((module.source, module.target, event), module)
                if first is not module:
                    use = f"{module.source} to {module.target} for {event or 'any event type'}"
                    raise ModuleError(f"'{first.name}' maps {use} already, in {first.file}", file=module.file)

    @classmethod
    def load(cls, folder: Path, params: Mapping[str, str] | None = None) -> Self:
        """Load every module under a folder; `params` overrides the params of all that have them.

        Raises:
            ModuleError: a module is wrong, or two are for the same.
            ConfigurationError: a param is given that no module has.
        """
        maps = conceptmap.load_all(folder / CONCEPTMAPS)
        modules = [load_module(path, maps, params) for path in _module_files(folder)]
        known = {name for module in modules for name in module.params}
        for name in params or ():
            if name not in known:
                raise ConfigurationError(f"no mapping module has a param '{name}'{suggestion(name, known)}")
        return cls(modules)

    def __iter__(self) -> Iterator[Module]:
        return iter(dict.fromkeys(self._by_use.values()))

    def find(self, source: str, target: str, event: str) -> Module | None:
        """The module for an event type, or else the one for any; None where there is neither."""
        return self._by_use.get((source, target, event)) or self._by_use.get((source, target, _ANY_EVENT))


def _module_files(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*.yaml")):
        if CASES not in path.parts and "fragment" not in read_file(path).items:
            yield path
