from reasoner.completions import Sampling
from reasoner.ledger import Budget, Cost, Ledger
from reasoner.stopping import SOLVED, BudgetSpent, FirstOf, Solved
from reasoner.tree import Tree
from reasoner.types import Expand, Step, Verdict


def tree_with(*scores: float) -> Tree:
    tree = Tree("t")
    tree.plant([Step("task", "")], "s0")
    for score in scores:
        head = tree.opened(Expand(0, "attempt", Sampling()))
        tree.add(head, [], "s1", [Verdict(score, "visible")], Cost())
    return tree


def test_only_a_full_pass_is_solved() -> None:
    ledger = Ledger(clock=lambda: 0.0)
    assert Solved().decide(tree_with(), ledger) is None
    assert Solved().decide(tree_with(0.0, 0.999), ledger) is None
    stop = Solved().decide(tree_with(0.5, 1.0), ledger)
    assert stop is not None and stop.reason == SOLVED


def test_a_spent_budget_names_its_dimension() -> None:
    ledger = Ledger(Budget(tokens=5), clock=lambda: 0.0)
    assert BudgetSpent().decide(tree_with(), ledger) is None
    ledger.charge(Cost(decoded=5))
    stop = BudgetSpent().decide(tree_with(), ledger)
    assert stop is not None and stop.reason == "budget spent: tokens"


def test_the_first_reason_wins() -> None:
    ledger = Ledger(Budget(tokens=0), clock=lambda: 0.0)
    stop = FirstOf((Solved(), BudgetSpent())).decide(tree_with(1.0), ledger)
    assert stop is not None and stop.reason == SOLVED
