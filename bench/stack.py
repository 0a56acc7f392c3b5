"""The stack that is measured: deployed, asked again in every way, weighed and destroyed.

A module of its own because it alone runs programs and talks to the engine; it uses the same `scripts/play` as make, so
what is timed is what a person waits for.
"""

from __future__ import annotations

import os
import re
import resource
import shutil
import subprocess
import tempfile
import time
import urllib.request
from contextlib import closing
from pathlib import Path

from bench.figures import Memory, Timing
from tools.kit.stacks import REPOSITORY, Stack

NAME = "tbench"
LIMIT_SECONDS = 900
_WARM_UP_REQUESTS = 100


class MeasureError(Exception):
    """Something could not be measured; the text says what and where to look."""


def new_stack() -> Stack:
    """A stack of environment ci on free ports, in a place that a killed run's successor finds again."""
    directory = Path(tempfile.gettempdir()) / "ledgerflow-bench"
    directory.mkdir(exist_ok=True)
    return Stack(directory, name=NAME)


def play(stack: Stack, playbook: str, **variables: str) -> Timing:
    """One playbook as make runs it (`variables` are make's), timed."""
    stack.write_settings()
    make_variables = {
        "ENV": stack.environment,
        "STACK": stack.name,
        "SETTINGS": str(stack.settings_file),
        "YES": "1",
        **variables,
    }
    started, before = time.monotonic(), _processor_seconds()
    process = subprocess.run(
        ["scripts/play", playbook],
        cwd=REPOSITORY,
        env={**os.environ, **make_variables},
        capture_output=True,
        text=True,
        timeout=LIMIT_SECONDS,
        check=False,
    )
    seconds = time.monotonic() - started
    if process.returncode != 0:
        log = f"build/logs/{playbook}-{stack.id}.log"
        raise MeasureError(
            f"{playbook}: ended with {process.returncode}\n{process.stdout[-2000:]}{process.stderr}\nHINT: {log}"
        )
    return Timing(seconds, _processor_seconds() - before, _count_changes(process.stdout))


def compose_up(stack: Stack, at_once: bool) -> Timing:
    """`docker compose up -d` of every service's project, where all of them run already."""
    commands = [_compose_argv(stack, service) for service in sorted(stack.containers())]
    started, before = time.monotonic(), _processor_seconds()
    groups = [commands] if at_once else [[command] for command in commands]
    for group in groups:
        running = [subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) for argv in group]
        codes = [child.wait(LIMIT_SECONDS) for child in running]
        if any(codes):
            raise MeasureError(f"docker compose up -d: ended with {codes}\nHINT: {' '.join(group[0])}")
    return Timing(time.monotonic() - started, _processor_seconds() - before)


def memory(stack: Stack) -> list[Memory]:
    """Every container's working set (usage without file pages that can be dropped) and limit."""
    with closing(stack.client()) as client:
        weighed = []
        for service in sorted(stack.containers()):
            name = f"{stack.id}-{service}"
            used = client.api.stats(name, stream=False, one_shot=True)["memory_stats"]
            droppable = used["stats"].get("inactive_file", used["stats"].get("total_inactive_file", 0))
            limit = client.api.inspect_container(name)["HostConfig"]["Memory"]
            weighed.append(Memory(service, (used["usage"] - droppable) / 2**20, limit // 2**20))
        return weighed


def use(stack: Stack) -> None:
    """Pages and a search, so that what is weighed has worked."""
    paths = [("APP", "/sign-in/"), ("APP", "/readyz"), ("SEARXNG", "/"), ("ADMINER", "/")]
    for number in range(_WARM_UP_REQUESTS):
        site, path = paths[number % len(paths)]
        url = stack.url(site, path)
        try:
            with urllib.request.urlopen(url, timeout=30) as answer:  # noqa: S310 a loopback address of ours
                answer.read()
        except OSError as error:
            raise MeasureError(f"{url}: {error}\nHINT: docker logs {stack.id}-caddy") from error


def destroy(stack: Stack) -> None:
    """Removes the stack with all it has, and what this module made."""
    play(stack, "destroy", CONFIRM=stack.id)
    shutil.rmtree(stack.directory, ignore_errors=True)
    shutil.rmtree(REPOSITORY / "build/facts" / stack.id, ignore_errors=True)


def _compose_argv(stack: Stack, service: str) -> list[str]:
    file = stack.config / service / "compose.yml"
    return ["docker", "compose", "--project-name", f"{stack.id}-{service}", "--file", str(file), "up", "--detach"]


def _processor_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _count_changes(output: str) -> int:
    """The recap's count of changes; there must be one."""
    counts = re.findall(r"^\S+ +: ok=\d+ +changed=(\d+)", output, re.MULTILINE)
    if not counts:
        raise MeasureError("a playbook ended without a recap")
    return sum(int(count) for count in counts)
