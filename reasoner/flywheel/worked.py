"""A core that says what a data set's own solutions say, so that they become records like any other.

A core that cannot find a solution has none to learn from. Where the data set brings one, this core says it, in the
vocabulary of the core that is to be taught: the runtime runs it in the sandbox, observes what comes of it, and grades
it. What does not pass is not learnt, whoever wrote it.
"""

from collections.abc import AsyncGenerator, Mapping, Sequence
from hashlib import blake2b

from reasoner.completions import Completion, CoreInfo, Piece, Sampling, Scored, Usage, Valued
from reasoner.dialect.control import Controls
from reasoner.dialect.tokenizer import Tokenizer
from reasoner.errors import CoreError
from reasoner.types import Task
from reasoner.verifiers import answers

NAME = "worked"


class WorkedCore:
    """Says the solution of the task that it is asked, as one act, and after that the answer that it printed: as the
    reference writes it where that is the same. `tokenizer` knows the control tokens. Satisfies `Core`.

    Raises:
        CoreError: asked for another task, or to score.
    """

    def __init__(self, tokenizer: Tokenizer, worked: Sequence[tuple[Task, str]], context: int) -> None:
        controls = Controls.of(tokenizer)
        assert controls is not None, "the vocabulary of a core that speaks"
        self.tokenizer: Tokenizer = tokenizer
        self._controls = controls
        self._worked: Mapping[str, tuple[Task, str]] = {task.prompt.strip(): (task, code) for task, code in worked}
        self._longest_first = sorted(self._worked, key=len, reverse=True)
        said = "\0".join(text for prompt, (_, code) in self._worked.items() for text in (prompt, code))
        self.info = CoreInfo(NAME, blake2b(said.encode(), digest_size=16).hexdigest(), context, rows=8)

    async def complete(self, prefix: Sequence[int], sampling: Sampling) -> Completion:
        ids = tuple(self._next(list(prefix)))[: sampling.max_tokens]
        finish = "stop" if ids and ids[-1] in sampling.stop_ids else "length"
        usage = Usage(prefilled=len(prefix), decoded=len(ids))
        return Completion(ids, self.tokenizer.decode(ids), finish, (0.0,) * len(ids), usage)  # type: ignore[arg-type]

    async def stream(self, prefix: Sequence[int], sampling: Sampling) -> AsyncGenerator[Piece, None]:
        done = await self.complete(prefix, sampling)
        yield Piece(done.ids, done.text, done, done.logprobs, done.usage)

    async def score(self, prefix: Sequence[int], continuation: Sequence[int]) -> Scored:
        raise CoreError("a core of worked solutions has no model to score with")

    async def value(self, prefix: Sequence[int], head: str) -> Valued:
        raise CoreError(f"a core of worked solutions has no reward head {head!r}")

    async def close(self) -> None:
        """Nothing is held."""

    def _next(self, prefix: list[int]) -> list[int]:
        """What comes after `prefix`, up to where the runtime listens again."""
        controls, last = self._controls, prefix[-1]
        if last == controls.act:
            return [*self.tokenizer.encode(f"{self._of(prefix)[1]}\n"), controls.end]
        if last == controls.answer:
            return [*self.tokenizer.encode(self._answer(prefix)), controls.end]
        return [controls.answer if controls.act in prefix else controls.act]

    def _answer(self, prefix: list[int]) -> str:
        """The last line of what was observed, or the reference where that says the same."""
        seen = prefix[max(at for at, i in enumerate(prefix) if i == self._controls.observe) :]
        printed = self.tokenizer.decode(seen[: seen.index(self._controls.end)]).strip().splitlines()[-1].strip()
        reference = self._of(prefix)[0].answer
        same = answers.compared(printed, reference)
        return reference if same and same.solved and reference else printed

    def _of(self, prefix: Sequence[int]) -> tuple[Task, str]:
        text = self.tokenizer.decode(prefix)
        prompt = next((prompt for prompt in self._longest_first if prompt in text), None)
        if prompt is None:
            raise CoreError(f"no worked solution for a prompt that begins with {text[:80]!r}")
        return self._worked[prompt]
