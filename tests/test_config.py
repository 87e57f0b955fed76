from pathlib import Path

import pytest

from reasoner.config import EFFORTS, BudgetConfig, Config, load
from reasoner.errors import ConfigError
from reasoner.types import Json


def of(flags: Json, environment: dict[str, str] | None = None, *files: Path) -> Config:
    return load(files, environment or {}, flags)


def toml(folder: Path, text: str) -> Path:
    path = folder / "reasoner.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_nothing_set_is_the_defaults(tmp_path: Path) -> None:
    assert of({}, {}, tmp_path / "absent.toml") == Config()


def test_flags_win_over_the_environment_and_that_over_files(tmp_path: Path) -> None:
    file = toml(tmp_path, 'traces = "here"\n[search]\nwidth = 2\nattempts = 3\nseed = 4\n')
    environment = {"REASONER_SEARCH_WIDTH": "20", "REASONER_SEARCH_ATTEMPTS": "30"}
    config = of({"search": {"width": 200}}, environment, file)
    assert config.search.width == 200
    assert config.search.attempts == 30
    assert config.search.seed == 4
    assert config.traces == "here"


def test_a_later_file_wins(tmp_path: Path) -> None:
    first = toml(tmp_path, "[search]\nwidth = 2\nseed = 5\n")
    second = tmp_path / "second.toml"
    second.write_text("[search]\nwidth = 3\n", encoding="utf-8")
    config = of({}, {}, first, second)
    assert (config.search.width, config.search.seed) == (3, 5)


def test_the_environment_speaks_of_sections_and_of_nothing_else() -> None:
    environment = {
        "REASONER_BUDGET_WALL_S": "1.5",
        "REASONER_SEARCH_THINK": "yes",
        "REASONER_TRACES": "/tmp/x",
        "REASONER_DEBUG": "1",
        "REASONER_HOME": "/elsewhere",
        "SEARCH_WIDTH": "9",
    }
    config = of({}, environment)
    assert config.budget.wall_s == 1.5
    assert config.search.think is True
    assert config.traces == "/tmp/x"
    assert config.search.width == Config().search.width


def test_an_unknown_key_names_the_nearest() -> None:
    with pytest.raises(
        ConfigError, match=r"sets search\.atempts, which does not exist: did you mean search\.attempts\?"
    ):
        of({"search": {"atempts": 1}})
    with pytest.raises(ConfigError, match=r"the environment sets search\.wide"):
        of({}, {"REASONER_SEARCH_WIDE": "1"})
    with pytest.raises(ConfigError, match=r"zzz, which does not exist: known here: core, sandbox"):
        of({"zzz": 1})


@pytest.mark.parametrize(
    ("section", "key", "value", "say"),
    [
        ("search", "width", "many", "whole number"),
        ("search", "width", 1.5, "whole number"),
        ("search", "width", True, "whole number"),
        ("search", "width", 0, "at least 1"),
        ("search", "temperature", -0.1, "at least 0"),
        ("search", "temperature", "nan", "at least 0"),
        ("budget", "wall_s", "inf", "at least 0"),
        ("budget", "wall_s", [1], "a number"),
        ("search", "think", "maybe", "true or false"),
        ("sandbox", "kind", "chroot", "auto, docker, bubblewrap"),
        ("core", "model", 5, "text"),
        ("core", "device", "tpu", "auto, cpu, cuda"),
        ("fetch", "allow", 5, "a list of texts"),
        ("fetch", "allow", ["a.org", 5], "a list of texts"),
    ],
)
def test_a_value_that_cannot_be_is_an_error_that_names_the_key(section: str, key: str, value: object, say: str) -> None:
    with pytest.raises(ConfigError, match=rf"the command line sets {section}\.{key} to .*{say}"):
        of({section: {key: value}})


def test_a_whole_number_is_a_number_and_text_from_the_environment_is_either() -> None:
    assert of({"search": {"temperature": 1}}).search.temperature == 1.0
    assert of({}, {"REASONER_SEARCH_TEMPERATURE": "0"}).search.temperature == 0.0


def test_a_list_is_a_list_everywhere_and_in_a_variable_a_text_with_commas(tmp_path: Path) -> None:
    file = toml(tmp_path, 'tools = ["mine"]\n[fetch]\nallow = ["a.org", "*.b.org"]\n')
    assert of({}, {}, file).fetch.allow == ("a.org", "*.b.org")
    assert of({}, {}, file).tools == ("mine",)
    environment = {"REASONER_FETCH_ALLOW": "c.org, d.org,", "REASONER_TOOLS": "x"}
    assert of({}, environment, file).fetch.allow == ("c.org", "d.org")
    assert of({"fetch": {"allow": ["e.org"]}}, environment, file).fetch.allow == ("e.org",)
    assert of({}, environment, file).tools == ("x",)
    assert of({}, {"REASONER_FETCH_ALLOW": ""}, file).fetch.allow == ()


def test_a_section_that_is_no_section_is_an_error() -> None:
    with pytest.raises(ConfigError, match="search to 5, but it is a section"):
        of({"search": 5})


def test_a_file_that_is_no_toml_is_an_error_with_its_path(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"cannot read the configuration .*reasoner\.toml"):
        of({}, {}, toml(tmp_path, "[search\n"))


def test_everything_goes_into_the_trace() -> None:
    assert of({"search": {"seed": 7}}).resolved()["search"]["seed"] == 7


def test_an_effort_sets_attempts_tokens_and_confidence() -> None:
    config = of({"budget": {"effort": "high"}})
    assert (config.budget.effort, config.search.attempts) == ("high", EFFORTS["high"].attempts)
    assert (config.budget.tokens, config.budget.confidence) == (EFFORTS["high"].tokens, EFFORTS["high"].confidence)
    assert config == Config().at("high") == Config(budget=BudgetConfig(effort="high")).settled() == config.settled()


@pytest.mark.parametrize(
    "exact", [{"budget": {"tokens": 5}}, {"budget": {"confidence": 0.9}}, {"search": {"attempts": 16}}]
)
def test_an_effort_and_what_it_sets_contradict_each_other(exact: Json) -> None:
    key = next(f"{section}.{key}" for section, keys in exact.items() for key in keys)
    with pytest.raises(ConfigError, match=rf"the command line sets budget\.effort and {key}.*give one of them"):
        of({**exact, "budget": {**exact.get("budget", {}), "effort": "low"}})


def test_of_an_effort_and_a_number_in_two_places_the_later_wins(tmp_path: Path) -> None:
    file = toml(tmp_path, '[budget]\neffort = "max"\n')
    config = of({"budget": {"tokens": 500}}, {}, file)
    assert (config.budget.effort, config.budget.tokens) == ("", 500)
    exact = toml(tmp_path, "[search]\nattempts = 3\n[budget]\ntokens = 9\n")
    assert of({}, {"REASONER_BUDGET_EFFORT": "low"}, exact) == Config().at("low")


@pytest.mark.parametrize("value", [1, 1.5, -0.1, "nan", "sure"])
def test_a_confidence_lies_below_one(value: object) -> None:
    with pytest.raises(ConfigError, match=r"sets budget\.confidence to"):
        of({"budget": {"confidence": value}})


def test_an_effort_that_does_not_exist_names_those_that_do() -> None:
    with pytest.raises(ConfigError, match="low, medium, high, max"):
        of({"budget": {"effort": "huge"}})
    with pytest.raises(ConfigError, match="there is no effort 'huge': choose one of low"):
        Config().at("huge")
