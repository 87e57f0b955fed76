import pytest

from reasoner.dialect.stub import opening


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("def f(x):\n    pass\n", "def f(x):\n"),
        ("import re\n\ndef f(x):\n    ...\n", "import re\n\ndef f(x):\n"),
        ('def f(x):\n    """Say it.\n    Twice."""\n', 'def f(x):\n    """Say it.\n    Twice."""\n'),
        ('def f(x):\n    """Say."""\n    raise NotImplementedError("f")\n', 'def f(x):\n    """Say."""\n'),
        (
            "class A:\n    def a(self):\n        pass\n\n    def b(self):\n        pass\n",
            "class A:\n    def a(self):\n",
        ),
        ("def done():\n    return 1\n\ndef todo():\n    pass\n", "def done():\n    return 1\n\ndef todo():\n"),
        ("def f(\n    a,\n    b,\n):\n    pass\n", "def f(\n    a,\n    b,\n):\n"),
    ],
)
def test_a_stub_begins_with_what_stands_before_its_first_empty_body(source: str, expected: str) -> None:
    assert opening(source) == expected


@pytest.mark.parametrize("source", ["", "x = 1\n", "def f(): pass\n", "def f(x):\n    return x\n", "def f(x:\n", "\0"])
def test_what_is_no_stub_has_no_opening(source: str) -> None:
    assert opening(source) == ""
