"""A conversation is a tree of turns. A turn is a search over a tree whose root holds all tokens so far and what the
person says, in the world that the place it hangs from left behind; so taking back, branching off and going on from an
inner step are choosing a place, for tokens, variables and files alike.

It prints nothing and reads no line: a view listens to the events of its turns.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Self

from reasoner.conversation.efforts import EFFORTS
from reasoner.conversation.memory import Read, due, history, ids, root, shorten, verbatim
from reasoner.conversation.pausing import Pausing
from reasoner.conversation.session import Session
from reasoner.conversation.turns import NoPlace, Place, Turn
from reasoner.dialect.stepwise import Stepwise
from reasoner.errors import TraceError
from reasoner.ledger import Budget, Cost, Ledger
from reasoner.loop import Recipe, Restored, promise, stepwise
from reasoner.runtime import Reasoner
from reasoner.stopping import FirstOf
from reasoner.trace import Listener, Recorder, Trace, read
from reasoner.tree import Tree
from reasoner.types import Files, SnapshotId, Step, Task, ToolResult

_WARM = 0.8
"""The temperature of another try."""


@dataclass(eq=False)
class Conversation:
    """Satisfies no protocol: it is what a chat is a view of. One turn runs at a time.

    `notice` is told what comes out differently when a world of an earlier process is made again.
    """

    reasoner: Reasoner
    session: Session
    notice: Callable[[str], None] = lambda sentence: None
    turns: dict[int, Turn] = field(default_factory=dict)
    effort: str = "low"
    """A name of `EFFORTS`, or `OWN`."""
    budget: Budget = Budget()
    """Of each turn."""
    _world: Restored | None = None
    _pausing: Pausing | None = None
    _ledger: Ledger | None = None
    _redone: Cost = field(default_factory=Cost)

    @classmethod
    def load(cls, reasoner: Reasoner, session: Session, **options: object) -> Self:
        """A recorded session, to be gone on with. What is lost of it stands in `session.lost`.

        Raises:
            TraceError: it was begun with another core, whose tokens this one does not read.
        """
        info = reasoner.core.info
        if session.began.digest != info.digest:
            raise TraceError(
                f"this session was begun with {session.began.core}, and cannot go on with {info.name}: "
                "use the same model, or begin a new session"
            )
        talk = cls(reasoner, session, budget=reasoner.budget, **options)  # type: ignore[arg-type]
        for asked, trace in session.traces():
            task = trace.began.task
            turn = Turn(
                asked.turn,
                asked.base,
                task.prompt,
                task.files,
                trace.tree(),
                trace.result,
                None,
                trace.spent,
                asked.kept,
            )
            turn.end = _end(turn)
            talk.turns[turn.id] = turn
        if session.at and session.at.turn not in talk.turns:
            session.go(None if not talk.turns else talk.turns[max(talk.turns)].end)
        return talk

    @property
    def at(self) -> Place | None:
        """Where the next words go: after this place; None before anything was said."""
        return self.session.at

    @property
    def line(self) -> list[Turn]:
        """The turns that lead to where we are, first to last."""
        found: list[Turn] = []
        place = self.at
        while place:
            found.append(self.turns[place.turn])
            place = found[-1].base
        return found[::-1]

    @property
    def spent(self) -> Cost:
        """By all turns, those that were taken back too."""
        return sum((turn.spent for turn in self.turns.values()), self._redone)

    @property
    def spending(self) -> Cost:
        """By the turn that runs."""
        return self._ledger.spent if self._ledger else Cost()

    @property
    def unfinished(self) -> Turn | None:
        """The newest turn, where it was broken off, or its budget was spent and nothing else was done since."""
        last = self.turns.get(max(self.turns, default=0))
        if last and last.result and last.result.status == "suspended" and self.at in (last.base, last.end):
            return last
        return last if last and last.id == self.session.pending else None

    # --- talking ---

    async def ask(self, words: str, *listeners: Listener, files: Files | None = None, warm: bool = False) -> Turn:
        """Say `words` at the place where we are, and let the core answer; `files` are put into the world first. Empty
        words let it go on from there. `warm` samples where an effort would be greedy.

        Raises:
            What `Reasoner.search` raises; then the turn is `unfinished`, as one that is cancelled.
        """
        number, base, files = self.session.next(), self.at, dict(files or {})
        world = await self._opened()
        at = await world.put(self._snapshot(world, base), files) if files else self._snapshot(world, base)
        before, kept, cost = await self._before(base, words)
        tree = Tree(f"turn {number}", self.reasoner.seed)
        tree.plant(root(self._dialect, before, words, files), at)
        turn = Turn(number, base, words, files, tree, spent=cost, kept=kept)
        recorder = Recorder(self.session.path(number), self.reasoner.clock)
        self.session.ask(number, base, turn.kept)
        self.turns[number] = turn
        return await self._grow(turn, world, recorder, None, listeners, warm)

    async def go_on(self, turn: Turn, *listeners: Listener) -> Turn:
        """Go on with a turn that was broken off or whose budget was spent, within the conversation's budget anew."""
        world, path = await self._opened(), self.session.path(turn.id)
        past = read(path)
        recorder = Recorder(path, self.reasoner.clock, onto=past)
        return await self._grow(turn, world, recorder, past, listeners, False)

    def pause(self) -> None:
        """Hold the running turn still, between two tokens."""
        if self._pausing:
            self._pausing.pause()

    def proceed(self, more: int = 0) -> None:
        """Let the running turn go on, with so many more tokens."""
        if self._ledger and more and self._ledger.budget.tokens is not None:
            self._ledger.budget = replace(self._ledger.budget, tokens=self._ledger.budget.tokens + more)
        if self._pausing:
            self._pausing.proceed()

    def keep(self) -> None:
        """End the running turn with what there is."""
        if self._pausing:
            self._pausing.cut()

    def drop(self) -> None:
        """Leave alone the turn that was cancelled or broken off: what is said next goes where it was said."""
        self.session.go(self.at)

    # --- places ---

    def undo(self, count: int = 1) -> Turn:
        """Go to where the last turn was said; returns the turn that was taken back, which stays in the tree."""
        line = self.line
        if not 1 <= count <= len(line):
            raise NoPlace(f"there are {len(line)} turns to take back, not {count}")
        self.session.go(line[-count].base)
        return line[-count]

    def fork(self, number: int) -> Turn:
        """Go to the end of a turn, of whichever branch; what is said next hangs from there."""
        turn = self._turn(number)
        if turn.end is None:
            raise NoPlace(f"turn {number} came to nothing, so nothing can follow it: say it again instead")
        self.session.go(turn.end)
        return turn

    def rewind(self, step: int, number: int | None = None) -> Turn:
        """Go to right after a step of a turn, counted from 1; of the last turn where none is named."""
        if number is None and not self.line:
            raise NoPlace("nothing was said yet")
        turn = self._turn(number if number is not None else self.line[-1].id)
        stops = turn.stops()
        if not 1 <= step <= len(stops):
            raise NoPlace(f"turn {turn.id} has {len(stops)} steps, and no step {step}")
        self.session.go(stops[step - 1].place)
        return turn

    async def retry(self, *listeners: Listener) -> Turn:
        """Answer the last words anew; after a rewind, go on anew from that step."""
        if not self.line:
            raise NoPlace("nothing was said yet")
        last = self.line[-1]
        if self.at != last.end:
            return await self.ask("", *listeners, warm=True)
        self.session.go(last.base)
        return await self.ask(last.words, *listeners, files=last.files, warm=True)

    def ids(self, place: Place | None) -> list[int]:
        """The exact tokens up to a place."""
        return ids(history(self.turns, place))

    def verbatim(self) -> list[int]:
        """The turns that the core reads word for word from here on; of earlier ones it reads a summary."""
        return [turn.id for turn, _ in verbatim(self.turns, self.at)]

    def pin(self, number: int) -> bool:
        """Keep a turn word for word however long the conversation grows, or no longer; whether it is pinned now."""
        return self.session.pin(self._turn(number).id)

    async def close(self) -> None:
        if self._world:
            await self._world.close()
        self.session.close()

    # --- inside ---

    async def _grow(
        self,
        turn: Turn,
        world: Restored,
        recorder: Recorder,
        past: Trace | None,
        listeners: tuple[Listener, ...],
        warm: bool,
    ) -> Turn:
        self._pausing = Pausing(self.reasoner.core)
        budget = _beyond(self.budget, past.spent) if past else self.budget
        self._ledger = Ledger(
            budget, clock=self.reasoner.clock, carried=past.spent if past else turn.spent, prices=self.reasoner.prices
        )
        task = Task(f"turn {turn.id}", turn.words, turn.files)
        effort = EFFORTS.get(self.effort)
        reasoner = replace(
            self.reasoner,
            core=self._pausing,
            strategy=effort.strategy(_WARM if warm else None) if effort else self.reasoner.strategy,
            stop=FirstOf((self._pausing, effort.stop if effort else self.reasoner.policy(task.kind))),
            budget=budget,
        )
        try:
            turn.result = await reasoner.search(task, turn.tree, world, self._ledger, recorder, *listeners, past=past)
        finally:
            turn.spent, self._pausing, self._ledger = self._ledger.spent, None, None
            recorder.close()
        turn.end = _end(turn)
        if turn.end:
            self.session.go(turn.end)
        return turn

    async def _opened(self) -> Restored:
        """The one world of this process, with all that earlier ones recorded promised in it."""
        if self._world is None:
            fresh = await self.reasoner.sandbox.open({}, self.reasoner.limits)

            async def redo(step: Step, at: SnapshotId) -> tuple[ToolResult | None, SnapshotId]:
                return await self.reasoner.toolbox.call(fresh, at, step.call) if step.call else (None, at)

            self._world = Restored(fresh, redo, self._told)
            for turn in self.turns.values():
                promise(self._world, turn.tree, self._snapshot(self._world, turn.base), f"t{turn.id}n", turn.files)
        return self._world

    def _told(self, name: SnapshotId, differs: str, cost: Cost) -> None:
        self._redone += cost
        if differs:
            turn = name.removeprefix("t").partition("n")[0]
            self.notice(f"a step of turn {turn} was done again and came out differently: {differs}")

    def _snapshot(self, world: Restored, place: Place | None) -> SnapshotId:
        """The world at a place. That of a step inside a node was never kept: it is made when it is needed."""
        if place is None:
            return world.root
        tree = self.turns[place.turn].tree
        node = tree[place.node]
        if place.steps is None or node.parent is None:
            return node.world
        recipe = Recipe(tree[node.parent].world, node.steps[: place.steps])
        return world.promise(f"t{place.turn}n{place.node}s{place.steps}", recipe)

    async def _before(self, base: Place | None, words: str) -> tuple[list[Step], tuple[int, ...] | None, Cost]:
        """What is read before `words`, which turns of it word for word where not all are, and what that cost."""
        core, dialect = self.reasoner.core, self._dialect
        short = due(core.info.context, dialect, self.turns, base, self.session.pinned, words)
        if short is None:
            return list(history(self.turns, base)), None, Cost()
        self.notice(f"to leave room, the core puts {_named(short.left)} into a summary: /pin keeps a turn")
        steps, cost = await shorten(core, dialect, self.turns, short)
        return steps, tuple(turn.id for turn, _ in short.kept), cost

    @property
    def _dialect(self) -> Stepwise:
        return stepwise(self.reasoner.core.tokenizer, self.reasoner.toolbox)

    def _turn(self, number: int) -> Turn:
        if number not in self.turns:
            raise NoPlace(f"there is no turn {number}: there are {len(self.turns)}, see /tree")
        return self.turns[number]


def _end(turn: Turn) -> Place | None:
    """The answer; without one the last that was done, if anything was."""
    answer = turn.result.node if turn.result else None
    if answer is None and turn.result and len(turn.tree) > 1:
        answer = turn.tree.nodes[-1].id
    return None if answer is None else Place(turn.id, answer)


def _beyond(budget: Budget, spent: Cost) -> Budget:
    """The same bounds again, on top of what was spent."""
    bounds: Mapping[str, float | None] = vars(budget)
    return Budget(**{name: None if bound is None else bound + getattr(spent, name) for name, bound in bounds.items()})


def _named(reads: Sequence[Read]) -> str:
    """`turn 3`, `turns 1, 2 and 5`."""
    *first, last = dict.fromkeys(str(turn.id) for turn, _ in reads)
    return f"turns {', '.join(first)} and {last}" if first else f"turn {last}"
