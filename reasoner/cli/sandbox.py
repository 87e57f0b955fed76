"""`reasoner sandbox`: build the image, try what can be closed here, remove what killed runs left."""

import argparse
import asyncio
import json
import sys
from dataclasses import asdict

from reasoner import sandboxes
from reasoner.cli.exits import INFRASTRUCTURE, SOLVED
from reasoner.repl.printable import printable


def run(arguments: argparse.Namespace) -> int:
    if arguments.action == "build":
        tag = sandboxes.build_image(arguments.base, site=arguments.site, progress=_tell)
        print(json.dumps({"image": tag}) if arguments.json else tag)
        return SOLVED
    if arguments.action == "prune":
        count = sandboxes.prune()
        print(json.dumps({"removed": count}) if arguments.json else f"removed {count}")
        return SOLVED
    return _probe(arguments.json)


def _probe(as_json: bool) -> int:
    found = asyncio.run(sandboxes.probe())
    if as_json:
        print(json.dumps({"sandboxes": [asdict(probe) for probe in found]}))
    else:
        for probe in found:
            print(f"{probe.kind:<10}  {probe.level if probe.usable else 'cannot be used: ' + printable(probe.cause)}")
    return SOLVED if any(probe.usable for probe in found) else INFRASTRUCTURE


def _tell(line: str) -> None:
    print(printable(line), file=sys.stderr)
