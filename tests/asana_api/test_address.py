"""Where the client sends, and what it takes for a gid."""

import pytest

from asana_api.address import Base, gid, is_loopback
from asana_api.errors import RefusedHere


@pytest.mark.parametrize(
    "address",
    [
        "",
        "app.asana.com",
        "//app.asana.com/api/1.0",
        "ftp://app.asana.com",
        "file:///etc/passwd",
        "http://app.asana.com/api/1.0",
        "http://169.254.169.254/api/1.0",
        "http://10.0.0.1",
        "http://127.0.0.1.example/api",
        "http://127.1/api",
        "http://2130706433/api",
        "http://0x7f.0.0.1/api",
        "http://0.0.0.0/api",
        "http://[::]/api",
        "http://[::ffff:127.0.0.1]/api",
        "http://[fe80::1]/api",
        "http://localhost.example/api",
        "http://localhost./api",
        "http://127.0.0.1@evil.example/api",
        "https://app.asana.com@evil.example/api",
        "https://user:password@app.asana.com/api",
        "https://app.asana.com/api?x=1",
        "https://app.asana.com/api?",
        "https://app.asana.com/api#x",
        "https:///api",
        "https://app.asana.com:99999/api",
        "https://app.asana.com/\n/api",
    ],
)
def test_an_address_that_a_token_must_not_go_to_is_refused(address: str) -> None:
    with pytest.raises(RefusedHere) as raised:
        Base(address)
    assert "password" not in str(raised.value)


@pytest.mark.parametrize(
    ("address", "url", "site", "loopback"),
    [
        ("https://app.asana.com/api/1.0", "https://app.asana.com/api/1.0", "https://app.asana.com", False),
        ("https://app.asana.com/api/1.0/", "https://app.asana.com/api/1.0", "https://app.asana.com", False),
        ("http://127.0.0.1:8900/api/1.0", "http://127.0.0.1:8900/api/1.0", "http://127.0.0.1:8900", True),
        ("http://[::1]:8900", "http://[::1]:8900", "http://[::1]:8900", True),
        ("http://LOCALHOST/api", "http://localhost/api", "http://localhost", True),
        ("https://localhost/api", "https://localhost/api", "https://localhost", True),
    ],
)
def test_an_address_that_will_do(address: str, url: str, site: str, loopback: bool) -> None:
    base = Base(address)
    assert (base.url, base.site, base.loopback) == (url, site, loopback)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.255.255.254", "::1", "localhost"])
def test_this_machine(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize("value", ["me", "", " 1", "1 ", "1\n", "-1", "1e3", "\u0661", "1" * 33, "1/../2", "a@b.c"])
def test_a_gid_is_digits(value: str) -> None:
    with pytest.raises(RefusedHere):
        gid(value, "user")
    assert gid("1200000000000001", "user") == "1200000000000001"
