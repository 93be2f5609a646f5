"""OAuth as a client meets it: a person allows an app, and the app gets tokens that end when they should."""

import re
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from datetime import timedelta
from hashlib import sha256
from html import unescape
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from sandbox.asana import Running, running
from tests.sandbox.asking import Asking

OOB = "urn:ietf:wg:oauth:2.0:oob"
CALLBACK = "https://seats.example/callback"
VERIFIER = "v" * 50
CHALLENGE = urlsafe_b64encode(sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()


@pytest.fixture
def asana() -> Iterator[Running]:
    with running(people=30, redirect_uris=(CALLBACK,)) as look_alike:
        yield look_alike


@pytest.fixture
def browser(asana: Running) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=asana.url) as client:
        yield client


def question(asana: Running, **changed: str) -> dict[str, str]:
    return {
        "client_id": asana.client_id,
        "redirect_uri": OOB,
        "response_type": "code",
        "state": "a & b",
        "code_challenge": CHALLENGE,
        "code_challenge_method": "S256",
    } | changed


def allow(browser: httpx.Client, query: dict[str, str], *, answer: str = "yes") -> httpx.Response:
    """Press the button on the page, with the fields that the page itself holds."""
    page = browser.get("/-/oauth_authorize", params=query)
    assert page.status_code == 200, page.text
    hidden = re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)">', page.text)
    return browser.post(
        "/-/oauth_authorize", data={name: unescape(value) for name, value in hidden} | {"allow": answer}
    )


def new_code(asana: Running, browser: httpx.Client, **changed: str) -> str:
    found = re.search(r'<code id="code">([^<]+)</code>', allow(browser, question(asana, **changed)).text)
    assert found
    return unescape(found[1])


def token(asana: Running, browser: httpx.Client, **form: str) -> httpx.Response:
    whole = {"client_id": asana.client_id, "client_secret": asana.client_secret} | form
    return browser.post("/-/oauth_token", data=whole)


def exchange(asana: Running, browser: httpx.Client, code: str, **changed: str) -> httpx.Response:
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": OOB, "code_verifier": VERIFIER}
    return token(asana, browser, **form | changed)


def test_a_code_becomes_tokens_that_work(asana: Running, browser: httpx.Client) -> None:
    answer = exchange(asana, browser, new_code(asana, browser))
    assert answer.status_code == 200
    granted = answer.json()
    admin = asana.organization.admins()[0]
    assert granted["data"]["gid"] == admin.gid
    assert (granted["token_type"], granted["expires_in"]) == ("bearer", 3600)
    with Asking(asana, granted["access_token"]) as api:
        assert api.get("/users/me")["data"]["gid"] == admin.gid


def test_a_code_comes_back_to_a_registered_address_with_the_state(asana: Running, browser: httpx.Client) -> None:
    answer = allow(browser, question(asana, redirect_uri=CALLBACK))
    assert answer.status_code == 302
    target = urlsplit(answer.headers["location"])
    returned = parse_qs(target.query)
    assert target._replace(query="").geturl() == CALLBACK
    assert returned["state"] == ["a & b"]
    assert exchange(asana, browser, returned["code"][0], redirect_uri=CALLBACK).status_code == 200


def test_another_person_may_be_logged_in(asana: Running, browser: httpx.Client) -> None:
    guest = next(one for one in asana.organization.people.values() if one.archetype == "guest")
    browser.post("/-/sandbox/oauth", json={"logged_in": guest.gid})
    granted = exchange(asana, browser, new_code(asana, browser)).json()
    assert granted["data"]["gid"] == guest.gid


@pytest.mark.parametrize("changed", [{"client_id": "1"}, {"redirect_uri": CALLBACK + "/x"}, {"redirect_uri": ""}])
def test_nothing_is_redirected_to_an_unknown_address(
    asana: Running, browser: httpx.Client, changed: dict[str, str]
) -> None:
    for method in ("GET", "POST"):
        where = {"params" if method == "GET" else "data": question(asana, **changed) | {"allow": "yes"}}
        answer = browser.request(method, "/-/oauth_authorize", **where)  # type: ignore[arg-type]  # a form or a query
        assert (answer.status_code, answer.headers["content-type"]) == (400, "text/plain; charset=utf-8")


@pytest.mark.parametrize(
    ("changed", "button", "error"),
    [
        ({}, "no", "access_denied"),
        ({"response_type": "id_token"}, "yes", "unsupported_response_type"),
        ({"code_challenge_method": "plain"}, "yes", "invalid_request"),
    ],
)
def test_other_refusals_come_back(
    asana: Running, browser: httpx.Client, changed: dict[str, str], button: str, error: str
) -> None:
    answer = allow(browser, question(asana, redirect_uri=CALLBACK, **changed), answer=button)
    returned = parse_qs(urlsplit(answer.headers["location"]).query)
    assert (returned["error"], returned["state"]) == ([error], ["a & b"])


@pytest.mark.parametrize(
    ("changed", "status", "error"),
    [
        ({"code_verifier": "w" * 50}, 400, "invalid_grant"),
        ({"code_verifier": ""}, 400, "invalid_grant"),
        ({"code": "no such code"}, 400, "invalid_grant"),
        ({"redirect_uri": CALLBACK}, 400, "invalid_grant"),
        ({"client_secret": "wrong"}, 401, "invalid_client"),
        ({"client_id": "1"}, 401, "invalid_client"),
        ({"grant_type": "password"}, 400, "unsupported_grant_type"),
    ],
)
def test_a_wrong_exchange_gives_nothing(
    asana: Running, browser: httpx.Client, changed: dict[str, str], status: int, error: str
) -> None:
    answer = exchange(asana, browser, **{"code": new_code(asana, browser)} | changed)
    assert (answer.status_code, answer.json()["error"]) == (status, error)


def test_a_code_serves_once_and_a_second_use_ends_what_it_gave(asana: Running, browser: httpx.Client) -> None:
    code = new_code(asana, browser)
    granted = exchange(asana, browser, code).json()
    assert exchange(asana, browser, code).json()["error"] == "invalid_grant"
    with Asking(asana, granted["access_token"]) as api:
        api.get("/users/me", status=401)


def test_a_code_is_good_for_ten_minutes(asana: Running, browser: httpx.Client) -> None:
    code = new_code(asana, browser)
    asana.clock.move(timedelta(minutes=10))
    assert exchange(asana, browser, code).json()["error"] == "invalid_grant"


def test_an_access_token_lasts_an_hour_and_is_refreshed(asana: Running, browser: httpx.Client) -> None:
    granted = exchange(asana, browser, new_code(asana, browser)).json()
    asana.clock.move(timedelta(minutes=59))
    with Asking(asana, granted["access_token"]) as api:
        api.get("/users/me")
        asana.clock.move(timedelta(minutes=1))
        api.get("/users/me", status=401)
    renewed = token(asana, browser, grant_type="refresh_token", refresh_token=granted["refresh_token"]).json()
    assert "refresh_token" not in renewed
    with Asking(asana, renewed["access_token"]) as api:
        api.get("/users/me")


def test_refresh_tokens_may_rotate(asana: Running, browser: httpx.Client) -> None:
    granted = exchange(asana, browser, new_code(asana, browser)).json()
    asana.look.oauth.rotates = True
    renewed = token(asana, browser, grant_type="refresh_token", refresh_token=granted["refresh_token"]).json()
    assert renewed["refresh_token"] != granted["refresh_token"]
    old = token(asana, browser, grant_type="refresh_token", refresh_token=granted["refresh_token"])
    assert (old.status_code, old.json()["error"]) == (400, "invalid_grant")
    assert token(asana, browser, grant_type="refresh_token", refresh_token=renewed["refresh_token"]).is_success


def test_revoking(asana: Running, browser: httpx.Client) -> None:
    granted = exchange(asana, browser, new_code(asana, browser)).json()
    client = {"client_id": asana.client_id, "client_secret": asana.client_secret}

    def revoke(text: str) -> int:
        return browser.post("/-/oauth_revoke", data=client | {"token": text}).status_code

    assert revoke(granted["access_token"]) == 400
    assert revoke("never seen") == 200
    assert revoke(granted["refresh_token"]) == 200
    with Asking(asana, granted["access_token"]) as api:
        api.get("/users/me", status=401)


def test_the_token_address_can_be_spoiled(asana: Running, browser: httpx.Client) -> None:
    """The worst of it: the refresh token rotates, and the answer with the new one is lost."""
    granted = exchange(asana, browser, new_code(asana, browser)).json()
    asana.look.oauth.rotates = True
    asana.faults.add("lost", route="/-/oauth_token", times=1)
    with pytest.raises(httpx.RemoteProtocolError):
        token(asana, browser, grant_type="refresh_token", refresh_token=granted["refresh_token"])
    again = token(asana, browser, grant_type="refresh_token", refresh_token=granted["refresh_token"])
    assert again.json()["error"] == "invalid_grant"
