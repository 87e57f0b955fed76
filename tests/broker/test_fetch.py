"""What reaches a page, what is refused on the way, and that whoever asks again sees the same bytes."""

import asyncio
import base64
from pathlib import Path

import pytest

from reasoner.broker import Fetch
from reasoner.errors import ConfigError, ToolError
from reasoner.types import ToolResult

from .conftest import PUBLIC, page, redirect, refusal

HELLO = page(b"<p>hello", type="text/html; charset=ISO-8859-1")


async def body(service: Fetch, url: str) -> bytes:
    answer = await service({"url": url})
    assert not isinstance(answer, ToolResult), answer
    return base64.b64decode(answer["body"])


# --- the way to a page ---


async def test_a_page_comes_as_bytes_with_what_the_server_said_of_it(web, fetch):
    web.pages["a.org", "/x?q=1"] = HELLO
    assert await fetch("a.org")({"url": "http://A.org./x?q=1#part"}) == {
        "url": "http://a.org/x?q=1",
        "type": "text/html",
        "charset": "iso-8859-1",
        "body": base64.b64encode(b"<p>hello").decode(),
    }
    assert web.asked == [("a.org", "/robots.txt"), ("a.org", "/x?q=1")]


async def test_tls_checks_the_name_and_connects_to_the_checked_address(web, fetch):
    web.pages["a.org", "/"] = HELLO
    assert await body(fetch("a.org"), "https://a.org/") == b"<p>hello"
    assert set(web.connected) == {(PUBLIC, 443)}
    assert "Host: a.org\r\n" in web.heads[-1]


async def test_a_certificate_of_another_name_is_no_way_in(web, fetch):
    said = await refusal(fetch("b.org"), "https://b.org/")
    assert said.error == "raised"
    assert "certificate" in said.detail.lower()
    assert not web.asked


async def test_nothing_of_this_machine_goes_along(web, fetch, monkeypatch):
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    web.pages["a.org", "/robots.txt"] = page(b"", "Set-Cookie: id=1", type="text/plain")
    web.pages["a.org", "/"] = HELLO
    await body(fetch("a.org"), "http://a.org/")
    names = {line.partition(":")[0].lower() for line in web.heads[-1].split("\r\n")[1:] if line}
    assert names == {"host", "user-agent", "accept", "accept-encoding", "connection"}


async def test_the_next_address_is_tried_when_one_does_not_answer(web, fetch):
    web.refusing = {web.names["b.org"][0]}
    web.pages["b.org", "/"] = HELLO
    assert await body(fetch("b.org"), "http://b.org/") == b"<p>hello"
    web.refusing = set(web.names["b.org"])
    assert (await refusal(fetch("b.org"), "http://b.org/other")).error == "raised"


# --- hosts and addresses ---


async def test_a_host_that_is_not_allowed_is_never_looked_up(web, fetch):
    said = await refusal(fetch("a.org"), "http://b.org/")
    assert (said.error, said.detail) == ("refused", "the host b.org is not allowed, only a.org")
    assert not web.looked_up


@pytest.mark.parametrize("argument", [None, 5, ["https://a.org/"], {}])
async def test_an_address_that_is_no_text_is_refused(fetch, argument):
    assert (await refusal(fetch("a.org"), argument)).error == "refused"
    assert (await fetch("a.org")({})).error == "refused"


@pytest.mark.parametrize(
    "addresses",
    [
        ["127.0.0.1"],
        ["169.254.169.254"],
        ["10.0.0.1"],
        ["::1"],
        ["::ffff:127.0.0.1"],
        ["fe80::1%eth0"],
        [PUBLIC, "127.0.0.1"],
        ["0.0.0.0"],
        [],
        ["127.1"],
    ],
)
async def test_a_name_that_leads_inside_is_not_connected_to(web, fetch, addresses):
    web.names["a.org"] = addresses
    said = await refusal(fetch("a.org"), "http://a.org/")
    assert said.error == "refused"
    assert "leads to an address that is not on the public internet" in said.detail
    assert not web.connected


async def test_a_name_is_looked_up_once_so_no_second_answer_can_lead_inside(web, fetch):
    answers = iter([[PUBLIC], [PUBLIC], ["127.0.0.1"]])

    async def rebinding(host):
        return next(answers)

    service = fetch("a.org", resolve=rebinding)
    web.pages["a.org", "/"] = HELLO
    assert await body(service, "http://a.org/") == b"<p>hello"
    assert web.connected == [(PUBLIC, 80)] * 2
    said = await refusal(service, "http://a.org/again")
    assert "public internet" in said.detail
    assert len(web.connected) == 2


async def test_a_name_that_does_not_resolve_is_a_result(web, fetch):
    said = await refusal(fetch("nowhere.org"), "http://nowhere.org/")
    assert said.error == "raised"
    assert "the name nowhere.org cannot be resolved" in said.detail


async def test_the_real_resolver_and_connector_reach_nothing_of_this_machine(web, tmp_path):
    service = Fetch(["localtest.localhost"], tmp_path)
    said = await refusal(service, f"http://localtest.localhost/{web.ports[80]}")
    assert "cannot be resolved" in said.detail or "not on the public internet" in said.detail


# --- redirects ---


async def test_a_redirect_is_followed_where_that_is_allowed_too(web, fetch):
    web.pages["a.org", "/"] = redirect("http://b.org/new")
    web.pages["b.org", "/new"] = redirect("other", "308 Permanent Redirect")
    web.pages["b.org", "/other"] = HELLO
    answer = await fetch("a.org", "b.org")({"url": "http://a.org/"})
    assert answer["url"] == "http://b.org/other"


@pytest.mark.parametrize(
    "location",
    [
        "http://evil.com/",
        "//evil.com/",
        "http://127.0.0.1/",
        "http://[::1]/",
        "http://169.254.169.254/latest/meta-data/",
        "http://2130706433/",
        "http://a.org@evil.com/",
        "http://a.org:22/",
        "file:///etc/passwd",
        "gopher://a.org/",
        "http://a.org.evil.com/",
        "\\\\evil.com\\",
    ],
)
async def test_a_redirect_is_checked_like_the_first_address(web, fetch, location):
    web.pages["a.org", "/"] = redirect(location)
    said = await refusal(fetch("a.org"), "http://a.org/")
    assert said.error == "refused"
    assert said.detail.startswith("http://a.org/ redirects: ")
    assert set(web.looked_up) == {"a.org"}


async def test_a_redirect_to_an_allowed_name_that_leads_inside_is_refused(web, fetch):
    web.names["b.org"] = ["192.168.0.1"]
    web.pages["a.org", "/"] = redirect("http://b.org/")
    said = await refusal(fetch("a.org", "b.org"), "http://a.org/")
    assert "not on the public internet" in said.detail
    assert set(web.connected) == {(PUBLIC, 80)}


@pytest.mark.parametrize("location", ["/", "", "?"])
async def test_redirects_end(web, fetch, location):
    web.pages["a.org", "/"] = web.pages["a.org", "/?"] = redirect(location)
    said = await refusal(fetch("a.org"), "http://a.org/")
    assert "redirects: more than 5 times" in said.detail
    assert len(web.asked) <= 8


async def test_redirects_that_lead_ever_further_end_too(web, fetch):
    for number in range(20):
        web.pages["a.org", f"/{number}"] = redirect(f"/{number + 1}")
    assert "more than 5 times" in (await refusal(fetch("a.org"), "http://a.org/0")).detail
    assert [path for _, path in web.asked if path != "/robots.txt"] == ["/0", "/1", "/2", "/3", "/4", "/5"]


# --- robots.txt ---


async def test_what_robots_may_not_read_is_not_asked_for(web, fetch):
    web.pages["a.org", "/robots.txt"] = page(b"User-agent: *\nDisallow: /private", type="text/plain")
    web.pages["a.org", "/private"] = HELLO
    said = await refusal(fetch("a.org"), "http://a.org/private")
    assert said.error == "refused"
    assert "http://a.org/robots.txt asks programs not to read /private" in said.detail
    assert web.asked == [("a.org", "/robots.txt")]


async def test_robots_of_each_hop_is_asked(web, fetch):
    web.pages["a.org", "/"] = redirect("http://b.org/private")
    web.pages["b.org", "/robots.txt"] = page(b"User-agent: *\nDisallow: /private", type="text/plain")
    web.pages["b.org", "/private"] = HELLO
    assert "asks programs not to read" in (await refusal(fetch("a.org", "b.org"), "http://a.org/")).detail
    assert ("b.org", "/private") not in web.asked


@pytest.mark.parametrize("status", ["500 No", "503 Busy", "429 Too Many"])
async def test_a_host_that_cannot_say_what_robots_may_read_is_left_alone(web, fetch, status):
    web.pages["a.org", "/robots.txt"] = page(b"", status=status)
    web.pages["a.org", "/"] = HELLO
    said = await refusal(fetch("a.org"), "http://a.org/")
    assert f"robots.txt says who may read there, and answered {status[:3]}" in said.detail
    assert web.asked == [("a.org", "/robots.txt")]


async def test_robots_may_redirect_where_that_is_allowed(web, fetch):
    web.pages["a.org", "/robots.txt"] = redirect("http://b.org/rules")
    web.pages["b.org", "/rules"] = page(b"User-agent: *\nDisallow: /private", type="")
    web.pages["a.org", "/"] = web.pages["a.org", "/private"] = HELLO
    service = fetch("a.org", "b.org")
    assert await body(service, "http://a.org/") == b"<p>hello"
    assert "not to read" in (await refusal(service, "http://a.org/private")).detail


@pytest.mark.parametrize("location", ["http://evil.com/robots.txt", "http://127.0.0.1/", "/robots.txt"])
async def test_robots_may_not_redirect_anywhere_else(web, fetch, location):
    web.pages["a.org", "/robots.txt"] = redirect(location)
    web.pages["a.org", "/"] = HELLO
    assert "robots.txt says who may read there: " in (await refusal(fetch("a.org"), "http://a.org/")).detail
    assert set(web.looked_up) == {"a.org"}


async def test_of_a_huge_robots_file_the_beginning_counts(web, fetch):
    rules = b"User-agent: *\nDisallow: /private\n".ljust(3 * 2**20, b"#")
    web.pages["a.org", "/robots.txt"] = page(rules, type="text/plain")
    web.pages["a.org", "/"] = web.pages["a.org", "/private"] = HELLO
    service = fetch("a.org", size=10_000)
    assert await body(service, "http://a.org/") == b"<p>hello"
    assert "not to read" in (await refusal(service, "http://a.org/private")).detail


async def test_a_page_that_redirects_robots_to_itself_blocks_nobody(web, fetch):
    web.pages["a.org", "/robots.txt"] = redirect("/other")
    web.pages["a.org", "/other"] = page(b"User-agent: *\nDisallow:", type="text/plain")
    assert await asyncio.wait_for(body(fetch("a.org"), "http://a.org/other"), 10)


async def test_robots_itself_is_a_page_like_others(web, fetch):
    web.pages["a.org", "/robots.txt"] = page(b"User-agent: *\nDisallow: /", type="text/plain")
    assert await body(fetch("a.org"), "http://a.org/robots.txt") == b"User-agent: *\nDisallow: /"


async def test_robots_that_was_cut_for_its_rules_is_whole_as_a_page(web, fetch):
    rules = b"User-agent: *\nDisallow: /private\n".ljust(600 * 1024, b"#")
    web.pages["a.org", "/robots.txt"] = page(rules, type="text/plain")
    web.pages["a.org", "/"] = HELLO
    service = fetch("a.org")
    await body(service, "http://a.org/")
    assert await body(service, "http://a.org/robots.txt") == rules


# --- the cache ---


async def test_whoever_asks_again_sees_the_same_bytes_and_nobody_is_asked(web, fetch):
    web.pages["a.org", "/"] = HELLO
    first = await fetch("a.org")({"url": "http://a.org/"})
    asked = len(web.asked)
    web.pages["a.org", "/"] = page(b"changed")
    assert await fetch("a.org")({"url": "http://a.org/#elsewhere"}) == first
    assert len(web.asked) == asked


async def test_branches_that_ask_at_once_see_the_same_bytes(web, fetch):
    count = 0

    async def counting(writer):
        nonlocal count
        count += 1
        await asyncio.sleep(0.05)
        writer.write(page(str(count).encode()))

    web.pages["a.org", "/"] = counting
    service = fetch("a.org")
    assert set(await asyncio.gather(*(body(service, "http://a.org/") for _ in range(12)))) == {b"1"}


async def test_asking_anew_reads_again_but_once(web, fetch):
    now = 1000.0
    web.pages["a.org", "/"] = page(b"old")
    assert await body(fetch("a.org", clock=lambda: now), "http://a.org/") == b"old"
    now = 2000.0
    service = fetch("a.org", clock=lambda: now, refresh=True)
    web.pages["a.org", "/"] = page(b"new")
    assert await body(service, "http://a.org/") == b"new"
    web.pages["a.org", "/"] = page(b"newer")
    now = 3000.0
    assert await body(service, "http://a.org/") == b"new"


async def test_a_kept_redirect_allows_nothing(web, fetch):
    web.pages["a.org", "/"] = redirect("http://b.org/")
    web.pages["b.org", "/"] = HELLO
    assert await body(fetch("a.org", "b.org"), "http://a.org/") == b"<p>hello"
    said = await refusal(fetch("a.org"), "http://a.org/")
    assert "the host b.org is not allowed" in said.detail


async def test_what_one_host_says_is_never_kept_for_another(web, fetch):
    web.pages["a.org", "/"] = page(b"mine", "Content-Location: http://b.org/", "Location: http://b.org/")
    web.pages["a.org", "/b"] = redirect("http://b.org/")
    web.pages["b.org", "/"] = page(b"theirs")
    service = fetch("a.org", "b.org")
    assert await body(service, "http://a.org/") == b"mine"
    assert await body(service, "http://b.org/") == b"theirs"
    assert await body(service, "http://a.org/b") == b"theirs"
    assert await body(service, "http://a.org/") == b"mine"


async def test_bounds_hold_for_what_is_kept_too(web, fetch):
    web.pages["a.org", "/"] = page(b"x" * 5000)
    assert await body(fetch("a.org", size=10_000), "http://a.org/")
    assert (await refusal(fetch("a.org", size=1000), "http://a.org/")).error == "output"


async def test_trouble_is_not_kept(web, fetch):
    web.pages["a.org", "/"] = page(b"", status="503 Busy")
    service = fetch("a.org")
    assert (await refusal(service, "http://a.org/")).detail == "http://a.org/ answered 503 Service Unavailable"
    web.pages["a.org", "/"] = HELLO
    assert await body(service, "http://a.org/") == b"<p>hello"


async def test_a_robots_file_is_believed_for_a_day(web, fetch):
    now = 0.0
    web.pages["a.org", "/1"] = web.pages["a.org", "/2"] = web.pages["a.org", "/3"] = HELLO
    service = fetch("a.org", clock=lambda: now)
    for path, at in (("/1", 0.0), ("/2", 86000.0), ("/3", 87000.0)):
        now = at
        await body(service, f"http://a.org{path}")
    assert [path for _, path in web.asked] == ["/robots.txt", "/1", "/2", "/robots.txt", "/3"]


async def test_a_disk_that_refuses_is_our_error(web, fetch, tmp_path: Path):
    (tmp_path / "file").write_text("")
    web.pages["a.org", "/"] = HELLO
    with pytest.raises(ToolError, match=r"set fetch\.cache to another folder"):
        await fetch("a.org", cache=tmp_path / "file")({"url": "http://a.org/"})


def test_hosts_that_cannot_be_allowed_are_an_error_of_the_settings(tmp_path):
    with pytest.raises(ConfigError, match=r"'127\.0\.0\.1' cannot be allowed"):
        Fetch(["127.0.0.1"], tmp_path)


# --- hosts that nobody allowed, where there is somebody to ask ---


async def test_another_host_is_asked_about_before_anything_is_sent(web, fetch):
    web.pages["b.org", "/"] = HELLO
    asked: list[str] = []

    async def permit(host: str) -> bool:
        asked.append(host)
        return len(asked) > 1

    service = fetch("a.org", permit=permit)
    said = await refusal(service, "http://b.org/")
    assert said.error == "refused" and "b.org is not allowed" in said.detail and not web.asked
    assert await body(service, "http://b.org/") == b"<p>hello"
    assert asked == ["b.org", "b.org"], "what is agreed to once holds once"


async def test_a_redirect_to_another_host_is_refused_unasked(web, fetch):
    web.pages["a.org", "/"] = redirect("http://b.org/")
    asked: list[str] = []

    async def permit(host: str) -> bool:
        asked.append(host)
        return True

    said = await refusal(fetch("a.org", permit=permit), "http://a.org/")
    assert "b.org is not allowed" in said.detail and not asked and ("b.org", "/") not in web.asked


async def test_what_no_list_would_allow_is_never_asked_about(web, fetch):
    async def permit(host: str) -> bool:
        raise AssertionError(host)

    for url in ("http://127.0.0.1/", "http://localhost/", "file:///etc/passwd", "http://a.org:8080/"):
        assert (await refusal(fetch(permit=permit), url)).error == "refused"
