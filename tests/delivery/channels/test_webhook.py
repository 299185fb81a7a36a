from __future__ import annotations

import socket
import uuid
from collections.abc import AsyncIterator
from email.utils import formatdate
from pathlib import Path
from time import monotonic, time

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult
from standardwebhooks import Webhook as StandardWebhook

from gateway.delivery.channels.base import Notification, Outcome, Result
from gateway.delivery.channels.webhook import Webhook, tls_context
from gateway.errors import ConfigurationError
from gateway.signing import new_secret
from gateway.subscriptions.subscription import Subscription
from tests.authority import Authority
from tests.harness import Listener
from tests.misbehaved import Misbehaved
from tests.ports import free_port
from tests.samples import delivery, event, subscription

DONE = b"HTTP/1.1 204 No Content\r\n\r\n"


async def nobody(_: str) -> Subscription | None:
    return None


@pytest.fixture
async def misbehaved() -> AsyncIterator[Misbehaved]:
    async with Misbehaved() as listening:
        yield listening


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
async def webhook() -> AsyncIterator[Webhook]:
    with_headers = subscription(headers=(("X-Api-Key", "key"), ("X-Api-Key", "second"), ("webhook-id", "own")))

    async def find(_: str) -> Subscription | None:
        return with_headers

    channel = Webhook(1.0, loopback=True, find=find)
    yield channel
    await channel.close()


def notification(endpoint: str) -> Notification:
    one = event()
    return Notification(str(uuid.uuid4()), delivery(one, endpoint=endpoint), one, b'{"a": 1}', "application/fhir+json")


async def send(webhook: Webhook, listener: Listener, status: int, **headers: str) -> Outcome:
    listener.answers.status = status
    listener.answers.headers = {name.replace("_", "-"): value for name, value in headers.items()}
    return await webhook.send(notification(listener.url))


async def test_the_body_arrives_as_it_is_with_our_headers_and_theirs(webhook: Webhook, listener: Listener) -> None:
    sent = notification(listener.url)
    assert await webhook.send(sent) == Outcome(Result.DELIVERED, 204)
    (request,) = listener.received
    assert request.body == sent.body
    assert request.headers["Content-Type"] == "application/fhir+json"
    assert request.headers["X-Api-Key"] == "key, second"
    assert request.headers["webhook-id"] == sent.id


@pytest.mark.parametrize(
    ("status", "result"),
    [(200, Result.DELIVERED), (202, Result.DELIVERED), (204, Result.DELIVERED)]
    + [(code, Result.FAILED) for code in (301, 307, 401, 403, 404, 408, 409, 425, 429, 500, 502, 503, 504)]
    + [(code, Result.REFUSED) for code in (400, 405, 410, 413, 415, 422, 501)],
)
async def test_what_an_answer_means(webhook: Webhook, listener: Listener, status: int, result: Result) -> None:
    outcome = await send(webhook, listener, status)
    assert (outcome.result, outcome.status) == (result, status)


async def test_retry_after_is_read_in_both_forms(webhook: Webhook, listener: Listener) -> None:
    assert (await send(webhook, listener, 429, Retry_After="120")).retry_after_seconds == 120
    dated = (await send(webhook, listener, 503, Retry_After=formatdate(time() + 60, usegmt=True))).retry_after_seconds
    assert dated == pytest.approx(60, abs=3)


@pytest.mark.parametrize(
    "value",
    [
        "soon", "-5", "1.5", "²", "Fri, 31 Feb 2027 00:00:00 GMT", "Fri, 21 Nov 99999999999999999999 00:00:00 GMT",
        "Fri, 21 Nov 2026 00:00:00 +99999999999999",
    ],
)  # fmt: skip
async def test_a_retry_after_that_says_nothing_is_passed_over(webhook: Webhook, listener: Listener, value: str) -> None:
    outcome = await send(webhook, listener, 503, Retry_After=value)
    assert (outcome.result, outcome.retry_after_seconds) == (Result.FAILED, None)


async def test_no_listener_means_not_sent(webhook: Webhook) -> None:
    outcome = await webhook.send(notification(f"http://127.0.0.1:{free_port()}/"))
    assert outcome.result is Result.FAILED


async def test_no_answer_in_time_may_have_arrived(webhook: Webhook, listener: Listener) -> None:
    listener.answers.delay_seconds = 1.5
    assert (await webhook.send(notification(listener.url))).result is Result.UNCERTAIN


async def test_with_public_addresses_only_loopback_is_refused(listener: Listener) -> None:
    channel = Webhook(1.0, loopback=False, find=nobody)
    for host in ("127.0.0.1", "localhost", "[::ffff:127.0.0.1]"):
        outcome = await channel.send(notification(f"http://{host}:{listener.port}/"))
        assert outcome.result is Result.REFUSED
        assert "public address" in outcome.detail
    await channel.close()
    assert listener.received == []


class Rebinding(AbstractResolver):
    """A name that is at a public address when it is looked at first, and at this machine's afterwards."""

    def __init__(self) -> None:
        self.asked = 0

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        self.asked += 1
        address = "192.0.2.1" if self.asked == 1 else "127.0.0.1"
        return [ResolveResult(hostname=host, host=address, port=port, family=socket.AF_INET, proto=0, flags=0)]

    async def close(self) -> None: ...


async def test_a_name_that_changes_its_address_gains_nothing(listener: Listener) -> None:
    resolver = Rebinding()
    await resolver.resolve("rebind.example")
    channel = Webhook(1.0, loopback=False, find=nobody, resolver=resolver)
    outcome = await channel.send(notification(f"http://rebind.example:{listener.port}/"))
    await channel.close()
    assert resolver.asked == 2
    assert (outcome.result, outcome.detail) == (Result.REFUSED, "the host has no public address")
    assert listener.received == []


async def test_requests_are_signed_and_the_package_of_standard_webhooks_agrees(listener: Listener) -> None:
    secrets = (new_secret(), new_secret())

    async def find(_: str) -> Subscription:
        return subscription(secrets=secrets)

    channel = Webhook(1.0, loopback=True, find=find)
    await channel.send(notification(listener.url))
    await channel.close()
    (request,) = listener.received
    for secret in secrets:
        assert StandardWebhook(secret.text).verify(request.body, request.headers) == {"a": 1}


async def test_the_start_of_an_answer_is_kept_and_no_more(webhook: Webhook, misbehaved: Misbehaved) -> None:
    misbehaved.script = [b"HTTP/1.1 500 Oh\r\nContent-Length: 2000\r\n\r\n" + b"why\0" + b"x" * 1996]
    outcome = await webhook.send(notification(misbehaved.url))
    assert outcome.status == 500
    assert outcome.answer == "why" + "x" * 496
    assert "why" not in repr(outcome)


async def test_an_answer_without_end_is_cut_off_and_counts(webhook: Webhook, misbehaved: Misbehaved) -> None:
    misbehaved.script = [
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        *[b"8000\r\n" + b"x" * 0x8000 + b"\r\n"] * 400,
    ]
    outcome = await webhook.send(notification(misbehaved.url))
    assert outcome.result is Result.DELIVERED
    await misbehaved.ended()
    assert misbehaved.written < 8_000_000


async def test_headers_without_end_are_no_answer(webhook: Webhook, misbehaved: Misbehaved) -> None:
    misbehaved.script = [b"HTTP/1.1 200 OK\r\n", *[b"X-More: " + b"x" * 1000 + b"\r\n"] * 1000]
    outcome = await webhook.send(notification(misbehaved.url))
    assert outcome.result is Result.UNCERTAIN
    await misbehaved.ended()


async def test_an_answer_that_drips_counts_as_what_its_status_says(misbehaved: Misbehaved) -> None:
    misbehaved.script = [b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n", *[b"x"] * 100]
    misbehaved.pause = 0.2
    channel = Webhook(10.0, loopback=True, find=nobody)
    started = monotonic()
    outcome = await channel.send(notification(misbehaved.url))
    await channel.close()
    assert outcome.result is Result.DELIVERED
    assert monotonic() - started < 8, "the rest of the answer is not waited for"


async def test_headers_that_drip_take_no_longer_than_an_attempt_may(webhook: Webhook, misbehaved: Misbehaved) -> None:
    misbehaved.script = [b"HTTP/1.1 200 OK\r\n", *[b"X-Drip: 1\r\n"] * 100]
    misbehaved.pause = 0.2
    outcome = await webhook.send(notification(misbehaved.url))
    assert (outcome.result, outcome.detail) == (Result.UNCERTAIN, "no answer in time")


async def test_a_connection_that_is_cut_may_have_arrived(webhook: Webhook, misbehaved: Misbehaved) -> None:
    misbehaved.script = []
    assert (await webhook.send(notification(misbehaved.url))).result is Result.UNCERTAIN


async def test_an_answer_that_is_not_http_may_have_arrived(webhook: Webhook, misbehaved: Misbehaved) -> None:
    misbehaved.script = [b"SSH-2.0-OpenSSH_9.2\r\n"]
    assert (await webhook.send(notification(misbehaved.url))).result is Result.UNCERTAIN


class TestTls:
    """With certificates of our own making; the other side's is always verified, ours shown where it is asked for."""

    async def test_a_certificate_that_nobody_vouches_for_is_not_taken(self, authority: Authority) -> None:
        async with Misbehaved(authority.server(), [DONE]) as listening:
            channel = Webhook(5.0, loopback=True, find=nobody, tls=tls_context())
            outcome = await channel.send(notification(listening.url))
            await channel.close()
            assert (outcome.result, listening.heard) == (Result.FAILED, 0)

    async def test_an_authority_of_our_own_is_taken(self, authority: Authority) -> None:
        async with Misbehaved(authority.server(), [DONE]) as listening:
            channel = Webhook(5.0, loopback=True, find=nobody, tls=tls_context(str(authority.root.cert_file)))
            assert (await channel.send(notification(listening.url))).result is Result.DELIVERED
            await channel.close()

    async def test_a_client_certificate_is_shown(self, authority: Authority) -> None:
        own = authority.issue("gateway")
        async with Misbehaved(authority.server(ask=True), [DONE]) as listening:
            for files, result in (((), Result.UNCERTAIN), ((str(own.cert_file), str(own.key_file)), Result.DELIVERED)):
                channel = Webhook(
                    5.0, loopback=True, find=nobody, tls=tls_context(str(authority.root.cert_file), *files)
                )
                assert (await channel.send(notification(listening.url))).result is result
                await channel.close()

    def test_files_that_hold_none_are_a_configuration_error(self, tmp_path: Path) -> None:
        (tmp_path / "none.pem").write_text("none")
        for files in (
            (str(tmp_path / "none.pem"),),
            ("", str(tmp_path / "none.pem"), ""),
            ("", str(tmp_path / "x"), ""),
        ):
            with pytest.raises(ConfigurationError, match=r"webhook\.ca_file"):
                tls_context(*files)
