"""A verifier of your own: a share must lie between 0 and 100, and the attempt that says so is the one that answers.

A verifier scores a node that is about to be added, or has nothing to say about it. Which scores count is the strategy's
business: this one answers with the node that `plausible` likes best.
"""

import re
from dataclasses import dataclass

from reasoner import Expand, Ledger, Node, Reasoner, Sampling, Scene, Task, Tree, Verdict


class Plausible:
    async def judge(self, scene: Scene, node: Node) -> Verdict | None:
        step = node.step("answer")
        if step is None:
            return None
        numbers = [float(n) for n in re.findall(r"-?\d+\.?\d*", step.text.rpartition("Answer:")[2])]
        right = len(numbers) == 1 and 0 <= numbers[0] <= 100
        return Verdict(1.0 if right else 0.0, "plausible", f"{numbers} {'lies' if right else 'does not lie'} in 0..100")


@dataclass(frozen=True)
class BestBy:
    source: str
    attempts: int = 4

    def select(self, tree: Tree, ledger: Ledger, free: int) -> list[Expand]:
        missing = self.attempts - tree.opened_as("attempt")
        return [Expand(tree.root, "attempt", Sampling(temperature=0.7))] * min(missing, free)

    def answer(self, tree: Tree) -> int | None:
        return tree.best(self.source)


def main(**parts) -> None:
    with Reasoner(strategy=BestBy("plausible"), verifiers=[Plausible()], **parts) as solver:
        result = solver.solve(Task("share", "Of 340 people 51 came by bicycle. What share is that, in percent?"))
        print(result.answer)


if __name__ == "__main__":
    main()
