"""Removes what killed test runs left on this machine's engine: their stacks would use its memory, cores and addresses.

A module of its own because it deletes: only what bears a test's name (`t` and six hex digits), and only while no other
test run is at work here. Tests on the engine hold the lock shared, this holds it alone.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import signal
import sys
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import docker
from docker.errors import DockerException, NotFound

LOCK = Path("/tmp/ledgerflow-tests.lock")  # noqa: S108 a lock, no data: every user's runs must meet at one place
CONFIG = Path("/etc/ledgerflow")
TESTS_NAME = re.compile(r"t[0-9a-f]{6}[-_].+|lftest-[0-9a-f]{8}|ledgervault-tests-(?P<pid>[0-9]+)")


@contextmanager
def lock(how: int) -> Iterator[None]:
    """Holds the lock of this machine's test runs; BlockingIOError with LOCK_NB when it cannot be had."""
    handle = os.open(LOCK, os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(handle, how)
        yield
    finally:
        os.close(handle)


def in_use() -> Iterator[None]:
    """For a session of tests on the engine: what it makes is no leftover while it runs; asked to end, it cleans up."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with lock(fcntl.LOCK_SH):
        yield


def left(name: str) -> bool:
    """Whether a test gave this name and, where the name tells its process, that process is gone."""
    found = TESTS_NAME.fullmatch(name)
    return found is not None and not (found["pid"] and Path("/proc", found["pid"]).exists())


def sweep() -> list[str]:
    """Removes containers, then networks and volumes with a test's name, then their rendered files; what was removed."""
    with closing(docker.from_env()) as engine:
        removed = [*_removed(engine.containers.list(all=True, ignore_removed=True), force=True)]
        removed += [*_removed(engine.networks.list()), *_removed(engine.volumes.list())]
    for rendered in CONFIG.glob("t*-ci") if CONFIG.is_dir() else ():
        if left(rendered.name):
            shutil.rmtree(rendered)
            removed.append(str(rendered))
    return removed


def _removed(items: Iterable[Any], **how: bool) -> Iterator[str]:
    for item in items:
        if left(str(item.name)):
            with suppress(NotFound):  # gone by itself
                item.remove(**how)
                yield item.name


def main() -> int:
    """0 when nothing is left, or when another run is at work; 1 when something could not be removed."""
    try:
        with lock(fcntl.LOCK_EX | fcntl.LOCK_NB):
            removed = sweep()
    except BlockingIOError:
        print("another test run is at work on this machine: its stacks stay")
        return 0
    except DockerException as error:
        print(f"what an earlier test run left could not be removed: {error}", file=sys.stderr)
        return 1
    print(f"removed of earlier test runs: {', '.join(removed) or 'nothing was left'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
