"""The moves of a question whose solution is an answer: think, run what was written, read what it says, go on."""

from dataclasses import dataclass, field, replace

from reasoner.dialect.prompts import prompt
from reasoner.dialect.stepwise import BEGUN, STOPS, Stepwise, call_in
from reasoner.ledger import Cost, Ledger
from reasoner.loop.writing import Growth, Writer
from reasoner.protocols import World
from reasoner.toolbox import Toolbox
from reasoner.trace import Entered
from reasoner.tree import Tree
from reasoner.types import Completion, Limits, Report, SnapshotId, Step, StepKind, Task, ToolCall

_REMARK = 80
_STEPS = 8
"""Steps that an attempt may take."""
_OWN = frozenset({"python", "run_tests"})
"""Tools that are not offered as calls: one has its own form, one needs a suite."""


@dataclass(frozen=True)
class Stepping:
    task: Task
    world: World
    toolbox: Toolbox
    writer: Writer
    limits: Limits
    level: str
    dialect: Stepwise = field(init=False)

    def __post_init__(self) -> None:
        others = [s for s in self.toolbox.schemas() if s["function"]["name"] not in _OWN]
        object.__setattr__(self, "dialect", Stepwise(self.writer.core.tokenizer, others))

    def root(self) -> Step:
        return self.dialect.root(self.task)

    async def before(self, at: SnapshotId, ledger: Ledger) -> Report | None:
        return None

    async def make(self, tree: Tree, growth: Growth) -> None:
        last = tree[growth.head.expand.node].steps[-1].kind
        match growth.head.expand.move:
            case "continue":
                await self._step(growth, last)
            case "attempt":
                await self._attempt(growth, last)
            case "revise":
                await self._attempt(growth, last, prompt("revise_answer"))
            case "reflect" | "criticise" as kind:
                await self._remark(growth, kind)

    async def _attempt(self, growth: Growth, last: StepKind, words: str = "") -> None:
        """Step after step up to the answer, within the tokens of one attempt."""
        left = growth.head.expand.sampling.max_tokens
        for _ in range(_STEPS):
            left -= await self._step(growth, last, words, left)
            last, words = growth.steps[-1].kind, ""
            if last == "answer" or left <= 0:
                return

    async def _step(self, growth: Growth, last: StepKind, words: str = "", most: int | None = None) -> int:
        """One thought with what it asks for, or the answer. Returns how many tokens were written."""
        sampling = growth.head.expand.sampling
        sampling = replace(
            sampling,
            max_tokens=sampling.max_tokens if most is None else most,
            stop=(*sampling.stop, *STOPS),
            stop_ids=(*sampling.stop_ids, *self.dialect.stop_ids),
        )
        begun = BEGUN if growth.head.expand.lead and not growth.steps else ""
        opening = self.dialect.opening(last, words, begun)
        completion = await self.writer.write(growth, "think", [opening], sampling, begun)
        if call := call_in(begun + completion.text):
            await self._run(growth, call, completion)
        elif completion.ids and completion.ids[-1] in self.dialect.tokenizer.ends:
            growth.steps[-1] = replace(growth.steps[-1], kind="answer")
            self._close(growth, completion)
        return len(completion.ids)

    async def _run(self, growth: Growth, call: ToolCall, after: Completion) -> None:
        growth.steps[-1] = replace(growth.steps[-1], kind="act")
        self.writer.tell(Entered(growth.head.id, "observe"))
        result, growth.world = await self.toolbox.call(self.world, growth.world, call)
        growth.ledger.charge(Cost(tool_calls=1, tool_cpu_s=result.cpu_s))
        growth.take(replace(self.dialect.observe(result, after), call=call, result=result))

    async def _remark(self, growth: Growth, kind: StepKind) -> None:
        """Two sentences on the answer: one's own, or a critic's."""
        sampling = replace(growth.head.expand.sampling, max_tokens=_REMARK, stop=("\n\n", "```"))
        completion = await self.writer.write(growth, kind, [self.dialect.asking(kind)], sampling)
        self._close(growth, completion)

    def _close(self, growth: Growth, after: Completion) -> None:
        """End the assistant's turn and open the user's, as part of the last step."""
        span = self.dialect.turns.again(after)
        growth.steps[-1] = replace(growth.steps[-1], spans=(*growth.steps[-1].spans, span))
        growth.ids += span.ids
