"""Events of a small search, written by hand."""

import json
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from reasoner.completions import Sampling
from reasoner.ledger import Budget, Cost
from reasoner.trace import Added, Began, Dropped, Entered, Event, Opened, Stopped, Wrote
from reasoner.tree import Node, Tree
from reasoner.types import Expand, Kept, Move, NodeId, Step, Stop, Task, ToolResult, Verdict


@dataclass
class Script:
    """Makes events as the driver would, and hands each to whoever listens."""

    tree: Tree
    tell: Callable[[Event], None]

    def begin(self, *, tokens: int = 0, wall_s: float = 0.0) -> None:
        self.tell(Began(Task("t", "do it"), "tiny", "00", "bwrap", 0, budget=Budget(tokens or None, wall_s or None)))
        self.tell(Added(self.tree[self.tree.plant([Step("task", "do it")], "s0")]))

    def open(
        self, move: Move = "attempt", node: NodeId = 0, learnt: NodeId | None = None, kept: Kept | None = None
    ) -> int:
        head = self.tree.opened(Expand(node, move, Sampling(), learnt=learnt, kept=kept))
        self.tell(Opened(head))
        return head.id

    def write(self, head: int, text: str, tokens: int = 1) -> None:
        self.tell(Wrote(head, text, tokens))

    def enter(self, head: int, kind: str) -> None:
        self.tell(Entered(head, kind))  # type: ignore[arg-type]

    def test(self, head: int, passed: int, failed: int, message: str = "AssertionError: 1 != 2") -> NodeId:
        """End an attempt whose tests ran."""
        rows = [{"name": f"p{i}", "outcome": "passed"} for i in range(passed)]
        rows += [{"name": f"f{i}", "outcome": "failed", "message": message} for i in range(failed)]
        seen = ToolResult(value={"tests": rows, "error": "", "trust": "weak"})
        return self._add(head, Step("act", "code"), Step("observe", json.dumps(rows), result=seen))

    def reflect(self, head: int, text: str) -> NodeId:
        return self._add(head, Step("reflect", text))

    def back(self, head: int, text: str) -> NodeId:
        return self._add(head, Step("backtrack", text))

    def malformed(self, head: int, problem: str) -> NodeId:
        return self._add(head, Step("act", "?"), Step("malformed", problem))

    def drop(self, head: int) -> None:
        self.tree.drop(self._head(head))
        self.tell(Dropped(head, "stopped", Cost(prefilled=5, decoded=2)))

    def stop(self, reason: str = "all visible tests pass") -> None:
        self.tell(Stopped(Stop(reason)))

    def _add(self, head: int, *steps: Step) -> NodeId:
        verdict = Verdict(0.0, "visible")
        node = self.tree.add(self._head(head), steps, "s1", (verdict,), Cost(prefilled=10, decoded=3))
        added: Node = self.tree[node]
        self.tell(Added(added, head))
        return node

    def _head(self, head: int):  # type: ignore[no-untyped-def]
        return next(h for h in self.tree.in_flight if h.id == head)


@pytest.fixture
def script_for() -> Callable[..., Script]:
    """`script_for(listener, …)`: a script that tells every event to each listener in order."""

    def make(*listeners: Callable[[Event], None]) -> Script:
        def tell(event: Event) -> None:
            for listener in listeners:
                listener(event)

        return Script(Tree("t"), tell)

    return make
