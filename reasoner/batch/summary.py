"""What the records of a run come to: the last word on each task in each epoch, and what all of it cost."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from reasoner.batch.records import Key, Outcome, Record
from reasoner.ledger import Cost


@dataclass(frozen=True)
class Summary:
    """Counts are of (task, epoch). `graded` of them have an answer that can be right or wrong, `solved` are right."""

    asked: int
    """How many the command was about."""
    done: int
    solved: int
    graded: int
    outcomes: dict[Outcome, int]
    tokens: int
    """Computed, attempts that were discarded or broken off included."""
    decoded: int
    tool_calls: int
    task_seconds: float
    """Of all tasks, as if one had come after the other."""
    money: float
    bad: list[str] = field(default_factory=list)
    """What is wrong with lines that could not be used."""

    @property
    def failed(self) -> int:
        return self.outcomes.get("failed", 0)


def summarise(records: Iterable[Record], asked: int, bad: Sequence[str] = ()) -> Summary:
    """`records` in the order of writing: of one task in one epoch the last counts, and what all of them cost."""
    last: dict[Key, Outcome] = {}
    spent, seconds = Cost(), 0.0
    for record in records:
        last[record.key] = record.outcome
        spent += record.cost
        seconds += record.times.wall_s
    outcomes = Counter(last.values())
    return Summary(
        asked=asked,
        done=sum(n for outcome, n in outcomes.items() if outcome != "failed"),
        solved=outcomes["solved"],
        graded=outcomes["solved"] + outcomes["unsolved"] + outcomes["suspended"],
        outcomes=dict(outcomes),
        tokens=spent.tokens,
        decoded=spent.decoded,
        tool_calls=spent.tool_calls,
        task_seconds=round(seconds, 1),
        money=round(spent.money, 6),
        bad=list(bad),
    )
