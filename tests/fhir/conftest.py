"""The tables and the messages that the tests of this folder read."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.fhir.tables import Tables, load

FIXTURES = Path(__file__).parent / "fixtures"


@pytest.fixture(scope="session")
def stu3() -> Tables:
    return load("STU3")


@pytest.fixture(scope="session")
def r4() -> Tables:
    return load("R4")


@pytest.fixture(scope="session")
def change_of_gp() -> bytes:
    """A NEMS message about an invented patient."""
    return (FIXTURES / "change-of-gp.xml").read_bytes()


@pytest.fixture(scope="session")
def every_feature() -> bytes:
    """A resource with what the XML form has and messages seldom use."""
    return (FIXTURES / "every-feature.xml").read_bytes()


@pytest.fixture(scope="session")
def signal() -> bytes:
    """An R4 subscription notification."""
    return (FIXTURES / "signal.json").read_bytes()
