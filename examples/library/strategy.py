"""A strategy of your own: ask twice, and a third time only where the first two disagree.

A strategy is a pure function of the tree: which heads to grow now, and which node answers. It sees no model and no
sandbox, so it can be tried on trees that were recorded.
"""

from collections import Counter

from reasoner import Expand, Ledger, Reasoner, Sampling, Task, Tree


class SecondOpinion:
    def select(self, tree: Tree, ledger: Ledger, free: int) -> list[Expand]:
        votes = self._votes(tree)
        wanted = 3 if len(votes) > 1 else 2
        missing = wanted - tree.opened_as("attempt")
        return [Expand(tree.root, "attempt", Sampling(temperature=0.7))] * min(missing, free)

    def answer(self, tree: Tree) -> int | None:
        """The first node with the answer that most attempts gave."""
        votes = self._votes(tree).most_common(1)
        return next((node.id for node in tree.nodes if votes and self._vote(node) == votes[0][0]), None)

    def _votes(self, tree: Tree) -> Counter:
        return Counter(vote for node in tree.nodes if (vote := self._vote(node)))

    def _vote(self, node) -> str:
        return next((v.key for v in node.verdicts if v.source == "answer"), "")


def main(**parts) -> None:
    with Reasoner(strategy=SecondOpinion(), **parts) as solver:
        result = solver.solve(Task("days", "How many days have January and February 2024 together?"))
        print(result.answer, result.spent["decoded"], "tokens written")


if __name__ == "__main__":
    main()
