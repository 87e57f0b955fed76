"""A real server on loopback that answers what a test tells it, and a tokenizer directory small enough to read."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import tokenizers

from reasoner.cores.remote import RemoteCore, Retry
from reasoner.cores.remote.wire import Wire

EAGER = Retry(attempts=3, first_s=0.01, most_s=0.02)


@dataclass(frozen=True)
class Answer:
    """One response. `parts` are sent one by one; `then` says how it ends: whole, cut off, or never."""

    parts: tuple[bytes, ...] = ()
    status: int = 200
    headers: tuple[str, ...] = ()
    then: str = "end"


@dataclass(frozen=True)
class Asked:
    method: str
    path: str
    headers: dict[str, str]
    body: Any


def says(value: Any, status: int = 200, *headers: str) -> Answer:
    return Answer((json.dumps(value).encode(),), status, headers)


def events(*values: Any, done: bool = True, then: str = "end") -> Answer:
    parts = [f"data: {json.dumps(value)}\n\n".encode() for value in values]
    return Answer((*parts, b"data: [DONE]\n\n") if done else tuple(parts), then=then)


@dataclass
class Server:
    """Answers of a path are served in order, the last one again and again; an unknown path is a 404."""

    answers: dict[str, list[Answer]] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)
    url: str = ""
    dropped: asyncio.Event = field(default_factory=asyncio.Event)
    """A client went away while it was being answered."""
    stalling: asyncio.Event = field(default_factory=asyncio.Event)
    """A client waits for more than there is."""

    def on(self, path: str, *answers: Answer) -> None:
        self.answers[path] = list(answers)

    def bodies(self, path: str) -> list[Any]:
        return [a.body for a in self.asked if a.path == path]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := await reader.readline():
                method, path, _ = line.decode().split()
                headers = {}
                while (header := (await reader.readline()).decode().strip()) != "":
                    name, _, value = header.partition(":")
                    headers[name.lower()] = value.strip()
                body = await reader.readexactly(int(headers.get("content-length", "0")))
                self.asked.append(Asked(method, path, headers, json.loads(body) if body else None))
                left = self.answers.get(path, [says({"error": "no such path"}, 404)])
                if not await self._answer(left.pop(0) if len(left) > 1 else left[0], reader, writer):
                    return
        except ConnectionError:
            self.dropped.set()
        finally:
            writer.close()

    async def _answer(self, answer: Answer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        if answer.then == "slam":
            return False
        head = [f"HTTP/1.1 {answer.status} X", "Transfer-Encoding: chunked", *answer.headers]
        writer.write("\r\n".join([*head, "", ""]).encode() if answer.then != "never" else b"")
        for part in answer.parts:
            writer.write(f"{len(part):x}\r\n".encode() + part + b"\r\n")
            await writer.drain()
            await asyncio.sleep(0)
        if answer.then in ("never", "stall"):
            self.stalling.set()
            assert await reader.read() == b""
            self.dropped.set()
            return False
        if answer.then == "cut":
            return False
        writer.write(b"0\r\n\r\n")
        return True


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    told = Server()
    listening = await asyncio.start_server(told.serve, "127.0.0.1", 0)
    told.url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    yield told
    listening.close()


@pytest.fixture
async def wire(server: Server) -> AsyncIterator[Wire]:
    made = Wire(server.url, "sk-secret", 5.0, EAGER)
    yield made
    await made.close()


@pytest.fixture(scope="session")
def bytes_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A byte-level vocabulary without merges: every byte is one token, every character beyond ASCII several."""
    folder = tmp_path_factory.mktemp("bytes")
    alphabet = sorted(tokenizers.pre_tokenizers.ByteLevel.alphabet())
    made = tokenizers.Tokenizer(tokenizers.models.BPE({char: at for at, char in enumerate(alphabet)}, []))
    made.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = tokenizers.decoders.ByteLevel()
    made.add_special_tokens(["<|im_end|>"])
    made.save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text(json.dumps({"eos_token": "<|im_end|>"}))
    return folder


def listing(owner: str, **facts: Any) -> Answer:
    return says({"data": [{"id": "small", "owned_by": owner, "max_model_len": 64, **facts}]})


Connect = Callable[..., Any]


@pytest.fixture
async def connect(server: Server) -> AsyncIterator[Connect]:
    """`RemoteCore.connect` to that server, closed at the end."""
    made: list[RemoteCore] = []

    async def open_core(**how: Any) -> RemoteCore:
        core = await RemoteCore.connect(server.url, **{"timeout_s": 5.0, "retry": EAGER, **how})
        made.append(core)
        return core

    yield open_core
    for core in made:
        await core.close()
