"""Takes gzip off a body, never more at once than is still wanted: a bomb stays folded."""

import zlib

from reasoner.broker.refused import Refused


class Plain:
    """A body that came as it is."""

    done = False

    def feed(self, chunk: bytes, most: int) -> bytes:
        """At most `most` bytes of what `chunk` adds."""
        return chunk[:most]

    def finish(self) -> None:
        pass


class Gzip:
    """A body under one gzip member. What follows the member is not read."""

    def __init__(self) -> None:
        self._inner = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)

    @property
    def done(self) -> bool:
        return self._inner.eof

    def feed(self, chunk: bytes, most: int) -> bytes:
        try:
            return self._inner.decompress(chunk, most)
        except zlib.error as error:
            raise Refused("its gzip data is broken", "raised") from error

    def finish(self) -> None:
        if not self._inner.eof:
            raise Refused("its gzip data ends in the middle", "raised")


def unpacker(encoding: str) -> Plain | Gzip:
    """For a Content-Encoding. One on top of another is refused, whatever they are."""
    match encoding.strip().lower():
        case "" | "identity":
            return Plain()
        case "gzip" | "x-gzip":
            return Gzip()
    raise Refused("its encoding is neither plain nor gzip")
