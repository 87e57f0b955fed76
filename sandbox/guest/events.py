"""What the supervisor waits for: descriptors, and what to do when one has something to say."""

import selectors


class Events:
    def __init__(self):
        self._selector = selectors.DefaultSelector()

    def happen(self, timeout):
        """Wait until something happens, and do what there is to do about it."""
        for key, _ in self._selector.select(timeout):
            if self._selector.get_map().get(key.fd) is key:  # an earlier event may have ended it
                key.data()

    def watch(self, fd, action):
        self._selector.register(fd, selectors.EVENT_READ, action)

    def watch_writing(self, heap):
        """A frame did not fit into the socket: send the rest as the node reads."""
        try:
            if heap.line.flush():
                return
        except OSError:  # its end will be noticed by itself
            return

        def write():
            try:
                done = heap.line.flush()
            except OSError:
                done = True
            if done:
                self._selector.modify(heap.line.sock, selectors.EVENT_READ, read)
            read()

        read = self._selector.get_key(heap.line.sock).data
        self._selector.modify(heap.line.sock, selectors.EVENT_READ | selectors.EVENT_WRITE, write)

    def unwatch(self, fd):
        try:
            self._selector.unregister(fd)
        except (KeyError, ValueError):
            return
