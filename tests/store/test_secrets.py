from __future__ import annotations

import base64
import pickle
import traceback

import pytest

from connector.errors import ConfigError
from connector.secrets import Secret, Vault

KEY = b"\x07" * 32
TEXT = base64.b64encode(KEY).decode()
PLACE = "shop-aalto|credentials|access_token"


@pytest.mark.parametrize("value", ["", "shpat_123", "ключ 🔑", "x" * 10_000])
def test_what_goes_in_comes_out(value: str) -> None:
    vault = Vault({"k": KEY}, "k")
    sealed = vault.encrypt(value, PLACE)
    assert vault.decrypt(sealed, PLACE) == value
    assert sealed.startswith("v1:k:")
    assert len(sealed.split(":")) == 4


def test_the_nonce_is_fresh_each_time() -> None:
    vault = Vault({"k": KEY}, "k")
    assert len({vault.encrypt("same", PLACE) for _ in range(200)}) == 200


@pytest.mark.parametrize("place", ["shop-b|credentials|access_token", "shop-aalto|credentials|refresh_token", ""])
def test_another_place_does_not_open_it(place: str) -> None:
    vault = Vault({"k": KEY}, "k")
    with pytest.raises(ConfigError, match="does not open"):
        vault.decrypt(vault.encrypt("hush", PLACE), place)


def test_every_changed_character_is_noticed() -> None:
    vault = Vault({"k": KEY}, "k")
    sealed = vault.encrypt("hush1234", PLACE)  # 24 bytes sealed: no spare bits in the base64
    for index, letter in enumerate(sealed):
        changed = sealed[:index] + ("A" if letter != "A" else "B") + sealed[index + 1 :]
        with pytest.raises(ConfigError):
            vault.decrypt(changed, PLACE)


@pytest.mark.parametrize("text", ["", "plain", "v1:zz", "v1:zz::", "v2:k:AAAA:AAAA", "v1:k:!!:??", "v1:k:AAAA:AAAA"])
def test_what_is_not_sealed_is_refused_without_quoting_it(text: str) -> None:
    with pytest.raises(ConfigError) as raised:
        Vault({"k": KEY}, "k").decrypt(text, PLACE)
    assert not text or text not in str(raised.value)


def test_no_key_and_no_value_in_reprs_or_tracebacks() -> None:
    vault = Vault.from_text(TEXT)
    assert TEXT not in repr(vault)
    assert repr(KEY) not in repr(vault)
    value = "-".join(["hush", "hush"])
    try:
        vault.decrypt(vault.encrypt(value, "a"), "b")
    except ConfigError as error:
        shown = "".join(traceback.format_exception(error))
    assert value not in shown
    assert TEXT not in shown


def test_keys_are_read_with_and_without_a_name() -> None:
    bare, named = Vault.from_text(TEXT), Vault.from_text(f"2026={TEXT}")
    assert named.current == "2026"
    assert len(bare.current) == 8
    other = base64.urlsafe_b64encode(b"\xfb\xff" * 16).decode().rstrip("=")
    rotated = Vault.from_text(f" {other} ,\n{TEXT}")
    assert rotated.decrypt(bare.encrypt("hush", PLACE), PLACE) == "hush"
    assert not rotated.is_current(bare.encrypt("hush", PLACE))
    assert rotated.is_current(rotated.encrypt("hush", PLACE))


@pytest.mark.parametrize("text", ["", " , ", "c2hvcnQ=", "id=c2hvcnQ=", "not base64 at all", f"={TEXT}", f"a:b={TEXT}"])
def test_a_bad_key_is_refused_without_quoting_it(text: str) -> None:
    with pytest.raises(ConfigError) as raised:
        Vault.from_text(text)
    assert TEXT not in str(raised.value)
    assert "c2hvcnQ" not in str(raised.value)


def test_the_current_key_must_exist() -> None:
    with pytest.raises(ConfigError, match="'b'"):
        Vault({"a": KEY}, "b")
    with pytest.raises(ConfigError, match="3 bytes"):
        Vault({"a": b"abc"}, "a")


def test_a_secret_never_shows_itself() -> None:
    secret = Secret("hush-hush")
    shown = f"{secret} {secret!r} {secret!s} {[secret]} {{'a': secret}} %s" % secret
    assert "hush-hush" not in shown
    assert secret.reveal() == "hush-hush"
    assert secret == Secret("hush-hush")
    assert secret != Secret("other")
    assert not Secret("")
    assert not hasattr(secret, "__dict__")
    with pytest.raises(TypeError):
        pickle.dumps(secret)
