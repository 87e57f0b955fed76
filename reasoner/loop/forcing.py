"""When the runtime says a control token in the place of a core that owns the protocol. Each rule is a pure function of
what the core can see, and is off unless it is asked for."""

from collections.abc import Sequence

from reasoner.dialect.control import Control
from reasoner.suites import report
from reasoner.types import Step

WAIT = "Wait,"
_WAITS = 2
"""How often one attempt is told to wait."""


def failed(steps: Sequence[Step]) -> bool:
    """Whether the last thing that was seen is tests that failed. Code that does not parse is told so without a call."""
    last = steps[-1]
    tested = last.kind == "observe" and (last.call is None or last.call.name == "run_tests")
    return tested and last.result is not None and not report(last.result).solved


def waits(steps: Sequence[Step], said: Control | None, least: int) -> bool:
    """An answer that comes before so many tokens of thought is put off (budget forcing, Muennighoff et al., 2501.19393,
    section 3.1)."""
    if said != "answer":
        return False
    own = _since_task(steps)
    thought = sum(len(span.ids) for step in own if step.kind == "think" for span in step.spans if span.sampled)
    told = sum(step.kind == "think" and step.text.startswith(WAIT) for step in own)
    return thought < least and told < _WAITS


def gives_up(scores: Sequence[float | None], collapse: float) -> int | None:
    """The index of the best of a path's scores, where the last one lies `collapse` or more below it: the branch has
    lost what it had there."""
    known = [score for score in scores if score is not None]
    if not collapse or not known or scores[-1] is None or max(known) - scores[-1] < collapse:
        return None
    return scores.index(max(known))


def _since_task(steps: Sequence[Step]) -> list[Step]:
    own: list[Step] = []
    for step in steps:
        own = [] if step.kind == "task" else [*own, step]
    return own
