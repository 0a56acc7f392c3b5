"""Who can open a connection to what, found out from inside network namespaces.

A module of its own because one way must serve every image: the probe is this host's Python, run in a container's
network namespace, where it meets the container's own routes, firewall rules and name server, whatever programs the
image has.
"""

from __future__ import annotations

import ipaddress
import json
import secrets
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

# Standard input: {"names": […], "places": [[address, port], …]}. Output: {"names": {name: [address]}, "open": […]}.
PROBE = """
import concurrent.futures, json, socket, struct, sys

def asked(name):
    # The engine's name server, as it is asked by every container.
    labels = b"".join(bytes([len(part)]) + part.encode() for part in name.split("."))
    question = struct.pack(">6H", 7, 0x0100, 1, 0, 0, 0) + labels + b"\\0" + struct.pack(">2H", 1, 1)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.settimeout(5)
        udp.sendto(question, ("127.0.0.11", 53))
        answer = udp.recv(4096)
    count, position, found = struct.unpack(">H", answer[6:8])[0], len(question), []
    for _ in range(count):
        while answer[position] and answer[position] < 192:  # the name again, in full or as a pointer to the question's
            position += 1 + answer[position]
        position -= answer[position] == 0
        kind, _, _, length = struct.unpack(">2HIH", answer[position + 2:position + 12])
        data = answer[position + 12:position + 12 + length]
        position += 12 + length
        if kind == 1:
            found.append(socket.inet_ntoa(data))
    return found

def opened(place):
    try:
        socket.create_connection(place, timeout=3).close()
    except OSError:
        return False
    return True

given = json.load(sys.stdin)
with concurrent.futures.ThreadPoolExecutor(16) as pool:
    places = given["places"]
    told = [place for place, good in zip(places, pool.map(opened, places)) if good]
json.dump({"names": {name: asked(name) for name in given["names"]}, "open": told}, sys.stdout)
"""
LISTENING = "0A"


@dataclass(frozen=True)
class Reached:
    """What one source reached: names with their addresses, and places that took a connection."""

    names: dict[str, list[str]]
    open: set[tuple[str, int]]


def reach(pid: int | None, names: list[str], places: list[tuple[str, int]]) -> Reached:
    """Asks for names and opens connections in the network namespace of `pid`; None is the host's own."""
    argv = ["nsenter", "-t", str(pid), "-n"] if pid else []
    done = subprocess.run(
        [*argv, sys.executable, "-I", "-c", PROBE],
        input=json.dumps({"names": names, "places": places}),
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    return Reached(answer["names"], {(address, port) for address, port in answer["open"]})


def listening(pid: int) -> set[tuple[str, int]]:
    """(address, port) of each socket that listens in the network namespace of `pid`; loopback's are left out."""
    found = set()
    for name in ("tcp", "tcp6"):
        for line in Path(f"/proc/{pid}/net/{name}").read_text().splitlines()[1:]:
            fields = line.split()
            host, port = fields[1].split(":")
            address = kernel_address(host)
            if fields[3] == LISTENING and not address.is_loopback:
                found.add((str(address), int(port, 16)))
    return found


def kernel_address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """An address as /proc/net writes it: words of four bytes, each in the machine's order."""
    words = [bytes.fromhex(text[start : start + 8])[::-1] for start in range(0, len(text), 8)]
    address = ipaddress.ip_address(b"".join(words))
    return getattr(address, "ipv4_mapped", None) or address


def ip(*arguments: str) -> None:
    """iproute2; its complaint is the failure."""
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"ip {' '.join(arguments)}: {done.stderr}"


@dataclass(frozen=True)
class Outside:
    """A machine beyond the host, made of a network namespace: its address, the host's towards it, a process in it."""

    address: str
    host_address: str
    pid: int
    port: int


SERVER = """
import socket
door = socket.create_server(("0.0.0.0", 0), backlog=64)
print(door.getsockname()[1], flush=True)
while True:
    door.accept()[0].close()
"""


@contextmanager
def server(*prefix: str) -> Iterator[tuple[int, int]]:
    """A program that takes connections on every address it has: its pid and its port."""
    with subprocess.Popen([*prefix, sys.executable, "-I", "-c", SERVER], stdout=subprocess.PIPE, text=True) as child:
        try:
            assert child.stdout is not None
            yield child.pid, int(child.stdout.readline())
        finally:
            child.kill()


@contextmanager
def a_machine_outside() -> Iterator[Outside]:
    """Stands for the world outside (an address kept for documents), so that no test sends anything to the real one."""
    name, pick = "lf" + secrets.token_hex(3), secrets.randbelow(63) * 4
    here, there = f"198.51.100.{pick + 1}", f"198.51.100.{pick + 2}"
    ip("netns", "add", name)
    try:
        ip("link", "add", f"{name}h", "type", "veth", "peer", "name", f"{name}o", "netns", name)
        ip("addr", "add", f"{here}/30", "dev", f"{name}h")
        ip("link", "set", f"{name}h", "up")
        for arguments in (("addr", "add", f"{there}/30", "dev", f"{name}o"), ("link", "set", f"{name}o", "up")):
            ip("-n", name, *arguments)
        ip("-n", name, "link", "set", "lo", "up")
        with server("ip", "netns", "exec", name) as (pid, port):
            yield Outside(there, here, pid, port)
    finally:
        ip("netns", "del", name)  # the pair of devices goes with it
