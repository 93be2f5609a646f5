"""OAuth with the look-alike as a browser's person would see it, and everything that the token address may answer."""

import re
from collections.abc import AsyncIterator
from urllib.parse import parse_qs, parse_qsl, urlsplit

import httpx
import pytest

from asana_api import oauth
from asana_api.errors import (
    AsanaError,
    BadAnswer,
    GrantLost,
    NotAuthorized,
    RateLimited,
    RefusedHere,
    ServerTrouble,
    Unreachable,
)
from asana_api.oauth import App, Grant
from asana_api.sending import Bounds
from sandbox.asana import Running
from tests.asana_api.conftest import OpenClient, Stranger

pytestmark = pytest.mark.anyio

TOKEN, REVOKE = "/-/oauth_token", "/-/oauth_revoke"


@pytest.fixture
def app(asana: Running) -> App:
    return App(asana.client_id, asana.client_secret)


@pytest.fixture
async def browser() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient() as client:
        yield client


async def allow(browser: httpx.AsyncClient, url: str) -> str:
    """Press Allow, and copy the code from the page."""
    form = dict(parse_qsl(urlsplit(url).query)) | {"allow": "yes"}
    page = await browser.post(url.partition("?")[0], data=form)
    found = re.search(r'<code id="code">(.+?)</code>', page.text)
    assert found, page.text
    return found[1]


async def connect(browser: httpx.AsyncClient, asana: Running, app: App) -> Grant:
    url, _, verifier = oauth.authorization_url(asana.api_url, app.client_id)
    return await oauth.exchange_code(asana.api_url, app, await allow(browser, url), verifier)


async def test_a_person_connects_and_the_connection_lives_on(
    browser: httpx.AsyncClient, asana: Running, app: App, open_client: OpenClient
) -> None:
    grant = await connect(browser, asana, app)
    assert grant.user_gid == asana.look.state.admins()[0].gid
    assert grant.expires_in == 3600
    assert grant.refresh_token
    newer = await oauth.refresh(asana.api_url, app, grant.refresh_token)
    assert newer.access_token != grant.access_token
    assert newer.refresh_token == grant.refresh_token, "a renewal that brings none leaves the old one"

    async def token() -> str:
        return newer.access_token

    assert (await open_client(token=token).me()).gid == grant.user_gid
    await oauth.revoke(asana.api_url, app, grant.refresh_token)
    with pytest.raises(NotAuthorized):
        await open_client(token=token).me()
    with pytest.raises(GrantLost):
        await oauth.refresh(asana.api_url, app, grant.refresh_token)
    await oauth.revoke(asana.api_url, app, "never heard of")


async def test_a_new_refresh_token_replaces_the_old(browser: httpx.AsyncClient, asana: Running, app: App) -> None:
    grant = await connect(browser, asana, app)
    asana.look.oauth.rotates = True
    try:
        newer = await oauth.refresh(asana.api_url, app, grant.refresh_token or "")
    finally:
        asana.look.oauth.rotates = False
    assert newer.refresh_token not in {None, grant.refresh_token}


def test_the_address_asks_for_what_we_need() -> None:
    url, state, verifier = oauth.authorization_url("https://app.asana.com/api/1.0", "12", "https://me.example/back")
    again = oauth.authorization_url("https://app.asana.com", "12")
    assert url.startswith("https://app.asana.com/-/oauth_authorize?")
    query = parse_qs(urlsplit(url).query, strict_parsing=True)
    assert query.pop("code_challenge") != [verifier]
    assert query == {
        "response_type": ["code"],
        "client_id": ["12"],
        "redirect_uri": ["https://me.example/back"],
        "scope": ["default"],
        "state": [state],
        "code_challenge_method": ["S256"],
    }
    assert len(state) >= 32
    assert 43 <= len(verifier) <= 128
    assert not {state, verifier} & set(again)


async def test_a_code_is_good_once_and_only_with_its_verifier(
    browser: httpx.AsyncClient, asana: Running, app: App
) -> None:
    url, _, verifier = oauth.authorization_url(asana.api_url, app.client_id)
    for code, proof, redirect_uri in (
        (await allow(browser, url), "x" * 64, oauth.OUT_OF_BAND),
        (await allow(browser, url), verifier, "https://elsewhere.example"),
        ("2/unknown", verifier, oauth.OUT_OF_BAND),
    ):
        with pytest.raises(GrantLost):
            await oauth.exchange_code(asana.api_url, app, code, proof, redirect_uri)
    code = await allow(browser, url)
    await oauth.exchange_code(asana.api_url, app, code, verifier)
    with pytest.raises(GrantLost):
        await oauth.exchange_code(asana.api_url, app, code, verifier)


async def test_a_wrong_secret_is_named_and_not_quoted(asana: Running) -> None:
    for attempt in (oauth.refresh, oauth.revoke):
        with pytest.raises(NotAuthorized, match="client id and secret") as raised:
            await attempt(asana.api_url, App(asana.client_id, "canary"), "a token")
        assert not isinstance(raised.value, GrantLost)
        assert "canary" not in str(raised.value)


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (400, b'{"error":"invalid_grant","error_description":"canary-token"}', GrantLost),
        (400, b'{"errors":[{"message":"invalid_grant: canary-token"}]}', GrantLost),
        (401, b'{"errors":[{"message":"no"}]}', NotAuthorized),
        (400, b'{"error":"invalid_client"}', NotAuthorized),
        (401, b"<h1>no</h1>", NotAuthorized),
        (400, b"<h1>no</h1>", BadAnswer),
        (302, b"", BadAnswer),
        (429, b'{"error":"slow_down"}', RateLimited),
        (500, b'{"error":"invalid_grant"}', ServerTrouble),
        (503, b"", ServerTrouble),
        (200, b"", BadAnswer),
        (200, b"{}", BadAnswer),
        (200, b'{"error":"invalid_grant"}', BadAnswer),
        (200, b'{"access_token":"","token_type":"bearer","expires_in":3600}', BadAnswer),
        (200, b'{"access_token":"a b","token_type":"bearer","expires_in":3600}', BadAnswer),
        (200, b'{"access_token":"a","token_type":"mac","expires_in":3600}', BadAnswer),
        (200, b'{"access_token":"a","token_type":"bearer","expires_in":0}', BadAnswer),
        (200, b'{"access_token":"a","token_type":"bearer"}', BadAnswer),
        (200, b'{"access_token":"a","token_type":"bearer","expires_in":3600,"refresh_token":""}', BadAnswer),
    ],
)
async def test_a_refusal_becomes_its_error(
    status: int, body: bytes, error: type[AsanaError], asana: Running, app: App
) -> None:
    fault = asana.faults.add("answer", route=TOKEN, status=status, body=body)
    with pytest.raises(AsanaError) as raised:
        await oauth.refresh(asana.api_url, app, "canary-token")
    assert type(raised.value) is error
    assert "canary" not in str(raised.value)
    assert fault.fired == 1


@pytest.mark.parametrize("who", [b'{"gid":"12"}', b'{"id":"12"}', b'{"id":12}', b'{"id":"7","gid":"12"}'])
async def test_the_person_is_known_by_gid_or_by_the_older_id(who: bytes, asana: Running, app: App) -> None:
    body = b'{"access_token":"a","token_type":"Bearer","expires_in":3600,"data":' + who + b"}"
    asana.faults.add("answer", route=TOKEN, status=200, body=body)
    assert (await oauth.refresh(asana.api_url, app, "t")).user_gid == "12"


async def test_the_deadline_holds(asana: Running, app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    assert oauth._BOUNDS.seconds == 10
    monkeypatch.setattr(oauth, "_BOUNDS", Bounds(seconds=0.2))
    for kind in ("slow", "drip"):
        asana.faults.clear()
        asana.faults.add(kind, route=TOKEN, delay=10, status=200)
        with pytest.raises(Unreachable):
            await oauth.refresh(asana.api_url, app, "t")
    asana.faults.add("lost", route=REVOKE)
    with pytest.raises(Unreachable):
        await oauth.revoke(asana.api_url, app, "t")


async def test_nothing_goes_elsewhere(asana: Running, app: App, stranger: Stranger) -> None:
    asana.faults.add("answer", route=TOKEN, status=307, headers={"location": stranger.url})
    with pytest.raises(BadAnswer):
        await oauth.refresh(asana.api_url, app, "t")
    with pytest.raises(RefusedHere):
        await oauth.refresh("http://app.asana.com", app, "t")
    assert stranger.heard == []


def test_neither_app_nor_grant_shows_a_secret() -> None:
    assert "canary" not in repr(App("1", "canary")) + repr(Grant("canary", "canary", 1, "2"))
