"""Frames: four bytes of length, big endian, then one JSON object. Whoever breaks the form is not listened to again.

What the supervisor tells a node is marshalled instead, which a node reads in one step; nobody else speaks to a node.
"""

import json
import marshal
import struct
from json.encoder import encode_basestring_ascii as _quoted

_HEAD = struct.Struct(">I")


class BrokenFrame(Exception):
    """What arrived is too long, or is no JSON object."""


def encode(message):
    body = json.dumps(message).encode()
    return _HEAD.pack(len(body)) + body


def cell_frame(outcome, notes):
    """What a node says of its cell: what `encode` would make of it, made in fewer steps. Every node takes them."""
    fields = ", ".join([f'"{name}": {"null" if text is None else _quoted(text)}' for name, text in outcome.items()])
    body = f'{{"cell": {{{fields}}}, "notes": [{", ".join(map(_quoted, notes))}]}}'.encode()
    return _HEAD.pack(len(body)) + body


def order(message):
    """A frame from the supervisor to a node."""
    body = marshal.dumps(message)
    return _HEAD.pack(len(body)) + body


class Inbox:
    """Bytes in, messages out. `limit` bounds one frame; `decode` is `marshal.loads` in a node."""

    def __init__(self, limit, decode=None):
        self._limit, self._decode = limit, decode or _decode
        self._held = bytearray()

    def feed(self, data):
        self._held += data
        messages = []
        while len(self._held) >= _HEAD.size:
            (length,) = _HEAD.unpack_from(self._held)
            if length > self._limit:
                raise BrokenFrame(f"a frame of {length} bytes")
            end = _HEAD.size + length
            if len(self._held) < end:
                break
            messages.append(self._decode(bytes(self._held[_HEAD.size : end])))
            del self._held[:end]
        return messages


def _decode(body):
    try:
        message = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise BrokenFrame("a frame that is not JSON") from error
    if not isinstance(message, dict):
        raise BrokenFrame("a frame that is not an object")
    return message


class Line:
    """Frames over the supervisor's end of a node's socket. Never waits: the node may be hostile, or stopped."""

    def __init__(self, sock, limit):
        sock.setblocking(False)
        self.sock, self.fd = sock, sock.fileno()
        self._inbox = Inbox(limit)
        self._out = bytearray()

    def send(self, message):
        self._out += order(message)
        self.flush()

    def flush(self):
        """Send what can be sent now. True when nothing is left. Raises OSError when the other side is gone."""
        while self._out:
            try:
                sent = self.sock.send(self._out)
            except BlockingIOError:
                return False
            del self._out[:sent]
        return True

    def receive(self):
        """Messages that have arrived, None when the other side has closed. Raises BrokenFrame."""
        try:
            data = self.sock.recv(1 << 16)
        except BlockingIOError:
            return []
        except ConnectionError:
            return None
        return self._inbox.feed(data) if data else None

    def close(self):
        self.sock.close()
