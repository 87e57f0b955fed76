"""A model's chat template, taken apart once into the four strings that stand between messages.

Rendering a whole conversation again at each turn is what makes histories drift; with the strings in hand a turn is
appended, never rendered again. A template comes from a model directory and is hostile: it is rendered in jinja's
immutable sandbox, and only its text between the holes is ever used.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jinja2
import jinja2.sandbox

from reasoner.content import content_dir
from reasoner.dialect.tokenizer import Tokenizer
from reasoner.errors import ModelError

_HOLES = ("xHOLE0SYSTEMx", "xHOLE1USERx", "xHOLE2ASSISTANTx", "xHOLE3AGAINx")
_SYSTEM, _USER, _ASSISTANT, _AGAIN = _HOLES
_OWN = {
    "<|im_start|>": "chatml.jinja",
    "<|start_header_id|>": "llama3.jinja",
    "<start_of_turn>": "gemma.jinja",
}
"""A control token that only one family has -> the template to use when a model brings none."""


@dataclass(frozen=True)
class Chat:
    """Token ids between messages: `start`, system text, `user`, text, `assistant`, text, `again`, text, …"""

    start: tuple[int, ...]
    user: tuple[int, ...]
    assistant: tuple[int, ...]
    again: tuple[int, ...]
    """From the end of an assistant's turn to the beginning of the next user's."""
    has_system: bool
    """Whether the template has a place for a system text; without one it goes before the first user's."""


def chat(tokenizer: Tokenizer) -> Chat:
    """Take the tokenizer's template apart.

    Raises:
        ModelError: there is no template, or it does not keep messages whole and in order.
    """
    template = _compile(_source(tokenizer))
    try:
        between = _cut(_render(template, tokenizer, (_SYSTEM, _USER, _ASSISTANT, _AGAIN)), _HOLES)
        has_system = True
    except ModelError:
        between = ["", *_cut(_render(template, tokenizer, (_USER, _ASSISTANT, _AGAIN)), _HOLES[1:])]
        has_system = False
    start, user, assistant, again, _ = between
    opening = _render(template, tokenizer, _HOLES[:2] if has_system else _HOLES[1:2])
    assistant = opening.rpartition(_USER)[2] or assistant
    ids = [tuple(markup(tokenizer, text)) for text in (start, user, assistant, again)]
    return Chat(ids[0], ids[1], ids[2], ids[3], has_system)


def markup(tokenizer: Tokenizer, text: str) -> list[int]:
    """Ids of text of our own or a template's, where control tokens mean what they say."""
    controls = tokenizer.controls
    if not controls:
        return tokenizer.encode(text)
    pattern = "|".join(re.escape(c) for c in sorted(controls, key=len, reverse=True) if c)
    ids: list[int] = []
    for part in re.split(f"({pattern})", text):
        ids += [controls[part]] if part in controls else tokenizer.encode(part)
    return ids


def _source(tokenizer: Tokenizer) -> str:
    if tokenizer.template:
        return tokenizer.template
    for control, name in _OWN.items():
        if control in tokenizer.controls:
            return (content_dir("templates") / name).read_text(encoding="utf-8")
    raise ModelError(
        "this model has no chat template and its control tokens belong to no family that we have one for: "
        "put a chat_template.jinja into its directory"
    )


def _compile(source: str) -> jinja2.Template:
    def refuse(message: str) -> None:
        raise jinja2.TemplateError(message)

    environment = jinja2.sandbox.ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"]
    )
    environment.globals["raise_exception"] = refuse
    environment.globals["strftime_now"] = lambda _format: ""
    try:
        return environment.from_string(source)
    except jinja2.TemplateError as error:
        raise ModelError(
            f"the model's chat template cannot be parsed ({error}): replace chat_template.jinja"
        ) from error


def _render(template: jinja2.Template, tokenizer: Tokenizer, holes: Sequence[str]) -> str:
    roles = {_SYSTEM: "system", _USER: "user", _ASSISTANT: "assistant", _AGAIN: "user"}
    messages: list[dict[str, Any]] = [{"role": roles[hole], "content": hole} for hole in holes]
    try:
        return template.render(
            messages=messages, add_generation_prompt=True, bos_token=tokenizer.bos, eos_token="", tools=None
        )
    except (jinja2.TemplateError, TypeError, ValueError) as error:
        raise ModelError(f"the model's chat template fails on a plain conversation ({error})") from error


def _cut(text: str, holes: Sequence[str]) -> list[str]:
    """The strings before, between and after the holes."""
    parts = []
    for hole in holes:
        before, found, text = text.partition(hole)
        if not found:
            raise ModelError("the model's chat template drops or reorders messages, so turns cannot be appended to it")
        parts.append(before)
    return [*parts, text]
