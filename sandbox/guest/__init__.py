"""What runs inside the sandbox. Standard library only; the same in Docker and in bubblewrap.

supervisor  pid 1, never runs user code; keeps snapshots and files, enforces limits
node        a frozen interpreter: forks a child that runs one cell and freezes in turn
cell        compiles and runs the text of one cell
program     starts a tool that is an ordinary program
"""
