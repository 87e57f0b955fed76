"""What a command may ask of the chat that it was typed into."""

from collections.abc import Awaitable, Callable
from typing import Protocol

from rich.text import Text

from reasoner.conversation import Conversation, Turn
from reasoner.repl.answer import Answer
from reasoner.types import Task


class Talking(Protocol):
    @property
    def width(self) -> int:
        """Columns of the screen."""
        ...

    def say(self, words: str | Text) -> None:
        """A line on the screen, never read as markup."""
        ...

    async def talk(self) -> Conversation:
        """The conversation, as soon as its core and sandbox are there."""
        ...

    async def grow(self, growing: Callable[..., Awaitable[Turn]]) -> None:
        """Run a turn in front of the person; `growing` takes its listeners."""
        ...

    def prefill(self, words: str) -> None:
        """Put words into the next line, to be changed."""
        ...

    async def begin(self) -> None:
        """Begin a new session."""
        ...

    def sessions(self) -> list[str]:
        """Names of the sessions on disk, newest first."""
        ...

    async def load(self, name: str) -> None:
        """Go on with a session."""
        ...

    def save(self, name: str) -> str:
        """Keep a copy of this session."""
        ...

    async def solve(self, task: Task) -> Answer:
        """Solve a coding task in front of the person. Raises TraceError when it was dropped."""
        ...

    async def agreed(self, question: str) -> bool:
        """Whether the person says yes."""
        ...
