"""Two roles of one core: who speaks next, and when they are done."""

import pytest

from reasoner.cores.scripted import Reply, ScriptedCore
from reasoner.ledger import Cost, Ledger
from reasoner.runtime import Reasoner
from reasoner.sandboxes.scripted import ScriptedSandbox
from reasoner.search import Dialogue
from reasoner.search.dialogue import agrees
from reasoner.tree import Node, Tree
from reasoner.types import Files, Json, Step, StepKind, Task, ToolResult, Verdict

LEDGER = Ledger(clock=lambda: 0.0)


@pytest.fixture
def tree() -> Tree:
    tree = Tree("t")
    tree.plant([Step("task", "")], "w")
    return tree


def turn(tree: Tree, dialogue: Dialogue, text: str, kind: StepKind = "answer", key: str = "") -> str:
    """Who spoke."""
    (expand,) = dialogue.select(tree, LEDGER, 8)
    assert expand.node == tree.nodes[-1].id
    head = tree.opened(expand)
    assert dialogue.select(tree, LEDGER, 7) == [], "they speak in turns"
    kind = "criticise" if expand.move == "criticise" else kind
    verdicts = [Verdict(1.0, "answer", key=key)] if key else []
    tree.add(head, [Step(kind, text)], "w", verdicts, Cost())
    return expand.move


def test_they_speak_in_turns_until_the_critic_agrees(tree: Tree) -> None:
    dialogue = Dialogue(4)
    said = [turn(tree, dialogue, text) for text in ("7", "It is too small.", "8", "**Approved.**")]
    assert said == ["attempt", "criticise", "revise", "criticise"]
    assert dialogue.select(tree, LEDGER, 8) == [] and dialogue.answer(tree) == 3


def test_after_n_proposals_that_the_critic_never_liked_most_of_them_decide(tree: Tree) -> None:
    dialogue = Dialogue(3)
    for text, key in (("7", "7"), ("No.", ""), ("8", "8"), ("Not approved: no.", ""), ("8", "8")):
        turn(tree, dialogue, text, key=key)
    assert dialogue.select(tree, LEDGER, 8) == [] and dialogue.answer(tree) == 3


def test_what_could_not_be_used_is_written_again_without_a_critic(tree: Tree) -> None:
    dialogue = Dialogue(3)
    turn(tree, dialogue, "no code", "malformed")
    assert turn(tree, dialogue, "code", "act") == "revise"


def test_visible_tests_overrule_the_critic(tree: Tree) -> None:
    dialogue = Dialogue(3)
    for score in (0.5, 0.2):
        (expand,) = dialogue.select(tree, LEDGER, 1)
        tree.add(tree.opened(expand), [Step("act", "x")], "w", [Verdict(score, "visible")], Cost())
        turn(tree, dialogue, "Wrong." if score == 0.5 else "Approved")
    assert dialogue.answer(tree) == 1


@pytest.mark.parametrize(
    ("said", "agreed"),
    [
        ("Approved", True),
        ("**Approved.** Well done.", True),
        ("The answer is correct in every case.", True),
        ("Your code is entirely correct.", True),
        ("It is right.", True),
        ("The answer is not correct.", False),
        ("The answer is correct, but the steps are not.", False),
        ("The answer is incorrect.", False),
        ("Not approved.", False),
        ("It cannot be approved.", False),
        ("", False),
    ],
)
def test_a_critic_agrees_in_the_word_asked_for_or_in_a_plain_one(said: str, agreed: bool) -> None:
    assert agrees(Node(2, 1, "criticise", (Step("criticise", said),), "w")) is agreed


def nothing(name: str, arguments: Json, files: Files) -> ToolResult:
    return ToolResult()


async def test_the_roles_read_well() -> None:
    core = ScriptedCore([Reply("Answer: 7"), Reply("Spiders have eight legs."), Reply("Answer: 8"), Reply("Approved.")])
    reasoner = Reasoner(core, ScriptedSandbox(nothing), Dialogue(4), clock=core.clock)
    result = await reasoner.solve(Task("q", "How many legs has a spider?", answer="8"))
    assert (result.status, result.answer, result.node) == ("solved", "8", 3)
    told = core.asked[-1].text.partition("Question: ")[2]
    ask = (
        "Now be a strict reviewer of that answer. If it is right in every case, say only: Approved. "
        "Otherwise say in one or two sentences, without code, what is wrong with it."
    )
    again = (
        "Answer the question once more, better, from the beginning. "
        "End with a line that says: Answer: and then only the answer."
    )
    assert told == (
        "How many legs has a spider?<|end|><|assistant|>Answer: 7<|end|>"
        f"<|user|>{ask}<|end|><|assistant|>Spiders have eight legs.<|end|>"
        f"<|user|>{again}<|end|><|assistant|>Answer: 8<|end|>"
        f"<|user|>{ask}<|end|><|assistant|>"
    )


async def test_they_read_well_about_code_too() -> None:
    task = Task("c", "Return one more.", {"solution.py": b"def f(x): ...\n"}, ("solution.py",))
    replies = [Reply("def f(x): return x\n```"), Reply("It adds nothing."), Reply("def f(x): return x + 1\n```")]
    core = ScriptedCore([*replies, Reply("Approved.")])
    reasoner = Reasoner(core, ScriptedSandbox(nothing), Dialogue(4), clock=core.clock)
    result = await reasoner.solve(task)
    assert result.node == 3 and result.files["solution.py"].strip() == b"def f(x): return x + 1"
    assert "It adds nothing.<|end|><|user|>Write the corrected code, complete.<|end|><|assistant|>```python\n" in (
        core.asked[-1].text
    )
