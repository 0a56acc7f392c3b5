"""Refuses runs that would end well without having done their work: a part of a playbook, no host, several hosts.

A module of its own because it is asked for in `hosts:` of each playbook's first play, the only place that Ansible
looks at whatever `--tags`, `--skip-tags` and `--start-at-task` leave out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ansible import context
from ansible.errors import AnsibleError

# Option → what it holds when it was not given; --step is left to the person who answers it.
WHOLE: Mapping[str, tuple[str, ...]] = {"tags": ("all",), "skip_tags": (), "start_at_task": ()}

# Nothing runs with these, so nothing can be left out.
LISTINGS = ("listhosts", "listtags", "listtasks", "syntax")


def partial_options(options: Mapping[str, Any]) -> list[str]:
    """The options that leave out a part of a playbook, as they were given."""
    if any(options.get(name) for name in LISTINGS):
        return []
    partial = []
    for name, default in WHOLE.items():
        content = options.get(name) or default
        parts_of_option = (content,) if isinstance(content, str) else tuple(content)
        if parts_of_option != default:
            partial.append(f"--{name.replace('_', '-')} {','.join(parts_of_option)}")
    return partial


def whole_run(pattern: str) -> str:
    """`pattern`, where this run leaves out nothing of its playbook."""
    partial = partial_options(context.CLIARGS)
    if partial:
        raise AnsibleError(
            f"{_playbook()}: run with {' and '.join(partial)}, which would leave out tasks that others need\n"
            "HINT: run the whole playbook, which leaves alone what is up to date; "
            "make deploy SERVICE=NAME deploys one service"
        )
    return pattern


def single_host(names: Sequence[str]) -> str:
    """`all`, where the inventory has one host: each would get a whole stack, with a database of its own."""
    if len(names) != 1:
        listed = ", ".join(sorted(names)) or "none"
        raise AnsibleError(
            f"{_playbook()}: the inventory has {len(names)} hosts ({listed}); a stack is on one host\n"
            "HINT: make one inventory for each host: inventory/staging, inventory/prod"
        )
    return "all"


def _playbook() -> str:
    return " ".join(Path(name).name for name in context.CLIARGS.get("args", ())) or "playbook"
