"""The public names: all there, each found where it lives, none of them imported before it is asked for."""

import subprocess
import sys

import pytest

import reasoner


@pytest.mark.parametrize("name", reasoner.__all__)
def test_every_public_name_can_be_had(name: str) -> None:
    assert getattr(reasoner, name) is not None
    assert name in dir(reasoner)


def test_another_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Reasonr'"):
        _ = reasoner.Reasonr


def test_a_record_brings_no_library_with_it() -> None:
    code = "import sys; from reasoner import Task, Config, TaskError; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"torch", "httpx", "rich", "jinja2", "msgspec", "numpy"} & set(loaded)
