"""Slots: the directories in which calls run, one call at a time in each.

After a call its slot is scanned and compared with what it held before; only what changed is read. Before a call it is
brought to the state that the call starts from; only what differs is written. Everything found in a slot is hostile:
names, depth, sizes, modes, links.
"""

import collections
import os
import stat
import time

from guest.clearing import clear, remove
from guest.files import Entry, TooMuch

Seen = collections.namedtuple("Seen", "entry signature settled")

_FOLDERS = 3
_DEPTH = 48
_GRAIN_NS = 20_000_000
"""A change within this long of a scan can leave the same change time: such files are read again."""


class Slot:
    """One directory for calls: `files` is the workspace, `tmp` and `tool` last for one call."""

    def __init__(self, home, store):
        self.home, self.files, self.tmp, self.tool = home, f"{home}/files", f"{home}/tmp", f"{home}/tool"
        self._store = store
        self._seen = {}
        self.manifest = {}
        for folder in (home, self.files, self.tmp, self.tool):
            os.mkdir(folder, 0o755)
        self._identity = self._inodes()
        self._empty = _size_of_empty(self.tool)
        self.tells = self._empty is not None

    def intact(self):
        """False when a call has moved, removed or replaced one of the slot's own folders: it cannot be used again."""
        try:
            return self._inodes() == self._identity
        except OSError:
            return False

    def scan(self, limits):
        """Read what changed; the manifest of what is here now. Raises TooMuch, and the slot is then empty."""
        try:
            for folder in (self.tmp, self.tool):
                if not self._is_empty(folder):
                    clear(folder, self.home)
            self._seen = {} if self._is_empty(self.files) else self._walk(limits)
        except (TooMuch, OSError) as error:
            self._forget()
            raise TooMuch(str(error)) from error
        found = {path: seen.entry for path, seen in self._seen.items()}
        if found != self.manifest:
            self.manifest = found
        return self.manifest

    def become(self, manifest):
        """Hold `manifest`, given that the slot is as the last scan saw it."""
        if manifest is self.manifest or manifest == self.manifest:
            self.manifest = manifest
            return
        for path in sorted(self._seen, reverse=True):
            old, new = self._seen[path].entry, manifest.get(path)
            if new is None or (new != old and not new.kind == old.kind == "d"):
                self._remove(path, old)
        for path in sorted(manifest):
            if path not in self._seen or self._seen[path].entry != manifest[path]:
                self._write(path, manifest[path])
        self.manifest = manifest

    def _is_empty(self, folder):
        """Whether the file system says so by the size of the folder; False also where it never does."""
        status = os.lstat(folder)
        return status.st_size == self._empty and status.st_mode & 0o700 == 0o700

    def _forget(self):
        self._seen, self.manifest = {}, {}
        try:
            clear(self.files, self.home)
        except OSError:  # another call is tampering with it: leave it behind
            self._identity = None

    def exceeds(self, limits):
        """Whether the slot's folders hold more than a call may write, roughly: a process may be writing still."""
        size = count = 0
        pending = [(self.home, 0)]
        while pending:
            folder, depth = pending.pop()
            try:
                with os.scandir(folder) as entries:
                    for item in entries:
                        size += item.stat(follow_symlinks=False).st_blocks * 512
                        count += 1
                        if item.is_dir(follow_symlinks=False):
                            pending.append((item.path, depth + 1))
            except OSError:  # it was removed meanwhile, or is closed to us
                continue
            if size > limits["disk"] or count > limits["inodes"] + _FOLDERS or depth > 2 * _DEPTH:
                return True
        return False

    def _inodes(self):
        found = [os.lstat(folder) for folder in (self.home, self.files, self.tmp, self.tool)]
        return [(status.st_ino, stat.S_ISDIR(status.st_mode)) for status in found]

    def _walk(self, limits):
        now, found, size = time.time_ns(), {}, 0
        os.chmod(self.files, 0o755)
        pending = [("", 0)]
        while pending:
            folder, depth = pending.pop()
            if depth > _DEPTH:
                raise TooMuch(f"folders were nested more than {_DEPTH} deep")
            with os.scandir(f"{self.files}/{folder}" if folder else self.files) as entries:
                for item in entries:
                    path = f"{folder}/{item.name}" if folder else item.name
                    seen = self._look(path, now, limits["disk"] - size)
                    if seen is None:
                        continue
                    found[path] = seen
                    size += seen.entry.size
                    if len(found) > limits["inodes"]:
                        raise TooMuch(f"there were more than {limits['inodes']} files and folders")
                    if seen.entry.kind == "d":
                        pending.append((path, depth + 1))
        return found

    def _look(self, path, now, room):
        full = f"{self.files}/{path}"
        status = os.lstat(full)
        mode = stat.S_IMODE(status.st_mode) & 0o777 | 0o400
        if stat.S_ISDIR(status.st_mode):
            if status.st_mode & 0o700 != 0o700:
                os.chmod(full, mode | 0o700)
            return Seen(Entry("d", mode | 0o700, "", 0), None, True)
        if stat.S_ISLNK(status.st_mode):
            return Seen(Entry("l", 0, os.readlink(full), 0), None, True)
        if not stat.S_ISREG(status.st_mode):
            return None
        if status.st_size > room:
            raise TooMuch(f"the files came to more than the {room} bytes that were left")
        signature = (status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns, mode)
        before = self._seen.get(path)
        if before and before.settled and before.signature == signature:
            return before
        if not status.st_mode & 0o400:
            os.chmod(full, mode)
        fd = os.open(full, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(fd, "rb") as file:
            content = file.read(status.st_size)  # asking for more would keep a page for every byte
        entry = Entry("f", mode, self._store.add(content), len(content))
        return Seen(entry, signature, status.st_ctime_ns + _GRAIN_NS < now)

    def _write(self, path, entry):
        full = f"{self.files}/{path}"
        if entry.kind == "d":
            if path not in self._seen or self._seen[path].entry.kind != "d":
                os.mkdir(full)
            os.chmod(full, entry.mode | 0o700)
            self._seen[path] = Seen(entry, None, True)
            return
        if entry.kind == "l":
            os.symlink(entry.content, full)
            self._seen[path] = Seen(entry, None, True)
            return
        fd = os.open(full, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        with open(fd, "wb") as file:
            file.write(self._store[entry.content])
            os.fchmod(fd, entry.mode)
        status = os.lstat(full)
        signature = (status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns, entry.mode)
        self._seen[path] = Seen(entry, signature, False)

    def _remove(self, path, entry):
        full = f"{self.files}/{path}"
        if entry.kind == "d":
            os.rmdir(full)
        else:
            os.unlink(full)
        del self._seen[path]


def _size_of_empty(folder):
    """The size of an empty folder, None on file systems where it does not tell."""
    empty, made = os.lstat(folder).st_size, f"{folder}/made"
    os.mkdir(made)
    grown = os.lstat(folder).st_size
    os.rmdir(made)
    return empty if grown > empty == os.lstat(folder).st_size else None


class Slots:
    """All slots of a world. A slot that a call has broken is left behind, and a new one takes its place."""

    def __init__(self, home, store):
        self._home, self._store = home, store
        self._free, self._made = [], 0
        self._all = []
        self._tidy = {}
        """Folder -> its size when nothing but slots was in it, and how many of them, where the size tells."""

    def take(self, manifest):
        """The first free slot, holding `manifest`. Raises TooMuch when the disk is full."""
        while self._free:
            slot = min(self._free, key=self._all.index)
            self._free.remove(slot)
            try:
                if slot.intact():
                    slot.become(manifest)
                    return slot
            except OSError:  # it is left behind as well
                pass
            self._all.remove(slot)
        while os.path.lexists(f"{self._home}/{self._made}"):  # a call has put something there
            self._made += 1
        try:
            slot = Slot(f"{self._home}/{self._made}", self._store)
            slot.become(manifest)
        except OSError as error:
            raise TooMuch(f"other calls have filled the world's disk ({error.strerror})") from error
        self._all.append(slot)
        return slot

    def give(self, slot):
        self._free.append(slot)

    def idle(self):
        return len(self._free) == len(self._all)

    def size(self):
        """Bytes that the scans have found in all slots together."""
        return sum(entry.size for slot in self._all for entry in slot.manifest.values())

    def intact(self):
        """Whether their folder holds them, as they were made, and nothing else."""
        homes = {os.path.basename(slot.home) for slot in self._all}
        return set(os.listdir(self._home)) == homes and all(slot.intact() for slot in self._all)

    def workspaces(self):
        """The folders that a call can fill; those of files are emptied now."""
        for slot in self._free:
            slot.become({})
        return [folder for slot in self._all for folder in (slot.files, slot.tmp, slot.tool)]

    def manifests(self):
        return [slot.manifest for slot in self._all]

    def tidy(self, *folders):
        """Remove what calls have left outside their workspaces. Only while none is running."""
        for folder in (self._home, *folders):
            if self._tidy.get(folder) == (os.lstat(folder).st_size, self._all):
                continue
            if self._clear(folder, {slot.home for slot in self._all}) and self._all[0].tells:
                self._tidy[folder] = os.lstat(folder).st_size, list(self._all)

    def _clear(self, folder, kept):
        """Whether nothing was there but what is `kept`."""
        with os.scandir(folder) as entries:
            left = [item for item in entries if item.path not in kept]
        for item in left:
            try:
                remove(item.path, self._home)
            except OSError:
                continue
        return not left
