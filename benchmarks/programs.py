"""GSM8K's own solutions as programs: each of their sentences is a comment, each of their calculations a line.

    He harvested 5 x 14 = <<5*14=70>>70 strawberries.        # He harvested 5 x 14 strawberries.
    That fills 70/7 = <<70/7=10>>10 baskets.            ->   a = 5*14
    #### 10                                                  # That fills a/7 baskets.
                                                             b = a/7
                                                             print(b)

What a calculation came to stands nowhere, since whoever writes the program does not know it yet: where it is used
again there is its name. Nothing is evaluated here: what a program prints is seen when the sandbox runs it.
"""

import re
from collections.abc import Iterator, Mapping

_NOTE = re.compile(r"<<(?P<sum>[^<>=]*)=(?P<result>[^<>]*)>>\s*(?:-?\$?[\d.,]*\d)?")
_NUMBER = re.compile(r"(?<![\w.,])(?:\d{1,3}(?:,\d{3})+|\d+)?(?:\.\d+|(?<=\d))(?![\w]|[.,]\d)")
_SUM = re.compile(r"[\d.+\-*/() ]+")
_EQUALS = re.compile(r"\s*=\s*\$?\s*$")
_NAMES = "abcdefghijkm"
_COMMON = {*range(1, 13), 24, 30, 52, 60, 100, 365, 0.5}
"""Numbers of hours, days, weeks, percents: a solution may use them though the question does not say them."""


def program(question: str, answer: str) -> str | None:
    """The program of a solution; None where one of its calculations is no plain sum, or it is not clear where a number
    in it comes from: the question, exactly one calculation before, or what everybody knows."""
    told = list(_told(question, answer.rpartition("####")[0]))
    if not told or not all(told):
        return None
    last = told[-1].rpartition("\n")[2].partition(" = ")[0]
    return "\n".join([*told, f"print({last})"])


def _told(question: str, solution: str) -> Iterator[str]:
    """Each sentence with its calculations, empty for one that cannot be told. Sentences without any are passed over."""
    given = {_value(found[0]) for found in _NUMBER.finditer(question)}
    known: dict[float, str] = {}
    for sentence in solution.strip().splitlines():
        notes = list(_NOTE.finditer(sentence))
        if not notes:
            continue
        words, lines = sentence, list[str]()
        for note in reversed(notes):
            before = words[: note.start()]
            stripped = _EQUALS.sub("", before)
            words = (stripped if stripped != before else before + note["sum"]) + words[note.end() :]
        words = _named(words, known)
        for note in notes:
            result = _value(note["result"])
            used = {_value(found[0]) for found in _NUMBER.finditer(note["sum"])}
            if not _SUM.fullmatch(note["sum"]) or result is None or not used <= {*given, *known, *_COMMON}:
                yield ""
                return
            if result in known or result in given or len(known) == len(_NAMES):
                yield ""
                return
            name = _NAMES[len(known)]
            lines.append(f"{name} = {_named(note['sum'].strip(), known)}")
            known[result] = name
        yield "\n".join([f"# {' '.join(words.split())}", *lines])


def _named(text: str, known: Mapping[float, str]) -> str:
    return _NUMBER.sub(lambda found: known.get(_value(found[0]) or 0.0, found[0]), text)


def _value(text: str) -> float | None:
    try:
        return float(text.replace(",", "").strip().lstrip("$"))
    except ValueError:
        return None
