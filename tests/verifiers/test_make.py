import pytest

from reasoner.completions import Sampling
from reasoner.cores.scripted import ScriptedCore
from reasoner.errors import ConfigError
from reasoner.ledger import Cost
from reasoner.tree import Tree
from reasoner.types import Expand, Step, Verdict
from reasoner.verifiers import make, purposes
from reasoner.verifiers.evidence import evidence


def test_the_tests_and_the_answers_always_speak() -> None:
    assert [type(v).__name__ for v in make([])] == ["VisibleSuite", "Answers"]
    assert [type(v).__name__ for v in make(["answer", "judge", "judge"])] == ["VisibleSuite", "Answers", "Judge"]


def test_every_verifier_that_is_shown_can_be_made() -> None:
    names = [name for name in purposes() if ":" not in name]
    assert len(make(names)) == 2 + len(names)


def test_a_verifier_that_is_missing_is_said_to_be() -> None:
    with pytest.raises(ConfigError, match="there is no verifier 'behavior': did you mean behaviour"):
        make(["behavior"])
    with pytest.raises(ConfigError, match="did you mean reward:HEAD"):
        make(["reward:"])


def test_a_reward_head_needs_a_core_that_has_one() -> None:
    assert len(make(["reward:outcome", "step:process"])) == 4
    with pytest.raises(ConfigError, match="the core scripted has no reward heads"):
        make(["reward:outcome"], ScriptedCore([]).info)


def test_evidence_is_everything_that_speaks_for_a_node() -> None:
    tree = Tree("t")
    tree.plant([Step("task", "")], "s0")
    for key, bits in (("a", "11"), ("a", "11"), ("b", "")):
        head = tree.opened(Expand(0, "attempt", Sampling()))
        own = Verdict(len(bits) / 2, "self_tests", key=bits)
        verdicts = [Verdict(0.7, "certainty"), Verdict(1.0, "behaviour", key=key), own]
        tree.add(head, [], "s0", verdicts, Cost())
    assert evidence(tree, 1) == {
        "certainty": 0.7,
        "behaviour": 1.0,
        "share of behaviour": 3 / 5,
        "self_tests": 1.0,
        "share of self_tests": 3 / 4,
        "agreement": 4 / 6,
    }
    assert evidence(tree, 3)["agreement"] == 0.0 and "share of self_tests" not in evidence(tree, 3)
