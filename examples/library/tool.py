"""A tool of your own, a folder with a manifest and an ordinary program: the model calls it, the sandbox runs it.

By hand: echo '{"number": 1994}' | python examples/library/tools/roman/run.py
"""

from pathlib import Path

from reasoner import Reasoner, Task

ROMAN = Path(__file__).parent / "tools" / "roman"


def main(**parts) -> None:
    with Reasoner(tools=[ROMAN], **parts) as solver:
        result = solver.solve(Task("year", "Write 1994 in Roman numerals. Call the tool roman."))
        print(result.answer)


if __name__ == "__main__":
    main()
