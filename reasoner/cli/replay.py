"""`reasoner replay`: what other policies would have done over recorded samples, without a model."""

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from functools import partial

import numpy as np

from reasoner.cli.exits import SOLVED
from reasoner.cli.screen import Screen
from reasoner.errors import TraceError
from reasoner.estimates import Estimate, difference
from reasoner.figures import Honest, honest
from reasoner.repl.printable import printable
from reasoner.replay import Learns, Point, Pool, curve, policy, read_pools, selection
from reasoner.replay.policies import voted, voters


def run(arguments: argparse.Namespace) -> int:
    pools = read_pools(arguments.records, arguments.visible)
    select = arguments.select or ("vote" if voted(pools) else "visible")
    screen = Screen(arguments.quiet)
    names = arguments.policy or _usual(pools)
    chosen, points = Learns(partial(selection, select)), list[Point]()
    chosen.make(pools)
    makes = [(name, policy(name, voters(pools), chosen)) for name in names]
    for name, make in makes:
        try:
            budgets = arguments.budget or [None]
            points += curve(pools, name, make, chosen, budgets, orders=arguments.orders, seed=arguments.seed)
        except TraceError as error:
            if len(makes) == 1:
                raise
            screen.say(printable(str(error)))
    short = sum(pool.ordered for pool in pools)
    if short and arguments.orders > 1:
        screen.say(f"{_SHORT.format(short)}: replayed in the recorded order alone, without --orders")
    draws = [pool.draws("certainty") for pool in pools]
    beside = None if short else honest(draws, np.random.default_rng(arguments.seed))
    if arguments.figure:
        from reasoner.replay.figure import draw

        draw(points, arguments.figure, f"{len(pools)} tasks, answered by {select}")
        screen.say(f"drawn in {arguments.figure}")
    if arguments.json:
        figures = asdict(beside) if beside else None
        said = {"tasks": len(pools), "ordered": short, "select": select, "figures": figures}
        print(json.dumps({**said, "points": [asdict(p) for p in points]}))
    else:
        above = _figures(beside) if beside else [f"{len(pools)} tasks; {_SHORT.format(short)}, so they have no pass@k"]
        print("\n".join([*above, "", *_table(points, select)]))
    return SOLVED


_SHORT = "{} searches ended because of what their samples came to"


def _usual(pools: Sequence[Pool]) -> list[str]:
    """Fixed numbers up to the smallest pool, and the early stop that fits."""
    least = min(len(pool.samples) for pool in pools)
    fixed = [f"fixed:{n}" for n in (1, 2, 4, 8, 16, 32) if n < least]
    early = "leads:0.95" if voted(pools) else "solved"
    return [*fixed, f"fixed:{least}", f"{early}+fixed:{least}"]


def _figures(found: Honest) -> Iterator[str]:
    """What stands together in every report."""
    yield f"{found.tasks} tasks, {found.samples} samples each, as recorded; in brackets 95 % intervals over tasks"
    rows = [(f"coverage, pass@{k}", _percent(share)) for k, share in found.coverage.items()]
    rows += [
        ("chosen by tests, then certainty", _percent(found.selected)),
        ("gap to coverage", _percent(found.gap)),
        ("majority vote", _percent(found.vote) if found.vote else "nobody votes"),
        ("best-of-N with early stop", f"{_percent(found.early)}, {found.early_tokens.value:,.0f} tokens a task"),
        ("all samples", f"{found.tokens.value:,.0f} tokens a task"),
    ]
    yield from (f"  {name:<32} {said}" for name, said in rows)


def _table(points: Sequence[Point], select: str) -> Iterator[str]:
    width = max([len(point.policy) for point in points] + [len("policy")])
    yield f"{'policy':<{width}}  {'budget':>8}  {'right, %':^20}  {'tokens':>8}  {'samples':>7}  censored"
    for point in points:
        budget = f"{point.budget:,}" if point.budget else "none"
        tokens, samples = f"{point.tokens.value:,.0f}", f"{point.samples.value:.1f}"
        censored = f"{100 * point.censored:.0f} %" if point.censored else "none"
        share = _percent(point.accuracy)
        yield f"{point.policy:<{width}}  {budget:>8}  {share:^20}  {tokens:>8}  {samples:>7}  {censored}"
    yield from _differences(points, width)
    yield f"answered by {select}; censored: tasks that would have needed samples that were not recorded"


def _differences(points: Sequence[Point], width: int) -> Iterator[str]:
    """Every policy beside the first within the same budget, paired by task."""
    for first in [point for point in points if point.policy == points[0].policy]:
        for other in [point for point in points if point.budget == first.budget and point.policy != first.policy]:
            found = difference(first.each, other.each, np.random.default_rng(0))
            low, high = 100 * found.by.low, 100 * found.by.high
            within = f" within {first.budget:,} tokens" if first.budget else ""
            by = f"{100 * found.by.value:+.1f} [{low:+.1f}, {high:+.1f}] points"
            noise = " (noise)" if found.is_noise else ""
            yield f"{other.policy:<{width}}  against {first.policy}{within}: {by}{noise}, {_times(first, other)}"


def _times(first: Point, other: Point) -> str:
    samples, tokens = first.samples.value / other.samples.value, first.tokens.value / other.tokens.value
    return f"{samples:.2f}x fewer samples, {tokens:.2f}x fewer tokens"


def _percent(share: Estimate) -> str:
    return f"{100 * share.value:5.1f} [{100 * share.low:.1f}, {100 * share.high:.1f}]"
