"""What a host's robots.txt lets us read, after RFC 9309: groups, the longest rule, `*` and `$`.

The file is hostile text: patterns are matched from left to right in one go, never as regular expressions.
"""

import re
from dataclasses import dataclass
from urllib.parse import quote

SIZE = 500 * 1024
"""Bytes of a file that are read, as the RFC asks; the rest is not."""
_AGENT = re.compile(r"[a-zA-Z_-]+")
_ESCAPE = re.compile(r"%([0-9a-fA-F]{2})")
_RESERVED = "%/:?#[]@!$&'()*+,;="
_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~")


@dataclass(frozen=True)
class _Rule:
    allows: bool
    pattern: str


class Robots:
    """The rules that a file has for `agent`: those of its own groups, else those for everybody."""

    def __init__(self, content: bytes, agent: str) -> None:
        lines = re.split(r"[\r\n]+", content[:SIZE].decode("utf-8", "replace").removeprefix("\ufeff"))
        groups = _groups(lines if len(content) < SIZE else lines[:-1])
        self._rules = groups.get(agent.lower(), groups.get("*", []))

    def allows(self, path: str) -> bool:
        """Whether `path`, with its query, may be read. The longest rule that fits decides, a tie allows."""
        path = _normal(path)
        fitting = [rule for rule in self._rules if _fits(rule.pattern, path)]
        return max(fitting, key=lambda rule: (len(rule.pattern), rule.allows)).allows if fitting else True


def _groups(lines: list[str]) -> dict[str, list[_Rule]]:
    """Rules by agent, in lower case. Lines of agents that follow each other share a group."""
    groups: dict[str, list[_Rule]] = {}
    current: list[list[_Rule]] = []
    naming = False
    for line in lines:
        key, colon, value = line.partition("#")[0].partition(":")
        key, value = key.strip().lower(), value.strip()
        if not colon:
            continue
        if key == "user-agent":
            current = current if naming else []
            current.append(groups.setdefault(_agent(value), []))
            naming = True
        elif key in ("allow", "disallow"):
            naming = False
            if value:
                rule = _Rule(key == "allow", _normal(value))
                for group in current:
                    group.append(rule)
    return groups


def _agent(value: str) -> str:
    found = _AGENT.match(value)
    return found[0].lower() if found else value


def _fits(pattern: str, path: str) -> bool:
    """Whether a path begins as the pattern says. Each part between stars takes the first place that it can."""
    ends = pattern.endswith("$")
    first, *others = pattern.removesuffix("$").split("*")
    if not path.startswith(first):
        return False
    at = len(first)
    last = others.pop() if ends and others else None
    for part in others:
        at = path.find(part, at)
        if at < 0:
            return False
        at += len(part)
    if last is not None:
        return len(path) - at >= len(last) and path.endswith(last)
    return not ends or at == len(path)


def _normal(path: str) -> str:
    """Non-ASCII characters escaped, unreserved ones not, so that two spellings of one path are equal."""
    return _ESCAPE.sub(_escape, quote(path, safe=_RESERVED))


def _escape(found: re.Match[str]) -> str:
    character = chr(int(found[1], 16))
    return character if character in _PLAIN else found[0].upper()
