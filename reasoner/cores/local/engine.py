"""The engine: one thread that advances everything in flight together, one token a step.

A step drops what was cancelled, admits what fits, runs one forward pass over a token of every decoding row and a chunk
of those being prefilled, samples, and retires what is done. The tree of prefixes lives on this thread alone; callers
reach it through `submit` and hear from it through `Job.send`.
"""

import queue
import threading
from collections import deque

import numpy as np
import torch

from reasoner.completions import Scored
from reasoner.cores.local.cache import Node, RadixCache, shared_length
from reasoner.cores.local.network import Network
from reasoner.cores.local.plan import plan
from reasoner.cores.local.rows import Hidden, Job, Row, check, room
from reasoner.cores.local.sampling import Draw, Sampler, Samplers
from reasoner.dialect.tokenizer import Tokenizer
from reasoner.errors import CoreError


class Engine:
    """Runs until `close`.

    Raises:
        CoreError: the KV budget holds no token at all.
    """

    def __init__(
        self, network: Network, tokenizer: Tokenizer, *, kv_bytes: int, max_rows: int, threads: int | None = None
    ) -> None:
        slots = kv_bytes // network.bytes_per_token
        if slots < 2:
            raise CoreError(
                f"a KV budget of {kv_bytes} bytes holds {slots} tokens of {network.bytes_per_token}: raise kv_bytes"
            )
        network.allocate(slots)
        self.cache = RadixCache(slots)
        self._network = network
        self._tokenizer = tokenizer
        self._vocabulary = min(network.vocabulary, tokenizer.vocabulary)
        """Ids beyond it belong to no token: they are neither read nor sampled."""
        self._samplers = Samplers(self._vocabulary, threads)
        self._max_rows = max_rows
        self._rows: list[Row] = []
        self._waiting: deque[Job] = deque()
        self._inbox: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._door = threading.Lock()
        """Held while a job goes in or the engine closes: none goes in behind the last look."""
        self._closed = False
        self._thread = threading.Thread(target=self._run, args=(threads,), name="reasoner-core", daemon=True)
        self._thread.start()

    def submit(self, job: Job) -> None:
        """Hand in a job. Raises `CoreError` at once for one that cannot be computed."""
        check(job, self._network.context, self._vocabulary, self.cache.capacity)
        with self._door:
            if self._closed:
                raise CoreError("the core is closed: open it again")
            self._inbox.put(job)

    def close(self) -> None:
        """Stop; what is in flight ends with a `CoreError`."""
        self._inbox.put(None)
        self._thread.join()

    # --- the engine's thread ---

    def _run(self, threads: int | None) -> None:
        if threads:
            torch.set_num_threads(threads)
        try:
            with torch.inference_mode():
                while self._receive():
                    self._step()
        finally:
            with self._door:
                self._closed = True
            self._samplers.close()
            self._fail_all(CoreError("the engine has stopped: open the core again"))

    def _receive(self) -> bool:
        """Take what was handed in; wait for it when nothing is in flight. False when the core is to close."""
        while True:
            try:
                job = self._inbox.get(block=not self._rows and not self._waiting)
            except queue.Empty:
                return True
            if job is None:
                return False
            self._waiting.append(job)

    def _step(self) -> None:
        self._drop_cancelled()
        self._admit()
        decoding, chunks = self._schedule()
        if decoding or chunks:
            try:
                self._forward(decoding, chunks)
            except (RuntimeError, MemoryError) as error:
                self._fail([row for row, _ in chunks] + decoding, f"a forward pass failed ({error}): lower max_rows")
        self._sample()

    def _drop_cancelled(self) -> None:
        self._waiting = deque(job for job in self._waiting if not job.cancelled)
        for row in [r for r in self._rows if r.job.cancelled]:
            self._retire(row)

    # --- admission ---

    def _admit(self) -> None:
        held: deque[Job] = deque()
        while self._waiting and len(self._rows) < self._max_rows:
            job = self._waiting.popleft()
            row = job.row or Row(job, room(job, self._network.context), self.cache.root, self._tokenizer)
            job.row = row
            if self._about_to_be_known(row):
                held.append(job)
            elif not self._place(row):
                held.append(job)
                break
        self._waiting = held + self._waiting

    def _about_to_be_known(self, row: Row) -> bool:
        """Whether a row in flight is computing more of this prefix than the tree has: then waiting prefills less."""
        ahead = [r for r in self._rows if r.pending and not r.sampled]
        if not ahead:
            return False
        wanted = row.tokens[: row.keep_from + 1]
        known = self._known(row)[1]
        return any(shared_length(wanted, r.tokens) > max(known, r.computed) for r in ahead)

    def _known(self, row: Row) -> tuple[Node, int]:
        """The deepest node that a row can start from, and its tokens: what it needs hidden states of is computed."""
        node = self.cache.match(row.tokens)
        count = sum(len(n.tokens) for n in node.path())
        reusable = count == row.length and node.end is not None and row.job.kind != "score"
        if count <= row.keep_from or reusable:
            return node, count
        return self.cache.match(row.tokens[: row.keep_from]), row.keep_from

    def _place(self, row: Row) -> bool:
        """Give a row its place in the tree; False when the slots that it needs are not to be had."""
        node, count = self._known(row)
        self.cache.lock(node)
        spare = _HEADROOM * len(self._rows)
        if row.length - count + spare > self.cache.available:
            self.cache.unlock(node)
            return False
        row.node, row.inserted, row.computed = node, count, count
        if count:
            row.slots[:count] = np.concatenate([n.slots for n in node.path()])
        row.hidden = node.end if count == row.length else None
        row.found(count)
        self._rows.append(row)
        return True

    # --- one forward pass ---

    def _schedule(self) -> tuple[list[Row], list[tuple[Row, int]]]:
        """Rows that decode and rows that prefill, with how many tokens each; every one of them has its slots."""
        decoding = [r for r in self._rows if r.pending == 1]
        left = _CHUNK_BESIDE if decoding else _CHUNK
        chunks: list[tuple[Row, int]] = []
        for row in [r for r in self._rows if r.pending > 1]:
            count = min(row.pending, left)
            if count and self._reserve(row, count):
                chunks.append((row, count))
                left -= count
        spare = 0 if chunks or not decoding else self._network.nearly_free // len(decoding) - 1
        for row in decoding:
            if row in self._rows:
                self._reserve(row, 1 + row.guess(min(spare, self.cache.available - len(decoding))))
        chunks += [(row, 1 + row.guessed) for row in decoding if row.guessed]
        plain = [row for row in decoding if row in self._rows and not row.guessed]
        return plain, [(row, count) for row, count in chunks if row in self._rows]

    def _reserve(self, row: Row, count: int) -> bool:
        """Slots for `count` more tokens of a row; younger rows give theirs up before it does."""
        while (slots := self.cache.allocate(count)) is None:
            youngest = self._rows[-1]
            self._preempt(youngest)
            if youngest is row:
                return False
        row.slots[row.computed : row.computed + count] = slots
        row.reserved = count
        return True

    def _preempt(self, row: Row) -> None:
        self._retire(row)
        row.node, row.inserted, row.computed, row.hidden = self.cache.root, 0, 0, None
        row.guessed = 0
        row.scores.clear()
        self._waiting.appendleft(row.job)

    def _forward(self, decoding: list[Row], chunks: list[tuple[Row, int]]) -> None:
        network = self._network
        hidden = network.forward(plan(decoding, chunks, network.device, network.shares))
        at = 0
        for row, count in [(r, 1) for r in decoding] + chunks:
            kept = max(0, row.computed + count - max(row.keep_from, row.computed))
            row.advance(count)
            row.reserved = 0
            self._keep(row, hidden[at : at + kept])
            at += kept

    def _keep(self, row: Row, hidden: torch.Tensor) -> None:
        """Take over what a row asked for of its newly computed tokens, and let the tree know its prompt."""
        if row.job.kind == "score":
            self._score(row, hidden)
        elif row.pending <= 0:
            row.hidden = hidden[-1 - row.guessed :]
        if row.sampled == 0:
            self._insert(row)
            if row.pending == 0 and self._network.keeps_hidden and row.hidden is not None:
                row.node.end = row.hidden.clone()

    def _insert(self, row: Row) -> None:
        """Hang a row's computed tokens into the tree and stand on them."""
        below = slice(row.inserted, row.computed)
        if row.inserted == row.computed:
            return
        node = self.cache.insert(row.node, row.tokens[below], row.slots[below])
        self.cache.lock(node)
        self.cache.unlock(row.node)
        row.node, row.inserted = node, row.computed
        row.slots[: row.computed] = np.concatenate([n.slots for n in node.path()])

    def _score(self, row: Row, hidden: torch.Tensor) -> None:
        targets = row.tokens[row.keep_from + 1 + len(row.scores) :][: len(hidden)]
        for at in range(0, len(targets), _SCORED):
            some = torch.from_numpy(targets[at : at + _SCORED].astype(np.int64)).to(hidden.device)
            logits = self._logits(hidden[at : at + _SCORED][: len(some)])
            chosen = logits.float().log_softmax(dim=-1).gather(1, some[:, None])[:, 0]
            row.scores.extend(chosen.tolist())

    # --- sampling and retirement ---

    def _logits(self, hidden: torch.Tensor) -> torch.Tensor:
        return self._network.logits(hidden)[:, : self._vocabulary]

    def _sample(self) -> None:
        for row in [r for r in self._rows if r.job.kind in ("score", "hidden") and r.pending == 0]:
            self._answer(row)
        ready = [r for r in self._rows if r.hidden is not None]
        if not ready:
            return
        logits = self._logits(torch.cat([r.hidden for r in ready if r.hidden is not None]))
        lines = torch.split(logits, [1 + row.guessed for row in ready])
        drawn = self._samplers.each(_drawn, list(zip(ready, lines, strict=True)))
        for row, tokens in zip(ready, drawn, strict=True):
            self._write(row, tokens)

    def _write(self, row: Row, tokens: list[Draw | None]) -> None:
        over = False
        for token in tokens:
            if token is None:
                self._fail([row], f"the logits after {row.length} tokens are not finite: the weights are damaged")
                return
            over = row.accept(token.id, token.logprob)
            if over:
                break
        known = row.length - 1
        self.cache.free(row.slots[known : row.computed])
        row.computed = min(row.computed, known)
        if over:
            self._retire(row)

    def _answer(self, row: Row) -> None:
        if row.job.kind == "hidden" and row.hidden is not None:
            row.job.send(Hidden(row.hidden[-1].float().cpu(), row.usage))
        elif not all(np.isfinite(row.scores)):
            self._fail(
                [row], f"the log-probabilities of {len(row.scores)} tokens are not finite: the weights are damaged"
            )
            return
        else:
            row.job.send(Scored(tuple(row.scores), row.usage))
        self._retire(row)

    def _retire(self, row: Row) -> None:
        """Free the row; what it computed stays in the tree for whoever comes back to it."""
        self._insert(row)
        self._release(row)

    def _release(self, row: Row) -> None:
        kept = slice(row.inserted, row.computed + row.reserved)
        self.cache.free(row.slots[kept])
        self.cache.unlock(row.node)
        row.reserved = 0
        self._rows.remove(row)

    def _fail(self, rows: list[Row], message: str) -> None:
        """End rows with an error. Nothing that they hold goes into the tree."""
        for row in rows:
            self._release(row)
            row.job.send(CoreError(message))

    def _fail_all(self, error: CoreError) -> None:
        jobs = [row.job for row in self._rows] + list(self._waiting)
        while not self._inbox.empty():
            job = self._inbox.get()
            jobs += [job] if job else []
        for job in jobs:
            job.send(error)


def _drawn(sampler: Sampler, asked: tuple[Row, torch.Tensor]) -> list[Draw | None]:
    """Tokens from a row's logits one after the other, as long as its guesses come true."""
    row, logits = asked
    guesses, found = row.take_guesses(), list[Draw | None]()
    for place, line in enumerate(logits):
        token = sampler.draw(line, row.job.sampling, row.uniform(), first=row.sampled == 0)
        found.append(token)
        if token is None or token.id not in guesses[place : place + 1]:
            break
    return found


_CHUNK = 512
"""Tokens prefilled in one step while nothing decodes,"""
_CHUNK_BESIDE = 128
"""and while something does: a long prompt slows the others by so much and no more."""
_HEADROOM = 32
"""Free slots for each row in flight without which no further row is admitted: it would soon be sent back."""
_SCORED = 32
"""Positions scored at a time: each is a row of logits as wide as the vocabulary."""
