"""Worlds for tests: `run` a command in one, `make` a template, `sweep` what killed runs left."""

from __future__ import annotations

import argparse
import signal
import sys
from pathlib import Path

from tools.bed import templates, worlds
from tools.bed.worlds import Wish

COULD_NOT = 2


def read_options(argv: list[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="scripts/bed", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="runs a command in a world of its own, removed at its end")
    run.add_argument("--template", choices=templates.KINDS, help="what the world is a copy of; made where missing")
    run.add_argument("--from", dest="source", default="", help=argparse.SUPPRESS)  # a template's own directory name
    run.add_argument("--network", action="store_true", help="a way outside, for what downloads packages")
    run.add_argument("--no-engine", dest="engine", action="store_false", help="starts no engine")
    run.add_argument("--keep-as", default="", help=argparse.SUPPRESS)
    run.add_argument("argv", nargs="+", metavar="COMMAND")
    make = commands.add_parser("make", help="makes a template where it is missing or stale")
    make.add_argument("kind", choices=templates.KINDS)
    commands.add_parser("sweep", help="removes the worlds of runs that were killed")
    return parser.parse_args(argv)


def world_wish(options: argparse.Namespace) -> Wish:
    """What the options ask a world to be."""
    place = templates.templates_directory()
    source = place / options.source if options.source else None
    return Wish(
        argv=tuple(options.argv),
        template=templates.KINDS[options.template]() if options.template else source,
        engine=options.engine,
        network=options.network,
        keep_as=place / options.keep_as if options.keep_as else None,
    )


def act(options: argparse.Namespace) -> int:
    """Does what the options say; its exit code."""
    if options.command == "sweep":
        print(f"test bed: removed {', '.join(worlds.sweep()) or 'nothing: no killed run left a world'}")
        return 0
    if options.command == "make":
        print(f"test bed: {Path(templates.KINDS[options.kind]()).name}")
        return 0
    return worlds.run(world_wish(options))


def leave(number: int, _frame: object) -> None:
    """A signal ends this process in order, so that its world is removed."""
    raise SystemExit(128 + number)


def main(argv: list[str]) -> int:
    """Returns the command's exit code; 2 where no world could be made."""
    worlds.die_with_parent()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, leave)
    try:
        return act(read_options(argv))
    except worlds.BedError as error:
        print(error, file=sys.stderr)
        return COULD_NOT


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
