"""Searches of the scripted core over real worlds are slow; these trees are built by hand, from the real dialects."""

from dataclasses import replace

from reasoner.dialect.driven import Driven
from reasoner.dialect.spoken import Spoken, parse
from reasoner.dialect.tokenizer import SpeakingTokenizer
from reasoner.flywheel.lessons import outcomes, taught
from reasoner.flywheel.rows import row, written
from reasoner.flywheel.told import sliced
from reasoner.ledger import Cost
from reasoner.trace import Added, Began, Event, Opened, Trace
from reasoner.tree import Tree
from reasoner.types import (
    Completion,
    Expand,
    Report,
    Sampling,
    Span,
    Step,
    Suite,
    Task,
    TestResult,
    ToolResult,
    Verdict,
)

TOKENIZER = SpeakingTokenizer()
SPOKEN, DRIVEN = Spoken(TOKENIZER), Driven(TOKENIZER)
TASK = Task("t", "Double it.", {}, ("solution.py",), Suite("asserts", asserts=("assert f(1) == 2",)))


def spelt(ids: tuple[int, ...]) -> str:
    names = {i: name for name, i in TOKENIZER.controls.items()}
    return "".join(names.get(i) or chr(i) for i in ids)


def learnt(ids: tuple[int, ...], mask: tuple[bool, ...]) -> str:
    return spelt(tuple(i for i, wanted in zip(ids, mask, strict=True) if wanted))


def attempt(code: str, passes: bool) -> list[Step]:
    """What a driven core's attempt and its tests leave in a node."""
    completion = Completion(tuple(TOKENIZER.encode(code + "\n```")), code + "\n```", "stop")
    row = {
        "name": "assert f(1) == 2",
        "outcome": "passed" if passes else "failed",
        "message": "" if passes else "assert f(1) == 2\ngot 1",
    }
    result = ToolResult(value={"tests": [row]})
    report = Report((TestResult(row["name"], row["outcome"], row["message"]),))
    act = Step("act", completion.text, (DRIVEN.attempt(TASK, "", None), Span(completion.ids, True)))
    return [act, replace(DRIVEN.observe(report, completion), result=result)]


def recorded(*attempts: tuple[str, bool]) -> Trace:
    tree = Tree("t")
    tree.plant([DRIVEN.root(TASK)], "w")
    events: list[Event] = [Began(TASK, "core", "d", "bwrap", 0), Added(tree[0])]
    for code, passes in attempts:
        head = tree.opened(Expand(0, "attempt", Sampling()))
        events.append(Opened(head))
        node = tree.add(head, attempt(code, passes), "w", [Verdict(float(passes), "visible")], Cost())
        events.append(Added(tree[node], head.id))
    return Trace(events)


GOOD, BAD = "def f(x):\n    return 2 * x", "def f(x):\n    return x"


def test_a_driven_attempt_that_passed_is_told_as_a_spoken_episode() -> None:
    (episode,) = taught(SPOKEN, recorded((GOOD, True))).episodes
    assert spelt(written(episode.steps).ids).endswith(
        f"<|assistant|><|act|>{GOOD}<|end|><|observe|>step 1\nI ran the tests: 1 of 1 passed.<|end|>"
    )
    found = row(episode)
    assert learnt(found.ids, found.learnt) == f"<|act|>{GOOD}<|end|>" and found.learnt[-1]


def test_a_recovery_makes_two_rows_and_never_teaches_what_failed() -> None:
    found = [row(e) for e in taught(SPOKEN, recorded((BAD, False), (GOOD, True))).episodes]
    assert [one.kind for one in found] == ["solved", "turned", "solved"]
    turned, risen = found[1], found[2]
    assert BAD in spelt(turned.ids) and BAD not in learnt(turned.ids, turned.learnt)
    said = "assert f(1) == 2: got 1"
    assert learnt(turned.ids, turned.learnt) == f"<|reflect|>{said}<|backtrack|>0 {said}<|end|>"
    assert f"<|assistant|><|reflect|>{said}<|act|>{GOOD}<|end|>" in spelt(risen.ids)
    assert said not in learnt(risen.ids, risen.learnt) and BAD not in spelt(risen.ids)


def test_what_is_told_parses_as_what_a_speaking_core_writes() -> None:
    for episode in taught(SPOKEN, recorded((BAD, False), (GOOD, True))).episodes:
        ids = [i for step in episode.steps[1:] if step.kind != "observe" for i in step.ids]
        assert "malformed" not in {step.kind for step in parse(SPOKEN, ids)}


def test_the_ids_of_a_core_are_kept_through_the_seams() -> None:
    assert sliced(SPOKEN, TOKENIZER.encode("  x = 1\n```"), "x = 1") == list(b"x = 1")
    assert sliced(SPOKEN, TOKENIZER.encode("x"), "other") == list(b"other")


def test_siblings_with_opposite_ends_are_a_pair_with_one_prompt() -> None:
    (pair,) = taught(SPOKEN, recorded((BAD, False), (GOOD, True))).pairs
    assert spelt(pair.prompt).endswith("<|assistant|>")
    assert GOOD in spelt(pair.chosen.ids) and BAD in spelt(pair.rejected.ids) and all(pair.chosen.learnt)


def test_places_are_worth_what_came_of_them() -> None:
    rows = taught(SPOKEN, recorded((BAD, False), (GOOD, True))).judged
    assert [{mark.value for mark in one.marks} for one in rows] == [{0.0}, {1.0}]
    assert rows[0].marks[-1].at == len(rows[0].ids)
    assert rows[0].marks[0].variance > 0


def test_an_outcome_is_learnt_where_the_solution_ends_and_its_tests_have_said_nothing() -> None:
    found = outcomes(taught(SPOKEN, recorded((BAD, False), (GOOD, True))).judged)
    assert [one.marks[0].value for one in found] == [0.0, 1.0]
    for one, code in zip(found, (BAD, GOOD), strict=True):
        assert spelt(one.ids).endswith(f"<|act|>{code}<|end|>") and one.marks[0].at == len(one.ids)


def test_a_search_that_found_nothing_teaches_to_step_back_and_no_more() -> None:
    found = taught(SPOKEN, recorded((BAD, False)))
    (episode,) = found.episodes
    assert episode.kind == "turned" and not found.pairs and found.judged
    one = row(episode)
    assert learnt(one.ids, one.learnt).startswith("<|reflect|>") and BAD not in learnt(one.ids, one.learnt)


def spoken_trace() -> Trace:
    """A core that speaks: it fails, steps back itself, and passes with the lesson it is given."""
    tree = Tree("t")
    tree.plant([SPOKEN.root(TASK)], "w")
    events: list[Event] = [Began(TASK, "core", "d", "bwrap", 0), Added(tree[0])]

    def add(expand: Expand, steps: list[Step], *verdicts: Verdict) -> int:
        head = tree.opened(expand)
        events.append(Opened(head))
        events.append(Added(tree[node := tree.add(head, steps, "w", verdicts, Cost())], head.id))
        return node

    def say(kind: str, text: str) -> Step:
        return SPOKEN.said(kind, TOKENIZER.encode(text))  # type: ignore[arg-type]

    def tried(code: str, words: str) -> list[Step]:
        return [say("act", code), SPOKEN.observe(1, words)]

    bad = add(Expand(0, "continue", Sampling()), tried(BAD, "0 of 1"), Verdict(0.0, "visible"))
    dead = add(Expand(bad, "continue", Sampling()), [say("reflect", "forgot"), say("backtrack", "0 double it")])
    risen = [SPOKEN.lesson("double it"), *tried(GOOD, "1 of 1")]
    add(Expand(0, "continue", Sampling(), learnt=dead), risen, Verdict(1.0, "visible"))
    return Trace(events)


def test_rows_of_a_spoken_tree_are_its_own_tokens() -> None:
    trace = spoken_trace()
    solved, turned = (row(e) for e in taught(SPOKEN, trace).episodes)
    assert turned.ids == tuple(trace.tree().ids(2))
    assert learnt(turned.ids, turned.learnt) == "<|reflect|>forgot<|backtrack|>0 double it<|end|>"
    assert solved.ids == tuple(trace.tree().ids(3))[: len(solved.ids)] and solved.learnt[-1]
    assert "double it" not in learnt(solved.ids, solved.learnt)
