"""Mathematical answers, compared by math-verify in a process that is killed when it takes too long.

The process reads hostile text: what it may do and what not stands in `maths_worker`. Without the package (the extra
`maths`) there is no such comparison.
"""

import asyncio
import contextlib
import importlib.util
import json
import select
import subprocess
import sys
import threading
import weakref
from pathlib import Path
from typing import IO, Any

_START_S = 30.0
_ANSWER_S = 3.0
_LONGEST = 300


class Maths:
    """One process for all answers, started when it is first needed, and anew after one that it could not end."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._one = threading.Lock()
        self._known: dict[tuple[str, ...], Any] = {}

    @classmethod
    def here(cls) -> "Maths | None":
        """None where the package is not installed."""
        return cls() if importlib.util.find_spec("math_verify") else None

    async def form(self, answer: str) -> str | None:
        """One spelling for all answers that are the same mathematics; None for what is none, or takes too long."""
        said = await asyncio.to_thread(self._ask, {"answer": answer})
        form = said.get("form")
        return form if isinstance(form, str) else None

    async def same(self, answer: str, reference: str) -> bool:
        """Whether an answer is as good as the reference."""
        return (await asyncio.to_thread(self._ask, {"answer": answer, "reference": reference})).get("same") is True

    def close(self) -> None:
        with self._one:
            self._end()

    def _ask(self, asked: dict[str, str]) -> dict[str, Any]:
        key = tuple(asked.values())
        with self._one:
            if key not in self._known:
                self._known[key] = {} if any(len(text) > _LONGEST for text in key) else self._answer(asked)
            return dict(self._known[key])

    def _answer(self, asked: dict[str, str]) -> dict[str, Any]:
        process = self._process or self._start()
        if process is None or process.stdin is None or process.stdout is None:
            return {}
        try:
            process.stdin.write(json.dumps(asked).encode() + b"\n")
            process.stdin.flush()
            said = json.loads(_line(process.stdout, _ANSWER_S))
        except (OSError, ValueError):
            self._end()
            return {}
        return said if isinstance(said, dict) else {}

    def _start(self) -> subprocess.Popen[bytes] | None:
        worker = Path(__file__).with_name("maths_worker.py")
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(
            [sys.executable, "-I", str(worker)], stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, env={}
        )
        weakref.finalize(self, _kill, self._process)
        assert self._process.stdout is not None
        if _line(self._process.stdout, _START_S) != b"ready":
            self._end()
        return self._process

    def _end(self) -> None:
        if self._process:
            _kill(self._process)
        self._process = None


def _line(stream: IO[bytes], seconds: float) -> bytes:
    """The next line, empty when there is none in time. The worker writes whole lines."""
    ready, _, _ = select.select([stream], [], [], seconds)
    return stream.readline().strip() if ready else b""


def _kill(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    for stream in (process.stdin, process.stdout):
        if stream:
            with contextlib.suppress(OSError):
                stream.close()
    process.wait()
