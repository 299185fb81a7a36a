"""What every test may use."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def examples() -> Path:
    """The folder of messages that the services themselves publish; they are not part of this repository."""
    folder = ROOT.parent / "shared" / "examples"
    if not folder.is_dir():
        pytest.skip("the published example messages are not beside this checkout")
    return folder
