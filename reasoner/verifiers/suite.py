"""The visible tests as a verdict: the fraction that passed. It reads what the loop observed and runs nothing again."""

from reasoner.protocols import Scene
from reasoner.suites import report
from reasoner.tree import Node
from reasoner.types import Report, Verdict

SOURCE = "visible"


class VisibleSuite:
    """Scores an attempt by the fraction of visible tests that passed; an attempt that could not be used scores 0."""

    async def judge(self, scene: Scene, node: Node) -> Verdict | None:
        if node.step("act") is None or scene.task.visible is None:
            return None
        observed = node.step("observe")
        if observed is None or observed.result is None:
            problem = node.step("malformed")
            return Verdict(0.0, SOURCE, problem.text if problem else "")
        return verdict(report(observed.result))


def verdict(report: Report) -> Verdict:
    """1 only for a solved suite, so a rounding of many tests never looks like a pass."""
    if report.solved:
        return Verdict(1.0, SOURCE, f"{report.passed}/{report.counted}")
    detail = report.error or f"{report.passed}/{report.counted}"
    return Verdict(min(report.fraction, 0.999), SOURCE, detail)
