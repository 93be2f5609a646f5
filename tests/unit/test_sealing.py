"""Sealed values: only for their row, only with our keys, and never shown."""

import logging

import pytest
from cryptography.fernet import Fernet

from connections.sealing import KeysUnfit, SealBroken, Sealing, connection_row, credential_row, new_key

ROW = credential_row("acme", "oauth", "access_token")
SECRET = "1/very-secret"


def test_what_was_sealed_for_a_row_opens_for_it() -> None:
    sealing = Sealing([new_key()])
    assert sealing.open(sealing.seal(SECRET, ROW), ROW) == SECRET


@pytest.mark.parametrize(
    "other",
    [
        credential_row("acme", "oauth", "refresh_token"),
        credential_row("acme", "personal_access_token", "access_token"),
        credential_row("other", "oauth", "access_token"),
        connection_row("acme", "client_secret"),
    ],
)
def test_a_value_that_was_moved_to_another_row_is_refused(other: str) -> None:
    sealing = Sealing([new_key()])
    with pytest.raises(SealBroken, match="was sealed for credential/acme/oauth/access_token") as refused:
        sealing.open(sealing.seal(SECRET, ROW), other)
    assert SECRET not in str(refused.value)


def test_another_key_does_not_open_it() -> None:
    sealed = Sealing([new_key()]).seal(SECRET, ROW)
    with pytest.raises(SealBroken, match="does not open with any key of SEATKEEPER_KEYS"):
        Sealing([new_key()]).open(sealed, ROW)


def test_a_changed_value_does_not_open() -> None:
    sealing = Sealing([new_key()])
    sealed = bytearray(sealing.seal(SECRET, ROW))
    sealed[40] ^= 1
    with pytest.raises(SealBroken):
        sealing.open(bytes(sealed), ROW)


def test_the_newest_key_seals_and_an_old_one_still_opens() -> None:
    old, newest = new_key(), new_key()
    sealed_before = Sealing([old]).seal(SECRET, ROW)
    both = Sealing([newest, old])
    assert both.open(sealed_before, ROW) == SECRET
    assert Sealing([newest]).open(both.seal(SECRET, ROW), ROW) == SECRET


@pytest.mark.parametrize(
    "bad",
    ["", "short", "x" * 44, Fernet.generate_key().decode()[:-4], "ключ" * 11],
    ids=["empty", "short", "not-base64", "cut", "not-ascii"],
)
def test_a_bad_key_is_named_by_its_place_and_never_shown(bad: str) -> None:
    with pytest.raises(KeysUnfit, match="key 2 of SEATKEEPER_KEYS") as unfit:
        Sealing([new_key(), bad])
    assert not bad or bad not in str(unfit.value)
    assert unfit.value.__cause__ is None
    assert unfit.value.__suppress_context__


def test_no_keys_are_refused() -> None:
    with pytest.raises(KeysUnfit, match="SEATKEEPER_KEYS is empty"):
        Sealing([])


def test_neither_keys_nor_values_show(caplog: pytest.LogCaptureFixture) -> None:
    key = new_key()
    sealing = Sealing([key])
    logging.getLogger("test").error("%s %r %s", sealing, sealing, vars(Sealing).keys())
    assert key not in caplog.text
    assert f"{sealing!r}" == "Sealing(1 keys)"
    assert SECRET.encode() not in sealing.seal(SECRET, ROW)
