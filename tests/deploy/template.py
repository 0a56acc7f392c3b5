"""Deploys the stack that tests share, for the test bed: run in a world as `python -m tests.deploy.template`.

A module of its own because it runs once for each content of the repository, not once for each test.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

from tools.kit.stacks import Stack

PLACE = Path("/srv/test-stack")
RECORD = PLACE / "stack.json"
NAME = "t0bed00"
FIRST_ROW = "the row that must survive"


@dataclass(frozen=True)
class Record:
    """What a copy of the template must know of its stack; `seconds`: what its first deploy took."""

    name: str
    settings: dict[str, str]
    seconds: float


def record() -> Record:
    """The record of the template that this world is a copy of."""
    return Record(**json.loads(RECORD.read_text()))


def deployed(directory: Path) -> Stack:
    """The template's stack, healthy, in a world that is a copy of it; `directory` takes its settings file and runs."""
    made = record()
    stack = Stack(directory, name=made.name, settings=made.settings)
    deployment = json.loads((stack.config / "state/deployment.json").read_text())
    stack.variables = {"stack_commit": deployment["commit"]}  # a later commit may change nothing of the template
    stack.first_deploy_seconds = made.seconds
    stack.wait_until_healthy()
    return stack


def main() -> int:
    """0 when a stack with one account and one transaction is deployed."""
    PLACE.mkdir()
    stack = Stack(PLACE, name=NAME)
    stack.deploy()
    stack.add_row(FIRST_ROW)
    RECORD.write_text(json.dumps(asdict(Record(stack.name, stack.settings, stack.first_deploy_seconds))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
