"""Which core a conversation is held with, and asked a single question."""

from reasoner.cli.settings import talking
from reasoner.config import Config, CoreConfig


def test_a_conversation_does_without_a_taught_core_unless_one_is_asked_for() -> None:
    assert talking(Config()).core.adapter == "base"
    assert talking(Config(core=CoreConfig(adapter="taught-1"))).core.adapter == "taught-1"
    assert talking(Config(core=CoreConfig(model="m"))).core == CoreConfig(model="m", adapter="base")
