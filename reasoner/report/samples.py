"""Solutions of a run as lines that evalplus grades: `{"task_id", "solution"}`, a line for each task and epoch.

A task that was never solved has the best that was found, and one without any code an empty solution, since evalplus
wants every task: also one that failed around us, or could not be used. A solution of several files is its first, the
one that a code block goes into.
"""

import json
from pathlib import Path

from reasoner.batch import Record, read_records
from reasoner.batch.folder import RESULTS
from reasoner.errors import ConfigError
from reasoner.report.aside import aside


def write_samples(run: Path, to: Path) -> int:
    """Write the samples of the run in the directory `run`, and return how many; a line at a time, however many. Where
    it is refused, `to` stays as it was.

    Raises:
        ConfigError: the run answered questions, so it has no code.
        TraceError: its records cannot be read, or `to` cannot be written.
    """
    last = {record.key: number for number, record in enumerate(read_records(run / RESULTS))}
    tried = answers = 0
    with aside(to, "--samples") as new, new.open("w", encoding="utf-8") as file:
        for number, record in enumerate(read_records(run / RESULTS)):
            if last.get(record.key) != number:
                continue
            tried, answers = tried + (record.outcome not in ("failed", "unusable")), answers + bool(record.answer)
            file.write(json.dumps({"task_id": record.task, "solution": _code(record)}) + "\n")
        if answers == tried:
            raise ConfigError(f"{run} has no code to grade: --samples is for coding tasks that 'reasoner run' did")
    return len(last)


def _code(record: Record) -> str:
    return next((text for text in record.files.values() if isinstance(text, str)), "")
