"""Searches of the scripted core over real worlds are slow; these trees are built by hand, from the real dialects."""

import ast
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import pytest

from reasoner.completions import Completion, Sampling
from reasoner.dialect.driven import Driven
from reasoner.dialect.spoken import Spoken, parse
from reasoner.dialect.stepwise import Stepwise
from reasoner.dialect.tokenizer import SpeakingTokenizer
from reasoner.flywheel.lessons import outcomes, taught
from reasoner.flywheel.rows import row, written
from reasoner.flywheel.told import closed, parts_of, sliced
from reasoner.ledger import Cost
from reasoner.loop import failures
from reasoner.suites import report
from reasoner.trace import Added, Began, Event, Finished, Opened, Trace
from reasoner.tree import Tree
from reasoner.types import (
    Expand,
    Report,
    Result,
    Span,
    Step,
    Stop,
    Suite,
    Task,
    TestResult,
    ToolCall,
    ToolResult,
    Verdict,
)

TOKENIZER = SpeakingTokenizer()
SPOKEN, DRIVEN, STEPWISE = Spoken(TOKENIZER), Driven(TOKENIZER), Stepwise(TOKENIZER)
QUESTION = Task("q", "How many legs have 6 spiders?")
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
        "message": "" if passes else "f(1) returned 1, expected 2\nsolution.py:2 in f: return x",
    }
    result = ToolResult(value={"tests": [row]})
    report = Report((TestResult(row["name"], "passed" if passes else "failed", row["message"]),))
    act = Step("act", completion.text, (DRIVEN.attempt(TASK, "", None), Span(completion.ids, True)))
    return [act, replace(DRIVEN.observe(report, completion), result=result)]


def recorded(*attempts: tuple[str, bool], task: Task = TASK) -> Trace:
    tree = Tree(task.id)
    tree.plant([DRIVEN.root(task)], "w")
    events: list[Event] = [Began(task, "core", "d", "bwrap", 0), Added(tree[0])]
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
        f"<|assistant|><|act|>{GOOD}\n<|end|><|observe|>step 1\nI ran the tests: 1 of 1 passed.<|end|>"
    )
    found = row(episode)
    assert learnt(found.ids, found.learnt) == f"<|act|>{GOOD}\n<|end|>" and found.learnt[-1]


def test_a_recovery_makes_two_rows_and_never_teaches_what_failed() -> None:
    found = [row(e) for e in taught(SPOKEN, recorded((BAD, False), (GOOD, True))).episodes]
    assert [one.kind for one in found] == ["solved", "turned", "risen"]
    turned, risen = found[1], found[2]
    assert BAD in spelt(turned.ids) and BAD not in learnt(turned.ids, turned.learnt)
    said = "returned 1, expected 2"
    assert learnt(turned.ids, turned.learnt) == f"<|reflect|>The result is wrong.<|backtrack|>0 {said}<|end|>"
    assert f"<|assistant|><|reflect|>{said}<|act|>{GOOD}\n<|end|>" in spelt(risen.ids)
    assert said not in learnt(risen.ids, risen.learnt) and BAD not in spelt(risen.ids)


def test_what_is_told_parses_as_what_a_speaking_core_writes() -> None:
    for episode in taught(SPOKEN, recorded((BAD, False), (GOOD, True))).episodes:
        ids = [i for step in episode.steps[1:] if step.kind != "observe" for i in step.ids]
        assert "malformed" not in {step.kind for step in parse(SPOKEN, ids)}


def test_the_ids_of_a_core_are_kept_through_the_seams() -> None:
    assert sliced(SPOKEN, TOKENIZER.encode("  x = 1\n```"), "x = 1") == list(b"x = 1")
    assert sliced(SPOKEN, TOKENIZER.encode("x"), "other") == list(b"other")


WORDY = '# Double.\ndef f(x):\n    """Of x."""\n\n    return 2 * x  # twice\n\n\n# Example\n# f(1)'


def test_an_act_is_told_without_comments_and_means_the_same() -> None:
    (episode,) = taught(SPOKEN, recorded((WORDY, True))).episodes
    found = row(episode)
    told = learnt(found.ids, found.learnt)
    assert told == f"<|act|>{GOOD}\n<|end|>"
    tree = ast.parse(WORDY)
    del tree.body[0].body[0]  # type: ignore[attr-defined]
    assert ast.dump(ast.parse(told[7:-7])) == ast.dump(tree)


def test_tokens_that_become_neighbours_and_are_one_token_together_become_one() -> None:
    class Merging(SpeakingTokenizer):
        """Has a token for a bracket that ends a line."""

        def encode(self, text: str) -> list[int]:
            parts = [list(part.encode()) for part in text.split(")\n")]
            return [i for n, part in enumerate(parts) for i in ([300] if n else []) + part]

        def decode(self, ids: Sequence[int]) -> str:
            return "".join(")\n" if i == 300 else chr(i) for i in ids if i < 256 or i == 300)

    dialect = Spoken(Merging())
    text = "x = f(1)  # one\n"
    ids = dialect.tokenizer.encode(text)
    assert dialect.tokenizer.decode(ids) == text and 300 not in ids
    assert parts_of(dialect, ids, [(0, 8), (15, 16)]) == [*b"x = f(1", 300]
    assert closed(dialect, [*b"f(1)"], "f(1)") == [*b"f(1", 300]


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
        assert spelt(one.ids).endswith(f"<|act|>{code}\n<|end|>") and one.marks[0].at == len(one.ids)


def test_a_search_that_found_nothing_teaches_to_step_back_and_no_code() -> None:
    found = taught(SPOKEN, recorded((BAD, False)))
    assert [episode.kind for episode in found.episodes] == ["turned"] and not found.pairs and found.judged
    (turned,) = map(row, found.episodes)
    assert learnt(turned.ids, turned.learnt).startswith("<|reflect|>The result is wrong.<|backtrack|>0 ")


def spoke(code: str) -> list[Step]:
    """What an attempt of a core that speaks leaves in a node, when its tests failed and ended it."""
    observed = attempt(code, False)[-1]
    assert observed.result is not None
    said = SPOKEN.observe(1, SPOKEN.tests(report(observed.result)))
    return [SPOKEN.said("act", TOKENIZER.encode(f"{code}\n")), replace(said, result=observed.result)]


@pytest.mark.parametrize("heard", [False, True])
def test_a_core_that_speaks_learns_to_step_back_where_nobody_heard_it_after_its_failure(heard: bool) -> None:
    trace = recorded(task=TASK)
    tree = trace.tree()
    events = list(trace.events)
    head = tree.opened(Expand(0, "attempt", Sampling()))
    node = tree.add(head, spoke(BAD), "w", [Verdict(0.0, "visible")], Cost())
    events += [Opened(head), Added(tree[node], head.id)]
    if heard:
        after = tree.opened(Expand(node, "attempt", Sampling()))
        thought = [SPOKEN.said("reflect", TOKENIZER.encode("Hm."))]
        events += [Opened(after), Added(tree[tree.add(after, thought, "w", [], Cost())], after.id)]
    found = [row(episode) for episode in taught(SPOKEN, Trace(events)).episodes]
    assert [one.kind for one in found] == ([] if heard else ["turned"])
    for one in found:
        assert BAD in spelt(one.ids) and BAD not in learnt(one.ids, one.learnt)
        assert (
            learnt(one.ids, one.learnt) == "<|reflect|>The result is wrong.<|backtrack|>0 returned 1, expected 2<|end|>"
        )


def test_a_core_that_is_told_its_tests_passed_is_not_taught_to_mistrust_them() -> None:
    trace = recorded((GOOD, True), (GOOD + " + 0", True))
    hidden = Report((TestResult("assert f(3) == 7", "failed"),))
    trace.events.append(
        Finished(Result("t", "unsolved", Stop("solved"), 1, {}, None, {}, "bwrap", "core", hidden=hidden))
    )
    (episode,) = taught(SPOKEN, trace).episodes
    assert episode.kind == "solved" and GOOD + " + 0" in spelt(row(episode).ids)


@pytest.mark.parametrize(
    ("outcome", "message", "lesson", "reflection"),
    [
        (
            "failed",
            "f(1) returned 1, expected 2\nsolution.py:2 in f: x",
            "returned 1, expected 2",
            "The result is wrong.",
        ),
        ("error", "assert f(1) == 2\nNameError: no y\nsolution.py:2 in f", "NameError: no y", "It raises an error."),
        ("timeout", "it did not end in 5 s", "it did not end in 5 s", "It takes too long."),
        ("failed", "", "assert f(1) == 2", "The result is wrong."),
    ],
)
def test_a_lesson_says_what_came_or_was_raised_and_the_reflection_says_something_else(
    outcome: str, message: str, lesson: str, reflection: str
) -> None:
    value = {"tests": [{"name": "assert f(1) == 2", "outcome": outcome, "message": message}]}
    step = Step("observe", "", (), result=ToolResult(value=value))
    assert failures.seen(TASK, step)
    assert (failures.lesson(TASK, step), failures.wrong(TASK, step)) == (lesson, reflection)


# --- questions ---


def cells(*said: tuple[str, ToolResult]) -> list[Step]:
    """A driven answer to a question: cells with what they came to, and 48 at the end if the last one says so."""
    steps = list[Step]()
    for code, result in said:
        text = f"Compute.\n```python\n{code}\n```\n"
        completion = Completion(tuple(TOKENIZER.encode(text)), text, "stop")
        act = Step("act", text, (STEPWISE.opening("task" if not steps else "observe"), Span(completion.ids, True)))
        observed = replace(STEPWISE.observe(result, completion), call=ToolCall("python", {"code": code}), result=result)
        steps += [act, observed]
    text = f"So.\nAnswer: {said[-1][1].output.strip() or 'none'}"
    return [*steps, Step("answer", text, (Span(tuple(TOKENIZER.encode(text)), True),))]


def asked(*attempts: list[Step]) -> Trace:
    tree = Tree("q")
    tree.plant([STEPWISE.root(QUESTION)], "w")
    events: list[Event] = [Began(QUESTION, "core", "d", "bwrap", 0), Added(tree[0])]
    for steps in attempts:
        head = tree.opened(Expand(0, "attempt", Sampling()))
        events += [Opened(head), Added(tree[tree.add(head, steps, "w", [], Cost())], head.id)]
    return Trace(events)


RIGHT = cells(("print(6*8)", ToolResult("48\n")))
DETAIL = "Traceback (most recent call last):\n  line 1, in <module>\nNameError: name 'legs' is not defined\n"
RAISED = ToolResult(error="raised", detail=DETAIL)


def test_a_wrong_answer_that_no_cell_gives_away_teaches_no_step_back() -> None:
    found = taught(SPOKEN, asked(cells(("print(6*7)", ToolResult("42\n"))), RIGHT), "48")
    assert [episode.kind for episode in found.episodes] == ["solved"]


def test_a_cell_that_fails_teaches_to_go_back_to_the_step_before_it() -> None:
    second = cells(("print(6)", ToolResult("6\n")), ("print(legs)", RAISED), ("print(7)", ToolResult("7\n")))
    solved, turned = (row(e) for e in taught(SPOKEN, asked(second, RIGHT), "48").episodes)
    assert solved.kind == "solved" and turned.kind == "turned"
    assert learnt(turned.ids, turned.learnt) == (
        "<|reflect|>That cell fails.<|backtrack|>1 NameError: name 'legs' is not defined<|end|>"
    )
    assert spelt(turned.ids).count("<|observe|>") == 2 and "print(7)" not in spelt(turned.ids)


def test_a_first_cell_that_fails_gives_its_lesson_to_what_was_right() -> None:
    found = [row(e) for e in taught(SPOKEN, asked(cells(("print(legs)", RAISED)), RIGHT), "48").episodes]
    assert [one.kind for one in found] == ["solved", "turned", "risen"]
    assert "<|backtrack|>0 NameError" in learnt(found[1].ids, found[1].learnt)
    assert "<|reflect|>NameError: name 'legs' is not defined<|think|>Compute.<|act|>print(6*8)" in spelt(found[2].ids)


def test_a_cell_that_fails_on_the_way_to_a_right_answer_is_read_and_not_learnt() -> None:
    late = cells(("print(legs)", RAISED), ("print(6*8)", ToolResult("48\n")))
    (episode,) = taught(SPOKEN, asked(late), "48").episodes
    one = row(episode)
    assert "print(legs)" in spelt(one.ids) and "print(legs)" not in learnt(one.ids, one.learnt)
    assert "print(6*8)" in learnt(one.ids, one.learnt)


def said_and(opening: Span, thought: str, answer: str) -> list[Step]:
    """A thought, and an answer after the runtime's `opening`."""
    spans = (opening, Span(tuple(TOKENIZER.encode(answer)), True))
    thinking = [Step("think", thought, (Span(tuple(TOKENIZER.encode(thought)), True),))] if thought else []
    return [*thinking, Step("answer", answer, spans)]


def test_an_answer_that_the_runtime_made_the_core_give_teaches_nothing() -> None:
    forced, _ = STEPWISE.concluding("6 times")
    cut = said_and(forced, "6 times 8 is mo", " 48")
    assert taught(SPOKEN, asked(cut), "48").episodes == ()
    spoken = said_and(SPOKEN.open("answer").spans[0], "6 times 8 is mo", "48")
    assert taught(SPOKEN, asked(spoken), "48").episodes == ()


def test_a_guess_teaches_nothing_however_right() -> None:
    own = STEPWISE.opening("task")
    assert taught(SPOKEN, asked(said_and(own, "", "Answer: 48")), "48").episodes == ()
    (episode,) = taught(SPOKEN, asked(said_and(own, "", "6 times 8.\nAnswer: 48")), "48").episodes
    assert [step.kind for step in episode.steps] == ["task", "think", "answer"]


# --- a core that speaks ---


def grow(tree: Tree, events: list[Event], expand: Expand, steps: list[Step], *verdicts: Verdict) -> int:
    """Add a node to a tree and what tells of it to the events."""
    head = tree.opened(expand)
    node = tree.add(head, steps, "w", verdicts, Cost())
    events += [Opened(head), Added(tree[node], head.id)]
    return node


def spoken_trace() -> Trace:
    """A core that speaks: it fails, steps back itself, and passes with the lesson it is given."""
    tree = Tree("t")
    tree.plant([SPOKEN.root(TASK)], "w")
    events: list[Event] = [Began(TASK, "core", "d", "bwrap", 0), Added(tree[0])]
    add = partial(grow, tree, events)

    def say(kind: str, text: str) -> Step:
        return SPOKEN.said(kind, TOKENIZER.encode(text))  # type: ignore[arg-type]

    def tried(code: str, words: str) -> list[Step]:
        return [say("act", code), SPOKEN.observe(1, words)]

    bad = add(Expand(0, "continue", Sampling()), tried(BAD, "0 of 1"), Verdict(0.0, "visible"))
    dead = add(Expand(bad, "continue", Sampling()), [say("reflect", "forgot"), say("backtrack", "0 double it")])
    risen = [SPOKEN.lesson("double it"), *tried(GOOD, "1 of 1")]
    add(Expand(0, "continue", Sampling(), learnt=dead), risen, Verdict(1.0, "visible"))
    return Trace(events)


def test_what_the_runtime_said_in_its_place_is_learnt_as_its_own_words_would_be() -> None:
    trace = recorded(task=TASK)
    tree, events = trace.tree(), list(trace.events)
    add = partial(grow, tree, events)
    bad = add(Expand(0, "attempt", Sampling()), spoke(BAD), Verdict(0.0, "visible"))
    back = SPOKEN.said("backtrack", TOKENIZER.encode("0 returned 1, expected 2"), sampled=False)
    dead = add(Expand(bad, "follow", Sampling()), [back])
    passed = [SPOKEN.lesson("returned 1, expected 2"), spoke(GOOD)[0]]
    add(Expand(0, "follow", Sampling(), learnt=dead), passed, Verdict(1.0, "visible"))
    solved, turned = (row(e) for e in taught(SPOKEN, Trace(events)).episodes[:2])
    assert (solved.kind, turned.kind) == ("risen", "turned")
    assert learnt(solved.ids, solved.learnt) == f"<|act|>{GOOD}\n<|end|>"
    said = "<|reflect|>The result is wrong.<|backtrack|>0 returned 1, expected 2<|end|>"
    assert learnt(turned.ids, turned.learnt) == said


def test_rows_of_a_spoken_tree_are_its_own_tokens() -> None:
    trace = spoken_trace()
    solved, turned = (row(e) for e in taught(SPOKEN, trace).episodes)
    assert (solved.kind, turned.kind) == ("risen", "turned")
    assert turned.ids == tuple(trace.tree().ids(2))
    assert learnt(turned.ids, turned.learnt) == "<|reflect|>forgot<|backtrack|>0 double it<|end|>"
    assert solved.ids == tuple(trace.tree().ids(3))[: len(solved.ids)] and solved.learnt[-1]
    assert "double it" not in learnt(solved.ids, solved.learnt)
