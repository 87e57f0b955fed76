from reasoner.dialect.solution import apply_edits, parses, read_blocks, read_code

FILE = "def f(x):\n    if x:\n        return 1\n    return 2\n"


def test_code_ends_at_the_closing_fence_or_nowhere() -> None:
    assert read_code("def f(): pass\n```", "a.py").files == {"a.py": b"def f(): pass\n"}
    assert read_code("def f(): pass\n```\nThis works because", "a.py").files == {"a.py": b"def f(): pass\n"}
    assert read_code("def f():\n    return 1", "a.py").files == {"a.py": b"def f():\n    return 1\n"}


def test_backticks_inside_a_line_are_code() -> None:
    code = 'def f():\n    """Use ```f()```."""\n    return 1\n'
    assert read_code(code + "```", "a.py").files == {"a.py": code.encode()}


def test_an_empty_block_is_a_problem_in_words() -> None:
    solution = read_code("\n```", "a.py")
    assert not solution.files and solution.problems == ("the code block is empty",)


def test_blocks_are_named_by_the_line_before_by_the_info_or_by_a_comment() -> None:
    text = (
        "### `a.py`\n```python\nA = 1\n```\nand then\n```python pkg/b.py\nB = 2\n```\n\n```python\n# c.py\nC = 3\n```\n"
    )
    solution = read_blocks(text, ["a.py", "pkg/b.py", "c.py"], {})
    assert solution.files == {"a.py": b"A = 1\n", "pkg/b.py": b"B = 2\n", "c.py": b"# c.py\nC = 3\n"}
    assert not solution.problems


def test_a_block_for_no_known_file_is_a_problem_and_is_not_written() -> None:
    solution = read_blocks("../../etc/passwd\n```\nroot\n```\n", ["a.py", "b.py"], {})
    assert not solution.files
    assert "names none of the files a.py, b.py" in solution.problems[0]


def test_a_name_is_not_found_inside_a_longer_path() -> None:
    solution = read_blocks("other/a.py\n```\nx\n```\n", ["a.py", "b.py"], {})
    assert not solution.files


def test_an_unclosed_fence_still_counts() -> None:
    assert read_blocks("a.py\n```python\nA = 1\n", ["a.py", "b.py"], {}).files == {"a.py": b"A = 1\n"}


def edit(old: str, new: str) -> str:
    return f"<<<<<<< SEARCH\n{old}=======\n{new}>>>>>>> REPLACE\n"


def test_an_edit_replaces_what_it_names() -> None:
    assert apply_edits(FILE, edit("    return 2\n", "    return 3\n")) == (FILE.replace("2", "3"), [])


def test_an_edit_may_have_lost_its_indentation() -> None:
    source, missed = apply_edits(FILE, edit("if x:\n    return 1\n", "if x > 0:\n    return 1\n"))
    assert source == FILE.replace("if x:", "if x > 0:") and not missed


def test_an_edit_may_differ_in_trailing_blanks() -> None:
    source, missed = apply_edits("a = 1  \nb = 2\n", edit("a = 1\nb = 2\n", "a = 5\n"))
    assert source == "a = 5\n" and not missed


def test_an_edit_that_matches_nothing_is_told_with_its_first_line() -> None:
    source, missed = apply_edits(FILE, edit("    return 7\n", "    return 3\n"))
    assert source == FILE
    assert missed == ["the SEARCH block that begins with 'return 7' matches nothing in the file"]


def test_several_edits_apply_in_order_and_a_broken_one_is_told() -> None:
    body = edit("    return 2\n", "    return 3\n") + edit("    return 3\n", "    return 4\n")
    assert apply_edits(FILE, body)[0] == FILE.replace("2", "4")
    assert "no =======" in apply_edits(FILE, "<<<<<<< SEARCH\nx\n")[1][0]


def test_an_empty_search_appends() -> None:
    assert apply_edits("a = 1\n", edit("", "b = 2\n"))[0] == "a = 1\n\nb = 2\n"


def test_edits_reach_the_file_they_name() -> None:
    text = "f.py\n```\n" + edit("    return 2\n", "    return 3\n") + "```\n"
    solution = read_blocks(text, ["f.py"], {"f.py": FILE.encode()})
    assert solution.files == {"f.py": FILE.replace("2", "3").encode()}


def test_parsing_never_raises_on_hostile_code() -> None:
    assert parses(b"x = 1")
    assert not parses(b"x = (")
    assert not parses(b"\x00")
    assert not parses(b"(" * 100_000)
