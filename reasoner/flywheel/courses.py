"""The three trainings from a file of rows to something on disk: imitation, preference, reward heads.

Each keeps its state in `work/` beside what it makes, so that the same call goes on after an interrupt.
"""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from reasoner.errors import ConfigError
from reasoner.flywheel import files, heads, saving, student
from reasoner.flywheel.lessons import outcomes
from reasoner.flywheel.losses import Imitation, Preference, reference
from reasoner.flywheel.rows import Judged, Pair, Row
from reasoner.flywheel.student import Low, Student
from reasoner.flywheel.training import Came, Recipe, Watcher, train
from reasoner.flywheel.vocabulary import controls, like, speaking
from reasoner.models import adapter
from reasoner.models.directory import digest

WORK = "work"


@dataclass(frozen=True)
class Place:
    """Where and with what a training runs: nothing here changes what comes of it, but for rounding."""

    device: Literal["auto", "cpu", "cuda"] = "auto"
    dtype: Literal["auto", "bfloat16", "float32"] = "auto"
    tokens: int = 2048
    """Most that are computed at once."""
    keep: int = 20


@dataclass(frozen=True)
class Look:
    """Who looks on, and who may stop it between two steps."""

    watcher: Watcher | None = None
    stopping: Callable[[], bool] = lambda: False
    say: Callable[[str], None] = lambda line: None
    """Told what is left out."""


def imitate(
    base: Path, data: Path, into: Path, recipe: Recipe, low: Low, place: Place, look: Look = Look(),
    *, parent: Path | None = None, figures: Mapping[str, Any] | None = None,
) -> Came:  # fmt: skip
    """Train on rows of `data`, from the adapter `parent` or afresh, and write the adapter `into`.

    Raises:
        ConfigError, ModelError, TraceError: see `training.train`, `saving`, `files.read`; or every row is longer than
            the model's context.
    """
    one = _begin(base, parent, low, place, recipe.seed)
    rows = _fitting(files.read(data, Row), one.context, data, look)
    lineage = _lineage(base, data, parent, recipe, "sft")
    came = _train(one, Imitation(rows), rows, recipe, into, lineage, place, look)
    if came.finished:
        saving.write(one, base, into, {**lineage, "rows": len(rows), "loss": came.loss, "figures": dict(figures or {})})
    return came


def prefer(
    base: Path, data: Path, into: Path, recipe: Recipe, place: Place, look: Look = Look(), *, parent: Path,
    beta: float = 0.1,
) -> Came:  # fmt: skip
    """Train on pairs of `data` from the adapter `parent`, which is the reference as well. Raises as `imitate`."""
    one = _begin(base, parent, Low(), place, recipe.seed)
    pairs = _fitting(files.read(data, Pair), one.context, data, look)
    lineage = {**_lineage(base, data, parent, recipe, "dpo"), "beta": beta}
    before = _references(one, pairs, into / WORK / "reference.json")
    came = _train(one, Preference(pairs, before, beta), pairs, recipe, into, lineage, place, look)
    if came.finished:
        saving.write(one, base, into, {**lineage, "pairs": len(pairs), "loss": came.loss})
    return came


def reward(
    base: Path, data: Path, name: str, kind: Literal["outcome", "step"], place: Place,
    told: Callable[[int, int], None] = lambda done, of: None, look: Look = Look(), *, on: Path, seed: int = 0,
) -> heads.Head:  # fmt: skip
    """Fit the head `name` for the adapter `on`, and put it where its core finds it.

    Raises:
        ConfigError, ModelError, TraceError: see `heads.fit`, `saving.restore`, `files.read`.
    """
    if not name.replace("-", "").replace("_", "").replace(".", "").isalnum():
        raise ConfigError(f"{name!r} cannot be the name of a head: take letters, digits, - and _")
    given = files.read(data, Judged)
    chosen = outcomes(given) if kind == "outcome" else given
    one = _begin(base, on, Low(), place, seed)
    fitting = _fitting(chosen, one.context, data, look)
    cache = on / WORK / f"{name}-{kind}-{_sha256(data)[:12]}-{adapter.read(on).digest[:12]}.safetensors"
    head = heads.fit(heads.places(fitting, heads.states(one, fitting, cache, told)), seed)
    heads.write(head, on / adapter.HEADS / f"{name}.safetensors")
    return head


def _begin(base: Path, parent: Path | None, low: Low, place: Place, seed: int) -> Student:
    vocabulary = speaking(base)
    words = like(vocabulary)
    if parent:
        return saving.restore(base, parent, words, dtype=place.dtype, device=place.device, seed=seed)
    return student.load(base, controls(vocabulary), words, low, dtype=place.dtype, device=place.device, seed=seed)


def _train(
    one: Student, objective: Any, examples: Sequence[Any], recipe: Recipe, into: Path, lineage: Mapping[str, Any],
    place: Place, look: Look,
) -> Came:  # fmt: skip
    return train(
        one,
        objective,
        [len(example) for example in examples],
        recipe,
        into / WORK,
        {**lineage, "low": asdict(one.low)},
        tokens=place.tokens,
        keep=place.keep,
        tasks=[example.task for example in examples],
        watcher=look.watcher,
        stopping=look.stopping,
    )


def _references(one: Student, pairs: Sequence[Pair], kept: Path) -> list[tuple[float, float]]:
    """What the student gives to both ways before it learns; computed once, since a resumed one has learnt."""
    if kept.exists():
        held = [(float(a), float(b)) for a, b in json.loads(kept.read_text())]
        if len(held) == len(pairs):
            return held
    found = [reference(one, pair) for pair in pairs]
    kept.parent.mkdir(parents=True, exist_ok=True)
    kept.write_text(json.dumps(found))
    return found


def _lineage(base: Path, data: Path, parent: Path | None, recipe: Recipe, how: str) -> dict[str, Any]:
    return {
        "how": how,
        "base": digest(base),
        "parent": adapter.read(parent).digest if parent else None,
        "data": _sha256(data),
        "recipe": asdict(recipe),
    }


def _fitting(rows: Sequence[Any], context: int, data: Path, look: Look) -> list[Any]:
    found = [row for row in rows if len(row) <= context]
    if not found:
        raise ConfigError(f"every row of {data} is longer than this model's context of {context}: export shorter ones")
    if len(found) < len(rows):
        look.say(f"left out  {len(rows) - len(found)} rows longer than the context of {context}")
    return found


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
