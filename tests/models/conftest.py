"""Tiny GGUF files written by hand, a hub on the loopback interface that can be made to misbehave, and real models."""

import hashlib
import struct
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tokenizers.pre_tokenizers import ByteLevel

from reasoner.models.registry import Entry, parse

HIDDEN, HEADS, KV_HEADS, ALIGN = 64, 4, 2, 32
CONTROLS = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|fim_prefix|>"]
F32, F16, Q4_0, Q8_0 = 0, 1, 2, 8


@dataclass
class Made:
    """The content of a GGUF file: metadata, and tensors as (ggml type, shape, raw bytes)."""

    metadata: dict[str, Any]
    tensors: dict[str, tuple[int, tuple[int, ...], bytes]] = field(default_factory=dict)

    def add(self, name: str, values: np.ndarray, kind: int = F32) -> None:
        raw = {F32: lambda v: v.astype("<f4").tobytes(), Q8_0: _q8_0, Q4_0: _q4_0}[kind](values)
        self.tensors[name] = (kind, values.shape, raw)

    def write(self, path: Path) -> Path:
        head = b"GGUF" + struct.pack("<IQQ", 3, len(self.tensors), len(self.metadata))
        head += b"".join(_string(key) + _value(value) for key, value in self.metadata.items())
        data = b""
        for name, (kind, shape, raw) in self.tensors.items():
            dims = struct.pack(f"<{len(shape)}Q", *reversed(shape))
            head += _string(name) + struct.pack("<I", len(shape)) + dims + struct.pack("<IQ", kind, len(data))
            data += raw + b"\0" * (-len(raw) % ALIGN)
        path.write_bytes(head + b"\0" * (-len(head) % ALIGN) + data)
        return path


def _string(text: str) -> bytes:
    return struct.pack("<Q", len(text.encode())) + text.encode()


def _value(value: Any) -> bytes:
    if isinstance(value, bool):
        return struct.pack("<I?", 7, value)
    if isinstance(value, int):
        return struct.pack("<II", 4, value)
    if isinstance(value, float):
        return struct.pack("<If", 6, value)
    if isinstance(value, str):
        return struct.pack("<I", 8) + _string(value)
    if isinstance(value[0], str):
        return struct.pack("<IIQ", 9, 8, len(value)) + b"".join(_string(item) for item in value)
    return struct.pack("<IIQ", 9, 5, len(value)) + struct.pack(f"<{len(value)}i", *value)


def _q8_0(values: np.ndarray) -> bytes:
    blocks = values.reshape(-1, 32)
    scale = (np.abs(blocks).max(axis=1, keepdims=True) / 127).astype("<f2")
    whole = np.round(blocks / scale.astype(np.float32)).clip(-127, 127).astype(np.int8)
    return np.concatenate((scale.view(np.uint8), whole.view(np.uint8)), axis=1).tobytes()


def _q4_0(values: np.ndarray) -> bytes:
    blocks = values.reshape(-1, 32)
    scale = (np.abs(blocks).max(axis=1, keepdims=True) / 7).astype("<f2")
    whole = (np.round(blocks / scale.astype(np.float32)) + 8).clip(0, 15).astype(np.uint8)
    return np.concatenate((scale.view(np.uint8), whole[:, :16] | (whole[:, 16:] << 4)), axis=1).tobytes()


@pytest.fixture
def make() -> Callable[[str], Made]:
    """A whole model of one layer, of architecture "llama" or "qwen2"."""

    def made(kind: str) -> Made:
        rng = np.random.default_rng(0)
        alphabet = sorted(ByteLevel.alphabet())
        tokens = [*alphabet, "Ġt", "he", *CONTROLS, "[PAD]"]
        first = len(alphabet) + 2
        gguf = Made({
            "general.architecture": kind,
            f"{kind}.block_count": 1,
            f"{kind}.context_length": 128,
            f"{kind}.embedding_length": HIDDEN,
            f"{kind}.feed_forward_length": 96,
            f"{kind}.attention.head_count": HEADS,
            f"{kind}.attention.head_count_kv": KV_HEADS,
            f"{kind}.attention.layer_norm_rms_epsilon": 1e-6,
            f"{kind}.rope.freq_base": 10000.0,
            "tokenizer.ggml.model": "gpt2",
            "tokenizer.ggml.pre": {"llama": "smollm", "qwen2": "qwen2"}[kind],
            "tokenizer.ggml.tokens": tokens,
            "tokenizer.ggml.token_type": [1] * first + [3] * len(CONTROLS) + [5],
            "tokenizer.ggml.merges": ["Ġ t", "h e"],
            "tokenizer.ggml.bos_token_id": first,
            "tokenizer.ggml.eos_token_id": first + 2,
            "tokenizer.ggml.padding_token_id": first,
            "tokenizer.chat_template": "{% for m in messages %}{{ m.content }}{% endfor %}",
        })  # fmt: skip
        shapes = {
            "attn_norm": (HIDDEN,), "attn_q": (HIDDEN, HIDDEN), "attn_k": (HIDDEN // 2, HIDDEN),
            "attn_v": (HIDDEN // 2, HIDDEN), "attn_output": (HIDDEN, HIDDEN), "ffn_norm": (HIDDEN,),
            "ffn_gate": (96, HIDDEN), "ffn_up": (96, HIDDEN), "ffn_down": (HIDDEN, 96),
        }  # fmt: skip
        gguf.add("token_embd.weight", rng.normal(size=(len(tokens), HIDDEN)), Q8_0)
        gguf.add("output_norm.weight", rng.normal(size=HIDDEN))
        for name, shape in shapes.items():
            gguf.add(f"blk.0.{name}.weight", rng.normal(size=shape))
        if kind == "qwen2":
            for name in ("attn_q", "attn_k", "attn_v"):
                gguf.add(f"blk.0.{name}.bias", rng.normal(size=shapes[name][0]))
        return gguf

    return made


@dataclass
class Hub:
    """What the server gives, and what it was asked. `cuts`: bytes after which each of the next answers breaks off."""

    data: bytes = b""
    etag: str = '"one"'
    status: int = 200
    length: bool = True
    redirect: str = ""
    """Where the repository's path sends to."""
    cuts: list[int] = field(default_factory=list)
    asked: list[dict[str, str]] = field(default_factory=list)
    address: str = ""

    def entry(self, sha256: str | None = None) -> Entry:
        """A registry entry whose one source is this server."""
        return parse(f"""
            [[model]]
            name = "tiny"
            licence = "MIT"
            bytes = {len(self.data)}
            sha256 = "{sha256 or hashlib.sha256(self.data).hexdigest()}"
            context = 128
            [[model.source]]
            kind = "hub"
            repo = "someone/tiny"
            file = "tiny.gguf"
        """)[0]


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Hub]:
    """A server that the environment names as the hub."""
    state = Hub()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            state.asked.append({"path": self.path, **self.headers})
            if state.status != 200:
                self.send_error(state.status)
                return
            if state.redirect and self.path.startswith("/someone"):
                self.send_response(302)
                self.send_header("Location", state.redirect)
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            asked = self.headers.get("Range")
            fresh = asked is None or self.headers.get("If-Range") != state.etag
            start = 0 if fresh else int(asked.removeprefix("bytes=").rstrip("-"))
            self.send_response(200 if fresh else 206)
            if not fresh:
                self.send_header("Content-Range", f"bytes {start}-{len(state.data) - 1}/{len(state.data)}")
            if state.length:
                self.send_header("Content-Length", str(len(state.data) - start))
            if state.etag:
                self.send_header("ETag", state.etag)
            self.send_header("Connection", "close")
            self.end_headers()
            end = start + state.cuts.pop(0) if state.cuts else len(state.data)
            self.wfile.write(state.data[start:end])
            self.close_connection = True

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    state.address = f"http://127.0.0.1:{server.server_address[1]}"
    monkeypatch.setenv("HF_ENDPOINT", state.address)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "no-cache"))
    for name in ("HF_TOKEN", "HF_HUB_OFFLINE", "HF_HUB_CACHE"):
        monkeypatch.delenv(name, raising=False)
    yield state
    server.shutdown()
    server.server_close()
    thread.join()


@dataclass
class Watcher:
    """A progress that remembers."""

    labels: list[str] = field(default_factory=list)
    done: int = 0
    total: int = 0
    lines: list[str] = field(default_factory=list)

    def begin(self, label: str, total: int) -> None:
        self.labels.append(label)
        self.done, self.total = 0, total

    def advance(self, count: int) -> None:
        self.done += count

    def tell(self, line: str) -> None:
        self.lines.append(line)


@pytest.fixture
def watcher() -> Watcher:
    return Watcher()
