"""File snapshots: a manifest of paths over contents that live in the supervisor's memory, out of everybody's reach."""

import collections
import hashlib

Entry = collections.namedtuple("Entry", "kind mode content size")
"""kind "f", "d" or "l"; mode bits; digest of the content, or the target of a link; bytes."""


_ENTRY = 256
"""Bytes that a content takes besides itself."""


class TooMuch(Exception):
    """A slot holds more than a snapshot may."""


class Store:
    """Contents by digest. `manifests` gives every manifest still wanted, whenever room is needed."""

    def __init__(self):
        self._contents = {}
        self.size = 0

    def add(self, content):
        digest = hashlib.blake2b(content, digest_size=16).hexdigest()
        if digest not in self._contents:
            self._contents[digest] = content
            self.size += len(content) + _ENTRY
        return digest

    def __getitem__(self, digest):
        return self._contents[digest]

    def collect(self, manifests):
        wanted = {entry.content for manifest in manifests for entry in manifest.values() if entry.kind == "f"}
        self._contents = {digest: held for digest, held in self._contents.items() if digest in wanted}
        self.size = sum(map(len, self._contents.values())) + _ENTRY * len(self._contents)


def written(manifest, files, store):
    """A manifest with `files` (path -> bytes) put over it. What stands in the way of a path gives way to it."""
    result = dict(manifest)
    for path, content in files.items():
        parts = path.split("/")
        for depth in range(1, len(parts)):
            above = "/".join(parts[:depth])
            if above not in result or result[above].kind != "d":
                result[above] = Entry("d", 0o755, "", 0)
        if path in result and result[path].kind == "d":
            result = {p: e for p, e in result.items() if not p.startswith(path + "/")}
        mode = result[path].mode if path in result and result[path].kind == "f" else 0o644
        result[path] = Entry("f", mode, store.add(content), len(content))
    return result


def check(manifest, limits):
    size = sum(entry.size for entry in manifest.values())
    if size > limits["disk"]:
        raise TooMuch(f"the files came to {size} bytes; {limits['disk']} are allowed")
    if len(manifest) > limits["inodes"]:
        raise TooMuch(f"there were {len(manifest)} files and folders; {limits['inodes']} are allowed")


def fingerprint(manifest):
    """One digest of all paths, modes and contents."""
    text = "\0".join(f"{path}\0{e.kind}{e.mode:o}{e.content}" for path, e in sorted(manifest.items()))
    return hashlib.blake2b(text.encode("utf-8", "surrogateescape"), digest_size=16).hexdigest()
