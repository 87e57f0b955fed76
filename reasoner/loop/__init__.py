"""One step of think-act-reflect for one head: complete, run tools, judge, all in one coroutine that reads downward.

loop      one move, then the verifiers' word on it
coding    the moves of a task whose solution is files
stepping  the moves of a question whose solution is an answer
speaking  the moves of a core that owns the protocol, whatever the task
testing   what the visible tests say of a coding task's files
calling   the calls that a question's solution makes
failures  what can be seen of a failure, and what it teaches
forcing   when the runtime says a control token in its place
restoring worlds that are known from a record, made again when they are asked for
writing   let the core write, and charge every token as it comes
"""

from reasoner.loop.loop import Loop, Moves, moves, speaks
from reasoner.loop.restoring import Recipe, Restored, promise, restored
from reasoner.loop.speaking import spoken
from reasoner.loop.stepping import stepwise

__all__ = ["Loop", "Moves", "Recipe", "Restored", "moves", "promise", "restored", "speaks", "spoken", "stepwise"]
