"""Solutions of a run as lines that evalplus grades: `{"task_id", "solution"}`, a line for each task and epoch.

A task that was never solved has the best that was found, and one without any code an empty solution, since evalplus
wants every task. A solution of several files is its first, the one that a code block goes into.
"""

import json
from pathlib import Path

from reasoner.batch import Record, read_records
from reasoner.batch.folder import RESULTS
from reasoner.errors import ConfigError, TraceError


def write_samples(run: Path, to: Path) -> int:
    """Write the samples of the run in the directory `run`, and return how many; a line at a time, however many.

    Raises:
        ConfigError: the run answered questions, so it has no code.
        TraceError: its records cannot be read, or `to` cannot be written.
    """
    count = answers = 0
    try:
        with to.open("w", encoding="utf-8") as file:
            for record in read_records(run / RESULTS):
                if not record.is_last_word or record.outcome == "unusable":
                    continue
                count, answers = count + 1, answers + bool(record.answer)
                file.write(json.dumps({"task_id": record.task, "solution": _code(record)}) + "\n")
    except OSError as error:
        raise TraceError(f"cannot write {to} ({error.strerror}): choose another --samples") from error
    if answers == count:
        to.unlink()
        raise ConfigError(f"{run} has no code to grade: --samples is for coding tasks that 'reasoner run' did")
    return count


def _code(record: Record) -> str:
    return next((text for text in record.files.values() if isinstance(text, str)), "")
