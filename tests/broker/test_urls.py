"""An address is read once, strictly: what looks like an allowed host and is another is refused."""

import pytest

from reasoner.broker.refused import Refused
from reasoner.broker.urls import Allowlist, parse
from reasoner.errors import ConfigError

ALLOWED = Allowlist(["a.org", "*.b.org", "bücher.de"])


def allowed(text: str) -> str:
    url = parse(text)
    ALLOWED.check(url)
    return str(url)


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("https://a.org", "https://a.org/"),
        ("https://a.org/x/y?q=1#part", "https://a.org/x/y?q=1"),
        ("HTTP://A.ORG/", "http://a.org/"),
        ("https://@a.org/", "https://a.org/"),
        ("https://a.org:443/", "https://a.org/"),
        ("https://a.org./x", "https://a.org/x"),
        ("https://x.b.org/", "https://x.b.org/"),
        ("https://x.y.b.org/", "https://x.y.b.org/"),
        ("https://bücher.de/", "https://xn--bcher-kva.de/"),
        ("https://xn--bcher-kva.de/", "https://xn--bcher-kva.de/"),
        ("https://a。org/", "https://a.org/"),
        ("https://a.org/a/../b", "https://a.org/b"),
        ("https://a.org/ä", "https://a.org/%C3%A4"),
        ("https://a.org/@b.org", "https://a.org/@b.org"),
    ],
)
def test_spellings_of_an_allowed_address_are_one(text: str, read: str) -> None:
    assert allowed(text).rstrip("/") == read.rstrip("/")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("https://evil.com/", "the host evil.com is not allowed, only *.b.org, a.org, xn--bcher-kva.de"),
        ("https://b.org/", "not allowed"),
        ("https://xb.org/", "not allowed"),
        ("https://a.org.evil.com/", "not allowed"),
        ("https://evil.com/a.org", "not allowed"),
        ("https://evil.com?a.org", "not allowed"),
        ("https://evil.com#@a.org", "not allowed"),
        ("https://аa.org/", "the host xn--a-7sb.org is not allowed"),
        ("https://a.org@evil.com/", "user name"),
        ("https://a.org:x@evil.com/", "user name"),
        ("https://u:p@a.org/", "user name"),
        ("https://a.org:8080/", "names a port"),
        ("https://a.org:80/", "names a port"),
        ("http://a.org:443/", "names a port"),
        ("https://a.org:99999/", "names a port"),
        ("https://a.org:x/", "no address of a page"),
        ("https://evil.com\\@a.org/", "backslashes"),
        ("https://a.org\t.evil.com/", "blanks"),
        ("https://a.org/ x", "blanks"),
        ("https://a.org/\r\nHost: evil", "blanks"),
        ("https://a.org/\0", "blanks"),
        (" https://a.org/", "blanks"),
        ("file:///etc/passwd", "begins with https:// or http://"),
        ("ftp://a.org/", "begins with https:// or http://"),
        ("gopher://a.org/", "begins with https:// or http://"),
        ("javascript:alert(1)", "begins with"),
        ("//a.org/", "begins with"),
        ("a.org", "begins with"),
        ("", "begins with"),
        ("https:a.org", "no host with a name"),
        ("https:///a.org", "no host with a name"),
        ("https://", "no host with a name"),
        ("https://a.org../", "no host with a name"),
        ("https://.a.org/", None),
        ("https://a%2eorg/", None),
        ("https://a..org/", None),
        ("https://localhost/", "no host with a name"),
        ("http://127.0.0.1/", "no host with a name"),
        ("http://127.1/", "no host with a name"),
        ("http://2130706433/", "no host with a name"),
        ("http://0x7f000001/", "no host with a name"),
        ("http://0x7f.0.0.0x1/", "no host with a name"),
        ("http://0177.0.0.1/", None),
        ("http://127.0.0.1./", None),
        ("http://①②⑦.0.0.1/", None),
        ("http://[::1]/", "no host with a name"),
        ("http://[::ffff:127.0.0.1]/", "no host with a name"),
        ("http://[fe80::1%25eth0]/", None),
        ("http://[::1", None),
        ("https://" + "a" * 300 + ".org/", None),
        ("https://a.org/" + "x" * 3000, "too long"),
        ("https://a.org/\ud800", None),
    ],
)
def test_everything_else_is_refused_in_words(text: str, said: str | None) -> None:
    with pytest.raises(Refused) as caught:
        allowed(text)
    assert (said or "") in str(caught.value)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize(
    ("location", "to"),
    [
        ("/y", "https://a.org/y"),
        ("y", "https://a.org/x/y"),
        ("?q", "https://a.org/x/?q"),
        ("//x.b.org/z", "https://x.b.org/z"),
        ("http://a.org/", "http://a.org/"),
    ],
)
def test_a_redirect_is_read_like_a_first_address(location: str, to: str) -> None:
    assert str(parse(location, parse("https://a.org/x/"))) == to


@pytest.mark.parametrize(
    "location", ["https://u@a.org/", "//a.org:8080/", "\\\\evil.com", "file:///x", "http://127.0.0.1/", "//2130706433/"]
)
def test_a_redirect_hides_nothing(location: str) -> None:
    with pytest.raises(Refused):
        parse(location, parse("https://a.org/x/"))


NO_HOSTS = [
    *("", "*", "*.", "*.org", "org", "localhost", "127.0.0.1", "[::1]", "2130706433", "0x7f.1", "a..org", "a b.org"),
    *("https://a.org", "a.org/x", "a.org:80", "u@a.org", "a.*.org", "**.a.org", "*a.org"),
]


@pytest.mark.parametrize("pattern", NO_HOSTS)
def test_what_is_no_host_cannot_be_allowed(pattern: str) -> None:
    with pytest.raises(ConfigError, match="cannot be allowed: give the name of a host"):
        Allowlist([pattern])


def test_a_pattern_may_be_spelt_like_a_person_would() -> None:
    assert "docs.python.org" in Allowlist(["Docs.Python.ORG"])
    assert "docs.python.org" not in Allowlist(["python.org"])
