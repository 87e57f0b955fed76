"""Chooses how a model directory is computed: by our own forward pass where its shape allows, else by transformers'."""

from pathlib import Path

import torch

from reasoner.cores.local.adapted import Adapted, Trained
from reasoner.cores.local.checkpoint import Checkpoint, read_config
from reasoner.cores.local.decoder import Decoder, shape_of
from reasoner.cores.local.network import Network
from reasoner.cores.local.precision import chosen
from reasoner.errors import CoreError
from reasoner.models.directory import check


def load_network(directory: Path, dtype: str, device: str, trained: Trained | None = None) -> Network:
    """The network in `directory`, with what was `trained` of it.

    Raises:
        ModelError: the directory cannot be read, or what was trained has no place in it.
        CoreError: the dtype or device is not to be had.
    """
    shape = shape_of(read_config(check(directory)))
    where = _device(device)
    if dtype not in ("auto", "bfloat16", "float32", "int4"):
        raise CoreError(f"dtype {dtype} is not computed here: choose auto, bfloat16, float32 or int4")
    if dtype == "int4" and where.type != "cpu":
        raise CoreError(f"int4 is computed on a CPU alone, not on {where.type}: choose bfloat16")
    beside = chosen("auto" if dtype == "int4" else dtype, where)
    kind = torch.float32 if beside == "float32" else torch.bfloat16
    if shape is not None:
        checkpoint = Adapted(directory, trained, kind) if trained else Checkpoint(directory)
        return Decoder(shape, checkpoint, kind, where, quartered=dtype == "int4")
    if dtype == "int4":
        raise CoreError(f"{directory.name} is computed by transformers, which has no int4 here: choose auto")
    from reasoner.cores.local.foreign import Foreign

    return Foreign(directory, kind, where, trained)


def _device(name: str) -> torch.device:
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if name == "cuda" and not torch.cuda.is_available():
        raise CoreError("device cuda was asked for and torch sees no GPU: use cpu, or install torch built for CUDA")
    if name not in ("cpu", "cuda"):
        raise CoreError(f"device {name} is not known: choose cpu, cuda or auto")
    return torch.device(name)
