import random

from reasoner.loop.writing import circles


def test_a_short_run_over_and_over_is_a_circle() -> None:
    assert circles((1,) * 160)
    assert circles((1, 2) * 80)
    assert circles(tuple(range(40)) * 4)
    assert circles((9,) * 16 + (1, 2, 3, 4) * 40)


def test_what_is_short_or_varied_is_none() -> None:
    assert not circles((1, 2) * 72)
    assert not circles(tuple(range(50)) * 32)
    chance = random.Random(1)
    assert not circles(tuple(chance.randrange(1000) for _ in range(1600)))


def test_a_change_in_the_last_tokens_breaks_the_circle() -> None:
    assert not circles((1, 2) * 79 + (3, 4))
