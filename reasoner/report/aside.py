"""A file that is written beside its place and put there at the end: a refusal, or half a page, takes nobody's away."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from reasoner.errors import TraceError


@contextmanager
def aside(to: Path, flag: str) -> Iterator[Path]:
    """Give the path to write, with the same suffix; it takes the place of `to` where nothing is raised. What is no
    plain file, or lies in /dev, is written as it is.

    Raises:
        TraceError: it cannot be written; `flag` is what to choose anew.
    """
    if (to.exists() and not to.is_file()) or to.absolute().is_relative_to("/dev"):
        place = new = to
    else:
        place = to.resolve()
        new = place.with_name(f".{os.getpid()}.new{to.suffix}")
    try:
        yield new
        if new != place:
            if place.exists():
                shutil.copymode(place, new)
            new.replace(place)
    except OSError as error:
        raise TraceError(f"cannot write {to} ({error.strerror}): choose another {flag}") from error
    finally:
        if new != place:
            with suppress(OSError):
                new.unlink()
