"""The command line: parse, build, call. Results go to stdout, progress and errors to stderr.

Everything heavy is imported by the command that needs it, so `--help` and a wrong flag are answered at once.
"""

import importlib
import os
import sys
import traceback
from collections.abc import Sequence

from reasoner.cli.exits import INFRASTRUCTURE, INTERRUPTED, MISUSE, PIPE_CLOSED
from reasoner.cli.parser import parse
from reasoner.errors import ConfigError, ReasonerError, TaskError


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return the exit code of the process. No error of ours ends in a traceback.

    Raises:
        SystemExit: after `--help`, `--version` and a line of arguments that cannot be parsed.
    """
    try:
        arguments = parse(argv)
        code: int = importlib.import_module(f"reasoner.cli.{arguments.command}").run(arguments)
        sys.stdout.flush()
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return PIPE_CLOSED
    except ReasonerError as error:
        return _explain(str(error), MISUSE if isinstance(error, ConfigError | TaskError) else INFRASTRUCTURE)
    except OSError as error:
        place = f" {error.filename}" if error.filename else ""
        return _explain(f"the system refused{place}: {error.strerror or error}", INFRASTRUCTURE)
    return code


def _explain(sentence: str, code: int) -> int:
    from reasoner.repl.printable import printable

    if os.environ.get("REASONER_DEBUG"):
        traceback.print_exc()
    print(f"error: {printable(sentence)}", file=sys.stderr)
    return code
