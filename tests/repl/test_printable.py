import pytest

from reasoner.repl.printable import gist, one_line, printable


@pytest.mark.parametrize(
    "hostile",
    [
        "\x1b[31mred\x1b[0m",
        "\x1b]0;owned\x07red",
        "\x1b]52;c;cm0gLXJm\x1b\\red",
        "\x1bPq#0;2;0;0;0\x1b\\red",
        "\x9b31mred",
        "\x9d0;owned\x9cred",
        "red\x1b",
        "\x1bcred",
        "r\x08e\x07d\x00",
        "re\rd",
        "re\u202ed",
        "re\u200bd\u2066",
        "\udc80red",
    ],
)
def test_nothing_that_a_terminal_obeys_is_left(hostile: str) -> None:
    assert printable(hostile) == "red"


def test_an_unfinished_sequence_hides_itself_and_nothing_dangerous_remains() -> None:
    assert "\x1b" not in printable("\x1b]8;;http://x/ code goes on")
    assert "\x1b" not in printable("\x1b[38;5")


def test_code_stays_readable() -> None:
    code = "def f(x):\r\n\treturn 'ä→字' + x  # [bold]not markup[/]\n"
    assert printable(code) == "def f(x):\n    return 'ä→字' + x  # [bold]not markup[/]\n"


def test_one_line_is_the_first_that_says_something_and_fits() -> None:
    assert one_line("\n\n  AssertionError: 1 != 2\nmore", 80) == "AssertionError: 1 != 2"
    assert one_line("abcdef", 4) == "abc…"
    assert one_line("", 4) == ""


def test_the_gist_of_a_message_is_its_exception() -> None:
    assert gist("self.assertEqual(f(1), 2)\nAssertionError: 1 != 2\n- 1\n+ 2") == "AssertionError: 1 != 2"
    assert (
        gist("E   json.decoder.JSONDecodeError: Expecting value") == "E   json.decoder.JSONDecodeError: Expecting value"
    )
    assert gist("assert f(1) == 2") == "assert f(1) == 2"
    assert gist("") == ""
