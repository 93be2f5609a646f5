"""OAuth 2.0 as Asana does it: authorization code, PKCE with S256, refresh tokens, revocation.

The person before the browser is chosen beforehand; the page only asks them to allow the app.
"""

import hmac
import secrets
from base64 import urlsafe_b64encode
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from html import escape
from urllib.parse import urlencode, urlsplit

from sandbox.asana.clock import Clock
from sandbox.asana.credentials import ACCESS_LIFETIME, OOB, App, Credential, Credentials
from sandbox.asana.model import Person

Form = dict[str, str]
CODE_LIFETIME = timedelta(minutes=10)


class OAuthError(Exception):
    """The token endpoint refuses, in the words of RFC 6749."""

    def __init__(self, error: str, description: str, status: int = 400) -> None:
        super().__init__(description)
        self.error, self.status = error, status


class BadAuthorization(Exception):
    """The authorization page itself refuses: there is nowhere safe to redirect to."""


@dataclass(frozen=True, slots=True)
class _Code:
    credential: Credential
    redirect_uri: str
    challenge: str | None
    expires_at: datetime


class OAuth:
    """The authorization server. `logged_in` says who sits before the browser."""

    def __init__(self, app: App, credentials: Credentials, clock: Clock, logged_in: Callable[[], Person]) -> None:
        self.app, self._credentials, self._clock, self._logged_in = app, credentials, clock, logged_in
        self._codes: dict[str, _Code] = {}
        self._used: dict[str, str] = {}  # a used code, and the refresh token that it gave
        self.rotates = False  # whether each refresh gives a new refresh token and ends the old one

    def page(self, query: Form) -> str:
        """The page that asks to allow the app; raises BadAuthorization."""
        self._check(query)
        person = self._logged_in()
        hidden = "".join(
            f'<input type="hidden" name="{escape(name)}" value="{escape(value)}">' for name, value in query.items()
        )
        return (
            "<!doctype html><title>Allow access</title>"
            f"<p>You are {escape(person.name)}. Allow this app to use your account?</p>"
            f'<form method="post" action="/-/oauth_authorize">{hidden}'
            '<button name="allow" value="yes">Allow</button><button name="allow" value="no">Deny</button></form>'
        )

    def decide(self, form: Form) -> tuple[str | None, str]:
        """The person's decision: the address to redirect to, or None and the page that shows the code."""
        self._check(form)
        answer = self._answer(form)
        if form["redirect_uri"] == OOB:
            shown = answer.get("code") or answer["error"]
            return None, f'<!doctype html><title>Your code</title><code id="code">{escape(shown)}</code>'
        joint = "&" if urlsplit(form["redirect_uri"]).query else "?"
        return f"{form['redirect_uri']}{joint}{urlencode(answer)}", ""

    def token(self, form: Form) -> dict[str, object]:
        """The answer of the token endpoint; raises OAuthError."""
        self._check_client(form)
        match form.get("grant_type"):
            case "authorization_code":
                return self._exchange(form)
            case "refresh_token":
                return self._refresh(form)
            case other:
                raise OAuthError("unsupported_grant_type", f"The grant type {other} is not supported.")

    def revoke(self, form: Form) -> dict[str, object]:
        """End an authorization by its refresh token. An unknown token is fine; a bearer token is refused."""
        self._check_client(form)
        token = form.get("token", "")
        if self._credentials.is_access_token(token):
            raise OAuthError("invalid_request", "Only refresh tokens can be revoked.")
        self._credentials.revoke(token)
        return {}

    def _check(self, query: Form) -> None:
        if query.get("client_id") != self.app.client_id:
            raise BadAuthorization("The client_id given is not registered.")
        if query.get("redirect_uri") not in self.app.redirect_uris:
            raise BadAuthorization("The redirect_uri given does not match a registered one.")

    def _answer(self, form: Form) -> Form:
        state = {"state": form["state"]} if "state" in form else {}
        if form.get("response_type") != "code":
            return {"error": "unsupported_response_type"} | state
        challenge = form.get("code_challenge")
        if challenge and form.get("code_challenge_method") != "S256":
            return {"error": "invalid_request", "error_description": "code_challenge_method must be S256"} | state
        if form.get("allow") != "yes":
            return {"error": "access_denied"} | state
        person = self._logged_in()
        code = f"2/{secrets.token_urlsafe(16)}"
        credential = Credential(f"oauth:{secrets.token_hex(4)}", "oauth", person)
        expires_at = self._clock.now() + CODE_LIFETIME
        self._codes[code] = _Code(credential, form["redirect_uri"], challenge, expires_at)
        return {"code": code} | state

    def _check_client(self, form: Form) -> None:
        given = f"{form.get('client_id')} {form.get('client_secret')}".encode()
        if not hmac.compare_digest(given, f"{self.app.client_id} {self.app.client_secret}".encode()):
            raise OAuthError("invalid_client", "The client id or secret is wrong.", 401)

    def _exchange(self, form: Form) -> dict[str, object]:
        text = form.get("code", "")
        code = self._codes.pop(text, None)
        if code is None:
            self._credentials.revoke(self._used.pop(text, ""))  # a code seen twice was stolen: RFC 6749, 4.1.2
            raise OAuthError("invalid_grant", "The code given was invalid or was used before.")
        if self._clock.now() >= code.expires_at:
            raise OAuthError("invalid_grant", "The code given has expired.")
        if form.get("redirect_uri") != code.redirect_uri:
            raise OAuthError("invalid_grant", "The redirect_uri is not the one that the code was given for.")
        if code.challenge and not _proves(form.get("code_verifier", ""), code.challenge):
            raise OAuthError("invalid_grant", "The code_verifier does not fit the code_challenge.")
        refresh = self._credentials.refresh_token(code.credential)
        self._used[text] = refresh
        return self._granted(code.credential) | {"refresh_token": refresh}

    def _refresh(self, form: Form) -> dict[str, object]:
        token = form.get("refresh_token", "")
        credential = self._credentials.refreshed(token)
        if credential is None:
            raise OAuthError("invalid_grant", "The refresh token is invalid or was revoked.")
        answer = self._granted(credential)
        if self.rotates:
            self._credentials.forget_refresh_token(token)
            answer["refresh_token"] = self._credentials.refresh_token(credential)
        return answer

    def _granted(self, credential: Credential) -> dict[str, object]:
        person = credential.person
        return {
            "access_token": self._credentials.access_token(credential),
            "token_type": "bearer",
            "expires_in": int(ACCESS_LIFETIME.total_seconds()),
            "data": {"id": person.gid, "gid": person.gid, "name": person.name, "email": person.email},
        }


def _proves(verifier: str, challenge: str) -> bool:
    """Whether the verifier is what the challenge was made of (RFC 7636, S256)."""
    made = urlsafe_b64encode(sha256(verifier.encode()).digest()).rstrip(b"=")
    return hmac.compare_digest(made, challenge.encode())
