"""The layouts in which ODS and ONS publish practices and postcodes."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import ConfigurationError
from gateway.reference import postcodes, practices
from gateway.reference.data import Area, Practice, number_of, postcodes_of
from gateway.reference.packing import pack_postcodes, pack_practices, unpack_postcodes, unpack_practices
from tests.reference import files

ENGLISH: Area = (("E92000001",), ("E06000099", "E10000099"), ("E38000099",))
KNOWN = {"A99991": Practice("Z9Z", "ZZ99 3VZ"), "A99992": Practice("Y9Y", "ZZ99 1WZ")}


def kept(folder: Path, content: bytes, name: str = "file.csv") -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


def zipped(**members: bytes) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, content in members.items():
            archive.writestr(name.replace("__", "/") + ".csv", content)
        archive.writestr("Documents/guide.pdf", b"%PDF")
    return packed.getvalue()


@pytest.mark.parametrize("headings", [False, True])
def test_practices_are_read_with_headings_and_without(tmp_path: Path, headings: bool) -> None:
    assert practices.read(kept(tmp_path, files.epraccur(headings))) == KNOWN


def test_the_purchaser_stands_in_for_a_commissioner_that_is_not_told(tmp_path: Path) -> None:
    found = practices.read(kept(tmp_path, files.epraccur().replace(b'"Z9Z"', b'""')))
    assert found["A99991"].commissioner == "Q99"


@pytest.mark.parametrize("names", [files.ONSPD, files.NSPL_2025])
def test_directories_with_headings_are_read(tmp_path: Path, names: list[str]) -> None:
    found = postcodes.read(kept(tmp_path, files.headed(names)))
    country, authorities, sub_icb = found.get("ZZ99 3VZ") or ((), (), ())
    assert (country, set(authorities), sub_icb) == (ENGLISH[0], set(ENGLISH[1]), ENGLISH[2])
    assert found.get("ZZ9 9ZZ") == (("E92000001",), ("E06000098",), ("E38000098",))
    assert found.get("zz99  1wz") == (("W92000004",), ("W06000099",), ("W11000099",))
    assert len(found) == 3


def test_the_nhs_directory_is_read_without_headings(tmp_path: Path) -> None:
    found = postcodes.read(kept(tmp_path, files.nhspd()))
    assert found.get("ZZ993VZ") == (("E92000001",), ("E06000099", "900", "E10000099"), ("Z9Z",))
    assert len(found) == 3


def test_a_zip_file_is_read_as_it_is_published(tmp_path: Path) -> None:
    archive = zipped(Data__ONSPD=files.headed(files.ONSPD), Documents__SICBL_names_and_codes=files.sub_icb_codes())
    found = postcodes.read(kept(tmp_path, archive, "ONSPD.zip"))
    assert found.get("ZZ99 3VZ") == (ENGLISH[0], ("E10000099", "E06000099"), ("E38000099", "Z9Z"))
    assert practices.read(kept(tmp_path, zipped(epraccur=files.epraccur()), "epraccur.zip")) == KNOWN


@pytest.mark.parametrize("content", [b"", b"hello\n", b"pcds,name\nZZ99 3VZ,x\n", b"pcds,ctry\n", zipped()])
def test_what_is_no_directory_is_refused_in_one_line(tmp_path: Path, content: bytes) -> None:
    for read in (practices.read, postcodes.read):
        with pytest.raises(ConfigurationError) as caught:
            read(kept(tmp_path, content))
        assert "\n" not in str(caught.value)
        assert "file.csv" in str(caught.value)
    with pytest.raises(ConfigurationError, match="No such file"):
        practices.read(tmp_path / "none.csv")


def damaged(archive: bytes, how: str) -> bytes:
    """A zip file that cannot be read: each member's flags or method changed, or some of its bytes."""
    changed = bytearray(archive)
    for start, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        found = -1
        while (found := changed.find(start, found + 1)) >= 0:
            if how == "password":
                changed[found + at] |= 1
            elif how == "method":
                changed[found + at + 2] = 97
            elif start == b"PK\x03\x04":
                changed[found + 60 : found + 70] = b"\xff" * 10
    return bytes(changed)


@pytest.mark.parametrize("packing", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize("how", ["password", "method", "bytes"])
def test_a_zip_file_that_cannot_be_read_is_told_in_one_line(tmp_path: Path, how: str, packing: int) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", packing) as archive:
        archive.writestr("Data/directory.csv", files.headed(files.ONSPD) + files.epraccur())
        archive.writestr("Documents/codes.csv", files.sub_icb_codes())
    path = kept(tmp_path, damaged(packed.getvalue(), how), "wrong.zip")
    for read in (practices.read, postcodes.read):
        with pytest.raises(ConfigurationError, match=r"wrong\.zip") as caught:
            read(path)
        assert "\n" not in str(caught.value)


POSTCODE = st.from_regex(r"\A[A-Z]{1,2}[0-9][0-9A-Z]?[0-9][A-Z]{2}\Z")
AREA = st.sampled_from([ENGLISH, (("W92000004",), ("W06000099",), ()), ((), (), ())])


@given(st.lists(st.tuples(POSTCODE, AREA), max_size=30), POSTCODE)
def test_postcodes_are_found_as_in_a_dict_before_and_after_packing(rows: list[tuple[str, Area]], other: str) -> None:
    found, expected = postcodes_of(rows), dict(rows)
    for directory in (found, unpack_postcodes(pack_postcodes(found))):
        assert len(directory) == len(expected)
        for postcode in (*expected, other):
            assert directory.get(f"{postcode[:-3].lower()} {postcode[-3:]}") == expected.get(postcode)


@given(st.text(max_size=9))
def test_anything_may_be_asked_for(text: str) -> None:
    assert number_of(text) >= 0
    assert postcodes_of([("ZZ99 3VZ", ENGLISH)]).get(text) in (None, ENGLISH)


def test_practices_are_packed() -> None:
    assert unpack_practices(pack_practices(KNOWN)) == KNOWN
