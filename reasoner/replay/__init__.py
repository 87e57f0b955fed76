"""What another policy would have done over recorded samples, at no model cost.

pools      recorded samples of tasks: rows of `benchmarks/baseline.py`, traces of independent samples
policies   stopping policies and selections by name
again      let a policy decide over a pool that grows sample by sample
figure     accuracy against tokens, as SVG or HTML
"""

from reasoner.replay.again import Outcome, Point, curve, once
from reasoner.replay.policies import Fixed, Learns, judged, policy, selection
from reasoner.replay.pools import Pool, Sample, read_pools

__all__ = [
    "Fixed",
    "Learns",
    "Outcome",
    "Point",
    "Pool",
    "Sample",
    "curve",
    "judged",
    "once",
    "policy",
    "read_pools",
    "selection",
]
