"""Bytes to text, as a browser would guess, but with errors shown and never raised."""

import codecs
import re

MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
META = re.compile(rb"<meta[^>]{0,200}charset\s{0,9}=\s{0,9}[\"']?([\w.:-]{1,40})", re.IGNORECASE)
LOOKED_AT = 2048
"""Bytes at the start of a page in which it may name its encoding."""


def decoded(body, said, markup):
    """The text of `body`. `said`: the encoding that the server named, or nothing."""
    return body.decode(encoding(body, said, markup), "replace")


def encoding(body, said, markup):
    for mark, name in MARKS:
        if body.startswith(mark):
            return name
    named = META.search(body[:LOOKED_AT]) if markup else None
    for name in (said, named[1].decode("ascii", "replace") if named else ""):
        if known(name):
            return name
    return "utf-8"


def known(name):
    """Whether a name is one of an encoding of text: Python's codecs hold much else."""
    try:
        b"a".decode(name, "replace")
    except (LookupError, ValueError):
        return False
    return name.lower().replace("_", "-") not in NO_CHARSETS


NO_CHARSETS = frozenset({"", "idna", "punycode", "undefined", "unicode-escape", "raw-unicode-escape", "utf-7"})
"""What decodes text, but is no encoding of a page."""
