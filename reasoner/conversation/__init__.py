"""A conversation: a tree of turns, each of them a search of its own over tokens and world that an earlier one left.

conversation  ask, go on, take back, branch off
turns         the records: a turn, and a place in it
memory        what the core reads of it: everything, or a summary and the latest
errand        a coding task that is solved beside it
efforts       how hard a turn is thought about
pausing       holds a core still between two tokens, or ends what it writes there
session       the conversation on disk, good at every step
"""

from reasoner.conversation.conversation import Conversation
from reasoner.conversation.efforts import EFFORTS, OWN, Effort
from reasoner.conversation.errand import Errand
from reasoner.conversation.session import Session
from reasoner.conversation.turns import Place, Stop, Turn

__all__ = ["EFFORTS", "OWN", "Conversation", "Effort", "Errand", "Place", "Session", "Stop", "Turn"]
