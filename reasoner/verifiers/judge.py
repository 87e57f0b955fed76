"""The core as its own judge: is this right, yes or no? The score is the probability of yes.

A small core says yes far too often; only after calibration does the number say how likely the answer is right.
"""

from dataclasses import dataclass, replace
from math import exp
from zlib import crc32

from reasoner.completions import Sampling
from reasoner.dialect.prompts import prompt
from reasoner.dialect.turns import Turns
from reasoner.protocols import Scene
from reasoner.suites import report
from reasoner.tree import Node, derive_seed
from reasoner.types import Verdict

SOURCE = "judge"
_YES, _NO = "Yes", "No"
_WORD = 3
"""Tokens in which yes or no must be said."""


@dataclass(frozen=True)
class Judge:
    """P("Yes") against P("No") right after the question (Kadavath et al., 2207.05221, section 3; Zhang et al.,
    2408.15240, section 3.1). A core that cannot score is asked `samples` times, and one yes and one no are added.

    What failed its visible tests is wrong whatever is thought of it: no token is spent on that.
    """

    samples: int = 4

    async def judge(self, scene: Scene, node: Node) -> Verdict | None:
        if node.parent is None or not _is_finished(node):
            return None
        turns = Turns(scene.core.tokenizer)
        question = turns.answering("\n\n" + prompt("judge", question=scene.task.is_question)).ids
        prefix = [*scene.tree.ids(node.parent), *node.ids, *question]
        if scene.core.info.can_score:
            return await _scored(scene, prefix)
        seed = derive_seed(scene.tree.seed, scene.tree.task, node.parent, crc32(repr(node.ids).encode()))
        return await _sampled(scene, prefix, self.samples, seed)


def _is_finished(node: Node) -> bool:
    """Whether there is an answer, or code that did not fail."""
    observed = node.step("observe")
    if node.step("answer"):
        return True
    return node.step("act") is not None and bool(observed and observed.result and report(observed.result).solved)


async def _scored(scene: Scene, prefix: list[int]) -> Verdict:
    yes, no = [await _chance(scene, prefix, word) for word in (_YES, _NO)]
    return Verdict(yes / (yes + no) if yes + no else 0.5, SOURCE, f"yes {yes:.3g}, no {no:.3g}")


async def _chance(scene: Scene, prefix: list[int], word: str) -> float:
    """Of the word's first token, which is the whole word in any usual vocabulary."""
    found = await scene.core.score(prefix, scene.core.tokenizer.encode(word)[:1])
    scene.charge(found.usage)
    (logprob,) = found.logprobs
    return exp(min(0.0, logprob))


async def _sampled(scene: Scene, prefix: list[int], samples: int, seed: int) -> Verdict:
    sampling = Sampling(temperature=1.0, max_tokens=_WORD, stop_ids=tuple(scene.core.tokenizer.ends))
    said = {_YES: 0, _NO: 0}
    for ordinal in range(samples):
        completion = await scene.core.complete(prefix, replace(sampling, seed=seed + ordinal))
        scene.charge(completion.usage)
        for word in said:
            said[word] += completion.text.strip().casefold().startswith(word.casefold())
    yes, no = said.values()
    return Verdict((yes + 1) / (yes + no + 2), SOURCE, f"{yes} yes, {no} no")
