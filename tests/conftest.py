"""Real models, where they can be had: a test that asks for one is skipped where it cannot."""

from pathlib import Path

import pytest

from reasoner import models
from reasoner.errors import ModelError


@pytest.fixture(scope="session")
def smollm2() -> Path:
    """The real SmolLM2-135M-Instruct, fetched on first use."""
    return _real("smollm2-135m-instruct", pull=True)


@pytest.fixture(scope="session")
def qwen() -> Path:
    """The real Qwen2.5-Coder-0.5B-Instruct, where it has been pulled."""
    return _real("qwen2.5-coder-0.5b-instruct", pull=False)


def _real(name: str, *, pull: bool) -> Path:
    try:
        return models.resolve(name, pull=pull)
    except ModelError as error:
        pytest.skip(str(error))
