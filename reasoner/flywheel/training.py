"""The loop that trains: plain, because rows come as ids with masks. What an interrupt leaves is gone on with, and ends
in the same numbers: the plan follows from the seed, and state is saved between two steps, whole or not at all.

trl's trainers were looked at. They tokenise, pack and collate text, which is what must not happen here, and bring four
more packages; what is left of them is this page.
"""

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

import torch

from reasoner.batch.folder import flat
from reasoner.errors import ConfigError, TraceError
from reasoner.flywheel.batches import plan
from reasoner.flywheel.losses import Objective
from reasoner.flywheel.student import Student

STATE, CURVE, HELD = "state.pt", "curve.jsonl", "training.json"


@dataclass(frozen=True)
class Recipe:
    """How it is trained. `rows` and `steps` decide how long, `tokens` only how much memory that takes."""

    rate: float = 2e-4
    """Of the adapters, at its highest."""
    rows_rate: float = 1e-3
    """Of the control tokens' rows, which begin as a guess."""
    epochs: int = 2
    batch: int = 16
    """Rows, or pairs, a step."""
    steps: int = 0
    """End after so many, 0 for all of them."""
    warmup: float = 0.05
    """Share of all steps over which the rate rises; after that it falls as a cosine, to a tenth."""
    decay: float = 0.0
    clip: float = 1.0
    seed: int = 0


class Watcher(Protocol):
    def step(self, number: int, of: int, loss: float, tokens: int) -> None:
        """A step is done; `tokens` were read for it."""
        ...


@dataclass(frozen=True)
class Came:
    """What a training came to."""

    steps: int
    of: int
    loss: float
    """Mean of the last ten steps."""

    @property
    def finished(self) -> bool:
        return self.steps == self.of


def train(
    student: Student,
    objective: Objective,
    lengths: Sequence[int],
    recipe: Recipe,
    folder: Path,
    identity: dict[str, Any],
    *,
    tokens: int = 2048,
    keep: int = 20,
    tasks: Sequence[str] = (),
    watcher: Watcher | None = None,
    stopping: Callable[[], bool] = lambda: False,
) -> Came:
    """Train `student` on examples of these lengths, going on from what `folder` holds.

    Args:
        identity: what makes it this training (model, data); a folder that holds another is refused.
        tokens: most that are computed at once, padding included.
        tasks: of each example; those of one are learnt in the same step.
        keep: state is saved after so many steps, after the last, and when `stopping` says so.

    Raises:
        ConfigError: the folder holds another training.
        TraceError: it cannot be written, or its state cannot be read.
    """
    _check(folder, {**identity, "recipe": asdict(recipe)})
    steps = plan(lengths, recipe.batch, recipe.epochs, recipe.seed, tasks)[: recipe.steps or None]
    optimiser = _optimiser(student, recipe)
    done, losses = _restored(folder, student, optimiser)
    while done < len(steps) and not stopping():
        torch.manual_seed(recipe.seed + done)
        for group in optimiser.param_groups:
            group["lr"] = group["highest"] * rate(done, len(steps), recipe.warmup)
        loss = objective.backward(student, steps[done], tokens)
        torch.nn.utils.clip_grad_norm_(student.trainable().values(), recipe.clip)
        optimiser.step()
        optimiser.zero_grad()
        losses.append(round(loss, 6))
        done += 1
        if watcher:
            watcher.step(done, len(steps), loss, sum(lengths[i] for i in steps[done - 1]))
        if done % keep == 0 or done == len(steps) or stopping():
            _save(folder, student, optimiser, losses)
    return Came(done, len(steps), sum(losses[-10:]) / max(1, len(losses[-10:])))


def rate(step: int, of: int, warmup: float) -> float:
    """Share of the highest rate."""
    rising = max(1, round(of * warmup))
    if step < rising:
        return (step + 1) / rising
    return 0.1 + 0.45 * (1 + math.cos(math.pi * (step - rising) / max(1, of - rising)))


def _optimiser(student: Student, recipe: Recipe) -> torch.optim.Optimizer:
    named = student.trainable()
    own = [p for name, p in named.items() if name in ("rows", "output_rows")]
    low = [p for name, p in named.items() if name not in ("rows", "output_rows")]
    groups = [{"params": low, "highest": recipe.rate}, {"params": own, "highest": recipe.rows_rate}]
    return torch.optim.AdamW([g for g in groups if g["params"]], lr=recipe.rate, weight_decay=recipe.decay)


def _check(folder: Path, identity: dict[str, Any]) -> None:
    """Write down which training this is, or hold it against what is written."""
    path = folder / HELD
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            path.write_text(json.dumps(identity, indent=2) + "\n")
        held = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise TraceError(f"cannot use {path} ({error}): choose another directory with -o") from error
    held, wanted = flat(held), flat(json.loads(json.dumps(identity)))
    for name in sorted(held.keys() | wanted.keys()):
        if held.get(name) != wanted.get(name):
            raise ConfigError(
                f"{folder} holds a training with another {name} ({_short(held.get(name))}, not "
                f"{_short(wanted.get(name))}): choose another directory with -o"
            )


def _short(value: object) -> str:
    return text if len(text := json.dumps(value)) < 60 else text[:57] + "..."


def _restored(folder: Path, student: Student, optimiser: torch.optim.Optimizer) -> tuple[int, list[float]]:
    """How many steps are done, and what they said."""
    path = folder / STATE
    if not path.exists():
        return 0, []
    try:
        state = torch.load(path, map_location=student.device, weights_only=True)
    except (OSError, RuntimeError, ValueError, EOFError, KeyError) as error:
        raise TraceError(f"{path} cannot be read ({error}): delete it to begin anew") from error
    with torch.no_grad():
        for name, parameter in student.trainable().items():
            parameter.copy_(state["trained"][name])
    optimiser.load_state_dict(state["optimiser"])
    losses: list[float] = state["losses"]
    return len(losses), losses


def _save(folder: Path, student: Student, optimiser: torch.optim.Optimizer, losses: list[float]) -> None:
    new = folder / f"{STATE}.new"
    trained = {name: p.detach() for name, p in student.trainable().items()}
    try:
        torch.save({"trained": trained, "optimiser": optimiser.state_dict(), "losses": losses}, new)
        new.rename(folder / STATE)
        curve = "".join(json.dumps({"step": i, "loss": loss}) + "\n" for i, loss in enumerate(losses, 1))
        (folder / CURVE).write_text(curve)
    except (OSError, RuntimeError) as error:
        raise TraceError(f"cannot write {folder} ({error}): make room, and run this again to go on") from error
