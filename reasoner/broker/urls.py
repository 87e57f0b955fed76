"""Reads an address once, strictly, and says whether its host is allowed. What is checked is what is asked later.

Every part that could lead elsewhere than it seems is refused: other schemes, a user name before the host, ports, hosts
that are numbers in any spelling, backslashes, blanks. Hosts are compared in their IDNA form, so a look-alike letter is
another host.
"""

import re
from collections.abc import Iterable

import httpx

from reasoner.broker.refused import Refused, shown
from reasoner.errors import ConfigError

_LONGEST = 2048
_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_HOST = re.compile(rf"(?=.{{1,253}}\Z)(?:{_LABEL}\.)+[a-z](?:[a-z0-9-]{{0,61}}[a-z0-9])?")
"""Two labels at least; the last one begins with a letter, so it is no IPv4 address in decimal, octal or hex."""
_STRANGE = re.compile(r"[\x00-\x20\x7f\\]")


class Allowlist:
    """Hosts that the user allows: `docs.python.org`, or `*.python.org` for all hosts below that one.

    Raises:
        ConfigError: an entry is no such pattern.
    """

    def __init__(self, patterns: Iterable[str]) -> None:
        self._hosts: set[str] = set()
        self._below: set[str] = set()
        for pattern in patterns:
            start, name = ("*.", pattern[2:]) if pattern.startswith("*.") else ("", pattern)
            host = _ascii(name)
            if not _HOST.fullmatch(host):
                raise ConfigError(
                    f"{pattern!r} cannot be allowed: give the name of a host, such as docs.python.org, "
                    "or *.python.org for all below it"
                )
            (self._below if start else self._hosts).add(host)

    def adding(self, host: str) -> "Allowlist":
        """The same hosts, and this one."""
        more = Allowlist(())
        more._hosts, more._below = self._hosts | {host}, self._below
        return more

    def __contains__(self, host: str) -> bool:
        above = host.split(".")[1:]
        return host in self._hosts or any(".".join(above[i:]) in self._below for i in range(len(above)))

    def check(self, url: httpx.URL) -> None:
        """Raises Refused."""
        host = url.raw_host.decode("ascii")
        if host not in self:
            known = ", ".join(sorted(self._hosts | {f"*.{name}" for name in self._below}))
            raise Refused(f"the host {shown(host)} is not allowed, only {known or 'what the user agrees to'}")


def parse(text: str, base: httpx.URL | None = None) -> httpx.URL:
    """An absolute http(s) address without user, port and fragment, its host in lower-case ASCII without a last dot.

    Args:
        base: where a redirect came from; `text` may be relative to it.

    Raises:
        Refused: it is no such address.
    """
    if len(text) > _LONGEST or _STRANGE.search(text):
        raise Refused(f"{shown(text)} is too long, or has blanks or backslashes in it")
    try:
        url = httpx.URL(text) if base is None else base.join(text)
    except (httpx.InvalidURL, ValueError) as error:
        raise Refused(f"{shown(text)} is no address of a page") from error
    if url.scheme not in ("http", "https"):
        raise Refused(f"{shown(text)} is no address that begins with https:// or http://")
    if url.userinfo:
        raise Refused(f"{shown(text)} has a user name before its host: leave it out")
    if url.port is not None:
        raise Refused(f"{shown(text)} names a port: only 443 for https and 80 for http can be reached")
    host = url.raw_host.decode("ascii").lower().removesuffix(".")
    if not _HOST.fullmatch(host):
        raise Refused(f"{shown(text)} has no host with a name: numbers and short names cannot be reached")
    return url.copy_with(host=host, fragment=None)


def _ascii(name: str) -> str:
    """A host's IDNA form, empty where it has none."""
    try:
        return httpx.URL(scheme="https", host=name).raw_host.decode("ascii").lower()
    except (httpx.InvalidURL, ValueError):
        return ""
