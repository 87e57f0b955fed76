"""The moves of a question whose solution is an answer: think, run what was written, read what it says, go on."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import takewhile

from reasoner.completions import Completion
from reasoner.dialect.prompts import prompt
from reasoner.dialect.stepwise import BEGUN, STOPS, Stepwise, call_in, concluded
from reasoner.dialect.tokenizer import Tokenizer
from reasoner.ledger import Ledger
from reasoner.loop.calling import CONCLUSION, Calling, enough
from reasoner.loop.writing import Growth, Writer
from reasoner.protocols import World
from reasoner.toolbox import Toolbox
from reasoner.tree import Tree
from reasoner.types import Limits, Report, SnapshotId, Step, Task, ToolCall, ToolResult


def stepwise(tokenizer: Tokenizer, toolbox: Toolbox) -> Stepwise:
    """The dialect of questions with the tools that are called by name."""
    return Stepwise(tokenizer, toolbox.called())


@dataclass(frozen=True)
class Stepping:
    task: Task
    world: World
    toolbox: Toolbox
    writer: Writer
    limits: Limits
    level: str
    dialect: Stepwise = field(init=False)
    calling: Calling = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "calling", Calling(self.world, self.toolbox, self.writer))
        object.__setattr__(self, "dialect", stepwise(self.writer.core.tokenizer, self.toolbox))

    def root(self) -> Step:
        return self.dialect.root(self.task)

    async def before(self, at: SnapshotId, ledger: Ledger) -> Report | None:
        return None

    async def make(self, tree: Tree, growth: Growth) -> None:
        path = [step for node in tree.path(growth.head.expand.node) for step in node.steps]
        match growth.head.expand.move:
            case "continue":
                await self._step(growth, path)
            case "attempt":
                await self._attempt(growth, path)
            case "revise":
                await self._attempt(growth, path, prompt("revise_answer"))
            case "reflect" | "criticise" as kind:
                await self.writer.remark(growth, kind, self.dialect.asking(kind), self.dialect.turns)

    async def redo(self, step: Step, at: SnapshotId) -> tuple[ToolResult | None, SnapshotId]:
        return await self.toolbox.call(self.world, at, step.call) if step.call else (None, at)

    async def _attempt(self, growth: Growth, path: list[Step], words: str = "") -> None:
        """Step after step up to the answer, within the tokens of one attempt."""
        left = growth.head.expand.sampling.max_tokens
        while growth.steps[-1:] == [] or growth.steps[-1].kind != "answer":
            if left <= 0:
                await self._conclude(growth, _thought([*path, *growth.steps]))
            else:
                left -= await self._step(growth, path, words, left)

    async def _step(self, growth: Growth, path: list[Step], words: str = "", most: int | None = None) -> int:
        """One thought with what it asks for, or the answer. Returns how many tokens were written."""
        before = [*path, *growth.steps]
        expand = growth.head.expand
        sampling = replace(
            expand.sampling,
            max_tokens=expand.sampling.max_tokens if most is None else most,
            stop=(*expand.sampling.stop, *STOPS),
            stop_ids=(*expand.sampling.stop_ids, *self.dialect.stop_ids),
            without=self.dialect.fences if expand.think and before[-1].kind == "observe" else expand.sampling.without,
        )
        begun = BEGUN if expand.lead and not growth.steps else ""
        opening = self.dialect.opening(before[-1].kind, "" if growth.steps else words, begun)
        completion = await self.writer.write(growth, "think", [opening], sampling, begun)
        said = _thought(before) + begun + completion.text
        ended = bool(completion.ids) and completion.ids[-1] in self.dialect.tokenizer.ends
        call = call_in(said, cut=not ended and not completion.text.endswith(STOPS))
        if call and enough(call, before):
            await self._conclude(growth, said)
        elif call:
            await self._run(growth, call, completion)
        elif ended or (completion.finish == "stop" and concluded(said)):
            self._answered(growth, completion, said)
        return len(completion.ids)

    async def _conclude(self, growth: Growth, said: str) -> None:
        """Make the core answer now, after what it said since the last output (budget forcing; Muennighoff et al.,
        2501.19393, section 3.1)."""
        sampling = replace(growth.head.expand.sampling, max_tokens=CONCLUSION, stop=("\n",))
        opening, begun = self.dialect.concluding(said)
        completion = await self.writer.write(growth, "think", [opening], sampling, begun)
        self._answered(growth, completion, begun + completion.text)

    def _answered(self, growth: Growth, completion: Completion, said: str) -> None:
        """The last step is the answer; one without words of its own closes what was `said` before."""
        last = growth.steps[-1]
        growth.steps[-1] = replace(last, kind="answer", text=last.text if last.text.strip() else said)
        growth.extend(self.dialect.turns.again(completion))

    async def _run(self, growth: Growth, call: ToolCall, after: Completion) -> None:
        growth.steps[-1] = replace(growth.steps[-1], kind="act")
        result = await self.calling.run(growth, call)
        growth.take(replace(self.dialect.observe(result, after), call=call, result=result))


def _thought(steps: Sequence[Step]) -> str:
    """What the core wrote since its last output: a step may end between two paragraphs, also inside a block."""
    thoughts = takewhile(lambda step: step.kind == "think", reversed(steps))
    return "".join(reversed([step.text for step in thoughts]))
