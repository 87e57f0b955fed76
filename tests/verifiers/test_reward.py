"""Reward heads by their names."""

import pytest

from reasoner.errors import ConfigError
from reasoner.types import CoreInfo
from reasoner.verifiers import make


def test_a_head_that_the_core_does_not_have_is_said_with_those_it_has() -> None:
    info = CoreInfo("small", "d", 100, heads=("outcome", "process"))
    assert len(make(["reward:outcome", "step:process"], info)) == 4
    with pytest.raises(ConfigError, match="the core small has no reward head 'outcom': it has outcome, process"):
        make(["reward:outcom"], info)
