"""The nouns of the runtime: frozen records that every layer passes to the next.

Nothing here does anything. A record holds values only, so a trace can be written from them and read back.
Token ids are plain `int`; texts are `str`; file contents are `bytes` that the host never executes.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from reasoner.completions import Sampling

NodeId = int
SnapshotId = str
Json = Mapping[str, Any]
Files = Mapping[str, bytes]
"""Relative POSIX paths under the workspace -> contents."""


# --- tasks -----------------------------------------------------------------------------------------------------------

Runner = Literal["pytest", "unittest", "asserts"]
Kind = Literal["coding", "question"]


@dataclass(frozen=True)
class Suite:
    """Tests that decide whether a set of files solves a task.

    `pytest` and `unittest` suites are `files` (put beside the candidate, restored before each run) and `targets`, the
    runner's arguments. An `asserts` suite has no files: each entry of `asserts` is one test, a statement that is run
    after `setup` in a namespace that has done `from {module} import *`.
    """

    runner: Runner
    files: Files = field(default_factory=dict)
    targets: tuple[str, ...] = ()
    asserts: tuple[str, ...] = ()
    setup: str = ""
    module: str = "solution"


@dataclass(frozen=True)
class Origin:
    """Where a task was read and how, so that it can be read again: the arguments of `tasks.load`."""

    path: str
    task_id: str | None = None
    prompt: str | None = None
    tests: str | None = None
    visible: Literal["all", "first"] = "all"


@dataclass(frozen=True)
class Task:
    """One problem. `prompt` and every file are text from outside: hostile, never rendered as markup or control."""

    id: str
    prompt: str
    files: Files = field(default_factory=dict)
    editable: tuple[str, ...] = ()
    """The files of which a solution consists; the first one is where a single code block goes."""
    visible: Suite | None = None
    """Tests that may guide the search."""
    hidden: Suite | None = None
    """Tests that only grade; they never enter a world that the model's code can reach."""
    answer: str | None = None
    """What a question's answer should be. It only grades."""
    tools: tuple[str, ...] | None = None
    """Tools that are offered for it besides the interpreter and the tests; None: all that there are."""
    origin: Origin | None = field(default=None, compare=False)
    """None for a task that was made by a program."""

    @property
    def is_question(self) -> bool:
        """Whether the solution is a text rather than files."""
        return not self.editable

    @property
    def kind(self) -> Kind:
        return "question" if self.is_question else "coding"


# --- steps -----------------------------------------------------------------------------------------------------------

StepKind = Literal["task", "think", "act", "observe", "reflect", "criticise", "backtrack", "answer", "malformed"]


@dataclass(frozen=True)
class Span:
    """A run of token ids that were either all sampled or all forced: the loss mask of training."""

    ids: tuple[int, ...]
    sampled: bool
    logprobs: tuple[float, ...] = ()
    """Natural-log probabilities of `ids` under the sampling core at temperature 1; empty where they are unknown. Tokens
    that another branch sampled and this one was made to begin with are forced, and keep theirs."""


@dataclass(frozen=True)
class ToolCall:
    name: str
    arguments: Json


@dataclass(frozen=True)
class ToolResult:
    """What a tool said. A failure of the called code is `error`, one word of a closed list, never an exception.

    `error`: "raised" (the code raised or the program exited non-zero), "timeout", "memory", "output" (a cap was hit
    and the call was killed), "killed", "refused" (arguments or permission), "protocol" (the program printed no JSON).
    """

    output: str = ""
    """Text that the call printed, cut to the output limit."""
    value: Any = None
    """The JSON value of a `files` tool; the `repr` of a cell's last expression, None when it has none."""
    error: str | None = None
    detail: str = ""
    """For a person or a model: the exception line, the limit that was hit."""
    truncated: bool = False
    degraded: str = ""
    """Why the new snapshot does not hold everything (threads that were alive, open files that cannot be reopened)."""
    wall_s: float = 0.0
    cpu_s: float = 0.0


@dataclass(frozen=True)
class Step:
    """One labelled piece of a head: what was read or written, with its exact tokens."""

    kind: StepKind
    text: str
    spans: tuple[Span, ...] = ()
    call: ToolCall | None = None
    result: ToolResult | None = None

    @property
    def ids(self) -> tuple[int, ...]:
        return tuple(i for span in self.spans for i in span.ids)

    @property
    def sampled(self) -> bool:
        """Whether the model wrote any of it; else the runtime said it."""
        return any(span.sampled for span in self.spans)


# --- sandboxes -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Limits:
    """Bounds of one call. Seconds, bytes and counts; what exceeds one is killed and reported in `ToolResult.error`."""

    wall_s: float = 10.0
    cpu_s: float = 10.0
    memory: int = 512 * 2**20
    output: int = 256 * 2**10
    processes: int = 64
    disk: int = 64 * 2**20
    inodes: int = 4096


ToolState = Literal["heap", "files"]


@dataclass(frozen=True)
class Tool:
    """A tool's manifest and program. `heap`: its code runs in the interpreter that the snapshot holds. `files`: an
    ordinary program, JSON on stdin and JSON on stdout, run in the snapshot's files."""

    name: str
    description: str
    state: ToolState
    parameters: Json
    """JSON Schema of the arguments."""
    program: bytes
    limits: Limits = Limits()
    host: str = ""
    """The service of the host that prepares a call before the program runs; empty for a tool that needs none."""
    warm: bool = False
    """The program defines `main` and does nothing when it is imported: a world may hold it loaded, and fork it."""


Outcome = Literal["passed", "failed", "error", "timeout", "skipped"]


@dataclass(frozen=True)
class TestResult:
    __test__ = False
    name: str
    outcome: Outcome
    message: str = ""
    """The failing assertion and the last frames, cut to what a small model can use."""


Trust = Literal["strong", "weak"]


@dataclass(frozen=True)
class Report:
    """What a suite said. `error` is set when no test could run (import error, nothing collected, timeout)."""

    tests: tuple[TestResult, ...] = ()
    error: str = ""
    trust: Trust = "weak"
    level: str = ""
    """How well the world was closed: docker+runsc, docker, bwrap+cgroup, bwrap."""
    wall_s: float = 0.0
    cpu_s: float = 0.0

    @property
    def counted(self) -> int:
        return sum(t.outcome != "skipped" for t in self.tests)

    @property
    def passed(self) -> int:
        return sum(t.outcome == "passed" for t in self.tests)

    @property
    def failed(self) -> tuple[TestResult, ...]:
        """Those that ran and did not pass."""
        return tuple(t for t in self.tests if t.outcome not in ("passed", "skipped"))

    @property
    def fraction(self) -> float:
        """Passed of counted, in 0..1; 0 when nothing ran."""
        return self.passed / self.counted if self.counted and not self.error else 0.0

    @property
    def solved(self) -> bool:
        return not self.error and self.counted > 0 and self.passed == self.counted


# --- judging ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Verdict:
    """A score by one source. Scores of different sources are never compared raw."""

    score: float
    source: str
    detail: str = ""
    key: str = ""
    """What tells answers apart, from sources that let nodes vote: equal keys are one answer; empty for no vote."""


Move = Literal["attempt", "continue", "revise", "reflect", "criticise", "follow"]


@dataclass(frozen=True)
class Kept:
    """The beginning of another attempt's code: its first `tokens` tokens."""

    node: NodeId
    tokens: int


@dataclass(frozen=True)
class Expand:
    """An order to grow one head: from which node, how, with what sampling.

    attempt    write a whole solution, for a question all steps up to its answer; hangs from the task's own node as a
               rule, so what failed is forgotten
    continue   one step: for a question a thought with at most one call, run, or the answer; for code an attempt at the
               task's own node, a revision anywhere else
    revise     write the solution again with the failed attempt and its tests in the context
    reflect    after a failed attempt, say in two sentences what failed and why
    criticise  as a critic, say whether the answer is right, and if not what is wrong with it
    follow     go on with an attempt of a core that owns the protocol, which is a node for each thing that it has done:
               after the last of them, or after the one that it went back to, with what was learnt
    """

    node: NodeId
    move: Move
    sampling: Sampling
    think: bool = False
    """Let the core plan in prose before it acts; for a question, speak before it runs another block."""
    terse: bool = False
    """Write code without comments and docstrings: of a small core's code they are half the tokens."""
    lead: bool = False
    """Begin the file with the stub's own lines, up to its first empty body; for a question, begin with code."""
    kept: Kept | None = None
    """Begin as another attempt of the same parent did, and write anew from there on."""
    learnt: NodeId | None = None
    """A node in a dead branch whose lesson, and nothing else of it, is carried along."""


@dataclass(frozen=True)
class Stop:
    """Why a search ended, and how sure it is of its answer (0..1, None when nothing says)."""

    reason: str
    confidence: float | None = None


Status = Literal["solved", "unsolved", "answered", "suspended"]
"""By the hidden tests or the reference answer, else by the visible tests. `answered`: there is an answer to a question,
and nothing that says whether it is right."""


@dataclass(frozen=True)
class Result:
    """What a task came to."""

    task_id: str
    status: Status
    stop: Stop
    node: NodeId | None
    """The answer's node, None when there is no answer at all."""
    files: Files
    """The solution: contents of the editable files."""
    report: Report | None
    """The last word on the solution: its tests, run once more in a fresh world."""
    spent: Json
    """The ledger's totals, discarded branches included."""
    level: str
    """How well the sandbox was closed."""
    core: str
    hidden: Report | None = None
    """What the hidden tests, or a question's reference answer, say of it."""
    answer: str = ""
    """What a question is answered with."""
