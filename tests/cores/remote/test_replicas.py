"""Several loopback servers as one core: where a prefix goes, and what happens when servers go away and come back."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, aclosing

import pytest

from reasoner.completions import Completion, Sampling
from reasoner.cores.remote import Replicas
from reasoner.cores.remote.replicas import Held, Replica, chosen
from reasoner.errors import CoreError
from tests.cores.remote.conftest import Server, events, listing, says
from tests.cores.remote.test_chat import PATH, chunk, turns

USER, ASSISTANT, END = 257, 258, 259


def prompt(task: str) -> list[int]:
    """A prompt of its own: nothing but the role is shared with another task's."""
    return turns(USER, task * 80, END, ASSISTANT)


class Fleet:
    """Servers that can be stopped, and started again at the same port."""

    def __init__(self, count: int) -> None:
        self.servers = [Server() for _ in range(count)]
        self._listening: dict[int, asyncio.Server] = {}
        self._ports = [0] * count
        for number, server in enumerate(self.servers):
            server.on("/v1/models", listing("other"))
            server.on(PATH, events(chunk(f"{number}"), chunk(None, "stop")))

    async def start(self, number: int) -> None:
        server = self.servers[number]
        listening = await asyncio.start_server(server.serve, "127.0.0.1", self._ports[number])
        self._ports[number] = listening.sockets[0].getsockname()[1]
        server.url = f"http://127.0.0.1:{self._ports[number]}"
        self._listening[number] = listening

    def stop(self, number: int) -> None:
        self._listening.pop(number).close()
        self.servers[number].on(PATH, says({"error": "going down"}, 503))
        self.servers[number].on("/v1/models", says({"error": "going down"}, 503))

    async def back(self, number: int) -> None:
        self.servers[number].on("/v1/models", listing("other"))
        self.servers[number].on(PATH, events(chunk(f"{number}"), chunk(None, "stop")))
        await self.start(number)

    def close(self) -> None:
        for number in list(self._listening):
            self._listening.pop(number).close()


@pytest.fixture
async def fleet() -> AsyncIterator[Fleet]:
    made = Fleet(3)
    for number in range(3):
        await made.start(number)
    yield made
    made.close()


@pytest.fixture
async def core(fleet: Fleet) -> AsyncIterator[Replicas]:
    made = await Replicas.connect([s.url for s in fleet.servers], timeout_s=5.0, patience_s=5.0, pause_s=0.05)
    yield made
    await made.close()


async def ask(core: Replicas, task: str) -> Completion:
    return await core.complete(prompt(task), Sampling(max_tokens=4))


async def test_a_task_stays_where_its_prefix_is_and_new_ones_go_where_there_is_least_to_do(core: Replicas) -> None:
    tasks = "abcdef"
    first = dict(zip(tasks, await asyncio.gather(*(ask(core, task) for task in tasks)), strict=True))
    assert sorted(done.text for done in first.values()) == ["0", "0", "1", "1", "2", "2"]
    for _ in range(3):
        again = dict(zip(tasks, await asyncio.gather(*(ask(core, task) for task in tasks)), strict=True))
        assert {task: done.text for task, done in again.items()} == {task: done.text for task, done in first.items()}


async def test_servers_compute_side_by_side_what_all_of_them_do(core: Replicas) -> None:
    assert core.info.rows == 3 * 32


async def test_what_a_completion_added_counts_as_held(core: Replicas) -> None:
    first = await ask(core, "x")
    longer = [*prompt("x"), *first.ids[:-1], END, *turns(USER, "and then?", END, ASSISTANT)]
    assert (await core.complete(longer, Sampling(max_tokens=4))).text == first.text


def replica(*held: list[int]) -> Replica:
    async def never() -> None: ...

    made = Replica("a", never)  # type: ignore[arg-type]
    for prefix in held:
        made.held.add(prefix)
    return made


def test_a_long_prefix_stays_where_it_was_read_until_it_would_wait_longer_than_reading_it_takes() -> None:
    long = list(range(4000))
    crowded, idle = replica(long), replica()
    crowded.flying = 7
    assert chosen([crowded, idle], long) is crowded
    crowded.flying = 8
    assert chosen([crowded, idle], long) is idle
    assert chosen([crowded, idle], long[:200]) is idle, "a short one is soon read"


@pytest.mark.parametrize("workers", [2, 4, 8, 16])
async def test_a_beginning_that_all_tasks_share_leaves_no_server_idle(fleet: Fleet, workers: int) -> None:
    pair = fleet.servers[:2]
    for server in pair:
        server.on("/v1/models", listing("other", max_model_len=512))
    core = await Replicas.connect([server.url for server in pair], timeout_s=5.0)
    left = list(range(20))

    async def work() -> None:
        while left:
            task = turns(USER, f"{'All are told this. ' * 20}What is {left.pop()}?", END, ASSISTANT)
            await core.complete(task, Sampling(max_tokens=4))

    await asyncio.gather(*(work() for _ in range(workers)))
    await core.close()
    assert all(len(server.bodies(PATH)) >= 8 for server in pair)


def test_what_is_held_is_known_up_to_its_last_whole_block_in_common() -> None:
    held = Held()
    held.add(range(100))
    assert held.of(range(100)) == 96
    assert held.of([*range(64), *range(40)]) == 64
    assert held.of([5, *range(99)]) == 0


async def test_a_server_that_goes_away_is_left_out_and_taken_back(core: Replicas, fleet: Fleet) -> None:
    fleet.stop(0)
    assert {(await ask(core, task)).text for task in "abcdef"} == {"1", "2"}
    await fleet.back(0)
    await ask(core, "t")
    await asyncio.sleep(0.3)
    assert (await ask(core, "u")).text == "0", "it has done least"


async def test_while_all_are_away_a_request_waits_and_then_goes_on(core: Replicas, fleet: Fleet) -> None:
    for number in range(3):
        fleet.stop(number)
    waiting = asyncio.create_task(ask(core, "x"))
    await asyncio.sleep(1.0)
    assert not waiting.done()
    await fleet.back(2)
    assert (await waiting).text == "2"


async def test_a_server_that_is_back_before_it_is_asked_about_serves_the_request_after_all(
    core: Replicas, fleet: Fleet
) -> None:
    away = says({"error": "busy"}, 503)
    for server in fleet.servers:
        server.on(PATH, away, away, events(chunk("back"), chunk(None, "stop")))
    assert (await ask(core, "x")).text == "back"


async def test_when_none_comes_back_the_last_word_says_why(fleet: Fleet) -> None:
    core = await Replicas.connect([s.url for s in fleet.servers], timeout_s=2.0, patience_s=0.3, pause_s=0.05)
    for number in range(3):
        fleet.stop(number)
    with pytest.raises(
        CoreError, match=r"no server answered for 0.3 s; the first said: .*going down|cannot be reached"
    ):
        await ask(core, "x")
    await core.close()


async def test_a_request_that_a_well_server_refuses_is_refused_and_no_server_is_blamed(
    core: Replicas, fleet: Fleet
) -> None:
    for server in fleet.servers:
        server.on(PATH, says({"error": "too long"}, 400))
    with pytest.raises(CoreError, match="too long"):
        await ask(core, "x")
    assert sum(len(server.bodies(PATH)) for server in fleet.servers) == 1
    fleet.servers[0].on(PATH, events(chunk("well"), chunk(None, "stop")))
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(aclosing(core.stream(prompt("y"), Sampling(max_tokens=4))))


async def test_a_completion_that_breaks_off_after_its_first_words_is_an_error(core: Replicas, fleet: Fleet) -> None:
    for number, server in enumerate(fleet.servers):
        server.on("/v1/models", says({"error": "gone"}, 503))
        server.on(PATH, events(chunk(f"{number}"), done=False, then="cut"))
    with pytest.raises(CoreError, match="broke off"):
        await ask(core, "x")


async def test_servers_of_two_models_are_refused_and_one_that_is_away_may_come_later(fleet: Fleet) -> None:
    urls = [server.url for server in fleet.servers]
    fleet.servers[1].on("/v1/models", listing("other", root="another"))
    with pytest.raises(CoreError, match="give servers of one model"):
        await Replicas.connect(urls, timeout_s=2.0)
    fleet.stop(1)
    core = await Replicas.connect(urls, timeout_s=2.0, pause_s=0.05)
    assert {(await ask(core, task)).text for task in "abcd"} <= {"0", "2"}
    fleet.stop(0), fleet.stop(2)
    with pytest.raises(CoreError, match="none of 3 servers answers; the first said"):
        await Replicas.connect(urls, timeout_s=2.0)
    await core.close()
