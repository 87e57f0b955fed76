"""The commands of a chat: a table of names, what each does, and a line of help. The conversation does it."""

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from reasoner import tasks
from reasoner.conversation import EFFORTS, OWN, Place, Turn
from reasoner.errors import ReasonerError
from reasoner.repl.answer import changed, coloured
from reasoner.repl.chat.showing import branches
from reasoner.repl.chat.talking import Talking
from reasoner.repl.printable import one_line, printable
from reasoner.tasks.write import write
from reasoner.tree import LIKELIHOOD

_SHOWN = 60
_FENCE = re.compile(r"^```.*$", re.M)


@dataclass(frozen=True)
class Command:
    run: Callable[[Talking, str], Awaitable[None]]
    usage: str
    help: str


class Misused(ReasonerError):
    """A command that was typed makes no sense; the text says what does."""


async def _help(chat: Talking, rest: str) -> None:
    for name, command in COMMANDS.items():
        chat.say(f"  {f'{name} {command.usage}'.strip():<18} {command.help}")
    chat.say("  @path              in your words: put a file into the world")
    chat.say("  Alt-Enter          a new line; so do !multi … !end; Ctrl-C holds a turn still")


async def _undo(chat: Talking, rest: str) -> None:
    turn = (await chat.talk()).undo(_number(rest, 1))
    chat.say(f"back before turn {turn.id}: {one_line(turn.words, _SHOWN)}")


async def _retry(chat: Talking, rest: str) -> None:
    talk = await chat.talk()
    await chat.grow(talk.retry)


async def _more(chat: Talking, rest: str) -> None:
    talk = await chat.talk()
    turn = talk.unfinished
    if turn is None:
        raise Misused("there is no turn to go on with: every one came to its end")
    await chat.grow(lambda *listeners: talk.go_on(turn, *listeners))


async def _edit(chat: Talking, rest: str) -> None:
    turn = (await chat.talk()).undo()
    chat.prefill(turn.words)


async def _rewind(chat: Talking, rest: str) -> None:
    talk = await chat.talk()
    if not rest:
        _stops(chat, talk.line[-1] if talk.line else None)
        return
    number, _, step = rest.rpartition(".")
    turn = talk.rewind(_number(step, 0), _number(number, 0) if number else None)
    chat.say(f"in turn {turn.id}, after step {_number(step, 0)}: say something, or /retry from here")


def _stops(chat: Talking, turn: Turn | None) -> None:
    if turn is None:
        raise Misused("nothing was said yet")
    for number, stop in enumerate(turn.stops(), 1):
        chat.say(f"  {number}  {stop.step.kind:<8} {one_line(_FENCE.sub('', stop.step.text), _SHOWN)}")
    chat.say("go back to after one of them: /rewind STEP, or TURN.STEP")


async def _fork(chat: Talking, rest: str) -> None:
    talk = await chat.talk()
    if not rest:
        raise Misused("say from which turn: /fork N; /tree shows them")
    turn = talk.fork(_number(rest, 0))
    chat.say(f"after turn {turn.id}: {one_line(turn.words, _SHOWN)}")


async def _tree(chat: Talking, rest: str) -> None:
    talk = await chat.talk()
    if not talk.turns:
        raise Misused("nothing was said yet")
    line = {turn.id for turn in talk.line}
    below: dict[int | None, list[Turn]] = {}
    for turn in talk.turns.values():
        below.setdefault(turn.base.turn if turn.base else None, []).append(turn)
    todo = [(turn, 0) for turn in reversed(below.get(None, []))]
    while todo:
        turn, depth = todo.pop()
        mark = "●" if turn.id in line else "○"
        here = " ← here" if talk.at and talk.at.turn == turn.id else ""
        words = one_line(turn.words, _SHOWN) or "(went on)"
        chat.say(f"  {'  ' * depth}{mark} {turn.id} {words}{_inside(turn.base, talk.turns)}{here}")
        todo += [(child, depth + 1) for child in reversed(below.get(turn.id, []))]
    if talk.at is None:
        chat.say("  ← here, before all of them")
    elif rest == "search":
        turn = talk.turns[talk.at.turn]
        for text in branches(turn.tree, turn.end.node if turn.end else None, chat.width):
            chat.say(text)


def _inside(base: Place | None, turns: Mapping[int, Turn]) -> str:
    """From which step of the turn above it hangs, where that is not its end."""
    if base is None or base == turns[base.turn].end:
        return ""
    places = [stop.place for stop in turns[base.turn].stops()]
    return f" (from step {places.index(base) + 1})" if base in places else ""


async def _why(chat: Talking, rest: str) -> None:
    turn = await _last(chat)
    if turn.result is None:
        raise Misused(f"turn {turn.id} was broken off: /more goes on with it")
    stop = turn.result.stop
    sure = "" if stop.confidence is None else f", sure to {stop.confidence:.0%}"
    chat.say(f"turn {turn.id} stopped: {stop.reason}{sure}")
    if turn.end is None:
        return
    likelihood = turn.tree.score(turn.end.node, LIKELIHOOD)
    if likelihood is not None:
        chat.say(f"  its own tokens had a probability of {likelihood:.2f} on average")
    for verdict in turn.tree[turn.end.node].verdicts:
        score = "" if verdict.source == "answer" else f" says {verdict.score:g}"
        chat.say(f"  {verdict.source}{score}: {one_line(verdict.detail, _SHOWN)}")


async def _tokens(chat: Talking, rest: str) -> None:
    talk = await chat.talk()
    context, used = talk.reasoner.core.info.context, len(talk.ids(talk.at))
    chat.say(f"{used:,} tokens so far, of {context:,} that the core can read ({used / context:.0%})")
    whole = talk.verbatim()
    for turn in talk.line:
        sampled = sum(len(span.ids) for step in turn.steps for span in step.spans if span.sampled)
        pinned = ", pinned" if turn.id in talk.session.pinned else ""
        short = "" if turn.id in whole else ", now told by a summary"
        chat.say(f"  turn {turn.id}: {sampled:,} written by the core{pinned}{short}")


async def _pin(chat: Talking, rest: str) -> None:
    talk, last = await chat.talk(), await _last(chat)
    number = _number(rest, last.id)
    stays = "stays word for word" if talk.pin(number) else "may become a part of a summary"
    chat.say(f"turn {number} {stays}")


async def _cost(chat: Talking, rest: str) -> None:
    talk = await chat.talk()
    spent = talk.spent
    money = f", {spent.money:.6g} in money" if spent.money else ""
    chat.say(
        f"turns: {len(talk.turns)}, {spent.tokens:,} tokens ({spent.prefilled:,} read, {spent.decoded:,} written, "
        f"{spent.cached:,} more from the cache), {spent.tool_calls} calls, {spent.tool_cpu_s:.1f} s CPU of tools, "
        f"{spent.wall_s:.0f} s{money}"
    )


async def _budget(chat: Talking, rest: str) -> None:
    talk = await chat.talk()
    if rest:
        tokens = None if rest in ("0", "none") else _tokens_in(rest)
        talk.budget = replace(talk.budget, tokens=tokens)
    bounds = [f"{bound:g} {name}" for name, bound in asdict(talk.budget).items() if bound is not None]
    chat.say(f"of each turn: {', '.join(bounds) or 'no bound'}")


async def _effort(chat: Talking, rest: str) -> None:
    talk = await chat.talk()
    if rest:
        if rest not in (*EFFORTS, OWN):
            raise Misused(f"there is no effort {printable(rest)!r}: choose one of {', '.join((*EFFORTS, OWN))}")
        talk.effort = rest
    purposes = {name: effort.purpose for name, effort in EFFORTS.items()} | {OWN: "as the flags say, whatever that is"}
    for name, purpose in purposes.items():
        chat.say(f"  {'●' if name == talk.effort else '○'} {name:<8} {purpose}")


async def _model(chat: Talking, rest: str) -> None:
    talk = await chat.talk()
    info = talk.reasoner.core.info
    chat.say(f"core {info.name}, {info.context:,} tokens of context; sandbox {talk.reasoner.sandbox.level}")
    if rest:
        chat.say(f"a session stays with its core: begin another with reasoner chat --model {rest}")


async def _tools(chat: Talking, rest: str) -> None:
    for schema in (await chat.talk()).reasoner.toolbox.schemas():
        function = schema["function"]
        if function["name"] == "run_tests":
            continue  # a chat has no suite
        chat.say(f"  {function['name']:<12} {one_line(function['description'], _SHOWN)}")


async def _save(chat: Talking, rest: str) -> None:
    talk = await chat.talk()
    if not rest:
        chat.say(f"this session is on disk at every step: {talk.session.folder}")
        chat.say(f"go on with it: reasoner chat --continue {talk.session.id}   or keep a copy: /save NAME")
        return
    chat.say(f"kept as {chat.save(rest)}")


async def _load(chat: Talking, rest: str) -> None:
    if not rest:
        for name in chat.sessions():
            chat.say(f"  {name}")
        return
    await chat.load(rest)


async def _export(chat: Talking, rest: str) -> None:
    if not rest:
        raise Misused("say where to: /export talk.md")
    talk, path = await chat.talk(), Path(rest).expanduser()
    parts = [f"# {talk.session.id}\n"]
    for turn in talk.line:
        parts.append(f"**You:** {turn.words}\n")
        for stop in turn.stops():
            heard = f"\n{stop.heard.text.strip()}\n" if stop.heard else ""
            parts.append(f"{stop.step.text.strip()}\n{heard}")
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write("\n".join(parts))
    except FileExistsError:
        raise Misused(f"{path} is there already: say another name") from None
    except OSError as error:
        raise Misused(f"cannot write {path} ({error.strerror}): say another name") from error
    chat.say(f"written to {path}")


async def _solve(chat: Talking, rest: str) -> None:
    if not rest:
        raise Misused("say which task: /solve DIR, a folder with a text, files and tests")
    path = Path(rest).expanduser()
    task = tasks.load(path)
    if task.is_question:
        raise Misused(f"{printable(rest)} is a question, with no files to write: ask it here")
    answer = await chat.solve(task)
    for line in coloured(answer.diff()):
        chat.say(line)
    for words in answer.summary(chat.width):
        chat.say(words)
    files = changed(task, answer.result.files)
    if files and answer.result.status == "solved" and path.is_dir() and await chat.agreed(f"write it into {rest}?"):
        for name in write(path, files):
            chat.say(f"written: {name}")


async def _clear(chat: Talking, rest: str) -> None:
    await chat.begin()
    chat.say("a new session; the old one is kept: /load shows all")


async def _quit(chat: Talking, rest: str) -> None:
    raise EOFError


COMMANDS: Mapping[str, Command] = {
    "/help": Command(_help, "", "this"),
    "/undo": Command(_undo, "[N]", "take back the last turn, or N: words, variables, files"),
    "/retry": Command(_retry, "", "answer the last words anew; after /rewind, from there"),
    "/edit": Command(_edit, "", "take back the last turn and change its words"),
    "/more": Command(_more, "", "go on with a turn that was broken off, or out of budget"),
    "/rewind": Command(_rewind, "[STEP]", "go back to after a step of the last turn; or list them"),
    "/fork": Command(_fork, "N", "go on from turn N, of whichever branch"),
    "/tree": Command(_tree, "[search]", "the turns, and where you are; branches of a search"),
    "/why": Command(_why, "", "why it stopped, and what each verifier said"),
    "/tokens": Command(_tokens, "", "how much of the context is used"),
    "/pin": Command(_pin, "[N]", "keep a turn out of later summaries, or no longer"),
    "/cost": Command(_cost, "", "what this session has cost"),
    "/budget": Command(_budget, "[TOKENS]", "what each turn may cost; none lifts the bound"),
    "/effort": Command(_effort, "[NAME]", "how hard a turn is thought about"),
    "/model": Command(_model, "", "which core answers, in which sandbox"),
    "/tools": Command(_tools, "", "what the core can call"),
    "/save": Command(_save, "[NAME]", "where this session is on disk; with a name, keep a copy"),
    "/load": Command(_load, "[NAME]", "go on with another session; without a name, list them"),
    "/export": Command(_export, "FILE", "write this branch as Markdown"),
    "/solve": Command(_solve, "DIR", "solve a coding task against its tests; asks before it writes"),
    "/clear": Command(_clear, "", "begin a new session"),
    "/quit": Command(_quit, "", "leave; reasoner chat --continue goes on"),
}


async def _last(chat: Talking) -> Turn:
    talk = await chat.talk()
    if not talk.line:
        raise Misused("nothing was said yet")
    return talk.line[-1]


def _number(text: str, default: int) -> int:
    if not text:
        return default
    if not text.isdecimal() or len(text) > 9:
        raise Misused(f"{printable(text)!r} is no number")
    return int(text)


def _tokens_in(text: str) -> int:
    factor = {"k": 1_000, "m": 1_000_000}.get(text[-1:].lower(), 1)
    return _number(text[:-1] if factor > 1 else text, 0) * factor
