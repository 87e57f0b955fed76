"""A world: snapshots of one task's interpreter and files, kept by a guest and, should that lose them, by a journal.

Every snapshot is remembered as the request that made it. When the guest has dropped one, or died, the requests that
lead to it are made again. A call that takes the guest down with it is a result; a guest that cannot be started again is
a `SandboxError`.
"""

import asyncio
import base64
import functools
import hashlib
import json
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import Any

from reasoner.errors import SandboxError
from reasoner.sandboxes.guest import Guest, GuestLost
from reasoner.types import Files, Json, Limits, SnapshotId, Tool, ToolResult

_ROOT: SnapshotId = "s0"
_ERRORS = frozenset({"raised", "timeout", "memory", "output", "killed", "refused", "protocol"})
_GRACE_S = 10.0
"""What a call may overrun its wall time before the host kills the whole world."""
_ATTEMPTS = 3
"""How often a snapshot is made again for one call: code can break its own interpreter so that no call ever begins."""
_FILES_S = 60.0
"""What putting or getting files may take."""

_DRIFT = "its world was lost and made again, and came out differently"


@dataclass(frozen=True, slots=True)
class _Entry:
    """How a snapshot was made: the request, and a digest of what came of it. A long line has many of them: what they
    have in common, limits and programs, is there once."""

    request: Mapping[str, Any]
    outcome: bytes


class GuestWorld:
    """Satisfies `World`. `launch` starts a guest that has been told nothing yet; `settings` is what it is told first;
    `left` is called when the world is closed."""

    root = _ROOT

    def __init__(
        self,
        launch: Callable[[], Awaitable[Guest]],
        settings: Mapping[str, Any],
        files: Files,
        limits: Limits,
        left: Callable[["GuestWorld"], None],
    ) -> None:
        self._launch, self._settings, self._limits, self._left = launch, settings, limits, left
        self._files = _encoded(files)
        self._guest: Guest | None = None
        self._journal: dict[SnapshotId, _Entry] = {}
        self._grown: Counter[SnapshotId] = Counter()
        """How many entries of the journal start from a snapshot."""
        self._held: dict[SnapshotId, int] = {_ROOT: 1}
        """How often each snapshot was handed out and not released."""
        self._drifted: set[SnapshotId] = set()
        """Snapshots that were lost and came out differently when they were made again, and what grew from them."""
        self._made = 0
        self._mending = asyncio.Lock()
        self._closed = False

    async def start(self) -> None:
        """Start the guest and lay out the files. Raises SandboxError."""
        guest = await self._launch()
        try:
            answer = await guest.call({"op": "open", "files": self._files, "settings": self._settings}, _FILES_S)
            _refusal(answer)
        except SandboxError:
            await guest.close()
            raise
        self._guest = guest

    async def put(self, at: SnapshotId, files: Files) -> SnapshotId:
        request = {"op": "put", "at": at, "files": _encoded(files)}
        answer, made = await self._make(at, request, _FILES_S)
        _refusal(answer)
        return self._keep(made, request, answer)

    async def get(self, at: SnapshotId, paths: Sequence[str]) -> Files:
        answer = await self._ask({"op": "get", "at": at, "paths": list(paths)}, _FILES_S)
        found = answer.get("files")
        if not isinstance(found, dict):
            raise SandboxError(f"the sandbox sent no files for snapshot {at}")
        return {path: base64.b64decode(text) for path, text in found.items() if path in paths}

    async def run(self, at: SnapshotId, tool: Tool, arguments: Json, limits: Limits) -> tuple[ToolResult, SnapshotId]:
        request = self._request(at, tool, arguments, limits)
        if isinstance(request, ToolResult):
            return request, self._again(at)
        try:
            answer, made = await self._make(at, request, limits.wall_s + _GRACE_S)
        except GuestLost as lost:
            if self._closed or lost.broken:
                raise
            return ToolResult(error="killed", detail=f"{lost}; the world was started anew"), self._again(at)
        if "refused" in answer:
            return ToolResult(error="refused", detail=str(answer["refused"])), self._again(at)
        result = _result(answer.get("result"), tool)
        if at in self._drifted:
            result = replace(result, degraded="; ".join(filter(None, [result.degraded, _DRIFT])))
        return result, self._keep(made, request, answer) if answer.get("kept") is True else self._again(at)

    async def release(self, snapshot: SnapshotId) -> None:
        count = self._held.get(snapshot, 0) - 1
        if count > 0:
            self._held[snapshot] = count
            return
        self._held.pop(snapshot, None)
        self._let_go(snapshot)
        if self._guest and not self._guest.lost and snapshot != _ROOT:
            await self._guest.call({"op": "release", "snapshots": [snapshot]}, _FILES_S)

    async def forget(self) -> bool:
        """Release every snapshot but the root, and the journal with them. Whether nothing of them is left: no process,
        no file, no socket. Raises SandboxError."""
        self._held, self._journal, self._drifted = {_ROOT: 1}, {}, set()
        self._grown.clear()
        if self._guest is None or self._guest.lost:
            return False
        return (await self._guest.call({"op": "forget"}, _FILES_S)).get("fresh") is True

    async def close(self) -> None:
        self._closed = True
        if self._guest:
            await self._guest.close()
        self._left(self)

    # --- requests ---

    def _request(self, at: SnapshotId, tool: Tool, arguments: Json, limits: Limits) -> dict[str, Any] | ToolResult:
        within = replace(
            limits,
            **{n: min(getattr(limits, n), getattr(self._limits, n)) for n in ("memory", "disk", "inodes", "processes")},
        )
        request = {"op": "run", "at": at, "state": tool.state, "limits": _shared(within)}
        if tool.state == "heap":
            code = arguments.get("code")
            if not isinstance(code, str):
                return ToolResult(error="refused", detail=f"the tool {tool.name} wants its code as text, in `code`")
            return {**request, "code": code}
        program, digest = _program(tool.program)
        given = {"warm": tool.warm, "arguments": json.dumps(dict(arguments))}
        return {**request, "program": program, "digest": digest, **given}

    async def _make(
        self, at: SnapshotId, request: dict[str, Any], deadline_s: float
    ) -> tuple[dict[str, Any], SnapshotId]:
        self._made += 1
        made = f"s{self._made}"
        return await self._ask({**request, "to": made}, deadline_s), made

    async def _ask(self, request: Mapping[str, Any], deadline_s: float) -> dict[str, Any]:
        """Ask the guest, giving back to it what it has lost first. Raises GuestLost when it is lost over this."""
        at = request["at"]
        if at not in self._held:
            raise SandboxError(f"snapshot {at} is not in this world: it was released or never made")
        for _ in range(_ATTEMPTS):
            guest = await self._living()
            answer = await _tell(guest, request, deadline_s)
            if "missing" not in answer:
                return answer
            await self._rebuild(at, guest)
        return {"result": {"error": "killed", "detail": "the interpreter was lost each time that this call began"}}

    async def _living(self) -> Guest:
        async with self._mending:
            if self._closed:
                raise SandboxError("this world is closed")
            if self._guest is None or self._guest.lost:
                await self.start()
            assert self._guest is not None
            return self._guest

    # --- the journal ---

    def _keep(self, made: SnapshotId, request: Mapping[str, Any], answer: Mapping[str, Any]) -> SnapshotId:
        self._journal[made] = _Entry({**request, "to": made}, _outcome(answer))
        self._held[made] = 1
        self._grown[request["at"]] += 1
        if request["at"] in self._drifted:
            self._drifted.add(made)
        return made

    def _let_go(self, snapshot: SnapshotId) -> None:
        """Take from the journal what nobody holds and nothing that is held grew from."""
        while snapshot in self._journal and snapshot not in self._held and not self._grown[snapshot]:
            above = self._journal.pop(snapshot).request["at"]
            self._drifted.discard(snapshot)
            del self._grown[snapshot]
            self._grown[above] -= 1
            snapshot = above

    def _again(self, at: SnapshotId) -> SnapshotId:
        """The call left no trace: its world is the one it started from, handed out once more."""
        self._held[at] += 1
        return at

    async def _rebuild(self, at: SnapshotId, guest: Guest) -> None:
        """Make `at` again from the nearest snapshot that the guest still holds. Raises SandboxError."""
        async with self._mending:
            wanted = [at]
            while wanted:
                entry = self._journal.get(wanted[-1])
                if entry is None:
                    raise SandboxError(f"snapshot {wanted[-1]} is lost and nothing says how it was made")
                wall_s = entry.request.get("limits", {}).get("wall_s", _FILES_S)
                answer = await _tell(guest, entry.request, wall_s + _GRACE_S)
                if "missing" in answer:
                    wanted.append(entry.request["at"])
                    continue
                if answer.get("kept") is False or "refused" in answer:
                    raise SandboxError(
                        f"snapshot {wanted[-1]} was lost and cannot be made again ({answer}): start the task again"
                    )
                if _outcome(answer) != entry.outcome or entry.request["at"] in self._drifted:
                    self._drifted.add(wanted[-1])
                wanted.pop()


async def _tell(guest: Guest, request: Mapping[str, Any], deadline_s: float) -> dict[str, Any]:
    """Ask the guest; a program that it has had already is not sent again."""
    digest = request.get("digest")
    if digest in guest.programs:
        request = {name: value for name, value in request.items() if name != "program"}
    answer = await guest.call(request, deadline_s)
    if digest is not None and "missing" not in answer:
        guest.programs.add(digest)
    return answer


@functools.lru_cache(maxsize=64)
def _shared(limits: Limits) -> Mapping[str, Any]:
    """The limits as JSON carries them; nobody changes them."""
    return dict(vars(limits))


@functools.lru_cache(maxsize=64)
def _program(content: bytes) -> tuple[str, str]:
    """A program as JSON carries it, and what names it. Kept: the journal holds it once, however often it is called."""
    return base64.b64encode(content).decode(), hashlib.sha256(content).hexdigest()


def _encoded(files: Files) -> dict[str, str]:
    """Files as JSON carries them.

    Raises:
        SandboxError: a path is not a plain relative one.
    """
    for path in files:
        parts = PurePosixPath(path).parts
        if not parts or path.startswith("/") or ".." in parts or "\0" in path or "/".join(parts) != path:
            raise SandboxError(f"{path!r} cannot be put into a world: use a plain path relative to the workspace")
    return {path: base64.b64encode(content).decode() for path, content in files.items()}


def _outcome(answer: Mapping[str, Any]) -> bytes:
    """What two runs of one request must have in common: files, output, value, error."""
    result = answer.get("result") or {}
    seen = [answer.get("fingerprint"), *(result.get(name) for name in ("output", "value", "error"))]
    return hashlib.blake2b(json.dumps(seen).encode(), digest_size=16).digest()


def _refusal(answer: Mapping[str, Any]) -> None:
    if "refused" in answer:
        raise SandboxError(f"the files do not fit into the world: {answer['refused']}")


def _result(said: Any, tool: Tool) -> ToolResult:
    """The guest's words as a record; what has not its form is an error of the call."""
    if not isinstance(said, dict):
        return ToolResult(error="killed", detail="the sandbox sent no result")
    error, value = said.get("error"), said.get("value")
    result = ToolResult(
        output=str(said.get("output", "")),
        value=value if tool.state == "heap" else None,
        error=None if error is None else str(error) if error in _ERRORS else "killed",
        detail=str(said.get("detail", "")),
        truncated=said.get("truncated") is True,
        degraded=str(said.get("degraded", "")),
        wall_s=_seconds(said.get("wall_s")),
        cpu_s=_seconds(said.get("cpu_s")),
    )
    return result if tool.state == "heap" or result.error else _with_value(result, value, tool)


def _with_value(result: ToolResult, text: Any, tool: Tool) -> ToolResult:
    try:
        return replace(result, value=json.loads(text))
    except (TypeError, ValueError, RecursionError):
        return replace(result, error="protocol", detail=f"the tool {tool.name} printed no JSON value on its stdout")


def _seconds(value: Any) -> float:
    return float(value) if isinstance(value, (int, float)) else 0.0
