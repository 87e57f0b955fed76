"""What can go wrong on our side of the boundary.

What the model or its code does wrong is data (a `ToolResult` with an error, a malformed `Step`), never an exception.
What our surroundings do wrong is one of these. Every message says what happened, with which value, and what to do.

    ReasonerError
    ├── ConfigError       a flag, a variable or a configuration file cannot be used
    ├── TaskError         a task cannot be read: no tests, a broken line, a path that escapes
    ├── ModelError        weights cannot be found, fetched, verified or converted
    ├── CoreError         an engine or a server cannot complete what was asked
    │   └── RefusedError  a server takes other requests, and not this one
    ├── SandboxError      a world cannot be opened, or was lost
    ├── ToolError         a tool's manifest or program cannot be used
    └── TraceError        a recorded trace cannot be read or written
"""


class ReasonerError(Exception):
    """Anything that our surroundings did wrong; its text is one sentence for a person."""


class ConfigError(ReasonerError):
    """A flag, an environment variable or a configuration file cannot be used."""


class TaskError(ReasonerError):
    """A task cannot be read."""


class ModelError(ReasonerError):
    """Weights cannot be found, fetched, verified or converted."""


class CoreError(ReasonerError):
    """An engine or a server cannot complete what was asked."""


class RefusedError(CoreError):
    """A server takes other requests, and not this one: asking again says the same."""


class SandboxError(ReasonerError):
    """A world cannot be opened, or was lost; nothing of it may be trusted any more."""


class ToolError(ReasonerError):
    """A tool's manifest or program cannot be used."""


class TraceError(ReasonerError):
    """A recorded trace cannot be read or written."""
