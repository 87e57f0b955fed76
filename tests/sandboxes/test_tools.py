"""Tools through the toolbox in real worlds: users' own, with all they can do wrong, and `fetch` over a web of ours."""

import asyncio
from dataclasses import replace

import httpcore
import pytest

from reasoner.broker import Bounds, Fetch
from reasoner.toolbox import Toolbox, load_tools
from reasoner.types import ToolCall

from .conftest import LIMITS

pytestmark = pytest.mark.asyncio(loop_scope="session")

MANIFEST = """
name = "mine"
description = "Do what the test wants."
state = "files"
[limits]
wall_s = 5
memory = 268435456
disk = 16777216
[parameters]
type = "object"
required = ["number"]
additionalProperties = false
properties = { number = { type = "integer", maximum = 9 } }
"""
ECHO = """
import json, sys
n = json.load(sys.stdin)["number"]
open("seen", "w").write(str(n))
json.dump({"twice": 2 * n}, sys.stdout)
"""


@pytest.fixture
def own(tmp_path):
    """`own(program)` is a toolbox with the shipped tools and one of the user's that runs `program`."""

    def make(program, **files):
        folder = tmp_path / "mine"
        folder.mkdir(exist_ok=True)
        (folder / "tool.toml").write_text(MANIFEST)
        (folder / "run.py").write_text(program)
        for name, content in files.items():
            (folder / f"{name}.py").write_text(content)
        return Toolbox.standard(load_tools(tmp_path))

    return make


async def call(box, world, name, arguments, at=None, **limits):
    found = replace(LIMITS, **limits) if limits else None
    return await box.call(world.world, at or world.root, ToolCall(name, arguments), found)


async def test_a_tool_of_the_users_own_works_on_the_worlds_files(world, own):
    result, after = await call(own(ECHO), world, "mine", {"number": 4})
    assert (result.value, result.error) == ({"twice": 8}, None)
    assert await world.world.get(after, ["seen"]) == {"seen": b"4"}
    assert await world.world.get(world.root, ["seen"]) == {}


async def test_its_modules_come_along(world, own):
    box = own("from helper import answer\nprint(answer)", helper="answer = '[1, 2]'")
    assert (await call(box, world, "mine", {"number": 1}))[0].value == [1, 2]


async def test_arguments_that_do_not_fit_run_nothing(world, own):
    result, after = await call(own(ECHO), world, "mine", {"number": 10})
    assert (result.error, after) == ("refused", world.root)
    assert "number: 10 is greater than the maximum of 9" in result.detail


@pytest.mark.parametrize(
    ("program", "error", "said"),
    [
        ("print('no json')", "protocol", "the tool mine printed no JSON value"),
        ("", "protocol", "printed no JSON"),
        ("print('[' * 100000)", "protocol", "printed no JSON"),
        ("import os\nfor _ in range(1000): os.write(1, b'x' * 2**20)", "output", "printed more than"),
        ("import os\nfor _ in range(1000): os.write(2, b'x' * 2**20)", "output", "printed more than"),
        ("while True: pass", "timeout", ""),
        ("import time; time.sleep(100)", "timeout", "did not end in"),
        ("raise ValueError('mine')", "raised", "ValueError: mine"),
        ("x = bytearray(2**30)", "memory", "MemoryError"),
        ("import os; os.kill(os.getpid(), 9)", "killed", ""),
        ("def broken(:", "raised", "SyntaxError"),
        ("import socket; socket.create_connection(('93.184.215.14', 80), 2)", "raised", ""),
    ],
)
async def test_a_program_that_misbehaves_is_a_result_with_the_reason(world, own, program, error, said):
    result, _ = await call(own(program), world, "mine", {"number": 1}, wall_s=2.0, cpu_s=2.0)
    assert (result.error, said in result.detail) == (error, True), result
    assert result.value is None
    assert await world.answers()


# --- fetch ---

ADDRESS = "93.184.215.14"
HTML = b"""<html><title>Manual</title><nav>menu</nav><h1>Use</h1><script>window.x = 1</script>
<p>Call <code>f(2)</code> first.</p></html>"""


class Site(httpcore.AsyncNetworkBackend):
    """One host behind one public address, served from memory by this process."""

    def __init__(self, *pages):
        self.pages = list(pages)

    async def resolve(self, host):
        return [ADDRESS]

    async def connect_tcp(self, host, port, *rest, **named):
        assert host == ADDRESS
        body = self.pages.pop(0)
        head = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: %d\r\n\r\n" % len(body)
        return httpcore.AsyncMockStream([head + body, b""])


@pytest.fixture
def fetching(tmp_path):
    """`fetching(*pages)`: a toolbox whose `fetch` gets a robots.txt that forbids nothing, then these pages."""

    def make(*pages, size=2**20):
        site = Site(b"", *pages)
        service = Fetch(["a.org"], tmp_path / "pages", bounds=Bounds(size=size), resolve=site.resolve, connect=site)
        return Toolbox.standard(services={"fetch": service})

    return make


async def test_a_page_arrives_as_text_and_again_without_asking(world, fetching):
    first, after = await call(fetching(HTML), world, "fetch", {"url": "http://a.org/use"})
    assert first.error is None, first
    assert (first.value["title"], first.value["text"]) == ("Manual", "# Use\n\nCall f(2) first.")
    again, _ = await call(fetching(), world, "fetch", {"url": "http://a.org/use"}, after)
    assert again.value == first.value


async def test_a_saved_page_is_a_file_of_the_snapshot(world, fetching):
    _, after = await call(fetching(HTML), world, "fetch", {"url": "http://a.org/use", "save": "use.html"})
    assert await world.world.get(after, ["use.html"]) == {"use.html": HTML}
    assert await world.value(after, "len(open('use.html').read())") == str(len(HTML))


async def test_the_world_itself_still_reaches_nothing(world, fetching):
    box = fetching(HTML)
    _, after = await call(box, world, "fetch", {"url": "http://a.org/use"})
    result, _ = await world.cell(after, "import socket; socket.create_connection(('93.184.215.14', 80), 1)")
    assert result.error == "raised"


async def test_what_is_refused_runs_nothing(world, fetching):
    result, after = await call(fetching(), world, "fetch", {"url": "http://169.254.169.254/latest"})
    assert (result.error, after) == ("refused", world.root)
    result, _ = await call(fetching(), world, "fetch", {"url": "http://b.org/"})
    assert result.detail == "the host b.org is not allowed, only a.org"


async def test_a_page_that_never_ends_parsing_is_a_result(world, fetching):
    box = fetching(b"<!--" * 200_000)
    result, _ = await call(box, world, "fetch", {"url": "http://a.org/"}, wall_s=2.0, cpu_s=2.0)
    assert result.error in (None, "timeout"), result
    assert await world.answers()


async def test_the_largest_page_fits(world, fetching):
    text = b"word " * (4 * 2**20 // 5)
    result, _ = await call(fetching(text, size=4 * 2**20), world, "fetch", {"url": "http://a.org/", "save": "page"})
    assert result.error is None, result
    assert result.value["characters"] == len(text.strip())


async def test_branches_that_fetch_at_once_see_one_page(world, fetching):
    box = fetching(HTML)
    found = await asyncio.gather(*(call(box, world, "fetch", {"url": "http://a.org/"}) for _ in range(4)))
    assert {result.value["text"] for result, _ in found} == {"# Use\n\nCall f(2) first."}


async def test_a_replayed_snapshot_needs_no_network(world, fetching):
    box = fetching(HTML)
    _, after = await call(box, world, "fetch", {"url": "http://a.org/", "save": "page"})
    await world.world._guest.close()
    assert await world.world.get(after, ["page"]) == {"page": HTML}
