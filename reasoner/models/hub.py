"""The Hugging Face hub as a source: one file over HTTP, gone on with where an earlier try broke off.

Honours HF_ENDPOINT, HF_TOKEN, HF_HUB_OFFLINE, HF_HOME and HF_HUB_CACHE, and the proxies that httpx reads from the
environment. The token is sent to the endpoint alone, never to where it redirects.
"""

import os
from pathlib import Path

import httpx

from reasoner.models.partial import Partial, Unavailable
from reasoner.models.progress import Progress
from reasoner.models.registry import HubFile

_TIMEOUT = httpx.Timeout(30.0, connect=3.0)
"""Seconds. A name may have several addresses, and each that is silent costs the connect time-out."""
_TRIES = 5


def url(source: HubFile) -> str:
    endpoint = os.environ.get("HF_ENDPOINT", "").rstrip("/") or "https://huggingface.co"
    return f"{endpoint}/{source.repo}/resolve/main/{source.file}"


def cached(source: HubFile) -> Path | None:
    """The file in the hub's own cache on this machine, if it is there; nothing says that its bytes are right."""
    home = Path(os.environ.get("HF_HOME", "") or "~/.cache/huggingface").expanduser()
    cache = Path(os.environ.get("HF_HUB_CACHE", "") or home / "hub").expanduser()
    folder = cache / f"models--{source.repo.replace('/', '--')}" / "snapshots"
    return next(folder.glob(f"*/{source.file}"), None)


def fetch(source: HubFile, partial: Partial, progress: Progress) -> None:
    """Fill `partial`; a connection that breaks off is taken up again as long as each try brings something.

    Raises:
        Unavailable: the hub does not answer, does not give the file, or gives one of another size.
    """
    if os.environ.get("HF_HUB_OFFLINE", "").lower() in ("1", "true", "yes", "on"):
        raise Unavailable("HF_HUB_OFFLINE is set")
    token = os.environ.get("HF_TOKEN", "")
    headers = {"Accept-Encoding": "identity", **({"Authorization": f"Bearer {token}"} if token else {})}
    broke = ""
    with httpx.Client(timeout=_TIMEOUT, follow_redirects=True, headers=headers) as client:
        for tried in range(_TRIES):
            before = partial.size
            if tried:
                progress.tell(f"{source} broke off after {before} bytes ({broke}); going on from there")
            try:
                _receive(client, url(source), partial, progress)
                broke = "it ended early"
            except (httpx.HTTPError, httpx.InvalidURL) as error:
                broke = str(error) or type(error).__name__
            if partial.size == partial.limit:
                return
            if partial.size <= before:
                break
    raise Unavailable(broke)


def _receive(client: httpx.Client, address: str, partial: Partial, progress: Progress) -> None:
    """One request. Goes on only where the server can say that the file is still the same (RFC 9110, If-Range)."""
    if not partial.mark:
        _restart(partial, progress)
    going_on = {"Range": f"bytes={partial.size}-", "If-Range": partial.mark} if partial.size else {}
    with client.stream("GET", address, headers=going_on) as response:
        if response.status_code not in (200, 206):
            raise Unavailable(f"it answers {response.status_code} {response.reason_phrase}".rstrip())
        if not _continues(response, partial.size):
            _restart(partial, progress)
        _check_size(response, partial)
        etag = response.headers.get("ETag", "")
        partial.keep("" if etag.startswith("W/") else etag)
        for chunk in response.iter_raw():
            partial.write(chunk)
            progress.advance(len(chunk))


def _continues(response: httpx.Response, size: int) -> bool:
    begins = response.headers.get("Content-Range", "").startswith(f"bytes {size}-")
    if response.status_code == 206 and not begins:
        raise Unavailable("it sends another range of the file than was asked for")
    return response.status_code == 206


def _check_size(response: httpx.Response, partial: Partial) -> None:
    length = response.headers.get("Content-Length", "")
    if length.isdecimal() and partial.size + int(length) != partial.limit:
        raise Unavailable(f"its file has {partial.size + int(length)} bytes, not {partial.limit}")


def _restart(partial: Partial, progress: Progress) -> None:
    progress.advance(-partial.size)
    partial.restart()
