"""What of a message survives the way through one module and back through another."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from gateway.errors import ConfigurationError
from gateway.mapping.context import Context
from gateway.mapping.module import NO_INPUTS, Inputs, Module
from gateway.mapping.tools.difference import Difference, leaves, named_differences


@dataclass(frozen=True, slots=True)
class RoundTrip:
    """Of so many values in the message, the differences that the way there and back made; the rest survived."""

    values: int
    differences: tuple[Difference, ...]

    @property
    def survived(self) -> int:
        """How many values came back as they were, at their place."""
        gone = [one for one in self.differences if one.change != "added"]
        return self.values - sum(len(list(leaves(one.before, ""))) for one in gone)


def roundtrip(
    there: Module, back: Module, message: dict[str, Any], context: Context, inputs: Inputs = NO_INPUTS
) -> RoundTrip:
    """Map a message there and back again; `inputs` are given to whichever module declares them.

    Raises:
        ConfigurationError: the second module does not lead back to the form that the first starts from.
        Refusal: one of the modules refuses what it is given.
    """
    if (there.target, there.source) != (back.source, back.target):
        raise ConfigurationError(
            f"'{there.name}' maps {there.source} to {there.target}, and '{back.name}' {back.source} to {back.target}: "
            "the second must lead back"
        )
    returned = back.apply(there.apply(message, context, inputs), context, inputs)
    root = str(message.get("resourceType", there.source))
    values = len(list(leaves(message, root)))
    return RoundTrip(values, tuple(named_differences(message, returned, root)))
