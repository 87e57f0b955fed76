"""How turns follow each other as tokens: what the runtime forces, what the core wrote, and the seam between them."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from reasoner.completions import Completion
from reasoner.dialect.chat import Chat, chat
from reasoner.dialect.prompts import prompt
from reasoner.dialect.tokenizer import Tokenizer
from reasoner.types import Span, Step, StepKind


@dataclass(frozen=True)
class Turns:
    tokenizer: Tokenizer
    chat: Chat = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "chat", chat(self.tokenizer))

    def first(self, words: str) -> Span:
        """The system's words and the first user's turn, left open."""
        system = self.tokenizer.encode(prompt("system"))
        start, user = list(self.chat.start), list(self.chat.user)
        before = start + system + user if self.chat.has_system else start + user + system + self.encode("\n\n")
        return forced(before + self.encode(words))

    def answering(self, words: str = "", begun: str = "") -> Span:
        """Add `words` to the user's turn, open the assistant's, and begin it."""
        return forced(self.encode(words) + list(self.chat.assistant) + self.encode(begun))

    def again(self, after: Completion, words: str = "") -> Span:
        """Close the assistant's turn, unless the core closed it itself, and open the user's."""
        between = self.chat.again
        if after.ids and after.ids[-1] in self.tokenizer.ends and between[:1] == after.ids[-1:]:
            between = between[1:]
        return forced([*between, *self.encode(words)])

    def encode(self, text: str) -> list[int]:
        return self.tokenizer.encode(text) if text else []


def forced(ids: Sequence[int]) -> Span:
    return Span(tuple(ids), sampled=False)


def sampled(completion: Completion) -> Span:
    return Span(completion.ids, sampled=True, logprobs=completion.logprobs)


def written(kind: StepKind, openings: Sequence[Span], completion: Completion, begun: str = "") -> Step:
    """A step that the runtime opened and the core wrote; `begun` is the text that the openings hold of it."""
    return Step(kind, begun + completion.text, (*openings, sampled(completion)))
