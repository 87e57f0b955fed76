"""The page of a search: what it says, that nothing from a trace is ever markup, and that a browser shows it."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from reasoner import trace
from reasoner.cli import main
from reasoner.completions import Sampling
from reasoner.cores.scripted import Reply, ScriptedCore
from reasoner.errors import TraceError
from reasoner.ledger import Budget, Cost
from reasoner.report.view import page, spelling_of
from reasoner.report.view.overview import rows, spending
from reasoner.runtime import Reasoner
from reasoner.sandboxes.scripted import ScriptedSandbox
from reasoner.search import BestOfN
from reasoner.trace import Added, Began, Dropped, Finished, Opened, Recorder, Stopped, Trace
from reasoner.tree import Tree
from reasoner.types import Expand, Kept, Result, Span, Step, Stop, Task, ToolCall, ToolResult, Verdict
from tests.report.browser import CHROMIUM, Browser

EVIL = (
    "</script><script>window.hit=1</script><!--<script><img src=x onerror='window.hit=2'>"
    "\u2028\u202e{{7*7}}&amp;\x00\x1b[2J"
)
needs_browser = pytest.mark.skipif(not CHROMIUM, reason="no chromium here: apt-get install chromium")


def grown(nodes: int, evil: str = "", each: int = 20) -> Trace:
    """A search of `nodes` attempts: every tenth goes back into the one before, every third passes some tests, the last
    passes all; and one head that was cut short."""
    tree = Tree("t")
    ids = tuple(evil.encode() or b"def f(): return 1")[:each]
    root = Step("task", evil or "Write f.", (Span((256, *ids), False),))
    events: list[trace.Event] = [
        Began(
            Task(f"t{evil}", f"Write f.{evil}", {}, ("f.py",)),
            f"scripted{evil}",
            "d",
            "bwrap",
            0,
            budget=Budget(tokens=90 * nodes),
        )
    ]
    tree.plant([root], "s0")
    events.append(Added(tree[0]))
    for number in range(1, nodes):
        kept = Kept(number - 1, 7) if number % 10 == 0 else None
        head = tree.opened(Expand(0 if number % 4 else number // 2, "attempt", Sampling(seed=1), kept=kept))
        share = 1.0 if number == nodes - 1 else 0.4 if number % 3 == 0 else 0.0
        tests = [
            {"name": f"test_{i}{evil}", "outcome": "passed" if i < 5 * share else "failed", "message": evil}
            for i in range(5)
        ]
        written = Span(ids, True, (-0.5,) * len(ids))
        steps = (
            Step("act", evil or f"def f():\n    return {number}", (Span((258,), False), written)),
            Step("observe", evil or "I ran the tests.", (Span(ids, False),), ToolCall("run_tests", {"x": evil}),
                 ToolResult(evil, value={"tests": tests, "error": evil})),
        )  # fmt: skip
        made = tree.add(
            head, steps, f"s{number}", [Verdict(share, "visible", f"{int(5 * share)}/5{evil}")], Cost(decoded=80)
        )
        events += [Opened(head), Added(tree[made], head.id)]
    cut = tree.opened(Expand(0, "attempt", Sampling()))
    stop = Stop(f"solved{evil}")
    result = Result("t", "solved", stop, nodes - 1, {}, None, {}, "bwrap", "scripted")
    events += [Opened(cut), Dropped(cut.id, "stopped", Cost(decoded=9)), Stopped(stop), Finished(result)]
    return Trace(events, times=[0.5 * i for i in range(len(events))])


def test_a_row_says_what_the_tests_said_what_it_cost_and_where_it_stepped_back() -> None:
    found = rows(grown(12))
    assert [found[0].state, found[3].state, found[4].state, found[11].state] == ["task", "partly", "failed", "solved"]
    assert found[3].says == "2/5" and found[3].tokens == 80
    assert found[10].back == "back into #9 after 7 tokens"
    assert found[8].parent == 4
    assert [row.name for row in found if row.on_path] == ["#0", "#11"]
    assert found[-1].state == "dropped" and found[-1].tokens == 9


def test_tokens_over_time_end_at_all_that_was_spent_and_are_few_points() -> None:
    long = grown(3000)
    points = spending(long)
    assert points[-1][1] == long.spent.tokens == 2999 * 80 + 9
    assert len(points) < 1000 and points == sorted(points)


def test_tokens_are_spelt_one_by_one_and_a_character_of_several_at_its_last() -> None:
    spelling = spelling_of(grown(2))
    assert spelling and spelling.texts([256, *"aé".encode(), 0xFF, 98]) == ["<|system|>", "a", "", "é", "", "b"]


def test_tokens_of_a_core_with_an_adapter_are_spelt_by_its_models_vocabulary_and_the_control_tokens_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "models" / "small"
    place.mkdir(parents=True)
    vocabulary = {"a": 0, "b": 1}
    model = {"type": "WordLevel", "vocab": vocabulary, "unk_token": "a"}
    spec = {"version": "1.0", "model": model, "added_tokens": [], "normalizer": None, "pre_tokenizer": None}
    (place / "tokenizer.json").write_text(json.dumps({**spec, "post_processor": None, "decoder": None}))
    monkeypatch.setenv("REASONER_HOME", str(tmp_path))
    began, *rest = grown(2).events
    assert isinstance(began, Began)
    for core, names in (("small", [" b", ""]), ("small+taught", [" b", "<|think|>"])):
        spelling = spelling_of(Trace([replace(began, core=core), *rest]))
        assert spelling and spelling.texts([1, 2]) == names, core


def test_nothing_from_a_trace_ends_its_block_or_begins_another() -> None:
    text = page(grown(5, EVIL), None)
    blocks = re.findall(r'<script type="application/json" id="(\w+)">(.*?)</script>', text, re.DOTALL)
    assert [name for name, _ in blocks] == ["overview", *(f"n{i}" for i in range(5))]
    assert not any(char in body for _, body in blocks for char in "<>&\u2028")
    assert text.count("<script") == len(blocks) + 1 and "<img" not in text


def test_our_own_script_makes_no_markup_of_a_text() -> None:
    text = page(grown(2), None)
    assert not re.search(r"innerHTML|outerHTML|insertAdjacent|document\.write|eval\(|new Function|https?://", text)
    assert "default-src 'none'; script-src 'sha256-" in text and "unsafe" not in text


def test_a_trace_that_was_broken_off_is_shown_as_far_as_it_goes(tmp_path: Path, capsys) -> None:
    path = tmp_path / "cut.jsonl"
    whole = grown(6)
    lines = [trace.encode(e, t) for e, t in zip(whole.events, whole.times, strict=True)]
    path.write_bytes(b"\n".join(lines[:8]) + b'\n{"event": "add')
    assert main(["view", str(path), "-o", str(tmp_path / "cut.html")]) == 0
    assert '"status":"broken off"' in (tmp_path / "cut.html").read_text(encoding="utf-8")
    assert main(["view", str(path), "-o", str(tmp_path / "no" / "cut.html")]) == 4
    assert "choose another place with -o" in capsys.readouterr().err
    path.write_bytes(lines[1] + b"\n")
    with pytest.raises(TraceError, match="does not begin with its task"):
        page(trace.read(path), None)


@pytest.fixture(scope="module")
def browser(tmp_path_factory) -> Iterator[Browser]:
    found = Browser(tmp_path_factory.mktemp("profile"))
    yield found
    found.close()


@needs_browser
def test_hostile_text_is_shown_as_text_and_nothing_of_it_runs(browser: Browser, tmp_path: Path) -> None:
    browser.said.clear()
    (tmp_path / "evil.html").write_text(page(grown(9, EVIL), spelling_of(grown(2))), encoding="utf-8")
    browser.open(tmp_path / "evil.html")
    browser.run("document.querySelectorAll('article button, summary').forEach((each) => each.click())")
    for row in range(10):
        browser.run(f"tree.choose({row})")
    assert browser.run("window.hit === undefined && document.images.length === 0")
    assert "</script><script>window.hit=1" in browser.run("document.body.innerText")
    assert "\u202e" not in browser.run("document.getElementById('detail').innerText")
    assert not browser.said, "nothing was even tried"


@needs_browser
def test_a_person_can_walk_the_tree_search_it_and_see_tokens_with_their_likelihoods(
    browser: Browser, tmp_path: Path
) -> None:
    (tmp_path / "t.html").write_text(page(grown(40), spelling_of(grown(2))), encoding="utf-8")
    browser.open(tmp_path / "t.html")
    assert browser.run("document.querySelector('.row.chosen .name').textContent") == "#39", "the answer is chosen first"
    browser.run("[...document.querySelectorAll('article h3 button')][0].click()")
    assert browser.run("document.querySelectorAll('.token').length") == 18
    assert "p = 0.607" in browser.run("[...document.querySelectorAll('.token')].map((t) => t.title).join()")
    browser.run("search.value = 'back into'; search.dispatchEvent(new Event('input'))")
    assert browser.run("document.querySelectorAll('.row .back').length") == 3
    browser.run("list.dispatchEvent(new KeyboardEvent('keydown', {key: 'Home'}))")
    assert browser.run("document.querySelector('.row.chosen .name').textContent") == "#0"
    browser.picture(tmp_path / "t.png")
    assert (tmp_path / "t.png").stat().st_size > 20_000


@needs_browser
def test_ten_thousand_nodes_open_at_once(browser: Browser, tmp_path: Path) -> None:
    (tmp_path / "big.html").write_text(page(grown(10_000), None), encoding="utf-8")
    browser.open(tmp_path / "big.html")
    assert browser.run("Number(document.documentElement.dataset.readyMs)") < 10_000, "two seconds on a machine at rest"
    assert browser.run("document.querySelectorAll('.row').length") < 100
    assert browser.run("tree.visible.length") < 10_000, "branches beside the path are closed at first"
    browser.run("tree.choose(7777)")
    assert browser.run("document.querySelector('.row.chosen .name').textContent") == "#7777"


async def test_a_search_that_was_really_made_becomes_a_page(tmp_path: Path) -> None:
    core = ScriptedCore(lambda text, sampling: Reply(f"So.\nAnswer: {sampling.seed % 3}", logprob=-0.25))
    recorder = Recorder(tmp_path / "q.jsonl", core.clock)
    await Reasoner(core, ScriptedSandbox(), BestOfN(3), clock=core.clock).solve(Task("q", "How many?"), recorder)
    recorder.close()
    whole = trace.read(tmp_path / "q.jsonl")
    assert [row.state for row in rows(whole)] == ["task", "answered", "answered", "answered"]
    assert "Answer: " in page(whole, spelling_of(whole))
