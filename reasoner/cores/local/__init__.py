"""The local core: continuous batching over a tree of prefixes, computed with torch in this process."""

from reasoner.cores.local.core import LocalCore

__all__ = ["LocalCore"]
