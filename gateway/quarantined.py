"""What an operator sees of messages in quarantine, and how one is let out."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import Any

from gateway.clock import instant, now_ms
from gateway.errors import ConfigurationError
from gateway.settings import StoreSettings
from gateway.store.base import InboxMessage
from gateway.store.chosen import ask, tell
from gateway.trace import plain_console, plain_table, print_json

_PRIVATE = frozenset({"mex-subject", "mex-filename"})
"""What a sender may have put a patient's name into."""


def print_messages(settings: StoreSettings, limit: int, *, as_json: bool) -> None:
    """Print the newest messages."""
    found = ask(settings, lambda store: store.quarantine(limit))
    if as_json:
        print_json([_message(one) for one in found])
        return
    table = plain_table("id", "received", "mailbox", "from", "workflow", "reason")
    for one in found:
        headers = one.headers
        sender, workflow = headers.get("mex-from", ""), headers.get("mex-workflowid", "")
        table.add_row(one.message_id, instant(one.received_ms), one.mailbox, sender, workflow, one.reason)
    plain_console().print(table if found else "nothing is in quarantine")


def print_message(settings: StoreSettings, message_id: str, save: Path | None, *, as_json: bool) -> None:
    """Print what is known of one message, and with `save` write its content there.

    Raises:
        ConfigurationError: it is not there, it was never read, or the file cannot be written.
    """
    one = ask(settings, lambda store: store.inbox(message_id))
    if one is None or one.disposition != "quarantine":
        raise _absent(message_id)
    if save:
        _save(one, save)
    if as_json:
        print_json(_message(one))
        return
    facts = plain_table("name", "value")
    facts.show_header = False
    for name, value in _message(one).items():
        lines = [f"{each}: {text}" for each, text in value.items()] if isinstance(value, dict) else [value]
        facts.add_row(name, "\n".join(lines) if value else "-")
    plain_console().print(facts)


def release(settings: StoreSettings, message_id: str) -> None:
    """Let one message out.

    Raises:
        ConfigurationError: it is not there.
    """
    if not tell(settings, lambda store: store.release_message(message_id, now_ms())):
        raise _absent(message_id)
    plain_console().print(
        f"{message_id} is let out: the gateway looks at it within seconds, or, when it is still in the mailbox, at the"
        " next collection; if it is still wrong it comes back into quarantine"
    )


def _absent(message_id: str) -> ConfigurationError:
    return ConfigurationError(f"{message_id}: there is no such message in quarantine")


def _save(one: InboxMessage, file: Path) -> None:
    if one.body is None:
        raise ConfigurationError(f"{one.message_id}: it was not read; it is still in the mailbox {one.mailbox}")
    try:
        # Only for whoever runs this: it is about a patient.
        with open(file, "xb", opener=partial(os.open, mode=0o600)) as new:
            new.write(one.body)
    except OSError as error:
        raise ConfigurationError(f"{file}: {error.strerror}") from None


def _message(one: InboxMessage) -> dict[str, Any]:
    return {
        "id": one.message_id,
        "received": instant(one.received_ms),
        "mailbox": one.mailbox,
        "reason": one.reason,
        "released": instant(one.released_ms) if one.released_ms else None,
        "headers": {name: value for name, value in one.headers.items() if name not in _PRIVATE},
    }
