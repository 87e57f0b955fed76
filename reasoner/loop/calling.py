"""The calls that a question's solution makes: run in the head's world, told to whoever listens, charged."""

from collections.abc import Sequence
from dataclasses import dataclass

from reasoner.ledger import Cost
from reasoner.loop.writing import Growth, Writer
from reasoner.protocols import World
from reasoner.toolbox import Toolbox
from reasoner.trace import Entered, Heard
from reasoner.types import Step, ToolCall, ToolResult

CONCLUSION = 32
"""Tokens of an answer that is forced."""
_MOST = 8


@dataclass(frozen=True)
class Calling:
    world: World
    toolbox: Toolbox
    writer: Writer

    async def run(self, growth: Growth, call: ToolCall) -> ToolResult:
        self.writer.tell(Entered(growth.head.id, "observe"))
        result, growth.world = await self.toolbox.call(self.world, growth.world, call)
        growth.ledger.charge(Cost(tool_calls=1, tool_cpu_s=result.cpu_s))
        self.writer.tell(Heard(growth.head.id, result))
        return result


def enough(call: ToolCall, before: Sequence[Step]) -> bool:
    """Whether the core is made to answer instead of calling this: it did before, or it called so often."""
    calls = [step.call for step in before if step.call]
    return call in calls or len(calls) >= _MOST
