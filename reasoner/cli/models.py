"""`reasoner models`: what is known, what is here, and where."""

import argparse
import json
from dataclasses import asdict

from reasoner import models
from reasoner.cli.exits import SOLVED
from reasoner.cli.screen import Screen
from reasoner.models import Listed


def run(arguments: argparse.Namespace) -> int:
    if arguments.action == "list":
        _list(models.listing(), arguments.json)
    elif arguments.action == "pull":
        with Screen().progress() as progress:
            place = models.pull(arguments.name or models.default(), progress=progress)
        _say(str(place), arguments.json)
    else:
        _say(str(models.path(arguments.name or models.default())), arguments.json)
    return SOLVED


def _say(path: str, as_json: bool) -> None:
    print(json.dumps({"path": path}) if as_json else path)


def _list(known: list[Listed], as_json: bool) -> None:
    if as_json:
        print(json.dumps({"models": [_record(listed) for listed in known]}))
        return
    width = max(len(listed.entry.name) for listed in known)
    for listed in known:
        entry = listed.entry
        here = {"absent": f"{entry.bytes / 1e6:,.0f} MB to fetch", "partial": "partly fetched"}.get(listed.state)
        mark = "*" if entry.default else " "
        where = here or f"here, {listed.bytes / 1e6:,.0f} MB"
        print(f"{mark} {entry.name:<{width}}  {entry.licence}  {entry.context:>6} tokens  {where}")
        print(f"  {'':<{width}}  also called {', '.join(entry.aliases)}")
    print("\n* is taken when no model is named. The path of a Hugging Face directory or of a")
    print("GGUF file is as good as a name.")


def _record(listed: Listed) -> dict[str, object]:
    entry = asdict(listed.entry)
    del entry["sources"]
    return {**entry, "state": listed.state, "path": str(listed.path), "bytes_here": listed.bytes}
