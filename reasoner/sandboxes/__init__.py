"""Where worlds come from: Docker or bubblewrap around one guest, and a scripted stand-in in which nothing runs."""

from reasoner.sandboxes.choice import Kind, Probe, build_image, open_sandbox, probe, prune

__all__ = ["Kind", "Probe", "build_image", "open_sandbox", "probe", "prune"]
