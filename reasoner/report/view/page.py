"""The page of a search: one HTML file. Everything from the trace stands in blocks of JSON, in which no character could
end them, and the script puts it into the page as text alone. The page's policy allows our own script and style, by
their hashes, and nothing else: no address is asked, and what a trace brings could not run even if it were markup."""

import base64
import hashlib
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import jinja2
import msgspec

from reasoner.report.view.detail import detail
from reasoner.report.view.overview import head, rows, spending
from reasoner.report.view.spelling import Spelling
from reasoner.trace import Added, Opened, Trace

_HERE = Path(__file__).parent
_SCRIPTS = ("text.js", "budget.js", "map.js", "rows.js", "detail.js", "main.js")
_ESCAPES = {ord(char): f"\\u{ord(char):04x}" for char in "<>&\u2028\u2029"}


def page(trace: Trace, spelling: Spelling | None = None) -> str:
    """The page. Without `spelling`, tokens are shown by their numbers.

    Raises:
        TraceError: the trace does not begin with its task.
    """
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True)
    template = environment.from_string(_text("page.html.jinja"))
    script = "\n".join(map(_text, _SCRIPTS))
    style = _text("style.css")
    overview = {**head(trace), "spending": spending(trace), "rows": [asdict(row) for row in rows(trace)]}
    return template.render(
        title=trace.began.task.id,
        script=script,
        style=style,
        script_hash=_hash(script),
        style_hash=_hash(style),
        overview=_block(overview),
        details=_details(trace, spelling),
    )


def _details(trace: Trace, spelling: Spelling | None) -> Iterator[str]:
    """A block for each node, in the order of the rows."""
    heads = {event.head.id: event.head for event in trace.events if isinstance(event, Opened)}
    for event in trace.events:
        if isinstance(event, Added):
            yield _block(detail(event.node, heads.get(-1 if event.head is None else event.head), spelling))


def _block(value: Any) -> str:
    """JSON that can stand in a script element: nothing in it ends the element, or begins another."""
    return msgspec.json.encode(value).decode().translate(_ESCAPES)


def _hash(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def _text(name: str) -> str:
    return (_HERE / name).read_text(encoding="utf-8")
