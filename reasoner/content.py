"""Finds the content folders: what the model may call, where that runs, and what it reads. Never imports them."""

from pathlib import Path
from typing import Literal

from reasoner.errors import ReasonerError

Kind = Literal["tools", "sandbox", "templates"]


def content_dir(kind: Kind) -> Path:
    """`reasoner/_content/<kind>` of an installed wheel, else the folder of that name in the checkout."""
    package = Path(__file__).resolve().parent
    for folder in (package / "_content" / kind, package.parent / kind):
        if folder.is_dir():
            return folder
    raise ReasonerError(f"the folder {kind}/ is missing from this installation of reasoner: install it again")
