"""The scripted core keeps every promise of a core, in virtual time."""

import asyncio
import re

import pytest

from reasoner.completions import Completion, Piece, Sampling, Usage
from reasoner.cores.scripted import Reply, ScriptedCore
from reasoner.dialect.tokenizer import ByteTokenizer
from reasoner.errors import CoreError
from reasoner.ledger import Ledger
from reasoner.protocols import Core

BYTES = ByteTokenizer()
PLAIN = Sampling(stop_ids=BYTES.ends)
PROMPT = [BYTES.controls["<|user|>"], *BYTES.encode("Hi"), BYTES.controls["<|end|>"], BYTES.controls["<|assistant|>"]]


def scripted(*texts: str) -> ScriptedCore:
    return ScriptedCore([Reply(text) for text in texts])


async def pieces(core: Core, sampling: Sampling = PLAIN, prefix: list[int] = PROMPT) -> list[Piece]:
    return [piece async for piece in core.stream(prefix, sampling)]


async def test_a_list_is_served_in_order_and_each_turn_ends() -> None:
    core: Core = scripted("one", "two")
    first, second = await core.complete(PROMPT, PLAIN), await core.complete(PROMPT, PLAIN)
    assert (first.text, second.text) == ("one", "two")
    assert first.ids == (*BYTES.encode("one"), 259)
    assert first.finish == "stop"
    assert len(first.logprobs) == len(first.ids)


async def test_a_callable_sees_the_prefix_as_text_and_the_sampling() -> None:
    core = ScriptedCore(lambda text, sampling: Reply(f"{text} at {sampling.temperature}"))
    done = await core.complete(PROMPT, Sampling(temperature=0.5))
    assert done.text == "<|user|>Hi<|end|><|assistant|> at 0.5"
    assert core.asked[0].text == "<|user|>Hi<|end|><|assistant|>"


async def test_the_first_rule_that_matches_and_has_a_reply_left_is_used() -> None:
    core = ScriptedCore(
        [("Hi", [Reply("hello")]), (re.compile(r"<\|user\|>\w+"), [Reply("again"), Reply("and again")]), ("Ho", [])]
    )
    assert [(await core.complete(PROMPT, PLAIN)).text for _ in range(3)] == ["hello", "again", "and again"]
    with pytest.raises(CoreError, match="no reply after 3"):
        await core.complete(PROMPT, PLAIN)


async def test_a_script_that_runs_out_says_so_with_the_end_of_the_prompt() -> None:
    with pytest.raises(CoreError, match=r"no reply after 0 .*Hi<\|end\|><\|assistant\|>"):
        await scripted().complete(PROMPT, PLAIN)


@pytest.mark.parametrize(
    ("sampling", "text", "finish", "tokens"),
    [
        (Sampling(stop=("```",)), "x = 1\n```", "stop", 9),
        (Sampling(stop=("nowhere", "= 1", "```")), "x = 1", "stop", 5),
        (Sampling(stop_ids=(ord("\n"),)), "x = 1\n", "stop", 6),
        (Sampling(max_tokens=4), "x = ", "length", 4),
        (Sampling(stop=("= 1",), max_tokens=5), "x = 1", "stop", 5),
        (Sampling(stop=("= 1",), max_tokens=4), "x = ", "length", 4),
        (Sampling(stop=("",)), "x = 1\n```\nand so on", "stop", 20),
        (Sampling(max_tokens=19), "x = 1\n```\nand so on", "length", 19),
    ],
)
async def test_a_completion_ends_with_what_stops_it_or_at_the_limit(
    sampling: Sampling, text: str, finish: str, tokens: int
) -> None:
    done = await scripted("x = 1\n```\nand so on").complete(PROMPT, sampling)
    assert (done.text, done.finish, len(done.ids), done.usage.decoded) == (text, finish, tokens, tokens)


async def test_a_stream_is_the_completion_in_pieces_and_never_half_a_character() -> None:
    text = "räksmörgås 🦐 " * 5
    core = ScriptedCore([Reply(text, seconds=3, logprob=-0.5)] * 2, piece=3)
    stream = await pieces(core)
    done = stream[-1].done
    assert done == Completion(
        (*BYTES.encode(text), 259), text, "stop", (-0.5,) * len(done.ids), Usage(len(PROMPT), 0, len(done.ids))
    )
    assert len(stream) > 10
    assert tuple(i for piece in stream for i in piece.ids) == done.ids
    assert "".join(piece.text for piece in stream) == text
    assert all("\ufffd" not in piece.text for piece in stream)
    assert core.clock() == 3
    assert (await core.complete(PROMPT, PLAIN)).ids == done.ids
    assert core.clock() == 6


async def test_a_completion_cut_inside_a_character_streams_the_same_text() -> None:
    core = ScriptedCore([Reply("å")] * 2, piece=1)
    stream = await pieces(core, Sampling(max_tokens=1))
    assert "".join(piece.text for piece in stream) == "\ufffd" == stream[-1].done.text


async def test_tokens_seen_before_count_as_cached() -> None:
    core = scripted("one", "two", "three")
    first = await core.complete(PROMPT, PLAIN)
    assert first.usage == Usage(prefilled=5, cached=0, decoded=4)
    longer = [*PROMPT, *first.ids, 257]
    assert (await core.complete(longer, PLAIN)).usage == Usage(prefilled=1, cached=9, decoded=4)
    assert (await core.complete([*PROMPT[:3], 0], PLAIN)).usage == Usage(prefilled=1, cached=3, decoded=6)


async def test_requests_in_flight_end_in_order_of_virtual_time() -> None:
    core = ScriptedCore([Reply("slow", 3), Reply("quick", 1), Reply("even", 2), Reply("even too", 2)])
    ledger, order = Ledger(clock=core.clock), []

    async def head() -> None:
        done = await core.complete(PROMPT, PLAIN)
        order.append((done.text, ledger.spent.wall_s))

    await asyncio.gather(*(head() for _ in range(4)))
    assert order == [("quick", 1), ("even", 2), ("even too", 2), ("slow", 3)]


async def test_streams_interleave_in_virtual_time() -> None:
    core = ScriptedCore([Reply("aaaaaaa", 8), Reply("bbbbbbb", 4)], piece=2)
    order: list[tuple[float, str]] = []

    async def head() -> None:
        async for piece in core.stream(PROMPT, PLAIN):
            order.append((core.clock(), piece.text))  # noqa: PERF401 - the other head writes between

    await asyncio.gather(head(), head())
    assert order == [(1, "bb"), (2, "aa"), (2, "bb"), (3, "bb"), (4, "aa"), (4, "b"), (6, "aa"), (8, "a")]


async def test_a_tie_goes_to_the_first_request_streamed_or_not() -> None:
    core = ScriptedCore([Reply("first", 4), Reply("second", 4)], piece=2)
    order = []

    async def streamed() -> None:
        order.append((await pieces(core))[-1].done.text)

    async def whole() -> None:
        order.append((await core.complete(PROMPT, PLAIN)).text)

    await asyncio.gather(streamed(), whole())
    assert order == ["first", "second"]


async def test_closing_a_stream_lets_the_others_go_on() -> None:
    core = ScriptedCore([Reply("a" * 40, 40), Reply("b", 50)], piece=10)
    other = asyncio.create_task(core.complete(PROMPT, PLAIN))
    stream = core.stream(PROMPT, PLAIN)
    first = await anext(stream)
    await stream.aclose()
    assert first.done is None
    assert (await other).text == "b"
    assert core.clock() == 50


async def test_a_reply_that_fails_raises_when_its_time_has_come() -> None:
    core = ScriptedCore([Reply(seconds=4, fails="the server is gone: start it"), Reply("fine")])
    with pytest.raises(CoreError, match="the server is gone"):
        await core.complete(PROMPT, PLAIN)
    assert core.clock() == 4
    assert (await core.complete(PROMPT, PLAIN)).text == "fine"


@pytest.mark.parametrize(
    ("prefix", "sampling", "message"),
    [
        ([], PLAIN, "the prompt is empty"),
        ([260], PLAIN, "token id 260 is not below 260"),
        ([-1], PLAIN, "token id -1 "),
        ([0] * 32, PLAIN, "a prompt of 32 tokens leaves no room in a context of 32"),
        ([0], Sampling(max_tokens=0), "max_tokens is 0"),
    ],
)
async def test_a_request_that_cannot_be_served_names_the_value(
    prefix: list[int], sampling: Sampling, message: str
) -> None:
    core = ScriptedCore([Reply("never")], context=32)
    with pytest.raises(CoreError, match=message):
        await core.complete(prefix, sampling)
    assert (await core.complete([0] * 30, PLAIN)).text == "ne"


async def test_control_tokens_in_a_reply_are_plain_text() -> None:
    done = await scripted("<|end|>").complete(PROMPT, PLAIN)
    assert done.ids == (*b"<|end|>", 259)


async def test_it_neither_scores_nor_values() -> None:
    core = scripted("x")
    assert not core.info.can_score
    assert core.info.heads == ()
    with pytest.raises(CoreError, match="no model to score"):
        await core.score(PROMPT, [1])
    with pytest.raises(CoreError, match="no reward head 'prm'"):
        await core.value(PROMPT, "prm")
    await core.close()


def test_cores_of_one_script_have_one_digest() -> None:
    assert scripted("x").info == scripted("x").info
    assert scripted("x").info.digest != scripted("y").info.digest
