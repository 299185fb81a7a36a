"""The ports that tests draw."""

from __future__ import annotations

import contextlib
import socket

from tests.ports import FIRST, LAST, free_port, slice_of


def test_each_process_that_runs_tests_draws_from_ports_of_its_own() -> None:
    drawn = [slice_of(worker) for worker in ("", *(f"gw{number}" for number in range(15)))]
    ports = [port for one in drawn for port in one]
    assert len(ports) == len(set(ports))
    assert min(ports) >= FIRST
    assert max(ports) <= LAST


def test_a_port_is_not_given_twice_nor_one_that_is_taken() -> None:
    given = [free_port() for _ in range(10)]
    with socket.socket() as taken:
        with contextlib.suppress(OSError):  # it is taken anyway
            taken.bind(("127.0.0.1", given[-1] + 1))
        given += [free_port() for _ in range(10)]
    assert len(set(given)) == 20
    assert given[9] + 1 not in given
