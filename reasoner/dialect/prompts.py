"""The texts that the model reads: `templates/*.jinja`, rendered strictly. What fills them is plain text."""

from functools import cache
from typing import Any

import jinja2

from reasoner.content import content_dir


@cache
def _environment() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(content_dir("templates")),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=False,
        keep_trailing_newline=False,
    )


def prompt(name: str, **values: Any) -> str:
    """The text of `templates/<name>.jinja` with `values` in its places; a missing value is an error."""
    return _environment().get_template(f"{name}.jinja").render(**values).strip("\n")
