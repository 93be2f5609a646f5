"""Where we send, and whom we name: the only two things that a hostile setting could turn against us."""

import ipaddress
import re

import httpx

from asana_api.errors import RefusedHere

_GID = re.compile(r"[0-9]{1,32}")


class Base:
    """The configured base URL, the only place where anything is sent.

    It is https anywhere, or http to this machine itself, and has no user name, query or fragment; else RefusedHere.
    """

    def __init__(self, address: str) -> None:
        """`url` has no final slash; `site` has no path either, since OAuth lives beside the API."""
        try:
            url = httpx.URL(address)
        except (httpx.InvalidURL, TypeError):
            raise RefusedHere("the base URL is not a URL") from None
        self.loopback = is_loopback(url.host)
        if url.scheme != "https" and not (url.scheme == "http" and self.loopback):
            raise RefusedHere("the base URL must be https, or http to this machine")
        if url.port is not None and not 0 < url.port < 65536:
            raise RefusedHere("the base URL has no such port")
        if not url.host or url.userinfo or "?" in address or "#" in address:
            raise RefusedHere("the base URL must be a host and a path, without user name, query or fragment")
        self.url = str(url).rstrip("/")
        self.site = str(url.copy_with(path="/")).rstrip("/")


def is_loopback(host: str) -> bool:
    """Whether a host is this machine, written plainly: 127.0.0.0/8, ::1 or localhost. `127.1` and its like are not."""
    if host == "localhost":
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    return address == ipaddress.IPv6Address("::1") or address in ipaddress.IPv4Network("127.0.0.0/8")


def gid(value: str, what: str) -> str:
    """The same gid, if it is one: digits only, never "me" or an e-mail address. RefusedHere if not."""
    if not _GID.fullmatch(value):
        raise RefusedHere(f"{what} is not a gid (digits only)")
    return value
