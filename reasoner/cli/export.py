"""`reasoner export`: training rows of records, or an adapter and its model as one."""

import argparse
import json
from collections.abc import Iterator
from typing import Any

from reasoner import models
from reasoner.cli.exits import SOLVED
from reasoner.cli.screen import Screen
from reasoner.dialect.spoken import Spoken
from reasoner.dialect.tokenizer import Tokenizer
from reasoner.errors import ConfigError
from reasoner.flywheel import files
from reasoner.flywheel.contamination import Measured
from reasoner.flywheel.reading import Gathered, Wanted, gather, traces
from reasoner.flywheel.rows import weighed
from reasoner.flywheel.vocabulary import context, speaking
from reasoner.tasks import read_all


def run(arguments: argparse.Namespace) -> int:
    _check(arguments)
    screen = Screen(arguments.quiet)
    with screen.progress() as progress:
        base = models.resolve(arguments.model or models.default(), progress=progress)
    if arguments.merged:
        from reasoner.flywheel.merging import merge

        merge(base, arguments.adapter, arguments.merged)
        print(json.dumps({"directory": str(arguments.merged)}) if arguments.json else arguments.merged)
        return SOLVED
    vocabulary = speaking(base)
    found = gather(traces(arguments.traces), Spoken(vocabulary), _wanted(arguments, context(base)))
    count = files.write(_lines(found, vocabulary, arguments.format), arguments.output)
    said = {"rows": count, "tasks": len(found.tasks), "left_out": dict(+found.left_out), "file": str(arguments.output)}
    print(json.dumps(said) if arguments.json else f"{count} rows of {len(found.tasks)} tasks in {arguments.output}")
    for reason, n in (+found.left_out).items():
        screen.say(f"left out  {n} {reason}")
    return SOLVED


def _check(arguments: argparse.Namespace) -> None:
    if arguments.merged and not arguments.adapter:
        raise ConfigError("--merged needs the adapter that is to be merged: give --adapter DIR")
    if not arguments.merged and not (arguments.traces and arguments.output):
        raise ConfigError("an export needs traces and a file for its rows: reasoner export TRACES... -o FILE")


def _wanted(arguments: argparse.Namespace, context: int) -> Wanted:
    answers = {task.id: task.answer for task in read_all(arguments.tasks) if task.answer} if arguments.tasks else {}
    return Wanted(
        min(arguments.context or context, context),
        arguments.split,
        frozenset(arguments.without),
        Measured.files(arguments.measured) if arguments.measured else None,
        answers,
        arguments.each,
        arguments.rows,
        arguments.seed,
    )


def _lines(found: Gathered, tokenizer: Tokenizer, wanted: files.Format) -> Iterator[dict[str, Any]]:
    match wanted:
        case "sft":
            return map(files.sft_line, weighed(found.rows))
        case "messages":
            return (files.messages_line(episode, tokenizer) for episode in found.episodes)
        case "dpo":
            return (files.dpo_line(pair, tokenizer) for pair in found.pairs)
        case "steps":
            return (files.steps_line(judged, tokenizer) for judged in found.judged)
