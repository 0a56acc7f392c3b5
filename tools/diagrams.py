"""Writes the pictures and tables of docs/architecture.md from the inventory.

A module of its own because they are copies of the inventory that must not outlive it: `make docs` writes them and
`make lint` (with --check) refuses stale ones.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from ledgerflow.repository import ROOT
from ledgerflow.stack.topology import Service, Topology, TopologyError, read_topology
from tools.marked import between_markers
from tools.svg import networks_picture, volumes_picture

PICTURES, PAGE = Path("docs/pictures"), Path("docs/architecture.md")
START, END = "<!-- reachability:start -->", "<!-- reachability:end -->"


def reachability_table(topology: Topology) -> str:
    """Who can open a connection to what: a service to all on its networks and, by its bridge, to the host itself."""
    targets = [(service, port) for service in topology.services for port in service.listens]
    head = ["from \\ to", *(f"{service.name}:{port}" for service, port in targets), "the host", "outside"]
    rows = [_row(source, targets, topology) for source in topology.services]
    rows.append(["**the host**", *("yes" for _ in targets), "·", "yes"])  # its bridges lead into every container
    lines = [f"| {' | '.join(cells)} |" for cells in (head, *rows)]
    ports = [f"`{port}` ({service.name})" for service in topology.services for port in service.ports]
    published = "Published on the host: " + (", ".join(ports) or "nothing") + "."
    return "\n".join([lines[0], "|---" * len(head) + "|", *lines[1:], "", published])


def _row(source: Service, targets: list[tuple[Service, int]], topology: Topology) -> list[str]:
    cells = ("·" if source is target else _mark(source.reaches(target)) for target, _port in targets)
    outside = set(source.networks) & topology.outside
    return [f"**{source.name}**", *cells, _mark(source.networks), _mark(outside)]


def _mark(holds: object) -> str:
    return "yes" if holds else "-"


def with_table(page: str, table: str) -> str:
    """The page with its table made anew; TopologyError where the markers are not there once."""
    try:
        return between_markers(page, table, START, END)
    except ValueError as error:
        raise TopologyError(f"{PAGE}: {error}") from None


def generated_files(root: Path) -> dict[Path, str]:
    """Every generated file, with what it should hold."""
    dev, prod = read_topology("dev", root), read_topology("prod", root)
    return {
        PICTURES / "networks-dev.svg": networks_picture(dev),
        PICTURES / "networks-prod.svg": networks_picture(prod),
        PICTURES / "volumes.svg": volumes_picture(dev),
        PAGE: with_table((root / PAGE).read_text(), reachability_table(dev)),
    }


def main(argv: list[str], root: Path = ROOT) -> int:
    """Returns 0 when all is fresh (after writing, unless --check), 1 when something is stale, 2 when it cannot tell."""
    parser = argparse.ArgumentParser(prog="python -m tools.diagrams", description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing")
    check = parser.parse_args(argv).check
    try:
        files = generated_files(root)
    except (TopologyError, KeyError, OSError) as error:
        print(f"diagrams: the inventory cannot be drawn: {error}", file=sys.stderr)
        return 2
    stale = [name for name, text in files.items() if not (root / name).is_file() or (root / name).read_text() != text]
    for name in stale:
        if not check:
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(files[name])
        print(f"{name}: " + ("not what the inventory says" if check else "written"))
    if stale and check:
        print("HINT: make docs", file=sys.stderr)
    return 1 if stale and check else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
