"""The command for a conversation, as it can be typed."""

import argparse

from reasoner.cli import flags
from reasoner.cli.exits import TABLE
from reasoner.cli.explained import Parser

_CHAT = """\
Talk with a model that thinks in front of you and runs its Python in a closed
sandbox, where variables and files live on from turn to turn. /undo, /rewind
and /fork take back what was said, and the world with it. Ctrl-C holds a turn
still; a session is on disk at every step, and --continue goes on with it."""

_CHAT_EXAMPLES = """\
examples:
  reasoner chat
  reasoner chat --continue          the last session, its variables included
  printf 'Set x = 5.\\nWhat is x * 2?\\n' | reasoner chat

"""


def add(commands: "argparse._SubParsersAction[Parser]") -> None:
    parser = commands.add_parser(
        "chat", help="talk, and take it back", description=_CHAT, epilog=_CHAT_EXAMPLES + TABLE
    )
    parser.usage = "reasoner chat [flags]"
    parser.set_defaults(command="chat")
    talk = parser.add_argument_group("the session")
    talk.add_argument(
        "--continue", dest="goes_on", metavar="ID", nargs="?", const="last", help="go on with a session; the last one"
    )
    talk.add_argument("--sessions", metavar="DIR", help="where the sessions are")
    talk.add_argument("--yes", action="store_true", help="agree to files in and out without being asked")
    talk.add_argument("--fetch", action="store_true", default=None, help="let it read pages; it asks you for each host")
    flags.core(parser)
    flags.search(parser)
    flags.budget(parser)
    flags.place(parser)
