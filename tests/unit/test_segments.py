"""What was put together from segments is made again from them, to the byte."""

from __future__ import annotations

from base64 import b64encode, encodebytes

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.errors import StoreUnavailable
from connector.segments import dump, join, load
from connector.store.contents import pack_content, unpack_content
from connector.store.packing import pack

SEGMENTS = st.lists(st.tuples(st.booleans(), st.binary(max_size=300)), max_size=5)


@settings(max_examples=200, deadline=None)
@given(SEGMENTS)
def test_what_is_kept_is_the_same_bytes(found):
    whole = join(found)
    assert load(dump(whole)) == whole
    assert load(dump(whole)).segments == whole.segments
    assert unpack_content(*pack_content(whole)) == whole


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=400))
def test_lines_are_those_of_the_standard_library(data):
    assert join([(True, data)]) == encodebytes(data).removesuffix(b"\n").replace(b"\n", b"\r\n")
    assert join([(True, data)]).replace(b"\r\n", b"") == b64encode(data)


@pytest.mark.parametrize("content", [b"", b"plain" * 300, bytes(join([(True, b"x" * 999)]))])
def test_other_contents_are_kept_as_they_are(content):
    assert pack_content(content) == pack(content)
    assert unpack_content(*pack_content(content)) == content


@pytest.mark.parametrize("damaged", [b"", b"\x01", b"\x01\0\0\0\0\x05\0\0\0abc", b"\0\0\0\0more"])
def test_damaged_segments_are_a_damaged_database(damaged):
    with pytest.raises(ValueError, match="segments"):
        load(damaged)
    with pytest.raises(StoreUnavailable, match="damaged"):
        unpack_content(16, damaged)


def test_half_the_room():
    html = "".join(f"<tr><td>Mug {n}</td><td>{n * 7 % 100} EUR</td></tr>" for n in range(200)).encode()
    whole = join([(False, b"Subject: x\r\n\r\n"), (True, html), (False, b"\r\n")])
    assert len(pack_content(whole)[1]) < len(pack_content(bytes(whole))[1]) / 2
