"""`reasoner calibrate`: what a model's scores are worth, from recorded samples that are known to be right or wrong."""

import argparse
import json

from reasoner.cli.exits import SOLVED
from reasoner.cli.screen import Screen
from reasoner.errors import ConfigError
from reasoner.replay import judged, read_pools
from reasoner.verifiers.calibrate import calibrated, crosswise, save
from reasoner.verifiers.reliability import Pairs, auroc, brier_skill, ece, reliability

LEAST = 4
"""Tasks of which two can be stated from two others."""


def run(arguments: argparse.Namespace) -> int:
    pools = read_pools(arguments.records, arguments.visible)
    by_task = [list(judged(pool)) for pool in pools]
    if len(by_task) < LEAST:
        raise ConfigError(f"{len(by_task)} tasks are recorded: record {LEAST} or more, better a hundred")
    digest = next((pool.digest for pool in pools if pool.digest), "")
    if not digest:
        raise ConfigError("these records do not say which model drew them, and a calibration is of one: record again")
    save(calibrated([row for rows in by_task for row in rows], digest), arguments.output)
    stated = [
        (p, row.right)
        for rows, ps in zip(by_task, crosswise(by_task), strict=True)
        for row, p in zip(rows, ps, strict=True)
        if p is not None
    ]
    figures = {"ece": ece(stated), "auroc": auroc(stated), "brier_skill": brier_skill(stated)}
    Screen(arguments.quiet).say(f"{len(stated)} samples of {len(pools)} tasks, in {arguments.output}")
    if arguments.json:
        bins = [{"stated": one.stated, "right": one.right, "count": one.count} for one in reliability(stated)]
        print(json.dumps({"tasks": len(pools), "samples": len(stated), "core": digest, **figures, "reliability": bins}))
    else:
        print("\n".join([*_lines(stated), "", _SUMMED.format(**figures)]))
    return SOLVED


def _lines(stated: Pairs) -> list[str]:
    """A reliability diagram in words."""
    width = 40
    rows = [
        f"{one.stated:8.2f} {one.right:8.2f} {one.count:8}  {'█' * round(width * one.right)}"
        for one in reliability(stated)
    ]
    return [f"{'stated':>8} {'right':>8} {'samples':>8}", *rows]


_SUMMED = (
    "on tasks that it was not fitted on: calibration error {ece:.3f} (0 is best), ranks right above wrong "
    "{auroc:.0%} of the time (chance 50%), skill {brier_skill:.2f} over the base rate (1 is best)"
)
