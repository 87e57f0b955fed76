"""What may leave the sandbox, as the person says when something wants to: once, for this session, or always."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

from reasoner.errors import TraceError

_CHOICES = "[y]es, once  [s] for this session  [a]lways  [N]o"


class Permissions:
    """`ask` puts a question to the person; `kept` is a file with a host in each line that was allowed for always."""

    def __init__(self, kept: Path, ask: Callable[[str], Awaitable[str]]) -> None:
        self._kept, self._ask = kept, ask
        self._hosts = set(kept.read_text(encoding="utf-8").split()) if kept.is_file() else set[str]()
        self._turn = asyncio.Lock()

    async def host(self, name: str) -> bool:
        """Whether a page of this host may be read. Branches that ask together are answered one after the other.

        Raises:
            TraceError: what was allowed for always cannot be written down.
        """
        async with self._turn:
            if name in self._hosts:
                return True
            answer = (await self._ask(f"the model wants to read a page of {name}: {_CHOICES} ")).strip().lower()
            if answer in ("s", "session", "a", "always"):
                self._hosts.add(name)
            if answer in ("a", "always"):
                self._keep(name)
            return answer in ("y", "yes", "s", "session", "a", "always")

    def _keep(self, name: str) -> None:
        try:
            self._kept.parent.mkdir(parents=True, exist_ok=True)
            with self._kept.open("a", encoding="utf-8") as file:
                file.write(f"{name}\n")
        except OSError as error:
            raise TraceError(f"cannot write {self._kept} ({error.strerror}): answer s instead of a") from error
