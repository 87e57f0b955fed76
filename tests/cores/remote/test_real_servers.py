"""Real servers on loopback, serving SmolLM2: what they decode is what we get. `docs/servers.md` says how each is made.

A server that runs is named by its URL; else it is started here, from the environment it is installed in:

    REASONER_VLLM_URL           or REASONER_VLLM_PYTHON, a Python that has vLLM
    REASONER_LLAMACPP_URL       or REASONER_LLAMACPP_SERVER, the program `llama-server`, and REASONER_LLAMACPP_GGUF
"""

import asyncio
import os
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import pytest

from reasoner import models
from reasoner.completions import Sampling
from reasoner.cores.remote import RemoteCore
from reasoner.dialect.tokenizer import Tokenizer
from reasoner.errors import CoreError, ModelError

pytestmark = [pytest.mark.model, pytest.mark.slow, pytest.mark.timeout(600)]

MODEL = "smollm2-135m-instruct"
QUESTION = "Write a Python function that adds two numbers."
CLOSE = {"vllm": 1e-3, "llamacpp": 0.35}
"""How far log-probabilities may lie from transformers' in float32: vLLM runs the same weights in float32, llama.cpp
multiplies 4-bit weights with activations in 8 bits."""


@pytest.fixture(scope="session")
def directory() -> Path:
    try:
        return models.path(MODEL)
    except ModelError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session", params=["vllm", "llamacpp"])
def served(request: pytest.FixtureRequest, directory: Path) -> Iterator[tuple[str, str]]:
    """Kind and URL of a server."""
    kind = str(request.param)
    url = os.environ.get(f"REASONER_{kind.upper()}_URL")
    with ExitStack() as stack:
        if url is None:
            port = free_port()
            command = (vllm if kind == "vllm" else llamacpp)(directory, port)
            url = stack.enter_context(running(command, port))
        yield kind, url


@pytest.fixture
async def core(served: tuple[str, str], directory: Path) -> AsyncIterator[RemoteCore]:
    made = await RemoteCore.connect(served[1], tokenizer_dir=directory, timeout_s=120)
    yield made
    await made.close()


def vllm(directory: Path, port: int) -> list[str]:
    python = os.environ.get("REASONER_VLLM_PYTHON") or pytest.skip("neither REASONER_VLLM_URL nor _PYTHON is set")
    where = ["--model", str(directory), "--served-model-name", MODEL, "--host", "127.0.0.1", "--port", str(port)]
    size = ["--dtype", "float32", "--max-model-len", "2048", "--max-num-seqs", "8", "--enforce-eager"]
    return [python, "-m", "vllm.entrypoints.openai.api_server", *where, *size, "--enable-prompt-tokens-details"]


def llamacpp(directory: Path, port: int) -> list[str]:
    server, gguf = (os.environ.get(f"REASONER_LLAMACPP_{name}") for name in ("SERVER", "GGUF"))
    if not server or not gguf:
        pytest.skip("neither REASONER_LLAMACPP_URL nor _SERVER and _GGUF are set")
    where = ["-m", gguf, "--alias", MODEL, "--host", "127.0.0.1", "--port", str(port)]
    return [server, *where, "-c", "4096", "--parallel", "2", "-t", "2"]


@contextmanager
def running(command: Sequence[str], port: int) -> Iterator[str]:
    url = f"http://127.0.0.1:{port}"
    own = {"VLLM_CPU_KVCACHE_SPACE": "1", "HF_HUB_OFFLINE": "1", "DO_NOT_TRACK": "1", "OMP_NUM_THREADS": "2"}
    with subprocess.Popen(
        command, env={**os.environ, **own}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as it:
        try:
            until = time.monotonic() + 400
            while not answers(url):
                assert it.poll() is None, f"{command[0]} ended with {it.returncode}: run it by hand to see why"
                assert time.monotonic() < until, f"{command[0]} did not come up in 400 s"
                time.sleep(1)
            yield url
        finally:
            it.terminate()


def answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/health", timeout=5).status_code == 200
    except httpx.TransportError:
        return False


def free_port() -> int:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return int(held.getsockname()[1])


def turn(tokenizer: Tokenizer, question: str = QUESTION) -> list[int]:
    """The question as ChatML, up to the open turn of the assistant."""
    start, end = tokenizer.controls["<|im_start|>"], tokenizer.controls["<|im_end|>"]
    asked = [start, *tokenizer.encode(f"user\n{question}"), end, *tokenizer.encode("\n")]
    return [*asked, start, *tokenizer.encode("assistant\n")]


async def test_the_server_says_what_it_is(served: tuple[str, str], core: RemoteCore) -> None:
    kind, _ = served
    assert core.info.name.split(":")[0] == kind
    assert core.info.token_ids
    assert core.info.can_score == (kind == "vllm")
    assert core.info.context in (1024, 2048)


async def test_the_ids_are_those_that_were_decoded(core: RemoteCore) -> None:
    prefix = turn(core.tokenizer)
    whole = await core.complete(prefix, Sampling(max_tokens=32))
    assert (whole.finish, len(whole.ids), whole.usage.decoded) == ("length", 32, 32)
    assert whole.text == core.tokenizer.decode(whole.ids)
    rest = await core.complete([*prefix, *whole.ids[:20]], Sampling(max_tokens=12))
    assert rest.ids == whole.ids[20:]
    pieces = [piece async for piece in core.stream(prefix, Sampling(max_tokens=32))]
    assert len(pieces) > 10
    assert tuple(i for piece in pieces for i in piece.ids) == whole.ids
    assert "".join(piece.text for piece in pieces) == whole.text


async def test_log_probabilities_are_the_models_own(served: tuple[str, str], core: RemoteCore, directory: Path) -> None:
    """At temperature 1.5 too: they are those of the raw logits."""
    import torch
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(directory, dtype=torch.float32)
    prefix = turn(core.tokenizer)
    for sampling in (Sampling(max_tokens=24), Sampling(max_tokens=24, temperature=1.5, seed=2**62 + 1)):
        done = await core.complete(prefix, sampling)
        assert len(done.logprobs) == len(done.ids)
        with torch.inference_mode():
            logits = model(torch.tensor([[*prefix, *done.ids]])).logits[0, len(prefix) - 1 : -1]
        ours = torch.log_softmax(logits, -1)[range(len(done.ids)), list(done.ids)].tolist()
        worst = max(abs(a - b) for a, b in zip(done.logprobs, ours, strict=True))
        assert worst < CLOSE[served[0]] * (1 if sampling.temperature == 0 else 4)
        if core.info.can_score:
            assert (await core.score(prefix, done.ids)).logprobs == pytest.approx(ours, abs=CLOSE[served[0]])


async def test_a_seed_decides_the_sample(core: RemoteCore) -> None:
    prefix = turn(core.tokenizer)
    samples = [(await core.complete(prefix, Sampling(1.0, max_tokens=16, seed=seed))).ids for seed in (1, 1, 2, 3)]
    assert samples[0] == samples[1]
    assert len(set(samples)) > 1


async def test_a_prefix_that_was_seen_is_counted_as_cached(core: RemoteCore) -> None:
    prefix = turn(core.tokenizer, QUESTION + f" It is {time.time()} now." + " Mind the sign." * 100)
    first = (await core.complete(prefix, Sampling(max_tokens=2))).usage
    again = (await core.complete(prefix, Sampling(max_tokens=2))).usage
    assert first.prefilled + first.cached == again.prefilled + again.cached == len(prefix)
    assert first.cached < 64
    assert again.cached >= 256


async def test_a_completion_ends_with_the_stop_string_or_the_stop_id(core: RemoteCore) -> None:
    prefix = turn(core.tokenizer)
    fence = await core.complete(prefix, Sampling(max_tokens=100, stop=("return",)))
    assert fence.finish == "stop"
    assert fence.text.endswith("return")
    assert fence.text == core.tokenizer.decode(fence.ids)
    newline = core.tokenizer.encode("\n")[0]
    line = await core.complete(prefix, Sampling(max_tokens=100, stop_ids=(newline,)))
    assert (line.finish, line.ids[-1], line.ids.count(newline)) == ("stop", newline, 1)
    whole = await core.complete(
        turn(core.tokenizer, "Say yes."), Sampling(max_tokens=300, stop_ids=core.tokenizer.ends)
    )
    assert whole.finish == "length" or whole.ids[-1] in core.tokenizer.ends


async def test_characters_of_several_tokens_come_through(core: RemoteCore) -> None:
    prefix = [*core.tokenizer.encode("🦐 ☃ 日本 🦐 ☃ 日本 🦐 ☃ 日本 🦐"), *core.tokenizer.encode(" ☃ 日本 🦐 ☃ 日本")]
    done = await core.complete(prefix, Sampling(max_tokens=24))
    assert done.text.strip("\ufffd") == core.tokenizer.decode(done.ids).strip("\ufffd")
    assert any(ord(char) > 127 for char in done.text)


async def test_leaving_a_stream_lets_the_next_one_in(core: RemoteCore) -> None:
    prefix = turn(core.tokenizer)
    for _ in range(6):
        stream = core.stream(prefix, Sampling(max_tokens=900))
        await anext(stream)
        await stream.aclose()
    async with asyncio.timeout(60):
        assert len((await core.complete(prefix, Sampling(max_tokens=4))).ids) == 4


async def test_a_prompt_that_is_too_long_is_refused_here(core: RemoteCore) -> None:
    with pytest.raises(CoreError, match=r"a prompt of 4000 tokens leaves no room"):
        await core.complete([5] * 4000, Sampling())


async def test_another_models_tokenizer_is_refused(served: tuple[str, str]) -> None:
    try:
        other = models.path("qwen2.5-coder-0.5b-instruct")
    except ModelError as error:
        pytest.skip(str(error))
    with pytest.raises(CoreError, match="give the directory of the model that the server runs"):
        await RemoteCore.connect(served[1], tokenizer_dir=other)


async def test_a_model_that_is_not_served_is_refused(served: tuple[str, str]) -> None:
    with pytest.raises(CoreError, match="does not serve the model 'gpt'"):
        await RemoteCore.connect(served[1], "gpt")


async def test_chat_goes_on_with_a_begun_turn(served: tuple[str, str]) -> None:
    core = await RemoteCore.connect(served[1], timeout_s=120)
    assert core.info.name.startswith("chat:")
    prefix = [257, *core.tokenizer.encode(QUESTION), 259, 258]
    reply = await core.complete(prefix, Sampling(max_tokens=40, stop_ids=core.tokenizer.ends))
    assert reply.text.startswith("```python")
    assert 30 < reply.usage.prefilled + reply.usage.cached < 60
    begun = await core.complete(
        [*prefix, *core.tokenizer.encode("```python\n")], Sampling(max_tokens=80, stop=("```",))
    )
    assert begun.text.lstrip().startswith(("def", "#"))
    assert begun.text.endswith("```")
    await core.close()
