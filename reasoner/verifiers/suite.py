"""The visible tests as a verdict: the fraction that passed, as the loop observed it. A full pass has to be seen twice,
the second time in a fresh world: what passes by chance, or by what earlier calls left behind, is no solution."""

from dataclasses import replace

from reasoner.ledger import Cost
from reasoner.protocols import Scene
from reasoner.suites import report
from reasoner.tree import Node
from reasoner.types import Report, Verdict

SOURCE = "visible"
_NAMES, _NAME = 5, 80
"""Failing tests that are named, and characters of each name."""


class VisibleSuite:
    """Scores an attempt by the fraction of visible tests that passed; an attempt that could not be used scores 0."""

    async def judge(self, scene: Scene, node: Node) -> Verdict | None:
        if node.step("act") is None or scene.task.visible is None:
            return None
        observed = node.step("observe")
        if observed is None or observed.result is None:
            problem = node.step("malformed")
            return Verdict(0.0, SOURCE, problem.text if problem else "")
        seen = verdict(report(observed.result))
        return await self._again(scene, node, seen) if seen.score == 1.0 else seen

    async def _again(self, scene: Scene, node: Node, seen: Verdict) -> Verdict:
        assert scene.task.visible is not None
        files = await scene.world.get(node.world, scene.task.editable)
        report = await scene.sandbox.grade({**scene.task.files, **files}, scene.task.visible, scene.limits)
        scene.ledger.charge(Cost(tool_calls=1, tool_cpu_s=report.cpu_s))
        now = verdict(report)
        return now if now.score == 1.0 else replace(now, detail=f"passed once, but in a fresh world {now.detail}")


def verdict(report: Report) -> Verdict:
    """1 only for a solved suite, so a rounding of many tests never looks like a pass."""
    if report.solved:
        return Verdict(1.0, SOURCE, f"{report.passed}/{report.counted}")
    detail = report.error or f"{report.passed}/{report.counted}{_failing(report)}"
    return Verdict(min(report.fraction, 0.999), SOURCE, detail)


def _failing(report: Report) -> str:
    """Which tests did not pass, each on one line."""
    names = [" ".join(test.name.split()) for test in report.failed]
    shown = [name if len(name) <= _NAME else name[: _NAME - 1] + "…" for name in names[:_NAMES]]
    more = [f"{len(names) - _NAMES} more"] if len(names) > _NAMES else []
    return f", not {', '.join([*shown, *more])}" if names else ""
