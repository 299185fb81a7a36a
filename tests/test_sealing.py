from __future__ import annotations

import pytest
from cryptography.fernet import Fernet

from gateway.errors import ConfigurationError
from gateway.sealing import Sealer


def key() -> str:
    return Fernet.generate_key().decode()


def test_what_is_sealed_is_opened_and_cannot_be_read() -> None:
    sealer = Sealer([key()])
    kept = sealer.seal("hush")
    assert "hush" not in kept
    assert sealer.open(kept) == "hush"


def test_any_key_opens_and_the_first_one_seals() -> None:
    old, new = key(), key()
    kept = Sealer([old]).seal("hush")
    both = Sealer([new, old])
    assert both.open(kept) == "hush"
    assert not both.is_current(kept)
    assert Sealer([new]).open(both.seal("hush")) == "hush"


def test_without_a_key_texts_are_kept_as_they_are_and_can_be_read_once_there_is_one() -> None:
    assert Sealer().seal('{"a":1}') == '{"a":1}'
    assert Sealer([key()]).open('{"a":1}') == '{"a":1}'
    assert not Sealer([key()]).is_current('{"a":1}')


def test_a_missing_key_is_told() -> None:
    kept = Sealer([key()]).seal("hush")
    for keys, said in (([], "no key is set"), ([key()], "a key that is not set")):
        with pytest.raises(ConfigurationError, match=said):
            Sealer(keys).open(kept)


@pytest.mark.parametrize("wrong", ["", "short", "\u00e9" * 44])
def test_a_wrong_key_is_a_configuration_error(wrong: str) -> None:
    with pytest.raises(ConfigurationError, match="32 bytes in URL-safe base 64"):
        Sealer([wrong])
