"""`tools/fetch` by hand: hostile pages as text, in parts. What the host does before it is tested in tests/broker."""

import base64
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from reasoner.content import content_dir, load_tool

TOOL = load_tool(content_dir("tools") / "fetch")


@pytest.fixture
def run(tmp_path: Path) -> Any:
    """`run(body, type, charset, **arguments)` runs the program as a world does: one file, isolated."""
    program = tmp_path / "run.py"
    program.write_bytes(TOOL.program)
    workspace = tmp_path / "workspace"
    workspace.mkdir()

    def run(body: bytes | str, type: str = "text/html", charset: str = "", **arguments: Any) -> Any:
        content = body.encode() if isinstance(body, str) else body
        fetched = {
            "url": "https://a.org/",
            "type": type,
            "charset": charset,
            "body": base64.b64encode(content).decode(),
        }
        request = json.dumps({"url": "https://a.org/", **arguments, "fetch": fetched})
        command = [sys.executable, "-I", str(program)]
        done = subprocess.run(command, input=request, capture_output=True, text=True, cwd=workspace, timeout=60)
        return json.loads(done.stdout) if done.returncode == 0 else done.stderr

    return run


PAGE = """<!doctype html><html><head><title>The
 T&amp;itle</title><script>if (a < b) { "</p>" }</script><style>p {}</style></head>
<body><nav><ul><li>menu</ul></nav><h1>One <b>two</b></h1><p>Three
   four<br>five<p>Six &lt;b&gt; &#233;<ul><li>a<li>b <i>c</i></ul>
<table><tr><th>n<th>v<tr><td>1<td>2</table>
<pre><code>def f(x):
    return x &lt; 1

f(2)
</code></pre>After.<footer>foot</footer></body></html>"""
TEXT = """# One two

Three four
five

Six <b> é

- a
- b c

| n | v
| 1 | 2

def f(x):
    return x < 1

f(2)

After."""


def test_a_page_is_its_text(run):
    assert run(PAGE) == {
        "url": "https://a.org/",
        "title": "The T&itle",
        "text": TEXT,
        "start": 0,
        "next": None,
        "characters": len(TEXT),
    }


def test_of_a_page_with_a_main_part_only_that_is_read(run):
    words = "word " * 60
    assert (
        run(f"<p>around<main><p>{words}<article>inside</article></main><p>around")["text"] == f"{words.strip()}\ninside"
    )
    assert run("<p>around<main>little</main>")["text"] == "around\nlittle"


@pytest.mark.parametrize(
    "hidden",
    [
        "<script>secret</script>",
        "<SCRIPT>secret</SCRIPT >",
        "<style>secret</style>",
        "<!-- secret -->",
        "<template><p>secret</p></template>",
        "<noscript>secret</noscript>",
        "<div hidden>secret<div>secret</div>secret</div>",
        "<div aria-hidden=true>secret</div>",
        "<span style='color:red; DISPLAY : none'>secret</span>",
        "<div style='visibility:hidden'><p>secret</div>",
        "<svg><text>secret</text></svg>",
        "<textarea>secret</textarea>",
    ],
)
def test_what_no_reader_sees_is_left_out(run, hidden):
    assert run(f"<p>before</p>{hidden}<p>after")["text"] == "before\n\nafter"


def test_what_shows_nothing_is_taken_out(run):
    assert run("<p>a\u200bb\u202ec\U000e0041d\x07e\ue000f")["text"] == "abcdef"
    assert run("a\x1b[31mb\r\nc\td", "text/plain")["text"] == "a[31mb\nc\td"


def test_other_texts_are_read_as_they_are(run):
    assert run('{"a": "<p>"}', "application/json")["text"] == '{"a": "<p>"}'
    assert run("a,b\n1,2\n", "text/csv")["text"] == "a,b\n1,2\n"


def test_a_long_text_comes_in_parts(run):
    text = "".join(map(str, range(6000)))
    first = run(text, "text/plain")
    second = run(text, "text/plain", start=first["next"])
    third = run(text, "text/plain", start=second["next"])
    assert [part["next"] for part in (first, second, third)] == [8000, 16000, None]
    assert first["text"] + second["text"] + third["text"] == text
    beyond = run(text, "text/plain", start=10**9)
    assert (beyond["text"], beyond["next"]) == ("", None)


@pytest.mark.parametrize(
    ("body", "charset", "text"),
    [
        ("ä".encode(), "", "ä"),
        ("ä".encode("latin-1"), "iso-8859-1", "ä"),
        ("я".encode("cp1251"), "windows-1251", "я"),
        ("日".encode("shift_jis"), "Shift_JIS", "日"),
        (b"\xef\xbb\xbf\xc3\xa4", "latin-1", "ä"),
        ("ä".encode("utf-16"), "", "ä"),
        (b"<meta charset=latin-1>\xe4", "", "ä"),
        (b"<meta http-equiv=x content='text/html; charset=latin-1'>\xe4", "", "ä"),
        (b"<meta charset=latin-1>\xc3\xa4", "utf-8", "ä"),
        (b"a\xff", "", "a�"),
        (b"abc", "no-such-charset", "abc"),
        (b"abc", "zlib", "abc"),
        (b"abc-", "punycode", "abc-"),
        (b"\\x41", "unicode_escape", "\\x41"),
        (b"+AGE-", "UTF-7", "+AGE-"),
        (b"abc", "undefined", "abc"),
        (b"abc", "os.path", "abc"),
        (b"<meta charset=hex>616263", "", "616263"),
    ],
)
def test_a_page_is_decoded_as_it_says_where_that_can_be(run, body, charset, text):
    assert run(body, charset=charset)["text"] == text


@pytest.mark.parametrize(
    "body",
    [
        b"<div>" * 100_000 + b"deep",
        b"<nav>" * 100_000 + b"deep",
        b"<" * 100_000,
        b"<a " + b"x=1 " * 100_000 + b">",
        b"&#" + b"9" * 5000 + b";",
        b"<!--" * 3000,
        b"<![CDATA[" * 3000,
        b"</" * 3000,
        b"<script>" + b"</scrip" * 3000,
        bytes(range(256)) * 4000,
        b"",
    ],
)
def test_no_page_is_too_strange(run, body):
    before = time.monotonic()
    assert set(run(body)) == {"url", "title", "text", "start", "next", "characters"}
    assert time.monotonic() - before < TOOL.limits.wall_s


def test_the_pages_own_bytes_can_be_saved_in_the_workspace(run, tmp_path):
    run(b"\x00\xff", "text/plain", save="page.bin")
    assert (tmp_path / "workspace" / "page.bin").read_bytes() == b"\x00\xff"
    said = run(b"x", "text/plain", save="no/such/folder/page")
    assert (
        said.strip()
        == "the page cannot be saved as 'no/such/folder/page': [Errno 2] No such file or directory: "
        + repr("no/such/folder/page")
    )


def test_an_answer_fits_into_the_output(run):
    answer = run("😀" * 20_000, "text/plain")
    assert len(json.dumps(answer)) < TOOL.limits.output
