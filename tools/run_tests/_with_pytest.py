"""Runs a pytest suite in this process and tells each test's start and end."""

import importlib.util
import os
import sys

import pytest
from _describing import MESSAGE, cut, describe, outcome_of, root
from _ending import alarm

FLAGS = ("-s", "--tb=native", "--continue-on-collection-errors", "-oaddopts=", "-pno:cacheprovider")
"""The project's own extra options are dropped: they may ask for plugins that are not here."""

PASSED = ("passed", "")


def run(suite, done, tell, _peer):
    """Run all tests but those in `done`."""
    sys.path.insert(0, root())
    plugin = Plugin(suite, done, tell)
    targets = suite.targets or sorted(path for path in suite.files if path.endswith(".py"))
    status = pytest.main([*FLAGS, f"--rootdir={root()}", *targets], plugins=[plugin])
    alarm(0)
    problems = [f"{node} could not be collected\n{why}" for node, why in plugin.problems.items()]
    if status == pytest.ExitCode.USAGE_ERROR and not problems:
        problems = [unusable(suite) or f"pytest cannot use the arguments {' '.join(targets)}"]
    if not plugin.names:
        tell("error", problems[0] if problems else "no tests were found")
        return
    for node, problem in zip(plugin.problems, problems, strict=True):
        tell("end", node, "error", problem)


def unusable(suite):
    """Why a conftest.py of the suite cannot be imported, most often because of the candidate; pytest says it to the
    screen alone. Empty where that is not it."""
    for path in sorted(path for path in suite.files if os.path.basename(path) == "conftest.py"):
        spec = importlib.util.spec_from_file_location("conftest", os.path.join(root(), path))
        try:
            spec.loader.exec_module(importlib.util.module_from_spec(spec))
        except BaseException as error:  # noqa: BLE001 - whatever the import of a candidate raises
            return f"{path} could not be imported\n{describe(error, suite.files)}"
    return ""


class Plugin:
    """Tells what pytest's hooks say. `problems`: node id -> why it could not be collected."""

    def __init__(self, suite, done, tell):
        self.suite, self.done, self.tell = suite, done, tell
        self.names, self.problems = [], {}
        self.said = self.raised = None

    def pytest_collection(self):
        self.tell("loading")
        alarm(self.suite.test_s)

    def pytest_exception_interact(self, node, call, report):
        alarm(0)
        error = call.excinfo.value
        if isinstance(report, pytest.CollectReport):
            self.problems[node.nodeid] = describe(error.__cause__ or error, self.suite.files)
        else:
            outcome = outcome_of(error) if report.when == "call" else "error"
            self.raised = self.raised or (outcome, describe(error, self.suite.files))

    def pytest_internalerror(self, excinfo):
        self.problems["the suite"] = describe(excinfo.value, self.suite.files)

    pytest_keyboard_interrupt = pytest_internalerror

    def pytest_collection_finish(self, session):
        self.names = [item.nodeid for item in session.items]
        self.tell("collected", self.names)
        left = (item for item in session.items if item.nodeid not in self.done)
        session.items[:] = sorted(left, key=lambda item: self.suite.later(item.nodeid))

    def pytest_runtest_logstart(self, nodeid):
        self.said = self.raised = None
        self.tell("start", nodeid)
        alarm(self.suite.test_s)

    def pytest_runtest_logreport(self, report):
        if report.skipped and not self.said:
            self.said = ("skipped", report.wasxfail if hasattr(report, "wasxfail") else str(report.longrepr[-1]))
        elif report.failed and self.said in (None, PASSED):
            self.said = ("failed", cut(str(report.longrepr), MESSAGE))
        elif report.when == "call" and not self.said:
            self.said = PASSED

    def pytest_runtest_logfinish(self, nodeid):
        alarm(0)
        if said := self.raised or self.said:
            self.tell("end", nodeid, *said)
        alarm(self.suite.test_s)
