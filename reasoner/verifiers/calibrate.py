"""What several sources together say of a node's chance to be right.

Scores of different sources are never compared raw: each goes through its own curve first. Then their likelihood ratios
are multiplied, as if the sources were independent, which they are not; so a last curve, fitted to rows that the first
ones have not seen, takes back what is counted twice. Where rows with known truth come from is not known here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from zlib import crc32

import msgspec

from reasoner.errors import ConfigError
from reasoner.verifiers.curves import SCARCE, Base, Curve, Isotonic, Platt, base, fit, logit, platt
from reasoner.verifiers.reliability import Pairs

VERSION = 1
_AS_IS = Platt(1.0, 0.0)
_KINDS = {"base": Base, "platt": Platt, "isotonic": Isotonic}


@dataclass(frozen=True)
class Row:
    """What the sources said of one node, and whether it was right. Rows of one task belong together."""

    scores: Mapping[str, float]
    right: bool
    task: str = ""


@dataclass(frozen=True)
class Calibration:
    """Fitted to one core: another one's scores mean other things."""

    core: str
    """The core's digest, or the beginning of it."""
    base: float
    """P(right) where no source says anything."""
    curves: Mapping[str, Curve] = field(default_factory=dict)
    joint: Platt = _AS_IS
    """On the log-odds of the sources together."""

    def probability(self, scores: Mapping[str, float]) -> float | None:
        """P(right), or None where none of the sources is known. Unknown sources count for nothing."""
        if not scores.keys() & self.curves.keys():
            return None
        return self.joint(self.odds(scores))

    def odds(self, scores: Mapping[str, float]) -> float:
        """Log-odds of being right: the prior's, and each source's log likelihood ratio."""
        prior = logit(self.base)
        known = scores.keys() & self.curves.keys()
        return prior + sum(logit(self.curves[source](scores[source])) - prior for source in sorted(known))


def calibrated(rows: Sequence[Row], core: str = "") -> Calibration:
    """Fit every source's curve, and the last one over all of them.

    Raises:
        ConfigError: there are no rows.
    """
    if not rows:
        raise ConfigError("there is nothing to calibrate with: give rows whose truth is known")
    halves: tuple[list[Row], list[Row]] = ([], [])
    for at, row in enumerate(rows):
        halves[crc32((row.task or str(at)).encode()) % 2].append(row)
    unseen = [pair for seen, rest in (halves, halves[::-1]) if seen for pair in _odds(_curves(seen), rest)]
    right = sum(true for _, true in unseen)
    enough = len(unseen) >= 2 * SCARCE and 0 < right < len(unseen)
    whole = _curves(rows)
    return Calibration(core, whole.base, whole.curves, platt(unseen) if enough else _AS_IS)


def crosswise(by_task: Sequence[Sequence[Row]]) -> list[list[float | None]]:
    """P(right) of each task's rows, by a calibration that was fitted to the other half of the tasks alone.

    Raises:
        ConfigError: a half has no rows.
    """
    halves = by_task[::2], by_task[1::2]
    fitted = [calibrated([row for rows in half for row in rows]) for half in halves]
    return [[fitted[1 - at % 2].probability(row.scores) for row in rows] for at, rows in enumerate(by_task)]


def save(calibration: Calibration, path: Path) -> None:
    """Write it as JSON."""
    curves = {source: {"kind": _kind(curve), "curve": curve} for source, curve in calibration.curves.items()}
    said = {"version": VERSION, "core": calibration.core, "base": calibration.base}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(msgspec.json.format(msgspec.json.encode({**said, "joint": calibration.joint, "curves": curves})))


def load(path: Path, core: str = "") -> Calibration:
    """Read it back; `core` is the digest of the core that it is to be used with, empty to take any.

    Raises:
        ConfigError: it cannot be read, or was made with another core.
    """
    try:
        raw = msgspec.json.decode(path.read_bytes())
        if raw["version"] != VERSION:
            raise ConfigError(f"the calibration {path} has version {raw['version']}, this program reads {VERSION}")
        curves = {source: _read(entry) for source, entry in raw["curves"].items()}
        found = Calibration(raw["core"], float(raw["base"]), curves, msgspec.convert(raw["joint"], Platt))
    except (OSError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise ConfigError(f"cannot read the calibration {path} ({type(error).__name__}: {error})") from error
    if core and not (found.core and core.startswith(found.core)):
        raise ConfigError(
            f"the calibration {path} was made with the core {found.core[:12] or 'of no name'}, not with {core[:12]}: "
            "make one with this core, or leave it out"
        )
    return found


def _curves(rows: Sequence[Row]) -> Calibration:
    sources = sorted({source for row in rows for source in row.scores})
    curves = {s: fit([(row.scores[s], row.right) for row in rows if s in row.scores]) for s in sources}
    return Calibration("", base([(0.0, row.right) for row in rows]).right, curves)


def _odds(calibration: Calibration, rows: Sequence[Row]) -> Pairs:
    return [(calibration.odds(row.scores), row.right) for row in rows]


def _kind(curve: Curve) -> str:
    return next(name for name, kind in _KINDS.items() if isinstance(curve, kind))


def _read(entry: Mapping[str, object]) -> Curve:
    curve: Curve = msgspec.convert(entry["curve"], _KINDS[str(entry["kind"])])
    if isinstance(curve, Isotonic) and (not curve.scores or len(curve.scores) != len(curve.right)):
        raise ValueError("a curve has no points, or not as many scores as values")
    return curve
