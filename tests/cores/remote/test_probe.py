"""What a server is and can do is found out by asking for it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from reasoner.cores.remote.probe import LINE
from reasoner.dialect.tokenizer import ByteTokenizer, HubTokenizer
from reasoner.errors import CoreError, ModelError
from tests.cores.remote.conftest import Answer, Server, events, listing, says

COMPLETIONS = "/v1/completions"
Connect = Callable[..., Any]

ID = events({"choices": [{"token_ids": [1], "logprobs": {"tokens": ["token_id:1"], "token_logprobs": [-1.0]}}]})
TEXT = events({"choices": [{"text": "x", "logprobs": {"tokens": ["x"], "token_logprobs": [-1.0]}}]})


async def test_without_a_tokenizer_any_server_is_asked_by_chat(server: Server, connect: Connect) -> None:
    server.on("/v1/models", listing("vllm"))
    core = await connect()
    assert isinstance(core.tokenizer, ByteTokenizer)
    assert (core.info.name, core.info.token_ids, core.info.can_score) == ("chat:small", False, False)
    assert core.info.context == 4 * 64
    assert [asked.path for asked in server.asked] == ["/v1/models"]


async def test_a_vllm_server_that_scores_says_so(server: Server, connect: Connect, bytes_dir: Path) -> None:
    rows = [None, {"6": {"logprob": -1.0}}, {"7": {"logprob": -1.0}}]
    server.on("/v1/models", listing("vllm"))
    server.on(COMPLETIONS, ID, says({"choices": [{"prompt_logprobs": rows}]}))
    core = await connect(tokenizer_dir=bytes_dir)
    assert (core.info.name, core.info.context) == ("vllm:small", 64)
    assert (core.info.token_ids, core.info.can_score, core.info.heads) == (True, True, ())


async def test_a_core_has_as_many_rows_as_its_server_tells_or_such_servers_have(
    server: Server, connect: Connect, bytes_dir: Path
) -> None:
    server.on("/v1/models", listing("llamacpp"))
    server.on("/props", says({"total_slots": 4}), says({"total_slots": "?"}))
    assert [(await connect()).info.rows for _ in range(3)] == [4, 32, 32]
    server.on("/v1/models", listing("vllm"))
    assert (await connect()).info.rows == 64


async def test_a_vllm_server_that_does_not_score_says_so(server: Server, connect: Connect, bytes_dir: Path) -> None:
    server.on("/v1/models", listing("vllm"))
    server.on(COMPLETIONS, ID, says({"error": "no prompt_logprobs"}, 400))
    assert not (await connect(tokenizer_dir=bytes_dir)).info.can_score


async def test_an_unknown_server_that_takes_ids_is_spoken_to_as_vllm(
    server: Server, connect: Connect, bytes_dir: Path
) -> None:
    server.on("/v1/models", listing("somebody"))
    server.on(COMPLETIONS, ID)
    assert (await connect(tokenizer_dir=bytes_dir)).info.name == "vllm:small"


@pytest.mark.parametrize("answer", [TEXT, says({"error": "prompt must be a string"}, 400), says({"choices": []})])
async def test_an_unknown_server_that_does_not_is_asked_by_chat(
    server: Server, connect: Connect, bytes_dir: Path, answer: Answer
) -> None:
    server.on("/v1/models", listing("somebody"))
    server.on(COMPLETIONS, answer)
    core = await connect(tokenizer_dir=bytes_dir)
    assert (core.info.name, core.info.token_ids) == ("chat:small", False)
    assert isinstance(core.tokenizer, ByteTokenizer)


async def test_another_models_tokenizer_is_refused(server: Server, connect: Connect, bytes_dir: Path) -> None:
    server.on("/v1/models", listing("vllm"))
    server.on("/tokenize", says({"tokens": [1, 2, 3]}))
    with pytest.raises(CoreError, match=r"turns a line of text into the ids 1 2 3 …, the given tokenizer into .*give"):
        await connect(tokenizer_dir=bytes_dir)


async def test_the_same_tokenizer_is_taken(server: Server, connect: Connect, bytes_dir: Path) -> None:
    server.on("/v1/models", listing("vllm"))
    server.on("/tokenize", says({"tokens": HubTokenizer(bytes_dir).encode(LINE)}))
    server.on(COMPLETIONS, ID)
    assert (await connect(tokenizer_dir=bytes_dir)).info.token_ids


async def test_a_model_that_is_not_served_is_named_with_the_nearest(server: Server, connect: Connect) -> None:
    server.on("/v1/models", says({"data": [{"id": "qwen-0.5b"}, {"id": "llama-3"}]}))
    with pytest.raises(CoreError, match=r"does not serve the model 'qwen-0.5': it serves qwen-0.5b"):
        await connect(model="qwen-0.5")


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (says({"error": "bad key"}, 401), "answered 401 .*OPENAI_API_KEY"),
        (says({"hello": 1}), "has no data"),
        (says([1]), "has no data"),
        (says({"data": [7]}), "a int where an object belongs"),
        (says({"data": []}), "it serves none at all"),
        (Answer((b"<html>",)), "not JSON"),
        (Answer(then="never"), "did not finish its answer within 0.3 s"),
    ],
)
async def test_a_server_that_cannot_be_used_is_an_error(
    server: Server, connect: Connect, answer: Answer, message: str
) -> None:
    server.on("/v1/models", answer)
    with pytest.raises(CoreError, match=message):
        await connect(timeout_s=0.3)


async def test_a_folder_without_a_tokenizer_is_an_error(connect: Connect, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"no tokenizer\.json"):
        await connect(tokenizer_dir=tmp_path)


async def test_the_digest_tells_models_apart_and_stays_the_same(server: Server, connect: Connect) -> None:
    server.on("/v1/models", listing("vllm", created=1), listing("vllm", created=2), listing("vllm", root="other"))
    first, again, other = [await connect() for _ in range(3)]
    assert first.info.digest == again.info.digest != other.info.digest
