"""The drawing opens from disk, is the same twice, and says what is censored."""

from pathlib import Path
from xml.etree import ElementTree

import pytest

from reasoner.errors import ConfigError
from reasoner.estimates import Estimate
from reasoner.replay import Point

pytest.importorskip("matplotlib")

from reasoner.replay.figure import draw


def point(name: str, tokens: float, right: float, censored: float = 0.0) -> Point:
    around = Estimate(tokens, tokens - 10, tokens + 10)
    return Point(name, None, Estimate(right, right - 0.1, right + 0.1), around, around, censored)


POINTS = [point("a <b>", 900, 0.5), point("a <b>", 100, 0.25), point("solved", 200, 0.5, censored=0.5)]


def test_an_svg_is_the_same_twice_and_names_every_policy(tmp_path: Path) -> None:
    for name in ("1.svg", "2.svg"):
        draw(POINTS, tmp_path / name, "3 tasks & more")
    text = (tmp_path / "1.svg").read_text()
    assert text == (tmp_path / "2.svg").read_text()
    said = "".join(ElementTree.fromstring(text).itertext())
    assert "a <b>" in said and "solved" in said and "3 tasks & more" in said
    assert "hollow: some tasks would have needed samples" in said


def test_a_page_holds_the_drawing_and_fetches_nothing(tmp_path: Path) -> None:
    draw(POINTS[:2], tmp_path / "c.html", "<script>")
    text = (tmp_path / "c.html").read_text()
    assert text.startswith("<!doctype html>") and "<svg" in text and "hollow" not in text
    assert "<script" not in text and "&lt;script&gt;" in text
    assert "src=" not in text


def test_another_kind_of_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"as \.svg or \.html, and c\.gif is neither"):
        draw(POINTS, tmp_path / "c.gif", "")
