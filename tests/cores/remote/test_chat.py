"""A prefix of bytes and role tokens, asked as messages; the reply, read as bytes."""

from collections.abc import Callable
from typing import Any

import pytest

from reasoner.completions import Sampling, Usage
from reasoner.cores.remote.chat import messages
from reasoner.dialect.tokenizer import ByteTokenizer
from reasoner.errors import CoreError
from tests.cores.remote.conftest import Server, events, listing

PATH = "/v1/chat/completions"
BYTES = ByteTokenizer()
SYSTEM, USER, ASSISTANT, END = 256, 257, 258, 259


def turns(*parts: str | int) -> list[int]:
    return [i for part in parts for i in ([part] if isinstance(part, int) else BYTES.encode(part))]


ASKED = turns(USER, "Add two numbers", END, ASSISTANT)
BEGUN = turns(*ASKED, "```python\n")


def chunk(text: str | None, finish: str | None = None, **more: Any) -> dict[str, Any]:
    return {"choices": [{"delta": {"content": text}, "finish_reason": finish}], **more}


def counted(prompt: int, written: int, cached: int | None = None) -> dict[str, Any]:
    details = {} if cached is None else {"prompt_tokens_details": {"cached_tokens": cached}}
    return {"choices": [], "usage": {"prompt_tokens": prompt, "completion_tokens": written, **details}}


@pytest.fixture
async def core_of(server: Server, connect: Callable[..., Any]) -> Callable[[str], Any]:
    async def made(owner: str) -> Any:
        server.on("/v1/models", listing(owner))
        return await connect()

    return made


def test_turns_are_cut_at_the_role_tokens() -> None:
    prefix = turns(
        SYSTEM, "Be brief.", END, USER, "Grüße <|end|>", END, ASSISTANT, "Hi", END, USER, END, ASSISTANT, "So"
    )
    assert messages(prefix) == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Grüße <|end|>"},
        {"role": "assistant", "content": "Hi"},
        {"role": "user", "content": ""},
        {"role": "assistant", "content": "So"},
    ]


@pytest.mark.parametrize(
    ("prefix", "message"),
    [
        (turns("loose"), "outside a turn"),
        (turns(USER, "a", ASSISTANT), "outside a turn"),
        (turns(END), "outside a turn"),
        (turns(USER, "a", END, "b"), "outside a turn"),
        (turns(USER, "a", END), "open assistant's turn"),
        (turns(USER, "a"), "open assistant's turn"),
    ],
)
def test_what_is_no_row_of_turns_is_an_error(prefix: list[int], message: str) -> None:
    with pytest.raises(CoreError, match=message):
        messages(prefix)


async def test_a_reply_is_streamed_as_bytes_and_ends_its_turn(server: Server, core_of: Any) -> None:
    core = await core_of("somebody")
    server.on(PATH, events(chunk(None), chunk("Sm"), chunk("örgås"), chunk("", "stop"), counted(30, 7, 20)))
    pieces = [p async for p in core.stream(ASKED, Sampling(max_tokens=9, temperature=0.5, stop_ids=(END,)))]
    done = pieces[-1].done
    assert "".join(p.text for p in pieces) == done.text == "Smörgås"
    assert done.ids == (*BYTES.encode("Smörgås"), END)
    assert (done.finish, done.logprobs, done.usage) == ("stop", (), Usage(10, 20, 7))
    sent = server.bodies(PATH)[-1]
    assert sent["messages"] == [{"role": "user", "content": "Add two numbers"}]
    assert (sent["max_tokens"], sent["temperature"], sent["stream"]) == (9, 0.5, True)
    assert not {"top_k", "min_p", "repetition_penalty", "stop"} & set(sent), "an unknown server refuses unknown fields"


async def test_length_is_the_servers_to_tell(server: Server, core_of: Any) -> None:
    core = await core_of("openai")
    server.on(PATH, events(chunk("and so on and on"), chunk("", "length"), counted(30, 3)))
    done = await core.complete(ASKED, Sampling(max_tokens=3))
    assert (done.text, done.finish) == ("and so on and on", "length")
    assert server.bodies(PATH)[-1]["max_completion_tokens"] == 3


async def test_a_stop_string_leaves_the_rest_and_the_cost_is_estimated(server: Server, core_of: Any) -> None:
    core = await core_of("somebody")
    server.on(PATH, events(chunk("x = 1\n`"), chunk("``\nmore"), then="stall", done=False))
    done = await core.complete(ASKED, Sampling(max_tokens=9, stop=("```",)))
    assert (done.text, done.finish) == ("x = 1\n```", "stop")
    assert done.usage == Usage(prefilled=4, cached=0, decoded=2)
    await server.dropped.wait()


@pytest.mark.parametrize("owner", ["vllm", "sglang", "llamacpp"])
async def test_a_begun_turn_is_continued_where_the_server_can(server: Server, core_of: Any, owner: str) -> None:
    core = await core_of(owner)
    server.on(PATH, events(chunk("def f(): ..."), chunk("", "stop")))
    assert (await core.complete(BEGUN, Sampling(max_tokens=9))).text == "def f(): ..."
    sent = server.bodies(PATH)[-1]
    assert sent["messages"][-1] == {"role": "assistant", "content": "```python\n"}
    assert (sent["add_generation_prompt"], sent["continue_final_message"]) == (False, True)


@pytest.mark.parametrize(
    "reply",
    [
        ["```python\ndef f(): ..."],
        ["``", "`pyt", "hon", "\n", "def f", "(): ..."],
        ["Sure! Here it is:\n\n```python\ndef f(): ..."],
        ["def f(): ..."],
        ["```pythondef f(): ..."],
    ],
)
async def test_a_begun_turn_is_asked_for_in_words_elsewhere(server: Server, core_of: Any, reply: list[str]) -> None:
    core = await core_of("somebody")
    server.on(PATH, events(*map(chunk, reply), chunk("", "stop")))
    pieces = [p async for p in core.stream(BEGUN, Sampling(max_tokens=9))]
    assert "".join(p.text for p in pieces) == pieces[-1].done.text == "def f(): ..."
    sent = server.bodies(PATH)[-1]["messages"]
    assert [m["role"] for m in sent] == ["user"]
    assert sent[0]["content"].startswith("Add two numbers\n\nBegin your answer with exactly this text")
    assert sent[0]["content"].endswith("```python")


async def test_llamacpp_tells_what_a_reply_cost_even_if_it_is_left(server: Server, core_of: Any) -> None:
    core = await core_of("llamacpp")
    server.on(PATH, events(chunk("a``` b", timings={"cache_n": 20, "prompt_n": 10, "predicted_n": 4}), then="stall"))
    done = await core.complete(ASKED, Sampling(max_tokens=9, stop=("```",)))
    assert done.usage == Usage(prefilled=10, cached=20, decoded=4)


@pytest.mark.parametrize(
    ("event", "message"),
    [
        ({"choices": [{"delta": 5}]}, "a int where an object belongs"),
        ({"choices": [{"delta": {"content": 5}}]}, "a int where a text belongs"),
        ({"usage": {}}, "has no choices"),
    ],
)
async def test_an_answer_of_another_shape_is_an_error(server: Server, core_of: Any, event: Any, message: str) -> None:
    core = await core_of("somebody")
    server.on(PATH, events(event))
    with pytest.raises(CoreError, match=message):
        await core.complete(ASKED, Sampling(max_tokens=9))


async def test_a_reply_without_end_is_cut(server: Server, core_of: Any) -> None:
    core = await core_of("somebody")
    server.on(PATH, events(chunk("x" * 1000), then="stall", done=False))
    done = await core.complete(ASKED, Sampling(max_tokens=2))
    assert (len(done.ids), done.finish) == (64, "length")


async def test_a_stream_that_ends_too_soon_is_an_error(server: Server, core_of: Any) -> None:
    core = await core_of("somebody")
    server.on(PATH, events(chunk("half"), done=False))
    with pytest.raises(CoreError, match=r"broke off after 4 tokens: ask again"):
        await core.complete(ASKED, Sampling(max_tokens=9))
