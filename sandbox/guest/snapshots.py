"""Snapshots: a name, the interpreter and the files that it stands for. Those that were not asked for in a long time go
first when there are too many; the host can make them again."""

import collections

Snapshot = collections.namedtuple("Snapshot", "heap manifest")

ROOT = "s0"
_LINE, _NEAR = 12, 4


class Missing(Exception):
    """A snapshot is not held any more."""


class Snapshots:
    """In the order of last use. The root's is never dropped, and neither is what `pinned` heaps stand on."""

    def __init__(self, population, store, unused):
        """`unused` is called with a heap on which nothing stands any more."""
        self._people, self._store, self._unused = population, store, unused
        self._held = collections.OrderedDict()

    def __contains__(self, name):
        return name in self._held

    def __getitem__(self, name):
        if name not in self._held:
            raise Missing(name)
        self._held.move_to_end(name)
        return self._held[name]

    def manifests(self):
        return [snapshot.manifest for snapshot in self._held.values()]

    def keep(self, name, heap, manifest):
        self.use(heap)
        self._held[name] = Snapshot(heap, manifest)

    def drop(self, name):
        self.release(self._held.pop(name).heap)

    def drop_all(self):
        """All but the root's."""
        for name in [name for name in self._held if name != ROOT]:
            self.drop(name)

    def drop_oldest(self):
        """Drop the least used one whose interpreter is not the root."""
        for name, snapshot in self._held.items():
            if snapshot.heap is not self._people.root:
                self.drop(name)
                return

    def lose(self, heap):
        """Forget what stood on a heap that has died."""
        for name in [name for name, snapshot in self._held.items() if snapshot.heap is heap]:
            del self._held[name]

    def use(self, heap):
        heap.uses += 1

    def release(self, heap):
        heap.uses -= 1
        if not heap.uses and heap.alive and heap is not self._people.root:
            self._unused(heap)

    def shorten(self, heap):
        """Forking costs more with every living ancestor. Of a line that is too long, drop what is quickest to make
        again; the nearest ones stay, for a step back."""
        line = heap.lineage()
        if len(line) <= _LINE:
            return
        named = collections.Counter(id(snapshot.heap) for snapshot in self._held.values())
        able = [i for i in range(_NEAR, len(line) - 1) if line[i].uses == named[id(line[i])]]
        if able:
            chosen = min(able, key=lambda i: line[i].toil)
            line[chosen - 1].toil += line[chosen].toil
            for name in [name for name, snapshot in self._held.items() if snapshot.heap is line[chosen]]:
                self.drop(name)

    def make_room(self, newest, nodes, size, others):
        """Drop the least used until there are no more than `nodes` heaps and `size` bytes of contents. `others` are
        manifests that stand for something besides snapshots."""
        for name in [name for name in self._held if name not in (ROOT, newest)]:
            crowded, full = len(self._people.heaps) > nodes, self._full(size, others)
            if not crowded and not full:
                return
            if full or self._held[name].heap is not self._people.root:
                self.drop(name)

    def _full(self, size, others):
        if self._store.size > size:
            self._store.collect([*self.manifests(), *others])
        return self._store.size > size
