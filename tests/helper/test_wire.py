"""What goes between a gateway and its helpers arrives as it was."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from gateway.helper.wire import Link, Read, packed, unpacked

MESSAGES = st.lists(st.binary(max_size=40), max_size=30)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.decimals(-1000, 1000, places=2),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip


class Pipe(asyncio.Transport):
    """Keeps what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.writes = 0
        self.closing = False

    def write(self, data: Any) -> None:
        assert not self.closing
        self.written += data
        self.writes += 1

    def is_closing(self) -> bool:
        return self.closing

    def close(self) -> None:
        self.closing = True


async def _sent(messages: list[bytes]) -> Pipe:
    pipe = Pipe()
    link = Link(lambda _: None, lambda: None)
    link.connection_made(pipe)
    for message in messages:
        link.send(message)
    await asyncio.sleep(0)
    return pipe


@given(MESSAGES, st.integers(1, 50))
def test_messages_come_whole_however_they_are_cut(messages: list[bytes], size: int) -> None:
    async def run() -> list[bytes]:
        written = (await _sent(messages)).written
        taken: list[bytes] = []
        link = Link(taken.append, lambda: None)
        for start in range(0, len(written), size):
            link.data_received(written[start : start + size])
        return taken

    assert asyncio.run(run()) == messages


def test_messages_of_one_turn_go_together() -> None:
    assert asyncio.run(_sent([b"one", b"two"])).writes == 1


def test_what_is_sent_last_is_sent_before_the_end() -> None:
    async def run() -> bytes:
        pipe = Pipe()
        link = Link(lambda _: None, lambda: None)
        link.connection_made(pipe)
        link.send(b"last")
        link.close()
        return pipe.written

    assert asyncio.run(run()).endswith(b"last")


def test_nothing_is_written_to_one_that_is_closing() -> None:
    async def run() -> int:
        pipe = Pipe()
        link = Link(lambda _: None, lambda: None)
        link.connection_made(pipe)
        pipe.close()
        for _ in range(20):
            link.send(b"late")
        await asyncio.sleep(0)
        return pipe.writes

    assert asyncio.run(run()) == 0


@given(st.dictionaries(st.text(), VALUES, max_size=4))
def test_what_is_matched_by_is_the_same_on_the_other_side(facts: dict[str, Any]) -> None:
    assert repr(unpacked(packed(facts))) == repr(facts)


def test_a_number_with_a_fraction_stays_as_it_is_written() -> None:
    assert repr(unpacked(packed({"share": Decimal("1.50")}))) == repr({"share": Decimal("1.50")})


def test_no_message_shows_a_patient() -> None:
    made = Read(1, 2, b"<Patient/>", "application/fhir+xml", "", "local")
    assert repr(made) == "<Read number=1>"
