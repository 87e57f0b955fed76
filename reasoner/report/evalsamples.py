"""One task of a run in one epoch as a sample of inspect_ai. Needs inspect_ai, the extra `inspect`."""

import hashlib
from dataclasses import asdict
from datetime import UTC, datetime

from inspect_ai.log import EvalError, EvalRetryError, EvalSample
from inspect_ai.model import (
    ChatCompletionChoice,
    ChatMessageAssistant,
    ChatMessageUser,
    ModelOutput,
    ModelUsage,
)
from inspect_ai.scorer import CORRECT, INCORRECT, Score

from reasoner.batch import Record
from reasoner.batch.records import Tests
from reasoner.report.messages import messages
from reasoner.report.recorded import LastWord

SCORER = "solved"
_LONGEST = 200


def sample_of(word: LastWord) -> EvalSample:
    """Epochs count from 1 there. A task that failed, or that could not be used, is an error and has no score; nor has
    an answer that nothing judged."""
    record, solution = word.record, _solution(word.record)
    answer = ChatMessageAssistant(content=solution, model=record.core, id="answer")
    said = messages(word.trace) if word.trace else []
    used = usage(record)
    return EvalSample(
        id=_id(record.task),
        epoch=record.epoch + 1,
        input=word.prompt,
        target=word.target,
        messages=said or [ChatMessageUser(content=word.prompt, id="task"), answer],
        output=ModelOutput(
            model=record.core,
            choices=[ChatCompletionChoice(message=answer, stop_reason="stop")] if solution else [],
            usage=used,
            time=record.times.wall_s,
        ),
        scores={SCORER: _score(record, solution)} if record.is_graded else None,
        metadata=_besides(record),
        model_usage={record.core: used},
        started_at=moment(record.times.began),
        completed_at=moment(record.times.began + record.times.wall_s),
        total_time=record.times.wall_s,
        error=_error(record),
        error_retries=[EvalRetryError(message=said, traceback="", traceback_ansi="") for said in word.failures] or None,
    )


def usage(record: Record) -> ModelUsage:
    """Input is what was computed of prompts; what a cache held stands beside it, and a verifier's tokens in the sum."""
    cached, written = int(record.spent.get("cached", 0)), int(record.spent.get("decoded", 0))
    return ModelUsage(
        input_tokens=int(record.spent.get("prefilled", 0)),
        input_tokens_cache_read=cached,
        output_tokens=written,
        total_tokens=record.tokens + cached,
    )


def moment(seconds: float) -> str:
    """Seconds since 1970 as ISO 8601."""
    return datetime.fromtimestamp(seconds, UTC).isoformat()


def _id(task: str) -> str:
    """The task's id where a file of the archive can have that name, else one that is as good; `metadata` has the id."""
    if task and task.isprintable() and len(task) <= _LONGEST:
        return task
    shown = "".join(char for char in task if char.isprintable())[:_LONGEST]
    return f"{shown}-{hashlib.sha256(task.encode()).hexdigest()[:6]}"


def _score(record: Record, solution: str) -> Score:
    said = [_said("visible", record.visible), _said("hidden", record.hidden)]
    return Score(
        value=CORRECT if record.outcome == "solved" else INCORRECT,
        answer=record.answer or solution,
        explanation="\n".join(line for line in (f"{record.outcome}: {record.reason}", *said) if line),
    )


def _said(which: str, tests: Tests | None) -> str:
    if tests is None:
        return ""
    return f"{which} tests: {tests.passed} of {tests.counted} passed" + (f", {tests.error}" if tests.error else "")


def _error(record: Record) -> EvalError | None:
    if record.outcome not in ("failed", "unusable"):
        return None
    return EvalError(message=f"{record.outcome}: {record.reason}", traceback="", traceback_ansi="")


def _solution(record: Record) -> str:
    """An answer, or the code: where it is several files, each below its name."""
    texts = {path: text if isinstance(text, str) else "(not text)" for path, text in record.files.items()}
    if record.answer or len(texts) == 1:
        return record.answer or next(iter(texts.values()))
    return "\n".join(f"# {path}\n{text}" for path, text in texts.items())


def _besides(record: Record) -> dict[str, object]:
    """What inspect_ai has no place for."""
    return {
        "task": record.task,
        "outcome": record.outcome,
        "reason": record.reason,
        "seed": record.seed,
        "attempt": record.attempt,
        "confidence": record.confidence,
        "sandbox": record.level,
        "trace": record.trace,
        "spent": dict(record.spent),
        "times": asdict(record.times),
    }
