"""A chat on the scripted core in the real sandbox, as a program that a test drives through a terminal or a pipe.

Usage: talker.py STORE [--continue ID]. What the core says hangs on the last words alone.
"""

import asyncio
import sys
from contextlib import AsyncExitStack
from pathlib import Path

from rich.console import Console

from reasoner.completions import Sampling
from reasoner.cores.scripted import Reply, ScriptedCore
from reasoner.repl.chat.chat import Chat
from reasoner.repl.chat.commands import COMMANDS
from reasoner.repl.chat.permissions import Permissions
from reasoner.repl.chat.reading import PipeReader, TerminalReader
from reasoner.runtime import Reasoner
from reasoner.sandboxes import open_sandbox
from reasoner.search import Single
from reasoner.toolbox import Toolbox
from reasoner.types import Json, ToolResult

SAYS = {
    "Let x be 5.": "I keep it in a variable.\n```python\nx = 5\nopen('n.txt', 'w').write('five')\n```\n",
    "Add 1 to x.": "```python\nx += 1\nopen('n.txt', 'a').write('+')\nprint(x)\n```\n",
    "What is x?": "I look.\n```python\nprint(x, open('n.txt').read())\n```\n",
    "Be rude.": "[bold red]not markup[/] \x1b[31mred\x1b[0m \x1b]0;title\x07 \u202eright to left",
    "Read it.": '<tool_call>{"name": "fetch", "arguments": {"url": "https://a.org"}}</tool_call>\n',
    "Count.": " ".join(f"number {n}," for n in range(4000)),
}


def says(text: str, sampling: Sampling) -> Reply:
    _, _, rest = text.rpartition("<|user|>")
    if "Write f, which returns 7." in text:
        return Reply("def f():\n    return 7\n```\n")
    asked = rest.partition("<|end|>")[0].rsplit("\n", 1)[-1]
    output = rest.rpartition("```output\n")[2].partition("\n```")[0] if "```output" in rest else ""
    if output:
        return Reply(f"It says {output}.")
    return Reply(SAYS.get(asked, f"You said: {asked}"), seconds=600.0 if asked == "Count." else 1.0)


class SlowCore(ScriptedCore):
    """Waits a moment of real time with each piece of a long text, so that a person can step in."""

    async def stream(self, prefix, sampling):  # type: ignore[no-untyped-def]
        count = 0
        async for piece in super().stream(prefix, sampling):
            count += 1
            if count > 8:
                await asyncio.sleep(0.05)
            yield piece


class Page:
    """In place of the broker: a host that exists, once the person lets it be read."""

    def __init__(self, permissions: Permissions) -> None:
        self._permissions = permissions

    async def __call__(self, arguments: Json) -> Json | ToolResult:
        if not await self._permissions.host("a.org"):
            return ToolResult(error="refused", detail="the host is not allowed")
        return {"url": arguments["url"], "type": "text/plain", "charset": "", "body": "aGVsbG8="}


def main() -> None:
    store = Path(sys.argv[1])
    store.mkdir(parents=True, exist_ok=True)
    live = sys.stdin.isatty() and sys.stdout.isatty()
    reader = TerminalReader(None, list(COMMANDS)) if live else PipeReader(sys.stdin, sys.stdout)
    goes_on = sys.argv[3] if len(sys.argv) > 3 else ""

    async def opening(opened: AsyncExitStack) -> Reasoner:
        sandbox = await open_sandbox("bubblewrap")
        opened.push_async_callback(sandbox.close)
        core = SlowCore(says)
        services = {"fetch": Page(Permissions(store / "hosts", chat.watcher.asked))}
        return Reasoner(core, sandbox, Single(), Toolbox.standard(services=services), clock=core.clock)

    chat = Chat(opening, reader, Console(highlight=False), store, goes_on, live=live)
    asyncio.run(chat.run())


if __name__ == "__main__":
    main()
