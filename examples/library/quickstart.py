"""Ask a question, then many at a time. Needs a model; the first run fetches it: python examples/library/quickstart.py"""

from reasoner import Reasoner, Task

QUESTIONS = [Task(f"legs-{n}", f"How many legs have {n} spiders?", answer=str(8 * n)) for n in (3, 6, 11)]


def main(**parts) -> None:
    with Reasoner(**parts) as solver:
        print(solver.solve(Task("spiders", "How many legs have 6 spiders?")).answer)
        for result in solver.solve_all(QUESTIONS, workers=3):
            print(result.task_id, result.status, result.answer)


if __name__ == "__main__":
    main()
