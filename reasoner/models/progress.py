"""How the work of getting a model is told to whoever watches. Draws nothing."""

from typing import Protocol


class Progress(Protocol):
    def begin(self, label: str, total: int) -> None:
        """A new phase of `total` bytes; it ends when the next one begins or the call returns."""
        ...

    def advance(self, count: int) -> None:
        """`count` more bytes of the phase are done; negative when some have to be done again."""
        ...

    def tell(self, line: str) -> None:
        """Something that a person should know: a source that failed, another process that is waited for."""
        ...


class Silent:
    """Nobody watches."""

    def begin(self, label: str, total: int) -> None:
        pass

    def advance(self, count: int) -> None:
        pass

    def tell(self, line: str) -> None:
        pass
