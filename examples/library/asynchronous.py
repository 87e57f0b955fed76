"""The same without blocking: python examples/library/asynchronous.py"""

import asyncio

from reasoner import Reasoner, Task


async def main(**parts) -> None:
    async with Reasoner(**parts) as solver:
        tasks = [Task(f"legs-{n}", f"How many legs have {n} spiders?") for n in (3, 6, 11)]
        for result in await asyncio.gather(*(solver.solve(task) for task in tasks)):
            print(result.task_id, result.answer)


if __name__ == "__main__":
    asyncio.run(main())
