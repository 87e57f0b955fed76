"""A thousand steps at random through run, branch, rewind and kill: the state always equals what a model recomputes."""

import asyncio
import threading

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from reasoner.sandboxes import open_sandbox
from reasoner.types import Tool

from .conftest import LIMITS, PYTHON

NAMES = st.sampled_from(["a", "b", "dir/c"])
TEXTS = st.sampled_from(["", "1", "two", "é" * 40])
NUMBERS = st.integers(0, 9)
LOOK = (
    "import os\nglobals().get('seen', []), "
    "{os.path.relpath(os.path.join(d, n)): open(os.path.join(d, n)).read() for d, _, f in os.walk('.') for n in f}"
)
DEATHS = (
    "import os; os._exit(1)",
    "import os; os.abort()",
    "import ctypes; ctypes.string_at(0)",
    "x = b'x' * (1 << 40)",
)


class Walk(RuleBasedStateMachine):
    """`snapshots` are (snapshot, seen, files): what the steps that lead to one say of its heap and its files."""

    snapshots = Bundle("snapshots")
    world = loop = None

    def ask(self, call):
        return asyncio.run_coroutine_threadsafe(call, type(self).loop).result()

    def cell(self, at, code):
        return self.ask(self.world.run(at, PYTHON, {"code": code}, LIMITS))

    @initialize(target=snapshots)
    def root(self):
        return self.world.root, (), {}

    @rule(target=snapshots, at=snapshots, number=NUMBERS)
    def grow(self, at, number):
        snapshot, seen, files = at
        result, after = self.cell(snapshot, f"seen = globals().get('seen', []) + [{number}]")
        assert result.error is None, result
        return after, (*seen, number), files

    @rule(target=snapshots, at=snapshots, name=NAMES, text=TEXTS)
    def write(self, at, name, text):
        snapshot, seen, files = at
        code = f"import os\nos.makedirs('dir', exist_ok=True)\nwith open({name!r}, 'w') as f: f.write({text!r})"
        result, after = self.cell(snapshot, code)
        assert result.error is None, result
        return after, seen, {**files, name: text}

    @rule(target=snapshots, at=snapshots, name=NAMES)
    def remove(self, at, name):
        snapshot, seen, files = at
        result, after = self.cell(snapshot, f"import os\nos.remove({name!r})")
        assert result.error == (None if name in files else "raised"), result
        return after, seen, {path: text for path, text in files.items() if path != name}

    @rule(target=snapshots, at=snapshots, name=NAMES, text=TEXTS)
    def put(self, at, name, text):
        snapshot, seen, files = at
        return self.ask(self.world.put(snapshot, {name: text.encode()})), seen, {**files, name: text}

    @rule(target=snapshots, at=snapshots, name=NAMES, text=TEXTS)
    def program(self, at, name, text):
        snapshot, seen, files = at
        code = f"import os\nos.makedirs('dir', exist_ok=True)\nopen({name!r}, 'w').write({text!r})\nprint(1)"
        result, after = self.ask(self.world.run(snapshot, Tool("t", "", "files", {}, code.encode()), {}, LIMITS))
        assert (result.error, result.value) == (None, 1), result
        return after, seen, {**files, name: text}

    @rule(target=snapshots, at=snapshots, number=NUMBERS, name=NAMES)
    def fail(self, at, number, name):
        snapshot, seen, files = at
        code = f"seen = globals().get('seen', []) + [{number}]\n1 / 0\nopen({name!r}, 'w')"
        result, after = self.cell(snapshot, code)
        assert result.error == "raised"
        return after, (*seen, number), files

    @rule(at=snapshots, death=st.sampled_from(DEATHS), name=NAMES)
    def die(self, at, death, name):
        result, after = self.cell(at[0], f"seen = []\nopen('x', 'w').write('lost')\n{death}")
        assert (result.error in ("killed", "memory"), after) == (True, at[0]), result

    @rule(one=snapshots, other=snapshots, number=NUMBERS)
    def side_by_side(self, one, other, number):
        async def both():
            code = f"seen = globals().get('seen', []) + [{number}]\nopen('x', 'w').write('x')\nseen"
            calls = (self.world.run(at[0], PYTHON, {"code": code}, LIMITS) for at in (one, other))
            return await asyncio.gather(*calls)

        for (result, _), at in zip(self.ask(both()), (one, other), strict=True):
            assert result.value == str([*at[1], number])

    @rule()
    def lose_the_guest(self):
        """As an engine does that stops: everything is made again when it is asked for."""
        if self.lost < 3:
            type(self).lost += 1
            self.ask(self.world._guest.close())

    lost = 0

    @rule(at=snapshots)
    def look(self, at):
        snapshot, seen, files = at
        result, _ = self.cell(snapshot, LOOK)
        assert eval(result.value) == (list(seen), files), result

    steps = 0

    @invariant()
    def counted(self):
        type(self).steps += 1


@pytest.fixture
def loop():
    """An event loop in a thread of its own: the machine's rules are plain functions."""
    running = asyncio.new_event_loop()
    thread = threading.Thread(target=running.run_forever)
    thread.start()
    yield running
    running.call_soon_threadsafe(running.stop)
    thread.join()
    running.close()


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["bubblewrap", pytest.param("docker", marks=pytest.mark.docker)])
def test_a_random_walk_of_a_thousand_steps_always_matches_a_model_that_recomputes_it(kind, loop):
    def ask(call):
        return asyncio.run_coroutine_threadsafe(call, loop).result()

    sandbox = ask(open_sandbox(kind))
    world = ask(sandbox.open({}, LIMITS))
    machine = type("WalkHere", (Walk,), {"world": world, "loop": loop, "lost": 0, "steps": 0})
    try:
        run_state_machine_as_test(
            machine,
            settings=settings(
                max_examples=30,
                stateful_step_count=50,
                deadline=None,
                derandomize=True,
                database=None,
                suppress_health_check=list(HealthCheck),
            ),
        )
    finally:
        ask(sandbox.close())
    assert machine.steps >= 1000
