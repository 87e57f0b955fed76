"""A run as a log of inspect_ai, which its viewer shows and its reader reads. Needs inspect_ai, the extra `inspect`.

That package's writer takes a whole log, so all texts of a run are in memory until they are on disk, and its time for
`.eval` grows with the square of the samples (0.3.285): the one thing of a report that is for thousands of tasks only.
"""

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from inspect_ai.log import (
    EvalConfig,
    EvalDataset,
    EvalLog,
    EvalMetric,
    EvalResults,
    EvalSample,
    EvalSampleReductions,
    EvalSampleScore,
    EvalScore,
    EvalSpec,
    EvalStats,
    write_eval_log,
)
from inspect_ai.model import GenerateConfig, ModelUsage
from inspect_ai.scorer import CORRECT, SampleScore, Score, accuracy, stderr

from reasoner.batch.folder import RESULTS, flat
from reasoner.errors import ConfigError
from reasoner.report.aside import aside
from reasoner.report.evalsamples import SCORER, moment, sample_of
from reasoner.report.recorded import Told, last_words, told

SUFFIXES = (".eval", ".json")
_REDUCER = "mean"
_KEPT_BACK = "core.url"
"""A server's address is nobody's business but its owner's, and a log is made to be handed on."""


def write_log(run: Path, to: Path) -> int:
    """Write the log of the run in the directory `run`, in the format that the suffix of `to` names, and return how many
    samples it has: one for each task and epoch.

    Raises:
        ConfigError: `to` has another suffix than those two.
        TraceError: the run's records cannot be read, or `to` cannot be written.
    """
    if to.suffix not in SUFFIXES:
        raise ConfigError(f"--inspect {to} names no format: let it end in {' or '.join(SUFFIXES)}")
    log = log_of(run)
    with aside(to, "--inspect") as new:
        write_eval_log(log, new)
    return len(log.samples)


def log_of(run: Path) -> EvalLog:
    """Raises `TraceError` where the run's records cannot be read."""
    known = told(run)
    samples = [sample_of(word) for word in last_words(run, known.problems)]
    created = min((each.started_at for each in samples), default=moment((run / RESULTS).stat().st_mtime))
    ended = max((each.completed_at for each in samples), default=created)
    usage: dict[str, ModelUsage] = defaultdict(ModelUsage)
    for sample in samples:
        for model, used in sample.model_usage.items():
            usage[model] += used
    log = EvalLog(
        status="success",
        eval=_spec(run, known, samples, created),
        results=_results(samples),
        stats=EvalStats(started_at=created, completed_at=ended, model_usage=dict(usage)),
        samples=samples,
    )
    log.reductions = [_reductions(samples)]  # which it does not take beside its results when it is made
    return log


def _spec(run: Path, known: Told, samples: Sequence[EvalSample], created: str) -> EvalSpec:
    settings = {key: value for key, value in flat(known.config).items() if key and key != _KEPT_BACK}
    name = Path(known.problems.path).stem or run.resolve().name
    ids = list(dict.fromkeys(sample.id for sample in samples))
    model = known.core.name or next((sample.output.model for sample in samples), "") or "unknown"
    digest = hashlib.sha256(f"{name} {known} {created}".encode(errors="backslashreplace")).hexdigest()[:22]
    return EvalSpec(
        eval_id=digest,
        run_id=digest,
        task_id=digest,
        created=created,
        task=name,
        dataset=EvalDataset(name=name, location=known.problems.path, samples=len(ids), sample_ids=ids),
        model=model,
        model_args={"digest": known.core.digest},
        model_generate_config=GenerateConfig(
            temperature=settings.get("search.temperature"),
            max_tokens=settings.get("search.max_tokens"),
            seed=settings.get("search.seed"),
        ),
        solver=str(settings.get("search.strategy", "reasoner")),
        solver_args=settings,
        config=EvalConfig(epochs=max((s.epoch for s in samples), default=1), fail_on_error=False),
        packages={"reasoner": known.version, "inspect_ai": version("inspect_ai")},
        metadata={"problems_sha256": known.problems.sha256, "sandbox": known.sandbox},
    )


def _results(samples: Sequence[EvalSample]) -> EvalResults:
    """Accuracy is the mean over tasks of the share of their epochs in which they were solved, as in our own tables."""
    shares = [SampleScore(score=Score(value=value), sample_id=task) for task, value in _shares(samples).items()]
    scored = sum(bool(sample.scores) for sample in samples)
    values = {"accuracy": accuracy()(shares), "stderr": stderr()(shares)} if shares else {}
    score = EvalScore(
        name=SCORER,
        scorer=SCORER,
        reducer=_REDUCER,
        scored_samples=scored,
        unscored_samples=len(samples) - scored,
        metrics={name: EvalMetric(name=name, value=value) for name, value in values.items()},
    )
    completed = sum(sample.error is None for sample in samples)
    return EvalResults(total_samples=len(samples), completed_samples=completed, scores=[score] if shares else [])


def _reductions(samples: Sequence[EvalSample]) -> EvalSampleReductions:
    scores = [EvalSampleScore(value=value, sample_id=task) for task, value in _shares(samples).items()]
    return EvalSampleReductions(scorer=SCORER, reducer=_REDUCER, samples=scores)


def _shares(samples: Sequence[EvalSample]) -> dict[str, float]:
    """Of each scored task, the share of its epochs in which it was solved."""
    found: dict[str, list[bool]] = defaultdict(list)
    for sample in samples:
        if sample.scores:
            found[sample.id].append(sample.scores[SCORER].value == CORRECT)
    return {task: sum(right) / len(right) for task, right in found.items()}
