"""robots.txt after RFC 9309."""

import time

import pytest

from reasoner.broker.robots import SIZE, Robots

FILE = b"""# a comment
User-agent: other
Disallow: /

user-agent: Reasoner/2.0   # us
User-agent: friend
Crawl-delay: 5
Disallow: /private
Allow: /private/but
Disallow: /*.pdf$
Disallow: /s?q=
Disallow: /\xc3\xa4
Disallow:
Sitemap: https://a.org/map

User-agent: *
Disallow: /everybody

USER-AGENT: reasoner
disallow: /more
"""


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/", True),
        ("/private", False),
        ("/privately", False),
        ("/private/but/this", True),
        ("/%70rivate", False),
        ("/a/b.pdf", False),
        ("/a/b.pdf?x", True),
        ("/s?q=1", False),
        ("/s?r=1", True),
        ("/%C3%A4", False),
        ("/%c3%a4", False),
        ("/everybody", True),
        ("/more", False),
        ("/a%2Fb", True),
    ],
)
def test_our_own_groups_decide_together(path: str, allowed: bool) -> None:
    assert Robots(FILE, "reasoner").allows(path) is allowed


def test_without_a_group_of_ours_that_for_everybody_decides() -> None:
    rules = Robots(FILE.replace(b"easoner", b"obber"), "reasoner")
    assert not rules.allows("/everybody")
    assert rules.allows("/private")


@pytest.mark.parametrize(
    ("pattern", "path", "fits"),
    [
        ("/a*c", "/abbc", True),
        ("/a*c", "/abb", False),
        ("*", "/x", True),
        ("/*/x/*/y$", "/1/x/2/y", True),
        ("/*/x/*/y$", "/1/x/2/y/", False),
        ("/a$", "/a", True),
        ("/a$", "/ab", False),
        ("/a*$", "/ab", True),
        ("/ab*ba$", "/aba", False),
        ("/**x", "/x", True),
        ("/(a+)+$", "/aaaa", False),
    ],
)
def test_stars_and_ends(pattern: str, path: str, fits: bool) -> None:
    assert Robots(f"User-agent: *\nDisallow: {pattern}".encode(), "reasoner").allows(path) is not fits


def test_a_mark_of_the_byte_order_hides_no_rule() -> None:
    assert not Robots(b"\xef\xbb\xbfUser-agent: *\nDisallow: /", "reasoner").allows("/")


def test_of_equal_rules_the_kind_one_wins() -> None:
    assert Robots(b"User-agent: *\nDisallow: /a\nAllow: /a", "reasoner").allows("/a")


@pytest.mark.parametrize("content", [b"", b"<html>no robots</html>", b"\xff\xfe\x00", b"Disallow: /", b":::\n:"])
def test_what_is_no_rule_forbids_nothing(content: bytes) -> None:
    assert Robots(content, "reasoner").allows("/")


def test_a_huge_and_hostile_file_takes_no_time() -> None:
    lines = b"User-agent: *\r" + b"Disallow: /*a*a*a*a*a*a*a*a*a*a*a*a*b\n" * 20_000
    stars = b"User-agent: *\nDisallow: /" + b"*a" * (SIZE // 3) + b"b\n"
    for content in (lines, stars, b"User-agent: *\n" * 100_000):
        before = time.process_time()
        assert Robots(content, "reasoner").allows("/" + "a" * 2000)
        assert time.process_time() - before < 2


def test_a_rule_that_is_cut_off_is_none() -> None:
    content = b"User-agent: *\nDisallow: /no\n".ljust(SIZE - 11, b"#") + b"\nDisallow: /secret"
    rules = Robots(content, "reasoner")
    assert rules.allows("/s")
    assert not rules.allows("/no")
