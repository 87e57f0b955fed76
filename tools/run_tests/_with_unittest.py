"""Runs a unittest suite in this process and tells each test's start and end."""

import argparse
import glob
import importlib
import os
import sys
import unittest

from _describing import describe, outcome_of, root
from _ending import alarm


def run(suite, done, tell, _peer):
    """Run all tests but those in `done`."""
    sys.path.insert(0, root())
    tell("loading")
    alarm(suite.test_s)
    loader, cases, problem = unittest.TestLoader(), [], ""
    for target in targets_of(suite):
        try:
            cases += flat(load(loader, target))
        except BaseException as error:  # noqa: BLE001 - whatever the import of a candidate raises
            problem = problem or f"{target} could not be imported\n{describe(error, suite.files)}"
    if not cases:
        tell("error", problem or "no tests were found")
        return
    one = len({type(case).__module__ for case in cases}) == 1
    names = {case.id(): case.id().removeprefix(type(case).__module__ + ".") if one else case.id() for case in cases}
    tell("collected", list(names.values()))
    if problem:
        tell("end", problem.partition(" ")[0], "error", problem)
    left = sorted((c for c in cases if names[c.id()] not in done), key=lambda c: suite.later(names[c.id()]))
    unittest.TestSuite(left).run(Listener(suite, names, done, tell))


class Listener(unittest.TestResult):
    """Tells what unittest says. A failed subtest is a failed test, and the first one speaks for it.

    Only what unittest calls a success has passed: a test that was broken off says nothing, and so is left running.
    """

    def __init__(self, suite, names, done, tell):
        super().__init__()
        self.suite, self.names, self.done, self.tell, self.said = suite, names, set(done), tell, None

    def startTest(self, test):
        self.said = None
        self.tell("start", self.names[test.id()])
        alarm(self.suite.test_s)

    def stopTest(self, test):
        alarm(0)
        if self.said:
            self.end(self.names[test.id()], *self.said)
        alarm(self.suite.test_s)

    def end(self, name, outcome, message):
        self.done.add(name)
        self.tell("end", name, outcome, message)

    def say(self, test, outcome, message):
        """For a running test, or for all that a class's or module's fixture keeps from running."""
        if test.id() in self.names:
            self.said = self.said or (outcome, message)
            return
        scope = test.id().partition("(")[2].rstrip(")") + "."
        kept = [name for key, name in self.names.items() if key.startswith(scope) and name not in self.done]
        for name in kept or [test.id()]:
            self.end(name, outcome, message)

    def addSuccess(self, test):
        self.say(test, "passed", "")

    def addExpectedFailure(self, test, err):
        self.say(test, "passed", "")

    def addError(self, test, err):
        alarm(0)
        self.say(test, outcome_of(err[1]), describe(err[1], self.suite.files))

    addFailure = addError

    def addSubTest(self, test, subtest, err):
        if err:
            self.addError(test, err)

    def addSkip(self, test, reason):
        self.say(test, "skipped", reason)

    def addUnexpectedSuccess(self, test):
        self.say(test, "failed", "it passed, but is marked as an expected failure")


def targets_of(suite):
    """Names for the loader: those given, those that `discover` finds, or else the suite's own files."""
    if suite.targets[:1] == ["discover"]:
        return discovered(suite.targets[1:])
    named = [target for target in suite.targets if not target.startswith("-")]
    return named or sorted(path for path in suite.files if path.endswith(".py"))


def discovered(arguments):
    """Test files below the start directory, as paths from the top directory, which is put on the import path."""
    flags = argparse.ArgumentParser()
    for flags_of, default in ((("-s", "--start-directory"), "."), (("-p", "--pattern"), "test*.py"), (("-t",), None)):
        flags.add_argument(*flags_of, dest=flags_of[0][1], default=default)
    found, _ = flags.parse_known_args(arguments)
    top = os.path.join(root(), found.t or found.s)
    sys.path.insert(0, top)
    files = glob.glob(os.path.join(root(), found.s, "**", found.p), recursive=True)
    return sorted(os.path.relpath(path, top) for path in files)


def load(loader, target):
    """The tests of a file or a dotted name; what it begins with is imported first, to raise its own exception."""
    name = head = target.removesuffix(".py").replace(os.sep, ".").lstrip(".") if target.endswith(".py") else target
    while True:
        try:
            importlib.import_module(head)
            return loader.loadTestsFromName(name)
        except ModuleNotFoundError as error:
            if "." not in head or not f"{head}.".startswith(f"{error.name}."):
                raise
        head = head.rpartition(".")[0]


def flat(tests):
    return [case for test in tests for case in flat(test)] if isinstance(tests, unittest.TestSuite) else [tests]
