"""Empty an inbox without losing anything: keep each message first, acknowledge it then."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, field

from mesh.mailbox import Mailbox, MessageTooLarge
from mesh.message import ReceivedMessage
from mesh.outcome import TRANSPORT_ERRORS, Result, from_error


class StopCollecting(Exception):
    """Raised by `keep` to end the cycle, for instance because another node took the mailbox over."""


@dataclass(slots=True)
class CollectReport:
    """What a cycle did.

    `failed` says of each message that is still in the inbox what went wrong: the type of the exception, with the HTTP
    status if there was one. `skipped` counts those that were not to be read. `ended_early` is "" if the inbox was
    worked through, or "auth", "not_sent" (no connection), "throttled", "unknown" (the list failed otherwise),
    "stopped" or "limit".
    """

    listed: int = 0
    kept: int = 0
    acknowledged: int = 0
    skipped: int = 0
    failed: dict[str, str] = field(default_factory=dict)
    ended_early: str = ""


def _ignore(_: ReceivedMessage) -> None:
    """The report names it."""


def collect(
    mailbox: Mailbox,
    keep: Callable[[ReceivedMessage], None],
    *,
    too_large: Callable[[ReceivedMessage], None] = _ignore,
    skip: Collection[str] = (),
    page: int = 500,
    limit_seconds: float = 240,
) -> CollectReport:
    """Run one cycle over the inbox of `mailbox` and say what it did; it never raises for MESH or for `keep`.

    Each message, a REPORT too, is read to its end, given to `keep`, and acknowledged once `keep` has returned. So
    `keep` returns only when the message is on disk, puts unusable messages aside rather than raising, and expects to
    see a message id again: a lost acknowledgement brings the message back. If `keep` raises, the message stays there.

    A message longer than the mailbox's limit is given to `too_large`, without its body, and stays in the inbox: what
    nobody has is not acknowledged. Messages in `skip`, which may grow meanwhile, stay there unread.

    The inbox is listed again while a page was full and something left it. The cycle ends early when MESH refuses the
    mailbox, cannot be reached or asks for patience, and starts no new message after `limit_seconds`. MESH allows a
    cycle every five minutes at most, unless more messages wait (MESH API, GET /inbox).
    """
    cycle = _Cycle(mailbox, keep, too_large, skip, time.monotonic() + limit_seconds)
    try:
        while cycle.work_through_page(page):
            pass
    except _Ended as ended:
        cycle.report.ended_early = ended.reason
    return cycle.report


class _Ended(Exception):
    def __init__(self, reason: str) -> None:
        self.reason = reason


@dataclass
class _Cycle:
    mailbox: Mailbox
    keep: Callable[[ReceivedMessage], None]
    too_large: Callable[[ReceivedMessage], None]
    skip: Collection[str]
    deadline: float
    report: CollectReport = field(default_factory=CollectReport)
    seen: set[str] = field(default_factory=set)

    def work_through_page(self, page: int) -> bool:
        """Return whether another page may wait."""
        acknowledged_before = self.report.acknowledged
        listed = self._list(page)
        for message_id in listed:
            if message_id in self.seen:
                continue
            if message_id in self.skip:
                self.seen.add(message_id)
                self.report.skipped += 1
            else:
                self._take(message_id)
        return len(listed) >= page and self.report.acknowledged > acknowledged_before

    def _list(self, page: int) -> list[str]:
        try:
            return self.mailbox.list_messages(page)
        except TRANSPORT_ERRORS as error:
            raise _Ended(from_error(error).result.value) from error

    def _take(self, message_id: str) -> None:
        if time.monotonic() >= self.deadline:
            raise _Ended("limit")
        self.seen.add(message_id)
        self.report.listed += 1
        if self._retrieve_and_keep(message_id):
            self._acknowledge(message_id)

    def _retrieve_and_keep(self, message_id: str) -> bool:
        try:
            message = self.mailbox.retrieve(message_id)
        except MessageTooLarge as error:
            self.report.failed[message_id] = type(error).__name__
            self._give(self.too_large, error.message)
            return False
        except Exception as error:  # one bad message must not keep the others from being collected
            self._failed_at_mesh(message_id, error)
            return False
        kept = self._give(self.keep, message)
        self.report.kept += kept
        return kept

    def _give(self, take: Callable[[ReceivedMessage], None], message: ReceivedMessage) -> bool:
        try:
            take(message)
        except StopCollecting as stop:
            raise _Ended("stopped") from stop
        except Exception as error:  # it is for `take` to say more than this
            self.report.failed[message.message_id] = type(error).__name__
            return False
        return True

    def _acknowledge(self, message_id: str) -> None:
        try:
            self.mailbox.acknowledge(message_id)
        except Exception as error:  # the message comes again in the next cycle
            self._failed_at_mesh(message_id, error)
        else:
            self.report.acknowledged += 1

    def _failed_at_mesh(self, message_id: str, error: Exception) -> None:
        outcome = from_error(error)
        self.report.failed[message_id] = f"{type(error).__name__} {outcome.status or ''}".rstrip()
        if outcome.result in (Result.AUTH, Result.NOT_SENT, Result.THROTTLED):
            raise _Ended(outcome.result.value) from error
