"""Calls between the process that compares and the process that holds the candidate.

Values cross as exact builtin types, written down as JSON and built anew: no code of the other side runs when one is
compared, hashed or shown, so a lying `__eq__` or a subclass of `int` does not arrive. What has no such form stays where
it is and crosses as a handle, a `Remote`; every use of it is a call back. Both sides are the same `Peer`, but what the
candidate may do with the test's own objects is bounded by `permitted`.
"""

import builtins
import importlib
import json
import operator
import sys
import types
from collections import deque

from _describing import describe, headline, text_of
from _ending import Gone, TimeLimit, alarm

FRAME_BYTES = 64 * 2**20
TESTS = "__tests__"
"""The module name of everything that the tests define."""

HOLDERS = {"tuple": tuple, "set": set, "frozenset": frozenset, "deque": deque}
PLAIN = {
    "bytes": ("builtins", lambda kind, b: kind.hex(b), lambda kind, text: kind.fromhex(text)),
    "bytearray": ("builtins", lambda kind, b: kind.hex(b), lambda kind, text: kind.fromhex(text)),
    "complex": ("builtins", lambda _, c: [c.real, c.imag], lambda kind, parts: kind(*parts)),
    "range": ("builtins", lambda _, r: [r.start, r.stop, r.step], lambda kind, parts: kind(*parts)),
    "Decimal": ("decimal", lambda kind, d: kind.__str__(d), lambda kind, text: kind(text)),
    "Fraction": ("fractions", lambda kind, f: kind.__str__(f), lambda kind, text: kind(text)),
    "datetime": ("datetime", lambda kind, d: kind.isoformat(d), lambda kind, text: kind.fromisoformat(text)),
    "date": ("datetime", lambda kind, d: kind.isoformat(d), lambda kind, text: kind.fromisoformat(text)),
    "timedelta": ("datetime", lambda _, d: [d.days, d.seconds, d.microseconds], lambda kind, parts: kind(*parts)),
}
"""Class -> the module that has it, how a value of it is written, how it is read. No module is loaded before a value of
it is there: what is loaded costs time at every fork."""
NAMED = (types.ModuleType, type, types.FunctionType, types.BuiltinFunctionType)

PAIRS = ("lt", "le", "gt", "ge", "add", "sub", "mul", "truediv")
BUILTINS = ("getattr", "setattr", "len", "iter", "next", "bool", "str", "repr")
ITEMS = ("getitem", "setitem", "delitem", "contains")
USES = {
    "call": lambda function, arguments, named: function(*arguments, **named),
    "isinstance": lambda kind, value: isinstance(value, kind),
    **{name: getattr(builtins, name) for name in BUILTINS},
    **{name: getattr(operator, name) for name in (*ITEMS, "eq", *PAIRS)},
}


class Peer:
    """One end of a socket. `tests`: this is the side that compares, and trusts nothing that arrives."""

    def __init__(self, socket, *, tests, seconds=0):
        self.socket, self.tests, self.seconds = socket, tests, seconds
        self.names = True
        """Whether importable things are sent by their name; a candidate may do so once, for what it imported itself."""
        self.trusting = not tests
        """Whether such a name is followed."""
        self.watch = None
        """Where the tests are: what ends a test that takes too long."""
        self.opened, self.numbers = [], {}
        """Objects that the other side has a handle of, and their places by identity."""

    # frames: four bytes of length, then JSON

    def send(self, *frame):
        data = json.dumps(frame).encode()
        try:
            self.socket.sendall(len(data).to_bytes(4, "big") + data)
        except OSError as error:
            raise Gone("the candidate's process ended") from error

    def receive(self):
        size = int.from_bytes(self.read(4), "big")
        if size > FRAME_BYTES:
            raise Gone(f"a value of {size} bytes is too large")
        try:
            return json.loads(self.read(size))
        except ValueError as error:
            raise Gone("the candidate's process wrote into the channel of its calls") from error

    def read(self, size):
        data = bytearray()
        while len(data) < size:
            try:
                chunk = self.socket.recv(min(size - len(data), 2**20))
            except OSError:
                chunk = b""
            if not chunk:
                raise Gone("the candidate's process ended")
            data += chunk
        return bytes(data)

    # calls

    def ask(self, use, *values):
        """Use objects over there. What the call changed in lists, dicts and sets among `values` is changed here too."""
        self.send("ask", use, [self.encode(value) for value in values])
        while True:
            match self.receive():
                case ["ask", str(wanted), [*encoded]]:
                    self.answer(wanted, encoded)
                case ["value", encoded, changed]:
                    for old, new in zip(values, changed or (), strict=False):
                        refresh(old, self.decode(new))
                    return self.decode(encoded)
                case ["raised", str(kind), str(text), str(where)]:
                    raise self.raised(kind, text, where)
                case _:
                    raise Gone("the candidate's process wrote into the channel of its calls")

    def answer(self, use, encoded):
        try:
            values = [self.decode(value) for value in encoded]
            before = [self.encode(value) for value in values]
            self.permit(use, *values)
            value = self.use(use, values)
            after = [self.encode(value) for value in values]
            reply = ("value", self.encode(value), after if after != before else None)
        except BaseException as error:  # noqa: BLE001 - whatever a candidate raises travels as a word
            where = describe(error, {}).removeprefix(headline(error)).strip()
            reply = ("raised", type(error).__name__, text_of(error), where)
        self.send(*reply)

    def use(self, use, values):
        if self.tests:
            return USES[use](*values)
        alarm(self.seconds)
        try:
            return USES[use](*values)
        finally:
            alarm(0)

    def raised(self, kind, text, where):
        """The other side's exception: the builtin of that name, or a new one that only shares its name."""
        known = TimeLimit if kind == "TimeLimit" else getattr(builtins, kind, None)
        if not isinstance(known, type) or not issubclass(known, (Exception, TimeLimit)):
            known = type(kind, (Exception,), {"__module__": "builtins"})
        try:
            error = known(text) if text else known()
        except TypeError:
            error = type(kind, (Exception,), {"__module__": "builtins"})(text)
        error.where = where
        return error

    def permit(self, use, target, *rest):
        """Everything of the candidate; of the tests, calls and the public attributes of what their classes make."""
        private = bool(rest) and isinstance(rest[0], str) and rest[0].startswith("_")
        of_tests = type(target).__module__ == TESTS and not private
        if self.tests and not of_tests and not (use == "call" and callable(target)):
            raise PermissionError(f"{use} of the test's own {type(target).__name__} is not allowed")

    # values

    def encode(self, value):
        if type(value) is Remote:
            return {"yours": value._index}
        if value is None or isinstance(value, (bool, str, float)):
            return value
        if isinstance(value, int):
            return value if abs(value) < 2**63 else {"int": hex(value)}
        if isinstance(value, list):
            return [self.encode(item) for item in value]
        if isinstance(value, dict):
            return {"dict": [[self.encode(key), self.encode(item)] for key, item in value.items()]}
        for tag, kind in HOLDERS.items():
            if isinstance(value, kind):
                return {tag: [self.encode(item) for item in value]}
        for tag, (module, write, _) in PLAIN.items():
            kind = getattr(sys.modules.get(module), tag, None)
            if isinstance(kind, type) and isinstance(value, kind):
                return {tag: write(kind, value)}
        if getattr(value, "shape", None) == () and hasattr(value, "item"):
            return self.encode(value.item())
        if self.names and (name := importable(value)):
            return {"named": name}
        return {"mine": self.open(value)}

    def open(self, value):
        """The number of an object that stays here."""
        number = self.numbers.setdefault(id(value), len(self.opened))
        if number == len(self.opened):
            self.opened.append(value)
        return number

    def decode(self, value):
        if isinstance(value, list):
            return [self.decode(item) for item in value]
        if not isinstance(value, dict):
            return value
        [(tag, body)] = value.items()
        if tag in HOLDERS:
            return HOLDERS[tag](self.decode(body))
        if tag in PLAIN:
            module, _, read = PLAIN[tag]
            return read(getattr(importlib.import_module(module), tag), body)
        match tag:
            case "int":
                return int(body, 16)
            case "dict":
                return {self.decode(key): self.decode(item) for key, item in body}
            case "mine":
                return Remote(self, body)
            case "yours":
                return self.opened[body]
            case "named" if self.trusting:
                return imported(*body)
        raise Gone("the candidate's process wrote into the channel of its calls")


class Remote:
    """A handle of an object on the other side."""

    __slots__ = ("_index", "_peer")

    def __init__(self, peer, index):
        object.__setattr__(self, "_peer", peer)
        object.__setattr__(self, "_index", index)

    def __call__(self, *arguments, **named):
        return self._peer.ask("call", self, arguments, named)

    def __instancecheck__(self, value):
        return self._peer.ask("isinstance", self, value) is True

    def __eq__(self, other):
        return other is self or (type(other) is Remote and self._peer.ask("eq", self, other) is True)

    def __hash__(self):
        return hash(self._index)


def use_remotely(use):
    return lambda self, *values: self._peer.ask(use, self, *values)


def pair_remotely(use):
    """Only between two handles: a plain value must not be compared by code of the candidate."""
    return lambda self, other: self._peer.ask(use, self, other) if type(other) is Remote else NotImplemented


for _use in (*BUILTINS, *ITEMS):
    setattr(Remote, f"__{_use}__", use_remotely(_use))
for _use in PAIRS:
    setattr(Remote, f"__{_use}__", pair_remotely(_use))


def refresh(old, new):
    """Give `old` the contents of `new`, where it can change at all."""
    match old:
        case tuple():
            for before, after in zip(old, new, strict=True):
                refresh(before, after)
        case list() | bytearray():
            old[:] = new
        case dict() | set():
            old.clear()
            old.update(new)
        case deque():
            old.clear()
            old.extend(new)


def importable(value):
    """(module, name) of a module, class or function of the standard library; None for anything else."""
    if isinstance(value, types.ModuleType):
        module, name = value.__name__, ""
    elif isinstance(value, NAMED):
        module, name = value.__module__, value.__qualname__
    else:
        return None
    known = str(module).partition(".")[0] in sys.stdlib_module_names and sys.modules.get(module)
    return (module, name) if known and (not name or getattr(known, name, None) is value) else None


def imported(module, name):
    """The standard library's own object of that name, never one with values that a candidate could choose."""
    if str(module).partition(".")[0] not in sys.stdlib_module_names:
        raise Gone(f"{module} is not in the standard library")
    value = importlib.import_module(module)
    value = getattr(value, name) if name else value
    if not isinstance(value, NAMED):
        raise Gone(f"{module}.{name} is neither a class nor a function")
    return value
