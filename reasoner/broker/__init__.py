"""What the host does for a tool because no world can: so far, fetching a page from a host that the user allows."""

from reasoner.broker.fetch import Bounds, Fetch

__all__ = ["Bounds", "Fetch"]
