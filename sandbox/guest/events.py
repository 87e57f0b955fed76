"""What the supervisor waits for: descriptors, and what to do when one has something to say."""

import select

_READ, _BOTH = select.EPOLLIN, select.EPOLLIN | select.EPOLLOUT


class Events:
    """`actions` by descriptor."""

    def __init__(self):
        self._poll = select.epoll()
        self._actions = {}

    def happen(self, timeout):
        """Wait until something happens, and do what there is to do about it."""
        found = [(self._actions.get(fd), fd) for fd, _ in self._poll.poll(timeout)]
        for action, fd in found:
            if action and self._actions.get(fd) is action:  # an earlier event may have ended it
                action()

    def watch(self, fd, action):
        """Do `action` whenever there is something to read; instead of what was to be done before."""
        if fd not in self._actions:
            self._poll.register(fd, _READ)
        self._actions[fd] = action

    def watch_writing(self, heap):
        """A frame did not fit into the socket: send the rest as the node reads."""
        try:
            if heap.line.flush():
                return
        except OSError:  # its end will be noticed by itself
            return
        fd = heap.line.fd
        read = self._actions[fd]

        def write():
            try:
                done = heap.line.flush()
            except OSError:
                done = True
            if done:
                self._poll.modify(fd, _READ)
                self._actions[fd] = read
            read()

        self._actions[fd] = write
        self._poll.modify(fd, _BOTH)

    def unwatch(self, fd):
        if self._actions.pop(fd, None):
            self._poll.unregister(fd)
