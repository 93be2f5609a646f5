"""OAuth at Asana: a person allows the app once (authorization code, PKCE with S256), then access tokens are renewed.

The forms and the challenge are Authlib's; they are sent like everything else here, with one total deadline and no
redirects. (Authlib's own httpx client has neither, and is deprecated for the httpx that we use.)
`base_url` is the API's; only its host matters, since the OAuth addresses lie beside the API, below `/-/`.
Sources: Asana's guide on OAuth; RFC 6749, 7009 and 7636.
"""

from dataclasses import dataclass, field

import httpx
from authlib.common.security import generate_token
from authlib.oauth2.rfc6749.parameters import prepare_grant_uri, prepare_token_request
from authlib.oauth2.rfc7009 import prepare_revoke_token_request
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from asana_api.address import Base
from asana_api.answers import read
from asana_api.errors import AsanaError, GrantLost, NotAuthorized
from asana_api.refusals import complaint, printable, refusal
from asana_api.sending import HEADERS, Answer, Bounds, Call, OpenTransport, ask, open_transport

OUT_OF_BAND = "urn:ietf:wg:oauth:2.0:oob"
"""The redirect address of a person at a terminal: Asana shows the code, and the person types it in."""

_BOUNDS = Bounds(seconds=10.0, longest_body=256 * 1024)
_FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@dataclass(frozen=True, slots=True)
class App:
    """The app as it is registered with Asana."""

    client_id: str
    client_secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Grant:
    """What Asana granted. `expires_in` is in seconds; `user_gid` is None where a renewal does not repeat it."""

    access_token: str = field(repr=False)
    refresh_token: str | None = field(repr=False)
    expires_in: int
    user_gid: str | None


class _Who(BaseModel):
    gid: str | None = Field(default=None, pattern=r"^[0-9]{1,32}$")
    id: str | int | None = None  # how older answers name it

    @property
    def user_gid(self) -> str | None:
        return self.gid or (str(self.id) if self.id is not None and str(self.id).isdecimal() else None)


class _Token(BaseModel):
    model_config = ConfigDict(hide_input_in_errors=True)

    access_token: str = Field(min_length=1, pattern=r"^[\x21-\x7e]+$")
    token_type: str = Field(pattern=r"^(?i:bearer)$")
    expires_in: int = Field(gt=0, le=10**9)
    refresh_token: str | None = Field(default=None, min_length=1)
    data: _Who = _Who()


class _TokenRefusal(BaseModel):
    error: str
    error_description: str | None = None


_TOKEN = TypeAdapter(_Token)


def authorization_url(
    base_url: str, client_id: str, redirect_uri: str = OUT_OF_BAND, *, scope: str = "default"
) -> tuple[str, str, str]:
    """The address for the person's browser, the state that must come back with the code, and the code verifier."""
    state, verifier = generate_token(32), generate_token(64)
    url = prepare_grant_uri(
        f"{Base(base_url).site}/-/oauth_authorize",
        client_id=client_id,
        response_type="code",
        redirect_uri=redirect_uri,
        scope=scope,
        state=state,
        code_challenge=create_s256_code_challenge(verifier),
        code_challenge_method="S256",
    )
    return url, state, verifier


async def exchange_code(
    base_url: str,
    app: App,
    code: str,
    code_verifier: str,
    redirect_uri: str = OUT_OF_BAND,
    *,
    open_transport: OpenTransport = open_transport,
) -> Grant:
    """The grant for the code that came back. GrantLost if Asana does not take the code (again): ask the person anew.

    The caller has compared the state. Without a refresh token the connection ends with the access token.
    """
    form = {"code": code, "code_verifier": code_verifier, "redirect_uri": redirect_uri}
    body = prepare_token_request("authorization_code", **form, **_identity(app))
    return await _grant(base_url, body, (app.client_secret, code, code_verifier), None, open_transport)


async def refresh(
    base_url: str, app: App, refresh_token: str, *, open_transport: OpenTransport = open_transport
) -> Grant:
    """A new access token, with the new refresh token if one came, else the old one. GrantLost: connect again."""
    body = prepare_token_request("refresh_token", refresh_token=refresh_token, **_identity(app))
    return await _grant(base_url, body, (app.client_secret, refresh_token), refresh_token, open_transport)


async def revoke(
    base_url: str, app: App, refresh_token: str, *, open_transport: OpenTransport = open_transport
) -> None:
    """End the grant at Asana. A token that Asana does not know is no error."""
    body, _ = prepare_revoke_token_request(refresh_token)
    body += f"&{httpx.QueryParams(_identity(app))}"
    answer = await _post(base_url, "/-/oauth_revoke", body, open_transport)
    if answer.status != 200:
        raise _refused(answer, Call("POST", "/-/oauth_revoke"), (app.client_secret, refresh_token))


def _identity(app: App) -> dict[str, str]:
    return {"client_id": app.client_id, "client_secret": app.client_secret}


async def _grant(
    base_url: str, body: str, secrets: tuple[str, ...], kept: str | None, open_transport: OpenTransport
) -> Grant:
    call = Call("POST", "/-/oauth_token")
    answer = await _post(base_url, call.path, body, open_transport)
    if answer.status != 200:
        raise _refused(answer, call, secrets)
    token = read(_TOKEN, answer.body, call.name)
    return Grant(token.access_token, token.refresh_token or kept, token.expires_in, token.data.user_gid)


async def _post(base_url: str, path: str, body: str, open_transport: OpenTransport) -> Answer:
    request = httpx.Request("POST", f"{Base(base_url).site}{path}", headers=HEADERS | _FORM, content=body)
    async with open_transport() as transport:
        return await ask(transport, request, f"POST {path}", _BOUNDS)


def _refused(answer: Answer, call: Call, secrets: tuple[str, ...]) -> AsanaError:
    """The error for a refusal, in the form of RFC 6749 or in that of Asana's API: both have been seen."""
    try:
        told = _TokenRefusal.model_validate_json(answer.body)
    except ValidationError:
        said = complaint(answer.body, *secrets)
    else:
        said = printable(f"{told.error}: {told.error_description or ''}".rstrip(": "), *secrets)
    if said is None or answer.status == 429 or answer.status >= 500:
        return refusal(answer, call, *secrets)
    if "invalid_grant" in said:
        return GrantLost(call=call.name, status=answer.status, said=said)
    if answer.status in {400, 401}:
        return NotAuthorized("check the app's client id and secret", call=call.name, status=answer.status, said=said)
    return refusal(answer, call, *secrets)
