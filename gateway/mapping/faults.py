"""What is wrong with a module: the first mistake ends its compilation, or all are kept."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from gateway.errors import ModuleError
from gateway.mapping.document import Place
from gateway.mapping.syntax import ExpressionError

if TYPE_CHECKING:
    from gateway.mapping.checker import Checker

MAX_FAULTS = 100


class Faults:
    """Collects the mistakes of a module in `found` where it is to `keep` them; else lets the first one through."""

    def __init__(self, *, keep: bool = False) -> None:
        self._keep = keep
        self.found: list[ModuleError] = []

    @contextmanager
    def part(self, checker: Checker, place: Place) -> Iterator[None]:
        """Round a part that is right or wrong by itself; `place` is told of what has none.

        Raises:
            ModuleError: the part is wrong, and mistakes are not kept.
        """
        try:
            yield
        except ExpressionError as error:
            self._add(place.error(error.message), checker)
        except ModuleError as error:
            self._add(error, checker)

    def _add(self, error: ModuleError, checker: Checker) -> None:
        if not self._keep:
            raise error from None
        # What uses a var that is wrong is not to blame.
        if not checker.lost and len(self.found) < MAX_FAULTS:
            self.found.append(error)
        checker.lost = False
