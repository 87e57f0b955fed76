"""A student as an adapter on disk, and back."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save

from reasoner.errors import ModelError
from reasoner.flywheel.student import Low, Student, load
from reasoner.models import adapter, directory
from reasoner.models.adapter import Adapter

_ADAPTED = ".default.weight"


def write(student: Student, base: Path, into: Path, lineage: Mapping[str, Any]) -> Adapter:
    """Write what was trained. Matrices are rounded to bfloat16, which halves them; rows stay in float32.

    Raises:
        ModelError: it cannot be written.
    """
    low = student.low
    matrices = {
        name.replace(_ADAPTED, ".weight"): p.detach().to("cpu", torch.bfloat16).contiguous()
        for name, p in student.trainable().items()
        if name.endswith(_ADAPTED)
    }
    files = {adapter.MATRICES: save(matrices)}
    if student.controls:
        rows = {"embedding": student.rows} | ({} if student.tied else {"output": student.output_rows})
        files[adapter.ROWS] = save({name: p.detach().cpu().contiguous() for name, p in rows.items()})
    said = Adapter(
        base.name, directory.digest(base), low.rank, low.alpha, low.targets, dict(student.controls), dict(lineage)
    )
    return adapter.write(into, said, files)


def restore(
    base: Path, held: Path, like: Mapping[str, Sequence[int]], *, dtype: str = "auto", device: str = "auto",
    seed: int = 0,
) -> Student:  # fmt: skip
    """A student that begins as the adapter `held` of the model `base`.

    Raises:
        ModelError: the adapter is damaged, or another model's.
    """
    known = adapter.read(held, directory.digest(base))
    low = Low(known.rank, known.alpha, targets=tuple(known.targets))
    student = load(base, known.controls, like, low, dtype=dtype, device=device, seed=seed)
    put(student, held)
    return student


def put(student: Student, held: Path) -> None:
    """Give a student what an adapter of the same size holds.

    Raises:
        ModelError: it is of another size.
    """
    found = load_file(held / adapter.MATRICES)
    trained = student.trainable()
    if student.controls:
        rows = load_file(held / adapter.ROWS)
        found |= {"rows": rows["embedding"]} | ({} if student.tied else {"output_rows": rows["output"]})
    with torch.no_grad():
        for name, parameter in trained.items():
            key = name.replace(_ADAPTED, ".weight")
            if key not in found or found[key].shape != parameter.shape:
                raise ModelError(f"{held} does not fit this model: it has no {key} of shape {tuple(parameter.shape)}")
            parameter.copy_(found[key])
