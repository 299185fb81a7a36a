"""mesh-sandbox with mailboxes of one's own, MESH's strictness and failures to order. Served by run.py.

MESH_SANDBOX_MAILBOXES   a file of mailboxes, one JSON object a line: mailbox_id, mailbox_name, password, ods_code, and,
                         if wanted, workflow_ids, the only workflows it receives
MESH_SANDBOX_STRICT      1: refuse what MESH refuses and the sandbox lets pass

POST /faults orders a failure, DELETE /faults takes all orders back: see `Fault`.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import re
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from mesh_sandbox.api import app as sandbox
from mesh_sandbox.common.messaging import try_parse_authorisation_token
from mesh_sandbox.dependencies import get_messaging
from mesh_sandbox.models.mailbox import Mailbox
from mesh_sandbox.store import canned_store
from mesh_sandbox.store.serialisation import deserialise_model
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

Message = MutableMapping[str, Any]
Send = Callable[[Message], Awaitable[None]]
Receive = Callable[[], Awaitable[Message]]
App = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]


@dataclass
class Fault:
    """A failure to order, for the next `times` requests whose method and path fit; "" fits any.

    status     answer `status` with `headers`
    delay      wait for `seconds`
    drop       close the connection without an answer
    truncate   send half of the answer's body, then close the connection

    `accept` has the sandbox do what was asked first: the failure then hides a success.
    """

    kind: str
    path_contains: str = ""
    path_ends: str = ""
    method: str = ""
    times: int = 1
    accept: bool = False
    status: int = 503
    headers: dict[str, str] = field(default_factory=dict)
    seconds: float = 0


class Faults:
    """The sandbox, failing as ordered."""

    def __init__(self, app: App) -> None:
        self.app = app
        self.ordered: list[Fault] = []

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
        elif scope["path"] == "/faults":
            await self.order(scope, receive, send)
        elif fault := self.take(scope["method"], scope["path"]):
            await self.fail(fault, scope, receive, send)
        else:
            await self.app(scope, receive, send)

    async def order(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Take an order, or all of them back."""
        if scope["method"] == "DELETE":
            self.ordered.clear()
        else:
            self.ordered.append(Fault(**await Request(scope, receive).json()))
        await Response(status_code=204)(scope, receive, send)

    def take(self, method: str, path: str) -> Fault | None:
        """Return the oldest order that fits a request."""
        for fault in self.ordered:
            if fault.method in ("", method) and fault.path_contains in path and path.endswith(fault.path_ends):
                fault.times -= 1
                if fault.times <= 0:
                    self.ordered.remove(fault)
                return fault
        return None

    async def fail(self, fault: Fault, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Fail one request."""
        body = await Request(scope, receive).body()  # read now: a client that has gone cannot be read from later
        answer: list[Message] = []

        async def replay() -> Message:
            return {"type": "http.request", "body": body, "more_body": False}

        async def hold(message: Message) -> None:
            answer.append(message)

        if fault.kind == "delay" and not fault.accept:
            await asyncio.sleep(fault.seconds)
        if fault.accept or fault.kind in ("delay", "truncate"):
            await self.app(scope, replay, hold)
        if fault.kind == "delay" and fault.accept:
            await asyncio.sleep(fault.seconds)
        if fault.kind == "status":
            await Response(status_code=fault.status, headers=fault.headers)(scope, receive, send)
        elif fault.kind == "drop":
            await drop(receive, send)
        elif fault.kind == "truncate":
            await send(answer[0])
            await send({**answer[1], "body": answer[1]["body"][: len(answer[1]["body"]) // 2], "more_body": True})
        else:
            for message in answer:
                await send(message)


async def drop(receive: Receive, send: Send) -> None:
    """Close the connection, which ASGI has no word for: `send` is a method of uvicorn's connection."""
    send.__self__.transport.abort()  # type: ignore[attr-defined]
    await receive()


class Strict:
    """The sandbox, refusing what MESH refuses (MESH API: Authorization, POST /outbox, GET /inbox/{message_id}).

    A token used before or two hours from now: 403. A workflow that the recipient is not registered for: 417 code 17.
    An acknowledged message: 410.
    """

    def __init__(self, app: App, workflows: dict[str, list[str]]) -> None:
        self.app = app
        self.workflows = workflows
        self.tokens: set[str] = set()

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        refusal = self.refusal(Request(scope)) if scope["type"] == "http" else None
        await (refusal or self.app)(scope, receive, send)

    def refusal(self, request: Request) -> Response | None:
        """Return the answer to a request that MESH would refuse."""
        token = request.headers.get("authorization", "")
        if token and self.is_stale(token):
            return refuse(403, "", "Error Duplicated Authentication Token")
        if request.method == "POST" and request.url.path.endswith("/outbox") and not self.is_registered(request):
            return refuse(417, "17", "Workflow ID not registered for mailbox")
        if request.method in ("GET", "HEAD") and is_acknowledged(request.url.path):
            return refuse(410, "", "Message no longer available for download")
        return None

    def is_stale(self, token: str) -> bool:
        """Return whether a token was used before, or was made two hours ago or more; remember it."""
        used = token in self.tokens
        self.tokens.add(token)
        parts = try_parse_authorisation_token(token)
        try:
            made = datetime.strptime(parts.timestamp, "%Y%m%d%H%M").replace(tzinfo=UTC)
        except ValueError:
            return False  # the sandbox refuses it itself
        return used or abs(datetime.now(UTC) - made) > timedelta(hours=2)

    def is_registered(self, request: Request) -> bool:
        """Return whether the recipient takes the workflow."""
        allowed = self.workflows.get(request.headers.get("mex-to", "").upper())
        return not allowed or request.headers.get("mex-workflowid") in allowed


def is_acknowledged(path: str) -> bool:
    """Return whether the path is that of a message which is out of its inbox."""
    asked = re.fullmatch(r"/messageexchange/[^/]+/inbox/([^/]+)(/\d+)?", path)
    message = get_messaging().store.messages.get(asked[1].upper()) if asked else None
    return message is not None and message.status == "acknowledged"


def refuse(status: int, code: str, text: str) -> Response:
    """An error in MESH's form (MESH API, error version 2)."""
    return JSONResponse({"detail": [{"event": "SEND", "code": code, "msg": text}]}, status)


def mailbox_lines() -> Iterator[dict[str, Any]]:
    """Read the file of mailboxes."""
    with open(os.environ["MESH_SANDBOX_MAILBOXES"], encoding="utf-8") as lines:
        yield from (json.loads(line) for line in lines if line.strip())


def load_mailboxes(_store: object) -> dict[str, Any]:
    """Stand in for CannedStore._load_mailboxes, which reads a file inside the package: there is no setting for it."""
    mailboxes = (deserialise_model(line, Mailbox) for line in mailbox_lines())
    return {mailbox.mailbox_id: mailbox for mailbox in mailboxes}


canned_store.CannedStore._load_mailboxes = load_mailboxes
logging.getLogger("mesh-sandbox").setLevel(logging.WARNING)
get_messaging()  # now: two first requests at once would each build a store, and one of them would be lost

app: App = sandbox
if os.environ.get("MESH_SANDBOX_STRICT") == "1":
    app = Strict(app, {line["mailbox_id"]: line.get("workflow_ids", []) for line in mailbox_lines()})
app = Faults(app)
