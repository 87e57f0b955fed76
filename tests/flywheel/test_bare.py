"""Code without comments and docstrings is the same code to Python."""

import ast

import pytest

from reasoner.flywheel.bare import remarks, without

CODE = '''# Count them.
import re  # for patterns

# Not a comment: the text below.
TEXT = """
# this stays
"""


def f(x):
    """Say what it does.

    Over several lines.
    """

    # how
    y = "# neither is this"  # é and more

    return y, x


class A:
    "One line."

    def g(self): return 1  # the one

# Example
# print(f(1))
'''
BARE = '''import re

TEXT = """
# this stays
"""


def f(x):
    y = "# neither is this"

    return y, x


class A:
    def g(self): return 1
'''


def test_comments_and_docstrings_go_and_nothing_else() -> None:
    assert without(CODE, remarks(CODE)) == BARE


def test_the_syntax_tree_is_that_of_the_code_without_docstrings() -> None:
    tree = ast.parse(CODE)
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and ast.get_docstring(node) is not None:
            del node.body[0]
    assert ast.dump(ast.parse(without(CODE, remarks(CODE)))) == ast.dump(tree)


@pytest.mark.parametrize(
    "code",
    [
        "def f(:  # broken\n",
        'def f():\n    """All there is."""\n',
        'def f():\n    """Read."""\n    return f.__doc__\n',
        'def f(): "here"; return 1\n',
        'def f():\n    "one"\n    "two"\n    return 1\n    # "\r"\n',
        "x = 1\n",
        "",
    ],
)
def test_where_the_meaning_could_change_nothing_goes(code: str) -> None:
    assert without(code, remarks(code)) == code
