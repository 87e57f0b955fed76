"""Where the seconds went, on events at known times."""

from reasoner.batch.timing import Stopwatch
from reasoner.completions import Sampling
from reasoner.ledger import Cost
from reasoner.trace import Added, Dropped, Entered, Opened, Wrote
from reasoner.tree import Node, Tree
from reasoner.types import Expand


class Clock:
    now = 50.0

    def __call__(self) -> float:
        return self.now


def test_every_second_of_a_head_is_in_one_phase_and_the_rest_is_waiting() -> None:
    clock = Clock()
    watch = Stopwatch(clock, began=7.0)
    tree = Tree("t")
    tree.plant([], "s0")
    head = tree.opened(Expand(0, "attempt", Sampling()))

    def after(seconds: float, event: object) -> None:
        clock.now += seconds
        watch(event)  # type: ignore[arg-type]

    after(2.0, Opened(head))
    after(0.0, Entered(0, "act"))
    after(1.0, Wrote(0, "", 0))
    after(0.5, Wrote(0, "a", 1))
    after(4.0, Wrote(0, "b", 1))
    after(0.0, Entered(0, "observe"))
    after(3.0, Added(Node(1, 0, "attempt", (), "s1"), 0))
    clock.now += 5.0
    times = watch.times()
    assert (times.prefill_s, times.decode_s, times.tools_s, times.waiting_s) == (1.5, 4.0, 3.0, 7.0)
    assert (times.began, times.wall_s) == (7.0, 15.5)


def test_heads_side_by_side_add_up_and_a_dropped_one_counts_to_its_end() -> None:
    clock = Clock()
    watch = Stopwatch(clock, began=0.0)
    tree = Tree("t")
    tree.plant([], "s0")
    for _ in range(2):
        watch(Opened(tree.opened(Expand(0, "attempt", Sampling()))))
    clock.now += 2.0
    watch(Wrote(1, "x", 1))
    clock.now += 1.0
    watch(Dropped(0, "stopped", Cost()))
    clock.now += 1.0
    watch(Dropped(1, "stopped", Cost()))
    times = watch.times()
    assert (times.prefill_s, times.decode_s, times.waiting_s) == (5.0, 2.0, 0.0)
