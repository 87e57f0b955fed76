"""The wheel holds everything: built, put somewhere else, and run from there without the checkout."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PIP = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input", "-q")


CONTENT = ("tools/", "sandbox/", "templates/")


@pytest.fixture(scope="module")
def tracked() -> list[str]:
    """Paths that belong to the program."""
    names = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout.split(b"\0")
    return [name for name in map(os.fsdecode, names) if name and (ROOT / name).is_file()]


@pytest.fixture(scope="module")
def wheel(tracked: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy, so that nothing is left in the checkout."""
    place = tmp_path_factory.mktemp("wheel")
    for name in tracked:
        (place / "source" / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, place / "source" / name)
    build = [*PIP, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(place), str(place / "source")]
    subprocess.run(build, check=True, capture_output=True)
    [built] = place.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def site(wheel: Path) -> Path:
    """A folder of packages with nothing but the wheel in it."""
    target = wheel.parent / "site"
    subprocess.run([*PIP, "install", "--no-deps", "--target", str(target), str(wheel)], check=True, capture_output=True)
    return target


def run(site: Path, code: str) -> str:
    """What a program prints that finds `reasoner` in `site`, far from the checkout."""
    program = f"import sys; sys.path.insert(0, {str(site)!r}); {code}"
    command = [sys.executable, "-P", "-c", program]
    return subprocess.run(command, cwd=site.parent, capture_output=True, text=True, check=True).stdout


def test_the_wheel_holds_every_file_of_the_program(wheel: Path, tracked: list[str]) -> None:
    held = set(zipfile.ZipFile(wheel).namelist())
    program = [name for name in tracked if name.startswith("reasoner/")]
    content = [f"reasoner/_content/{name}" for name in tracked if name.startswith(CONTENT) and "/." not in name]
    assert [name for name in (*program, *content) if name not in held] == []


def test_the_wheel_has_one_top_level_name(wheel: Path) -> None:
    tops = {name.partition("/")[0] for name in zipfile.ZipFile(wheel).namelist()}
    assert tops == {"reasoner", next(top for top in tops if top.endswith(".dist-info"))}


def test_the_command_runs_from_elsewhere(site: Path) -> None:
    code = "import runpy; sys.argv = ['reasoner', '--help']; runpy.run_module('reasoner', run_name='__main__')"
    assert "usage: reasoner" in run(site, code)


def test_content_is_found_where_it_was_installed(site: Path) -> None:
    code = "from reasoner.content import content_dir as c; print(*map(c, ('tools', 'sandbox', 'templates')), sep='\\n')"
    folders = [Path(line) for line in run(site, code).splitlines()]
    assert folders == [site / "reasoner" / "_content" / kind for kind in ("tools", "sandbox", "templates")]
    assert (folders[0] / "run_tests" / "run.py").is_file()
    assert list(folders[2].glob("*.jinja"))


def test_tools_and_prompts_are_read_from_there(site: Path) -> None:
    code = (
        "from reasoner.toolbox import Toolbox; from reasoner.dialect.prompts import prompt;"
        "print(*(t.name for t in Toolbox.standard())); print(prompt('think'))"
    )
    names, *thought = run(site, code).splitlines()
    assert "run_tests" in names.split()
    assert thought
