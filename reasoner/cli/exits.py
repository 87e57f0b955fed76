"""What the exit code of a command says."""

SOLVED = 0
UNSOLVED = 1
MISUSE = 2
SUSPENDED = 3
INFRASTRUCTURE = 4
INTERRUPTED = 130
PIPE_CLOSED = 141

STATUS = {"solved": SOLVED, "answered": SOLVED, "unsolved": UNSOLVED, "suspended": SUSPENDED}

TABLE = """\
exit codes:
    0  solved, or done
    1  not solved
    2  a flag, a setting or the task cannot be used
    3  the budget is spent before it was solved
    4  something around us failed: model, sandbox, server, disk
  130  stopped with Ctrl-C"""
