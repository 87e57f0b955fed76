"""The seams of the runtime, all on one page. Whatever satisfies one of these can take the place of ours.

A core is a function of a token prefix, a world is a function of a snapshot; neither changes what it was given. A
strategy and a stopping policy are pure functions of a tree and a ledger: they never see a core or a sandbox, so any of
them can be replayed over a recorded tree.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from reasoner.completions import Completion, CoreInfo, Piece, Sampling, Scored, Usage, Valued
from reasoner.dialect.tokenizer import Tokenizer
from reasoner.ledger import Cost, Ledger
from reasoner.tree import Node, Tree
from reasoner.types import (
    Expand,
    Files,
    Json,
    Limits,
    NodeId,
    Report,
    SnapshotId,
    Stop,
    Suite,
    Task,
    Tool,
    ToolCall,
    ToolResult,
    Verdict,
)


class Core(Protocol):
    """A language model: a function of a token prefix. Raises `CoreError`; the next call works again."""

    @property
    def info(self) -> CoreInfo: ...

    @property
    def tokenizer(self) -> Tokenizer: ...

    def stream(self, prefix: Sequence[int], sampling: Sampling) -> AsyncGenerator[Piece, None]:
        """Sample a continuation of `prefix`, piece by piece; the last piece carries the whole `Completion`.

        Closing the iterator (`aclose`, or cancelling its task) frees the row before the next token is computed.
        """
        ...

    async def complete(self, prefix: Sequence[int], sampling: Sampling) -> Completion:
        """Sample a continuation of `prefix`."""
        ...

    async def score(self, prefix: Sequence[int], continuation: Sequence[int]) -> Scored:
        """Log-probability of each token of `continuation` after `prefix` and the tokens before it."""
        ...

    async def value(self, prefix: Sequence[int], head: str) -> Valued:
        """A named reward head on the hidden state of the last position of `prefix`."""
        ...

    async def close(self) -> None: ...


class World(Protocol):
    """One task's interpreter and files: a function of a snapshot. Raises `SandboxError` when it is lost."""

    @property
    def root(self) -> SnapshotId: ...

    async def put(self, at: SnapshotId, files: Files) -> SnapshotId:
        """A new snapshot that is `at` with `files` written."""
        ...

    async def get(self, at: SnapshotId, paths: Sequence[str]) -> Files:
        """Contents of those of `paths` that are regular files at `at`, as bytes that are never executed here."""
        ...

    async def run(self, at: SnapshotId, tool: Tool, arguments: Json, limits: Limits) -> tuple[ToolResult, SnapshotId]:
        """Call a tool; `at` stays as it was. Whatever the called code does is a `ToolResult`."""
        ...

    async def release(self, snapshot: SnapshotId) -> None:
        """Say that `snapshot` will not be asked for again."""
        ...

    async def close(self) -> None: ...


class Sandbox(Protocol):
    """Where worlds come from."""

    @property
    def level(self) -> str:
        """How well its worlds are closed: docker+runsc, docker, bwrap+cgroup, bwrap."""
        ...

    async def open(self, files: Files, limits: Limits) -> World: ...

    async def grade(self, candidate: Files, suite: Suite, limits: Limits) -> Report:
        """Run a suite on a candidate in a fresh world that nothing else ever sees."""
        ...

    async def close(self) -> None: ...


class Tools(Protocol):
    """What can be called by name; `toolbox.Toolbox` is it."""

    async def call(
        self, world: World, at: SnapshotId, call: ToolCall, limits: Limits | None = None
    ) -> tuple[ToolResult, SnapshotId]:
        """Run a call at a snapshot, within `limits` or else the tool's own. A refused call leaves the snapshot."""
        ...


@dataclass(frozen=True)
class Scene:
    """What a verifier may use besides the node: it charges what it spends to `ledger`, what its core computed by
    `charge`, and its worlds grow from the node's own snapshot or come from `sandbox`."""

    task: Task
    tree: Tree
    core: Core
    world: World
    sandbox: Sandbox
    tools: Tools
    limits: Limits
    ledger: Ledger

    def charge(self, usage: Usage) -> None:
        """What the core computed for a verifier is the verifier's, also where a head would have had to read it later:
        that head finds it cached."""
        self.ledger.charge(Cost(cached=usage.cached, verifier=usage.prefilled + usage.decoded))


class Verifier(Protocol):
    async def judge(self, scene: Scene, node: Node) -> Verdict | None:
        """Score a node that is about to be added (its parent is in the tree, it is not), or None when this source has
        nothing to say about it."""
        ...


class Strategy(Protocol):
    """Which heads to grow. Pure: equal trees and ledgers give equal answers."""

    def select(self, tree: Tree, ledger: Ledger, free: int) -> list[Expand]:
        """At most `free` heads to open now. Nothing, while nothing is in flight, ends the search as exhausted."""
        ...

    def answer(self, tree: Tree) -> NodeId | None:
        """The node that the search would answer with now."""
        ...


Permit = Callable[[str], Awaitable[bool]]
"""Whether the person lets a page of this host be read, asked when a tool wants it."""


class StopPolicy(Protocol):
    """When to stop. Pure."""

    def decide(self, tree: Tree, ledger: Ledger) -> Stop | None: ...
