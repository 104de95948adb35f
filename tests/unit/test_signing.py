"""Standard Webhooks: the specification's own example, changed secrets, and everything that must not pass."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.outside.signing import is_signed, make_secret, read_secret, sign

AT = datetime.fromtimestamp(1614265330, UTC)
SECRET, OTHER = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", make_secret()
BODY = b'{"test": 2432232314}'
ID = "msg_p5jXN8AQM9LWM0D4loKWxJek"


def test_the_example_of_the_reference_implementation() -> None:
    """libraries/*/tests of github.com/standard-webhooks/standard-webhooks."""
    headers = sign(ID, AT, BODY, [SECRET])
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    assert (headers["webhook-id"], headers["webhook-timestamp"]) == (ID, "1614265330")


def test_while_a_secret_changes_either_opens_it() -> None:
    headers = sign(ID, AT, BODY, [OTHER, SECRET])
    assert len(headers["webhook-signature"].split(" ")) == 2
    assert is_signed(headers, BODY, [SECRET], AT)
    assert is_signed(headers, BODY, [OTHER], AT)
    assert not is_signed(headers, BODY, [make_secret()], AT)


@pytest.mark.parametrize(
    ("change", "passes"),
    [
        ({}, True),
        ({"webhook-id": "msg_other"}, False),
        ({"webhook-id": ""}, False),
        ({"webhook-timestamp": "1614265331"}, False),
        ({"webhook-timestamp": "soon"}, False),
        ({"webhook-timestamp": "9" * 30}, False),
        ({"webhook-signature": ""}, False),
        ({"webhook-signature": "v1,"}, False),
        ({"webhook-signature": "v1a,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="}, False),
        ({"webhook-signature": "v1,\u00e4\u00e4"}, False),
    ],
)
def test_what_passes(change: dict[str, str], passes: bool) -> None:
    assert is_signed({**sign(ID, AT, BODY, [SECRET]), **change}, BODY, [SECRET], AT) is passes


def test_header_names_in_any_case() -> None:
    headers = {name.title(): value for name, value in sign(ID, AT, BODY, [SECRET]).items()}
    assert is_signed(headers, BODY, [SECRET], AT)


@pytest.mark.parametrize(("late", "passes"), [(299, True), (301, False), (-299, True), (-301, False)])
def test_an_old_request_is_a_replay(late: int, passes: bool) -> None:
    headers = sign(ID, AT, BODY, [SECRET])
    assert is_signed(headers, BODY, [SECRET], AT + timedelta(seconds=late)) is passes


@given(st.binary(max_size=200), st.integers(0, 199), st.integers(1, 255))
@settings(max_examples=100)
def test_no_changed_byte_passes(body: bytes, at: int, by: int) -> None:
    headers = sign(ID, AT, body, [SECRET])
    assert is_signed(headers, body, [SECRET], AT)
    if at < len(body):
        changed = body[:at] + bytes([body[at] ^ by]) + body[at + 1 :]
        assert not is_signed(headers, changed, [SECRET], AT)


@pytest.mark.parametrize(
    "text",
    ["", "whsec_", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_???", "whsec_" + base64.b64encode(b"short").decode()],
)
def test_what_is_no_secret(text: str) -> None:
    with pytest.raises(ValueError, match="should") as told:
        read_secret(text)
    assert not text or text not in str(told.value)


def test_a_made_secret_has_32_bytes_and_is_new() -> None:
    assert len(read_secret(make_secret())) == 32
    assert make_secret() != make_secret()


@pytest.mark.parametrize("bad", ["", "a.b"])
def test_an_id_with_a_full_stop_is_refused(bad: str) -> None:
    with pytest.raises(ValueError, match="full stops"):
        sign(bad, AT, BODY, [SECRET])
