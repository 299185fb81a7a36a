"""Every error the gateway raises on purpose.

    GatewayError
    ├── ConfigurationError   the start is refused: one line that says what to change
    ├── ModuleError          a mapping module is wrong: file, line, column, and why
    ├── Refusal              what came in is refused: Issues that say what and where
    ├── Throttled            the application has made more requests than it may: it may try again later
    ├── WrongVerb            there is another verb for this place
    ├── UpstreamError        a service that the gateway subscribes to refuses, or cannot be reached: one line
    └── Unavailable          the store cannot take it now: the sender may try again later
        ├── Away             nobody answers at the database
        └── Changed          subscriptions have changed at another node since this one looked: look, and ask again

What an Issue says never holds a value taken from a message: a message is about a patient, and the text
of an issue reaches logs.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Severity = Literal["error", "warning", "information"]


@dataclass(frozen=True, slots=True)
class Issue:
    """One fault in what came in.

    `reason` is a code of Spine-ErrorOrWarningCode-1, which each face turns into its own form; `location` is a FHIRPath
    (`Bundle.entry[0].resource.timestamp`), a line of the text, or the name of a header; "" where there is none.
    """

    reason: str
    location: str
    text: str
    severity: Severity = "error"


class GatewayError(Exception):
    """The root of every error the gateway raises on purpose."""


class ConfigurationError(GatewayError):
    """A setting, the applications file or the catalogue is wrong; the message is the one line an operator reads."""


class UpstreamError(GatewayError):
    """A service that the gateway subscribes to refuses what it is asked, or cannot be reached; the message is one line
    that holds nothing of a patient.
    """


class ModuleError(GatewayError):
    """A mapping module is wrong; `line` and `column` count from 1, 0 where there is none."""

    def __init__(self, message: str, *, file: str = "", line: int = 0, column: int = 0) -> None:
        self.message, self.file, self.line, self.column = message, file, line, column
        place = ":".join(str(part) for part in (file, line, column) if part)
        super().__init__(f"{place}: {message}" if place else message)


class Refusal(GatewayError):
    """What came in is refused, for the reasons that its issues give; sending it again unchanged cannot help."""

    def __init__(self, issues: Iterable[Issue]) -> None:
        self.issues = tuple(issues)
        super().__init__("; ".join(f"{issue.reason} at {issue.location or 'message'}" for issue in self.issues))

    @classmethod
    def because(cls, reason: str, text: str, location: str = "") -> Refusal:
        """A refusal for one reason."""
        return cls([Issue(reason, location, text)])


class Throttled(GatewayError):
    """The application's quota is used up, nothing was kept; `retry_after_seconds` says when to try again."""

    def __init__(self, why: str, retry_after_seconds: int) -> None:
        self.retry_after_seconds = retry_after_seconds
        super().__init__(why)


class WrongVerb(GatewayError):
    """What came in has a verb that its place does not have; `allowed` are those that it has."""

    def __init__(self, allowed: Iterable[str]) -> None:
        self.allowed = tuple(allowed)
        super().__init__(", ".join(self.allowed))


class Unavailable(GatewayError):
    """The store cannot take it now, nothing was kept; `retry_after_seconds` says when to try again."""

    def __init__(self, why: str, retry_after_seconds: int = 5) -> None:
        self.retry_after_seconds = retry_after_seconds
        super().__init__(why)


class Away(Unavailable):
    """Nobody answers at the database; unlike other refusals, this has nothing to do with what was asked."""


class Changed(Unavailable):
    """Subscriptions have changed at another node since this one looked: what was decided by them is not kept."""
