"""Why a fetch brings nothing. It never leaves the broker: there it becomes a `ToolResult` that the model can read."""

_SHOWN = 120


class Refused(Exception):
    """One sentence for the model; `error` is a word of the closed list of `ToolResult.error`."""

    def __init__(self, detail: str, error: str = "refused") -> None:
        super().__init__(detail)
        self.error = error


def shown(text: str) -> str:
    """Text from outside, short and with nothing in it that is not printable ASCII."""
    return ascii(text[:_SHOWN] + ("…" if len(text) > _SHOWN else ""))[1:-1].replace("\\u2026", "…")
