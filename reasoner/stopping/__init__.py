"""When to stop: pure functions of a tree and a ledger. The first policy that has a reason ends the search.

basic   the tests pass, the budget is spent, the first of several reasons
votes   enough answers agree: sure of the leader, a window of one mind, no more calls than do good
choose  from settings to a policy
spelt   policies by their names
worth   the answer is right with the probability that was asked for; another sample is not worth its tokens
"""

from reasoner.stopping.basic import SOLVED, SPENT, BudgetSpent, FirstOf, Solved
from reasoner.stopping.choose import policy
from reasoner.stopping.votes import Agrees, Calls, Leads, Level, fewest, lead, stays
from reasoner.stopping.worth import Gain, Sure

__all__ = [
    "SOLVED",
    "SPENT",
    "Agrees",
    "BudgetSpent",
    "Calls",
    "FirstOf",
    "Gain",
    "Leads",
    "Level",
    "Solved",
    "Sure",
    "fewest",
    "lead",
    "policy",
    "stays",
]
