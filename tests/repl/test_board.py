from reasoner.repl.board import Board


def test_an_attempt_is_followed_from_its_opening_to_its_tests(script_for) -> None:
    board = Board(lambda: 0.0)
    script = script_for(board)
    script.begin()
    head = script.open()
    script.enter(head, "act")
    script.write(head, "def f", 2)
    attempt = board.growing[head]
    assert (attempt.number, attempt.step, attempt.text, attempt.tokens) == (1, "act", "def f", 2)
    script.enter(head, "observe")
    assert attempt.text == "def f", "the code stays in sight while its tests run"
    script.test(head, passed=3, failed=1)
    assert (attempt.state, attempt.passed, attempt.counted) == ("failed", 3, 4)
    assert attempt.failure == "AssertionError: 1 != 2"
    assert not board.growing


def test_a_reflection_belongs_to_the_attempt_that_it_is_about(script_for) -> None:
    board = Board(lambda: 0.0)
    script = script_for(board)
    script.begin()
    failed = script.test(script.open(), passed=0, failed=1)
    dead = script.reflect(script.open("reflect", failed), "It forgot zero.")
    assert len(board.attempts) == 1
    assert board.lesson(dead) == board.lesson(failed) == "It forgot zero."


def test_a_dead_branch_without_reflection_teaches_what_its_tests_said(script_for) -> None:
    board = Board(lambda: 0.0)
    script = script_for(board)
    script.begin()
    assert board.lesson(script.test(script.open(), 0, 1, "boom")) == "boom"
    assert board.lesson(script.malformed(script.open(), "the code block is empty")) == "the code block is empty"


def test_tokens_count_what_is_under_way_once(script_for) -> None:
    board = Board(lambda: 0.0)
    script = script_for(board)
    script.begin(tokens=100)
    first, second = script.open(), script.open()
    script.write(first, "abc", 3)
    script.write(second, "de", 2)
    assert (board.tokens, board.tokens_left) == (5, 95)
    script.test(first, 1, 0)
    assert board.tokens == 13 + 2
    script.drop(second)
    assert board.tokens == 13 + 7
    assert board.attempts[1].state == "stopped"


def test_the_rate_looks_at_the_last_seconds_only(script_for) -> None:
    now = [0.0]
    board = Board(lambda: now[0])
    script = script_for(board)
    script.begin()
    head = script.open()
    now[0] = 10.0
    script.write(head, "x", 50)
    assert board.rate == 10.0
    now[0] = 20.0
    assert board.rate == 0.0
    assert board.seconds == 20.0


def test_a_long_text_keeps_its_end_only(script_for) -> None:
    board = Board(lambda: 0.0)
    script = script_for(board)
    script.begin()
    head = script.open()
    for _ in range(1000):
        script.write(head, "0123456789")
    script.write(head, "END")
    assert len(board.growing[head].text) <= 4000
    assert board.growing[head].text.endswith("END")
