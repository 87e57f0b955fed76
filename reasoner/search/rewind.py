"""The default: one greedy attempt, then step back and try again, from the task or from inside the best attempts.

What failed stays out of the context, because a small core that sees its failed code writes it again, letter for letter,
two times out of three. Attempts alternate between two ways of stepping back:

- to the task: a fresh sample that begins with the stub's own lines, so that no tokens go into writing the stub again;
  one in four begins with nothing, which leaves room for an import above;
- into an attempt that passed a part of the tests: its first tokens are kept up to one at which the core was unsure, and
  the rest is written anew, beginning with another token, which costs no prefill and half the decoding. Which attempt is
  drawn by Thompson sampling from Beta posteriors over scores and rewinds so far (REx, Tang et al., 2405.17503, section
  3.2); which token, with the probability that the core gave to all other tokens there.

Attempts write no comments and no docstrings, but for those that begin with nothing: for a core of half a billion
parameters these are half of all tokens, and it is right as often without (benchmarks/search.md).

With `lessons` the first failure is reflected on, and one attempt in eight takes what was learnt along as one paragraph
(Reflexion, Shinn et al., 2303.11366, section 3). A core of half a billion parameters solves no more with it.
"""

import math
import random
from dataclasses import dataclass, replace

from reasoner.completions import Sampling
from reasoner.ledger import Ledger
from reasoner.search.plain import VISIBLE, leader
from reasoner.tree import Node, Tree, derive_seed
from reasoner.types import Expand, Kept, NodeId, Span

_CANDIDATES = 8
_CLOSING = 3
"""Tokens that end a file, the fence with them: a doubt among these is none about the code."""
_ROUND = 8
_LESSONS = frozenset({1})
_BARE = frozenset({3, 7})
"""Of each eight attempts: those that take the lesson along, and those that begin with nothing."""
_EVIDENCE = 10.0
"""How many observations a score counts for against one rewind without success (C in REx)."""


@dataclass(frozen=True)
class Rewind:
    """`n` attempts at most. With `lessons` the first failure is reflected on. Of the attempts that neither take a
    lesson along nor begin with nothing, a share of `inside` rewinds into an earlier one."""

    n: int = 16
    sampling: Sampling = Sampling(temperature=0.8)
    lessons: bool = False
    inside: float = 0.8
    think: bool = False
    guide: str = ""
    terse: bool = True
    """Let attempts write code alone, but for those that begin with nothing."""

    def select(self, tree: Tree, ledger: Ledger, free: int) -> list[Expand]:
        opened = tree.opened_as("attempt")
        if not opened:
            greedy = replace(self.sampling, temperature=0.0)
            return [Expand(tree.root, "attempt", greedy, think=self.think, terse=self.terse, lead=True)][:free]
        if tree.last("attempt") is None:
            return []
        if tree.opened_as("reflect"):
            if tree.last("reflect") is None:
                return []
        elif reflection := self._reflection(tree):
            return reflection[:free]
        return [self._attempt(tree, ordinal) for ordinal in range(opened, min(self.n, opened + free))]

    def answer(self, tree: Tree) -> NodeId | None:
        return leader(tree, self.guide)

    def _reflection(self, tree: Tree) -> list[Expand]:
        """Reflect on the first attempt, when its tests said something."""
        nearest = leader(tree)
        if not self.lessons or nearest is None or tree[nearest].step("observe") is None:
            return []
        return [Expand(nearest, "reflect", replace(self.sampling, temperature=0.0))]

    def _attempt(self, tree: Tree, ordinal: int) -> Expand:
        turn = ordinal % _ROUND
        learnt = tree.last("reflect") if turn in _LESSONS and self.lessons else None
        kept = self._kept(tree, ordinal) if learnt is None and turn not in _BARE else None
        lead = kept is None and turn not in _BARE
        sampling = replace(self.sampling, without=(_code(tree[kept.node]).ids[kept.tokens],)) if kept else self.sampling
        return Expand(
            tree.root,
            "attempt",
            sampling,
            think=self.think and not kept,
            terse=self.terse and turn not in _BARE,
            lead=lead,
            kept=kept,
            learnt=learnt,
        )

    def _kept(self, tree: Tree, ordinal: int) -> Kept | None:
        """Into which attempt to rewind, and how far; None for a fresh one."""
        chance = random.Random(derive_seed(tree.seed, tree.task, -1, ordinal))
        best = tree.top(VISIBLE, _CANDIDATES)
        partial = [n for n in best if 0.0 < (tree[n].score(VISIBLE) or 0.0) < 1.0 and _code(tree[n]).ids]
        if not partial or chance.random() >= self.inside:
            return None
        node = max(partial, key=lambda n: _draw(chance, tree[n].score(VISIBLE) or 0.0, tree.rewinds(n)))
        return Kept(node, _where(chance, tree, node))


def _draw(chance: random.Random, score: float, rewinds: int) -> float:
    return chance.betavariate(1 + _EVIDENCE * score, 1 + _EVIDENCE * (1 - score) + rewinds)


def _where(chance: random.Random, tree: Tree, node: NodeId) -> int:
    """How many tokens of a node's code to keep. Without log-probabilities every place is as good."""
    code = _code(tree[node])
    doubts = [1.0 - math.exp(min(p, 0.0)) for p in code.logprobs[:-_CLOSING]]
    if sum(doubts) <= 0.0:
        return chance.randrange(max(1, len(code.ids) - _CLOSING))
    return chance.choices(range(len(doubts)), doubts)[0]


def _code(node: Node) -> Span:
    """The tokens of an attempt's code, of which some may have been taken over from another."""
    act = node.step("act")
    spans = act.spans[1:] if act else ()
    ids = tuple(i for span in spans for i in span.ids)
    logprobs = tuple(p for span in spans for p in (span.logprobs or (-1.0,) * len(span.ids)))
    return Span(ids, sampled=True, logprobs=logprobs)
