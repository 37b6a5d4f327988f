"""The search finds what it looks for, in every form: else finding nothing means nothing."""

import base64
import json
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.canaries import Canary, Search

TEXT = "Żofia O'Brien-Núñez & co"
CANARY = Canary("name", TEXT)
FORMS = {
    "UTF-8": TEXT.encode(),
    "lower case": TEXT.lower().encode(),
    "upper case": TEXT.upper().encode(),
    "UTF-16 LE": TEXT.encode("utf-16-le"),
    "UTF-16 BE": TEXT.encode("utf-16-be"),
    "UTF-16 with mark": TEXT.encode("utf-16"),
    "JSON": json.dumps({"a": TEXT}).encode(),
    "form": b"a=" + quote_plus(TEXT).encode(),
    "path": quote(TEXT, safe="").encode(),
    "URL, every byte": "".join(f"%{byte:02x}" for byte in TEXT.encode()).encode(),
    "hex": TEXT.encode().hex().encode(),
    "HEX": TEXT.encode().hex().upper().encode(),
    "base64 of UTF-16": base64.b64encode(TEXT.encode("utf-16-be")),
    "hex of UTF-16": TEXT.encode("utf-16-le").hex().encode(),
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_a_canary_is_found_in_every_form(form: bytes) -> None:
    found = Search([CANARY]).in_bytes(b"\0\1noise" + form + b"more\xff", "here")
    assert [each.canary for each in found] == ["name"]


@given(before=st.binary(max_size=7), after=st.binary(max_size=7), urlsafe=st.booleans())
@settings(deadline=None, max_examples=60)
def test_a_canary_is_found_inside_base64_of_something_larger(
    before: bytes, after: bytes, urlsafe: bool
) -> None:
    encode = base64.urlsafe_b64encode if urlsafe else base64.b64encode
    found = Search([CANARY]).in_bytes(encode(before + TEXT.encode() + after), "here")
    assert [each.canary for each in found] == ["name"]


def test_nothing_is_found_where_nothing_is() -> None:
    noise = bytes(range(256)) * 4096 + b"Zofia O'Brian-Nunez and company"
    assert Search([CANARY]).in_bytes(noise, "here") == []


def test_files_are_searched_across_blocks_and_holes_and_by_their_names(tmp_path: Path) -> None:
    search = Search([Canary("telephone", "305-555-0187"), Canary("bytes", "xyzzy", (b"\xf0" * 9,))])
    straddling = tmp_path / "straddling"
    straddling.write_bytes(b"." * ((1 << 16) - 5) + b"305-555-0187" + b"." * 100)
    with (tmp_path / "sparse").open("wb") as file:
        file.seek(50_000_000)
        file.write(b"\xf0" * 9)
    (tmp_path / "folder of 305-555-0187").mkdir()
    (tmp_path / "folder of 305-555-0187" / "file").write_bytes(b"empty")
    found, read = search.in_folder(tmp_path)
    assert read > 50_000_000
    assert sorted((each.canary, each.file) for each in found) == [
        ("bytes", "sparse"),
        ("telephone", "straddling"),
        ("telephone", "the name of folder of 305-555-0187/file"),
    ]
    assert next(each.at for each in found if each.file == "straddling") == (1 << 16) - 5


def test_what_is_too_short_to_mean_anything_is_refused() -> None:
    with pytest.raises(ValueError, match="too short"):
        Search([Canary("short", "Ann")])
