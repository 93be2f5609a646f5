"""The token: asked for before each request, renewed once for a read, sent to one host only, and never written down."""

import traceback

import pytest

from asana_api.answers import Page
from asana_api.errors import AsanaError, GrantLost, NotAuthorized, NotThere
from sandbox.asana import Running
from tests.asana_api.conftest import OpenClient, Stranger
from tests.asana_api.reads import LISTINGS, READS, somebody

pytestmark = pytest.mark.anyio

SECRET = "2/1200000000000000/canary-of-the-token"


@pytest.mark.parametrize("name", READS)
async def test_a_401_is_answered_with_a_new_token_once(name: str, asana: Running, open_client: OpenClient) -> None:
    failed: list[str] = []

    async def stale() -> str:
        return "stale"

    async def renew(token: str) -> str:
        failed.append(token)
        return asana.admin_token

    await READS[name][1](open_client(token=stale, renew=renew), asana)
    assert failed == ["stale"]


@pytest.mark.parametrize("name", READS)
async def test_a_401_again_is_not_authorized(name: str, asana: Running, open_client: OpenClient) -> None:
    renewed: list[str] = []

    async def renew(token: str) -> str:
        renewed.append(token)
        return "as bad".replace(" ", "-")

    fault = asana.faults.add("answer", route=READS[name][0], status=401)
    with pytest.raises(NotAuthorized):
        await READS[name][1](open_client(renew=renew), asana)
    assert (len(renewed), fault.fired) == (1, 2)


async def test_a_renewal_that_fails_says_so(asana: Running, open_client: OpenClient) -> None:
    async def renew(_: str) -> str:
        raise GrantLost

    asana.faults.add("answer", status=401)
    with pytest.raises(GrantLost):
        await open_client(renew=renew).me()


@pytest.mark.parametrize("token", ["", "two words", "line\nbreak", "tab\t", "caf\u00e9", "nul\0"])
async def test_a_token_that_cannot_be_sent_is_not_quoted(token: str, asana: Running, open_client: OpenClient) -> None:
    async def odd() -> str:
        return token

    with pytest.raises(NotAuthorized) as raised:
        await open_client(token=odd).me()
    assert not token or token not in str(raised.value)
    assert asana.requests.total == 0


@pytest.mark.parametrize("status", [400, 401, 403, 404, 429, 500, 200, 302])
async def test_no_error_carries_the_token(status: int, asana: Running, open_client: OpenClient) -> None:
    """Not even when the server sends it back."""

    async def token() -> str:
        return SECRET

    echo = f'{{"errors":[{{"message":"you sent Bearer {SECRET}"}}]}}'
    asana.faults.add("answer", status=status, body=echo)
    client = open_client(token=token)
    with pytest.raises(AsanaError) as raised:
        await client.me()
    written = "".join(traceback.format_exception(raised.value)) + repr(raised.value) + repr(client)
    assert "canary" not in written


async def test_nor_does_an_error_of_the_network(asana: Running, open_client: OpenClient) -> None:
    async def token() -> str:
        return SECRET

    for kind in ("close", "cut"):
        asana.faults.clear()
        asana.faults.add(kind, body=b"x")
        with pytest.raises(AsanaError) as raised:
            await open_client(token=token).me()
        assert "canary" not in "".join(traceback.format_exception(raised.value))


@pytest.mark.parametrize("name", LISTINGS)
async def test_the_next_page_is_asked_of_the_same_host(
    name: str, asana: Running, open_client: OpenClient, stranger: Stranger
) -> None:
    """`next_page.uri` may point anywhere: only the offset is used."""

    def elsewhere(answer: object) -> object:
        assert isinstance(answer, dict)
        evil = f"{stranger.url}/api/1.0/users?offset=abc"
        return answer | {"next_page": {"offset": "abc", "uri": evil, "path": evil}}

    fault = asana.faults.add("patch", route=READS[name][0], patch=elsewhere, times=1)
    answer = await READS[name][1](open_client(), asana)
    assert fault.fired == 1
    if isinstance(answer, Page):
        assert answer.next_offset == "abc"
    else:
        assert asana.requests.total == 3, "it went on to the second page here, where there is none, and began again"
    assert stranger.heard == []


async def test_an_error_says_what_to_do_and_where(asana: Running, open_client: OpenClient) -> None:
    with pytest.raises(NotThere) as raised:
        await open_client().membership_of("404", somebody(asana))
    text = str(raised.value)
    assert text.startswith("Asana does not show this: ")
    assert "GET /workspaces/404/workspace_memberships; answer 404; Asana says " in text
