"""Rows as lines of JSON, under the names that other trainers know: `input_ids` and `labels`, `messages`, `prompt` with
`chosen` and `rejected`. What a label is not learnt from is -100, as everywhere.
"""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar

import msgspec

from reasoner.dialect.prompts import prompt
from reasoner.dialect.tokenizer import Tokenizer
from reasoner.errors import TraceError
from reasoner.flywheel.rows import Episode, Judged, Mark, Pair, Row, Way

Format = Literal["sft", "messages", "dpo", "steps"]
UNLEARNT = -100
T = TypeVar("T", Row, Pair, Judged)


def write(lines: Iterable[Mapping[str, Any]], path: Path) -> int:
    """Write one object a line; the file is there whole or not at all. Returns how many.

    Raises:
        TraceError: it cannot be written.
    """
    new, count = path.with_name(f"{path.name}.new"), 0
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with new.open("wb") as file:
            for line in lines:
                file.write(msgspec.json.encode(line) + b"\n")
                count += 1
        new.rename(path)
    except OSError as error:
        raise TraceError(f"cannot write {path} ({error.strerror}): choose another place with -o") from error
    return count


def sft_line(row: Row) -> dict[str, Any]:
    labels = [i if learnt else UNLEARNT for i, learnt in zip(row.ids, row.learnt, strict=True)]
    return {"task": row.task, "kind": row.kind, "input_ids": row.ids, "labels": labels, "weight": row.weight}


def messages_line(episode: Episode, tokenizer: Tokenizer) -> dict[str, Any]:
    """A conversation, control tokens spelt out. What is read and not learnt has the weight 0, as OpenAI's format says
    it; what tools said stands in a role of its own."""
    task, *rest = episode.steps
    messages: list[dict[str, Any]] = [
        {"role": "system", "content": prompt("system")},
        {"role": "user", "content": task.text},
    ]
    for step in rest:
        text = spelt(tokenizer, step.ids)
        said = {"role": "assistant", "content": text, "weight": int(step.sampled)}
        if step.kind in ("observe", "malformed") and not said["weight"]:
            messages.append({"role": "tool", "content": text})
        elif messages[-1]["role"] == "assistant" and messages[-1]["weight"] == said["weight"]:
            messages[-1]["content"] += text
        else:
            messages.append(said)
    return {"task": episode.task, "kind": episode.kind, "messages": messages}


def dpo_line(pair: Pair, tokenizer: Tokenizer) -> dict[str, Any]:
    """Texts for trainers that tokenise, with control tokens spelt out, and the exact ids for those that do not."""
    said = {"prompt": pair.prompt, "chosen": pair.chosen.ids, "rejected": pair.rejected.ids}
    return {
        "task": pair.task,
        **{name: spelt(tokenizer, ids) for name, ids in said.items()},
        **{f"{name}_input_ids": ids for name, ids in said.items()},
        "chosen_learnt": pair.chosen.learnt,
        "rejected_learnt": pair.rejected.learnt,
    }


def steps_line(judged: Judged, tokenizer: Tokenizer) -> dict[str, Any]:
    """A prompt and its completions with a soft label each, and the same as ids with the places where steps end."""
    ends = [mark.at for mark in judged.marks]
    starts = [0, *ends]
    pieces = [spelt(tokenizer, judged.ids[a:b]) for a, b in zip(starts, ends, strict=False)]
    return {
        "task": judged.task,
        "completions": pieces,
        "labels": [mark.value for mark in judged.marks],
        "visits": [mark.visits for mark in judged.marks],
        "variances": [round(mark.variance, 6) for mark in judged.marks],
        "input_ids": judged.ids,
        "ends": ends,
        "solution": judged.solution,
    }


def spelt(tokenizer: Tokenizer, ids: Iterable[int]) -> str:
    """Text of ids with control tokens by their names. For people and other trainers, never to be encoded again here."""
    names = {i: name for name, i in tokenizer.controls.items()}
    text, plain = "", list[int]()
    for i in ids:
        if i in names:
            text, plain = text + tokenizer.decode(plain) + names[i], []
        else:
            plain.append(i)
    return text + tokenizer.decode(plain)


def read(path: Path, kind: type[T]) -> list[T]:
    """Read a file of one kind of rows.

    Raises:
        TraceError: it cannot be read, is of another kind, or holds none.
    """
    try:
        with path.open("rb") as file:
            found = list(_decoded(file, path, kind))
    except OSError as error:
        raise TraceError(f"cannot read {path} ({error.strerror}): give a file of `reasoner export`") from error
    if not found:
        raise TraceError(f"{path} holds no row, so there is nothing to learn: export more traces")
    return found


def _decoded(lines: Iterable[bytes], path: Path, kind: type[T]) -> Iterator[T]:
    for number, line in enumerate(lines, 1):
        try:
            one: T = _READ[kind](msgspec.json.decode(line))
        except (msgspec.MsgspecError, UnicodeDecodeError, KeyError, TypeError, ValueError) as error:
            raise TraceError(
                f"{path}, line {number}, is no row that this reads ({type(error).__name__}: {error}): "
                f"export with --format {_FORMATS[kind]}"
            ) from error
        yield one


def _row(line: dict[str, Any]) -> Row:
    ids, labels = tuple(line["input_ids"]), line["labels"]
    learnt = tuple(label != UNLEARNT for label in labels)
    if len(ids) != len(labels) or any(i != label for i, label in zip(ids, labels, strict=True) if label != UNLEARNT):
        raise ValueError("labels are neither the ids nor -100")
    return Row(str(line["task"]), line["kind"], ids, learnt, float(line.get("weight", 1.0)))


def _pair(line: dict[str, Any]) -> Pair:
    ways = [
        Way(tuple(line[f"{name}_input_ids"]), tuple(map(bool, line[f"{name}_learnt"])))
        for name in ("chosen", "rejected")
    ]
    if any(len(way.ids) != len(way.learnt) for way in ways):
        raise ValueError("ids and mask are of unlike length")
    return Pair(str(line["task"]), tuple(line["prompt_input_ids"]), *ways)


def _judged(line: dict[str, Any]) -> Judged:
    ids = tuple(line["input_ids"])
    found = zip(line["ends"], line["labels"], line["visits"], strict=True)
    marks = tuple(Mark(int(at), float(value), int(visits)) for at, value, visits in found)
    solution = int(line["solution"])
    if not marks or not all(0 < mark.at <= len(ids) for mark in marks) or not 0 <= solution <= len(ids):
        raise ValueError("a step ends outside its ids")
    return Judged(str(line["task"]), ids, marks, solution)


_READ: dict[type, Any] = {Row: _row, Pair: _pair, Judged: _judged}
_FORMATS: dict[type, Format] = {Row: "sft", Pair: "dpo", Judged: "steps"}
