"""Which server answers at a URL, and what it can do: asked once, by asking for the things themselves.

Whose server it is stands in its list of models (`owned_by`). Whether token ids go in and come out, and whether a text
can be scored, is tried with a few tokens; that the tokenizer is the server's own is checked on a line of text.
"""

from collections.abc import Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass
from difflib import get_close_matches
from hashlib import blake2b
from typing import Any

from reasoner.completions import CoreInfo, Sampling
from reasoner.cores.remote import reading
from reasoner.cores.remote.chat import BYTES_A_TOKEN, ChatServer
from reasoner.cores.remote.exchange import Server
from reasoner.cores.remote.llamacpp import LlamaCppServer
from reasoner.cores.remote.sglang import SglangServer
from reasoner.cores.remote.vllm import VllmServer
from reasoner.cores.remote.wire import Wire
from reasoner.dialect.tokenizer import Tokenizer
from reasoner.errors import CoreError

LINE = "def area(r):\n    return 3.14159 * r ** 2  # don't café ☃ 2026\n"
LIST_S = 30.0
"""Seconds in which a server that works lists its models."""
UNTOLD_CONTEXT = 8192
"""Tokens, where a server does not say."""
ROWS = {"vllm": 64, "sglang": 64}
"""Completions side by side, where a server does not say: these two take hundreds."""


@dataclass(frozen=True)
class Card:
    """What the server's list says of a model."""

    model: str
    owner: str
    context: int
    told: str
    """Everything else that does not change from one question to the next: it tells two models apart."""


async def discover(wire: Wire, model: str, tokenizer: Tokenizer | None) -> tuple[Server, CoreInfo]:
    """The way to speak to this server, and what it can do so.

    Raises:
        CoreError: it cannot be reached, does not serve the model, or runs a model with another tokenizer.
    """
    card = await _card(wire, model)
    server = await _exact(wire, card, tokenizer) if tokenizer else None
    rows = await _rows(wire, server.kind if server else card.owner)
    if server is None:
        chat = ChatServer(card.model, card.owner)
        return chat, _info(chat, card, context=card.context * BYTES_A_TOKEN, token_ids=False, rows=rows)
    return server, _info(server, card, context=card.context, can_score=await _can_score(wire, server), rows=rows)


async def still(wire: Wire, server: Server, model: str, digest: str) -> None:
    """Raises `CoreError` where the server does not answer, or no longer serves what it did."""
    now = _digest(server, await _card(wire, model))
    if now != digest:
        raise CoreError(
            f"{wire.name} serves another {wire.shown(model)} than before: start the same model, or begin anew"
        )


def _info(server: Server, card: Card, **facts: Any) -> CoreInfo:
    return CoreInfo(name=f"{server.kind}:{card.model}", digest=_digest(server, card), **facts)


def _digest(server: Server, card: Card) -> str:
    return blake2b(f"{server.kind}\0{card.model}\0{card.told}".encode(), digest_size=16).hexdigest()


async def _card(wire: Wire, model: str) -> Card:
    listed = await wire.ask("GET", "/v1/models", within_s=LIST_S)
    entries = [reading.record(entry) for entry in reading.rows(reading.pick(listed, "data"))]
    names = [reading.text(entry.get("id")) for entry in entries]
    entry = next((e for e in entries if model in (e.get("id"), *reading.rows(e.get("aliases")))), None)
    if entry is None and not model and entries:
        entry = entries[0]
    if entry is None:
        near = (get_close_matches(model, names, 1) or names[:1] or ["none at all"])[0]
        raise CoreError(f"{wire.name} does not serve the model {model!r}: it serves {wire.shown(near)}")
    meta = reading.record(entry.get("meta"))
    context = reading.count(entry.get("max_model_len")) or reading.count(meta.get("n_ctx")) or UNTOLD_CONTEXT
    told = {key: entry.get(key) for key in ("root", "parent", "meta", "max_model_len")}
    return Card(str(entry["id"]), reading.text(entry.get("owned_by")).lower(), context, repr(told))


async def _rows(wire: Wire, kind: str) -> int:
    """How many completions it computes side by side, as far as it tells."""
    told = 0
    if kind == "llamacpp":
        with suppress(CoreError):
            properties = reading.record(await wire.ask("GET", "/props", within_s=LIST_S))
            told = reading.count(properties.get("total_slots")) or 0
    return told or ROWS.get(kind, CoreInfo.rows)


async def _exact(wire: Wire, card: Card, tokenizer: Tokenizer) -> Server | None:
    """A server that was seen to take and to return token ids, None when this one does not."""
    own: dict[str, Server] = {"llamacpp": LlamaCppServer(tokenizer), "sglang": SglangServer()}
    server = own.get(card.owner) or VllmServer(card.model)
    if card.owner in ("vllm", *own):
        await _check_tokenizer(wire, server, tokenizer)
        await _first_ids(wire, server, tokenizer)
        return server
    try:
        await _first_ids(wire, server, tokenizer)
    except CoreError:
        return None
    return server


async def _check_tokenizer(wire: Wire, server: Server, tokenizer: Tokenizer) -> None:
    path, body = server.tokenizing(LINE)
    try:
        theirs = list(reading.ids(reading.pick(await wire.ask("POST", path, body), "tokens")))
    except CoreError:
        return  # an older server, or a proxy that hides this path
    ours = tokenizer.encode(LINE)
    if theirs != ours:
        raise CoreError(
            f"{wire.name} turns a line of text into the ids {_few(theirs)}, the given tokenizer into {_few(ours)}: "
            "give the directory of the model that the server runs"
        )


async def _first_ids(wire: Wire, server: Server, tokenizer: Tokenizer) -> None:
    exchange = server.exchange(tokenizer.encode(LINE), Sampling(max_tokens=1))
    async with aclosing(wire.events(exchange.path, exchange.body)) as events:
        async for event in events:
            if exchange.read(event).ids:
                return
    raise CoreError(f"{wire.name} returns no token ids: use it without a tokenizer, by chat, or a newer version of it")


async def _can_score(wire: Wire, server: Server) -> bool:
    ids = [5, 6, 7]
    asked = server.scoring(ids)
    if asked is None:
        return False
    try:
        server.scores(await wire.ask("POST", *asked), ids, 1)
    except CoreError:
        return False
    return True


def _few(ids: Sequence[int]) -> str:
    return f"{' '.join(map(str, ids[:6]))} …"
