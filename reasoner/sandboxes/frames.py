"""The host's end of the frame protocol: four bytes of length, big endian, then one JSON object.

What arrives was written by a guest that runs hostile code: a frame that is too long, is no JSON object, or carries
numbers and nesting that JSON's reader cannot take ends the conversation.
"""

import json
import struct
from collections.abc import Mapping
from typing import Any

from reasoner.errors import SandboxError

_HEAD = struct.Struct(">I")
_FRAME = 512 << 20
"""Bytes of the longest frame that is read: the files of a world in base64, with room to spare."""


class FrameError(SandboxError):
    """The guest broke the protocol."""


def encode(message: Mapping[str, Any]) -> bytes:
    body = json.dumps(message).encode()
    return _HEAD.pack(len(body)) + body


class Frames:
    """Bytes in, messages out."""

    def __init__(self, limit: int = _FRAME) -> None:
        self._limit = limit
        self._held = bytearray()

    def feed(self, data: bytes) -> list[dict[str, Any]]:
        """Messages that are complete now. Raises FrameError."""
        self._held += data
        messages = []
        while len(self._held) >= _HEAD.size:
            (length,) = _HEAD.unpack_from(self._held)
            if length > self._limit:
                raise FrameError(f"the guest announced a frame of {length} bytes; {self._limit} are allowed")
            end = _HEAD.size + length
            if len(self._held) < end:
                break
            messages.append(_decode(bytes(self._held[_HEAD.size : end])))
            del self._held[:end]
        return messages


def _decode(body: bytes) -> dict[str, Any]:
    try:
        message = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise FrameError("the guest sent a frame that is not JSON") from error
    if not isinstance(message, dict):
        raise FrameError("the guest sent a frame that is not an object")
    return message
