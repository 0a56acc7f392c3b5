"""What can be reached is exactly the table of docs/architecture.md: every connection is opened for real."""

from __future__ import annotations

import ipaddress
import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.deploy.reach import Outside, Reached, a_machine_outside, listening, reach, server
from tools.kit.stacks import REPOSITORY, Stack

PAGE = REPOSITORY / "docs/architecture.md"
HOST, OUTSIDE = "the host", "outside"
PORTS = ("APP_PORT", "SEARXNG_PORT", "ADMINER_PORT")
MEANING = {"yes": True, "-": False}


@dataclass(frozen=True)
class Container:
    """A running container: a process in it, its address and the bridge's in each of its networks."""

    pid: int
    addresses: tuple[str, ...]
    bridges: tuple[str, ...]
    way_out: bool


def table() -> dict[tuple[str, str], bool]:
    """(from, to) → whether it can be reached, as the page says; a service and itself are left out."""
    part = PAGE.read_text().split("<!-- reachability:start -->")[1].split("<!-- reachability:end -->")[0]
    lines = [line for line in part.splitlines() if line.startswith("|")]
    rows = [[cell.strip(" *") for cell in line.strip("|").split("|")] for line in lines]
    targets = rows[0][1:]
    cells = {(row[0], to): cell for row in rows[2:] for to, cell in zip(targets, row[1:], strict=True)}
    assert set(cells.values()) == {"yes", "-", "·"}
    return {pair: MEANING[cell] for pair, cell in cells.items() if cell != "·"}


def test_the_two_colours_have_the_same_row_and_the_same_column() -> None:
    """One of them runs, so what is opened below for it is the other's truth as well."""
    told = {pair: answer for pair, answer in table().items() if not all("app-web-" in end for end in pair)}

    def seen_by(colour: str) -> dict[tuple[str, str], bool]:
        ours = {pair: answer for pair, answer in told.items() if colour in " ".join(pair)}
        return {(one.replace(colour, ""), to.replace(colour, "")): answer for (one, to), answer in ours.items()}

    assert seen_by("blue") == seen_by("green") != {}


class Seen:
    """A running stack, ready to be compared with the table."""

    def __init__(self, stack: Stack, outside: Outside, host_port: int) -> None:
        self.stack, self.outside, self.host_port = stack, outside, host_port
        self._asked: dict[str, Reached] = {}
        self.containers = {name: self._container(name) for name in stack.containers()}
        defaults = dict(re.findall(r"^(\w+_PORT)=(\d+)$", (REPOSITORY / ".env.example").read_text(), re.MULTILINE))
        self._ports = {
            int(defaults[name]): int(stack.settings[name]) for name in ("APP_PORT", "SEARXNG_PORT", "ADMINER_PORT")
        }

    def _container(self, name: str) -> Container:
        told = json.loads(self.stack.docker("inspect", f"{self.stack.id}-{name}"))[0]
        joined = told["NetworkSettings"]["Networks"]
        networks = json.loads(self.stack.docker("network", "inspect", *joined))
        configured = [one["IPAM"]["Config"][0] for one in networks]
        bridges = tuple(item.get("Gateway") or str(ipaddress.ip_network(item["Subnet"])[1]) for item in configured)
        addresses = tuple(joined[one["Name"]]["IPAddress"] for one in networks)
        return Container(told["State"]["Pid"], addresses, bridges, not all(one["Internal"] for one in networks))

    def targets(self) -> list[tuple[str, int, str]]:
        """(service, its port here, its column) for every column of the table whose service runs."""
        columns = dict.fromkeys(to for _one, to in table() if to not in (HOST, OUTSIDE))
        parted = [(*column.split(":"), column) for column in columns]
        return [
            (name, self._ports.get(int(port), int(port)) if name == "caddy" else int(port), column)
            for name, port, column in parted
            if name in self.containers
        ]

    def ask(self, source: str) -> Reached:
        """Everything the table has a column for, asked by one source, once."""
        if source not in self._asked:
            self._asked[source] = self._ask(source)
        return self._asked[source]

    def _ask(self, source: str) -> Reached:
        places = [(address, port) for name, port, _ in self.targets() for address in self.containers[name].addresses]
        places += [(self.outside.address, self.outside.port)]
        if source == HOST:
            return reach(None, [], places)
        own = self.containers[source]
        places += [(bridge, self.host_port) for bridge in own.bridges]
        # With a way out, a name that the engine does not know would be asked of the world: only known ones, then.
        others = {name: item for name, item in self.containers.items() if name != source}
        named = [name for name, item in others.items() if not own.way_out or set(item.bridges) & set(own.bridges)]
        names = [f"{self.stack.id}-{name}" for name in named]
        return reach(own.pid, names, places)

    def answers(self, source: str) -> dict[str, bool]:
        """Column → whether `source` opened a connection to it, by any of its addresses."""
        reached = self.ask(source)
        found = {
            column: any((address, port) in reached.open for address in self.containers[name].addresses)
            for name, port, column in self.targets()
            if name != source
        }
        found[OUTSIDE] = (self.outside.address, self.outside.port) in reached.open
        if source != HOST:
            bridges = self.containers[source].bridges
            found[HOST] = any((bridge, self.host_port) in reached.open for bridge in bridges)
        return found


@pytest.fixture(scope="module")
def seen(stack: Stack) -> Iterator[Seen]:
    with a_machine_outside() as outside, server() as (_pid, port):
        yield Seen(stack, outside, port)


SOURCES = sorted({one for one, _to in table()})


@pytest.mark.parametrize("source", SOURCES)
def test_what_can_be_reached_is_what_the_table_says(seen: Seen, source: str) -> None:
    if source not in seen.containers and source != HOST:
        assert source.startswith("app-web-")  # the colour that does not run: its twin above
        return
    running = {to for name, _port, to in seen.targets() if name != source} | {HOST, OUTSIDE}
    told = {to: answer for (one, to), answer in table().items() if one == source and to in running}
    assert seen.answers(source) == told


def test_every_container_is_in_the_table_and_listens_on_its_columns_only(seen: Seen) -> None:
    assert set(seen.containers) <= set(SOURCES)
    told: dict[str, set[int]] = {name: set() for name in seen.containers}
    for name, port, _column in seen.targets():
        told[name].add(port)
    there = {name: {port for _address, port in listening(item.pid)} for name, item in seen.containers.items()}
    assert there == told


def test_a_name_is_known_exactly_where_a_network_is_shared(seen: Seen) -> None:
    wrong = []
    for source, own in seen.containers.items():
        for name, addresses in seen.ask(source).names.items():
            other = seen.containers[name.removeprefix(f"{seen.stack.id}-")]
            common = {
                address for address, bridge in zip(other.addresses, other.bridges, strict=True) if bridge in own.bridges
            }
            if not set(addresses) <= common or bool(addresses) is not bool(
                common
            ):  # one address is told where there are two
                wrong.append(f"{source} is told {addresses} for {name}, {common or 'nothing'} was right")
    assert wrong == []


def published(stack: Stack) -> set[tuple[str, int]]:
    """(address, port) on the host of everything the stack's containers publish."""
    told = json.loads(stack.docker("inspect", *(f"{stack.id}-{name}" for name in stack.containers())))
    bindings = [each for item in told for each in item["NetworkSettings"]["Ports"].values() if each]
    return {(one["HostIp"], int(one["HostPort"])) for each in bindings for one in each}


def test_what_is_published_listens_on_loopback_only(seen: Seen) -> None:
    ports = {int(seen.stack.settings[name]) for name in PORTS}
    assert published(seen.stack) == {("127.0.0.1", port) for port in ports}
    assert {port for _address, port in listening(os.getpid())} & ports == set()
    assert reach(None, [], [("127.0.0.1", port) for port in ports]).open == {("127.0.0.1", port) for port in ports}


def test_a_machine_outside_reaches_the_host_and_nothing_of_the_stack(seen: Seen) -> None:
    address = seen.outside.host_address
    places = [(address, int(seen.stack.settings[name])) for name in PORTS]
    places += [(one, port) for name, port, _ in seen.targets() for one in seen.containers[name].addresses]
    reached = reach(seen.outside.pid, [], [*places, (address, seen.host_port)])
    assert reached.open == {(address, seen.host_port)}
