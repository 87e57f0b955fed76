"""A branch of a driven core, told as a core that speaks would have said it.

Traces of a core that was never taught hold the runtime's own words between the core's: fences, "Write the corrected
code". A taught core opens its steps itself. So a branch is laid out once more, into spoken steps: the ids of what the
core wrote are kept, from token to token; new are the control tokens, the seams where the old form cut through a token,
and an answer that closes what passed. Comments and docstrings of a file are left out. A branch that was spoken is told
as it is. Pure.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from reasoner.dialect.spoken import Spoken, numbered
from reasoner.dialect.stepwise import ANSWER, conclusion
from reasoner.flywheel.bare import Range, left, remarks
from reasoner.suites import report
from reasoner.tree import Node
from reasoner.types import Step, Task

_BLOCK = re.compile(r"^```(?:python|py)?[ \t]*\n(?P<code>.*?)(?:^```|\Z)", re.M | re.S)


def told(dialect: Spoken, task: Task, path: Sequence[Node]) -> list[tuple[Step, ...]]:
    """The steps of each node of a path from the root, as they are spoken; every id is sampled or forced as it was."""
    if is_spoken(dialect, path):
        return [node.steps for node in path]
    found: list[tuple[Step, ...]] = [(dialect.root(task),)]
    for node in path[1:]:
        said = [step for steps in found for step in steps]
        found.append(tuple(_node(dialect, task, node, numbered(said))))
    return found


def is_spoken(dialect: Spoken, path: Iterable[Node]) -> bool:
    own = set(dialect.controls.ids)
    return any(not own.isdisjoint(step.ids) for node in path for step in node.steps)


def _node(dialect: Spoken, task: Task, node: Node, seen: int) -> Iterator[Step]:
    """The steps of a driven node, after `seen` observations."""
    prose = ""
    ids: list[int] = []
    for step in node.steps:
        match step.kind:
            case "think":
                prose, ids = prose + step.text, [*ids, *_written(step)]
            case "act" if task.is_question:
                yield from _cell(dialect, prose + step.text, [*ids, *_written(step)])
                prose, ids = "", []
            case "act":
                if prose.strip():
                    yield dialect.said("think", sliced(dialect, ids, _prose(prose)))
                yield dialect.said("act", _code(dialect, task, step))
                prose, ids = "", []
            case "observe" if step.result:
                seen += 1
                words = dialect.called(step.result) if task.is_question else dialect.tests(report(step.result))
                yield replace(dialect.observe(seen, words), call=step.call, result=step.result)
            case "reflect":
                yield dialect.said("reflect", sliced(dialect, _written(step), step.text.strip()))
            case "answer" if step.text.strip():
                yield from _answer(dialect, prose + step.text, [*ids, *_written(step)])
                prose, ids = "", []


def _written(step: Step) -> list[int]:
    """The ids of what a core wrote, and of how another branch began that it was made to go on from."""
    return [i for span in step.spans if span.sampled or span.logprobs for i in span.ids]


def _code(dialect: Spoken, task: Task, step: Step) -> list[int]:
    """The file that an act wrote, without its comments and docstrings; of several files the answer as it was."""
    files = dialect.driven.solution(task, step.text).files
    one = files.get(task.editable[0]) if len(task.editable) == 1 else None
    if one is None:
        return sliced(dialect, _written(step), step.text.strip())
    body = closed(dialect, _written(step), one.decode("utf-8", "replace").rstrip("\n"))
    code = dialect.tokenizer.decode(body)
    return parts_of(dialect, body, left(len(code), remarks(code))) if task.editable[0].endswith(".py") else body


def _cell(dialect: Spoken, text: str, ids: Sequence[int]) -> Iterator[Step]:
    """A thought that ends with a block: what was thought, and the block as an act."""
    block = _last(text)
    if block is None:
        yield dialect.said("act", closed(dialect, ids, text.strip()))
        return
    if before := _prose(text[: block.start()]):
        yield dialect.said("think", sliced(dialect, ids, before))
    yield dialect.said("act", closed(dialect, ids, block["code"].rstrip("\n")))


def _answer(dialect: Spoken, text: str, ids: Sequence[int]) -> Iterator[Step]:
    """What was thought, and the bare answer."""
    found = conclusion(text)
    before = _prose(text.rpartition(ANSWER)[0])
    if before:
        yield dialect.said("think", sliced(dialect, ids, before))
    yield dialect.said("answer", sliced(dialect, ids, found))


def _last(text: str) -> re.Match[str] | None:
    return next(iter(reversed(list(_BLOCK.finditer(text)))), None)


def _prose(text: str) -> str:
    return text.strip().removesuffix("```").rstrip()


def closed(dialect: Spoken, ids: Sequence[int], code: str) -> list[int]:
    """Code with its last line ended: where a driven core closes its fence, an act ends."""
    line = f"{code}\n"
    if line in dialect.tokenizer.decode(ids):
        return sliced(dialect, ids, line)
    return _joined(dialect, sliced(dialect, ids, code), dialect.tokenizer.encode("\n"))


def sliced(dialect: Spoken, ids: Sequence[int], wanted: str) -> list[int]:
    """The ids whose text is `wanted`, the last such place: whole tokens are kept, what a token shares with other text
    is encoded anew, and all of it where it stands nowhere."""
    start = dialect.tokenizer.decode(ids).rfind(wanted) if wanted else -1
    if start < 0:
        return dialect.tokenizer.encode(wanted) if wanted else []
    return parts_of(dialect, ids, [(start, start + len(wanted))])


def parts_of(dialect: Spoken, ids: Sequence[int], wanted: Sequence[Range]) -> list[int]:
    """The ids of parts of the text of `ids`, one behind the other. Where two come together that are one token in that
    order, they become one."""
    tokenizer, whole = dialect.tokenizer, dialect.tokenizer.decode(ids)
    ends = [len(tokenizer.decode(ids[: n + 1])) for n in range(len(ids))]
    begins, found = [0, *ends[:-1]], list[int]()
    for start, end in wanted:
        inside = [n for n in range(len(ids)) if begins[n] >= start and ends[n] <= end and begins[n] < ends[n]]
        if not inside:
            part = tokenizer.encode(whole[start:end])
        else:
            first, last = inside[0], inside[-1]
            before, after = whole[start : begins[first]], whole[ends[last] : end]
            part = [
                *(tokenizer.encode(before) if before else []),
                *ids[first : last + 1],
                *(tokenizer.encode(after) if after else []),
            ]
        found = _joined(dialect, found, part)
    return found


def _joined(dialect: Spoken, before: list[int], after: list[int]) -> list[int]:
    if before and after:
        seam = dialect.tokenizer.encode(dialect.tokenizer.decode([before[-1], after[0]]))
        if len(seam) == 1:
            return [*before[:-1], *seam, *after[1:]]
    return [*before, *after]
