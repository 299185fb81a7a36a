from __future__ import annotations

from pathlib import Path

import pytest

from gateway import sources
from gateway.errors import ConfigurationError
from gateway.resources import folder
from gateway.sources import Source

PDS = Source(url="https://api.service.nhs.uk/personal-demographics/")


def test_the_example_file_is_right() -> None:
    pds, gpreg = sources.load(folder("config") / "sources.example.yaml")
    assert (pds.patients, pds.hydrate) == (True, False)
    assert (gpreg.patients, gpreg.hydrate) == (False, True)
    assert gpreg.headers["accept"].get_secret_value() == "application/fhir+json"


@pytest.mark.parametrize("path", ["Patient/1", "Patient/1?a=/../b", "Patient/a%2Fb..c"])
def test_a_source_holds_what_is_under_its_url(path: str) -> None:
    assert PDS.holds(PDS.url + path)


@pytest.mark.parametrize(
    "url",
    [
        "https://api.service.nhs.uk/personal-demographics",
        "https://api.service.nhs.uk.example/personal-demographics/1",
        "https://api.service.nhs.uk@example.org/personal-demographics/1",
        "http://api.service.nhs.uk/personal-demographics/1",
        "https://api.service.nhs.uk/personal-demographics/../other/1",
        "https://api.service.nhs.uk/personal-demographics/%2E%2E/other/1",
        "https://api.service.nhs.uk/personal-demographics/..\\other/1",
        "https://api.service.nhs.uk/personal-demographics/Patient%2F..%2F..%2Fother/1",
        "https://api.service.nhs.uk/personal-demographics/Patient%5C..%5C..%5Cother/1",
        "",
    ],
)
def test_a_source_holds_nothing_else(url: str) -> None:
    assert not PDS.holds(url)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("sources: [{url: 'https://example.org'}]", "sources.0.url"),
        ("sources: [{url: 'https://user@example.org/'}]", "sources.0.url"),
        ("sources: [{url: 'https://example.org/', hydrat: true}]", "sources.0.hydrat"),
        ("sources: [{url: 'https://example.org/', login: {token_url: 'https://a/', client_id: a}}]", "sources.0.login"),
        ("source: []", "sources"),
        ("sources: [", "line|:1"),
    ],
)
def test_a_wrong_file_is_told_in_one_line(tmp_path: Path, text: str, place: str) -> None:
    file = tmp_path / "sources.yaml"
    file.write_text(text)
    with pytest.raises(ConfigurationError, match=place) as refused:
        sources.load(file)
    assert "\n" not in str(refused.value)
