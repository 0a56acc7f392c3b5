#!/usr/bin/python
"""Makes minimal Debian systems side by side, each into an archive of its own.

A module of its own because two of them together take little longer than one, and Ansible's own way to run commands
side by side prints a line that says FAILED for every second that it waits.
"""

from __future__ import annotations

import os
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = r"""
module: debian_base
short_description: Makes minimal Debian systems side by side
description: Runs one mmdebstrap for each base. An archive that is there already is made anew.
options:
  bases:
    description: For each base its name, the argv that makes it and the archive which that writes.
    type: list
    elements: dict
    required: true
  temporary:
    description: Where the systems are unpacked while they are made.
    type: path
    required: true
  timeout_seconds:
    description: How long each may take.
    type: int
    default: 1800
author:
  - LedgerFlow
"""

EPOCH = "1000000000"  # any fixed time: archives must not differ by when they were made


def make(base: dict[str, Any], temporary: str, timeout_seconds: int) -> str:
    """Makes one; returns "" or what went wrong."""
    argv = [str(part) for part in base["argv"]]
    environment = {**os.environ, "TMPDIR": temporary, "SOURCE_DATE_EPOCH": EPOCH, "LC_ALL": "C"}
    try:
        process = subprocess.run(
            argv, env=environment, capture_output=True, text=True, timeout=timeout_seconds, stdin=subprocess.DEVNULL
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"{base['name']}: {error}"
    if process.returncode:
        tail = "\n".join((process.stdout + process.stderr).splitlines()[-40:])
        return f"{tail}\n{base['name']}: mmdebstrap ended with status {process.returncode}"
    archive = Path(base["archive"])
    if not archive.is_file() or not archive.stat().st_size:
        return f"{base['name']}: mmdebstrap wrote nothing into {archive}"
    return ""


def main() -> None:
    """Entry point of Ansible."""
    module = AnsibleModule(
        argument_spec={
            "bases": {"type": "list", "elements": "dict", "required": True},
            "temporary": {"type": "path", "required": True},
            "timeout_seconds": {"type": "int", "default": 1800},
        },
        supports_check_mode=True,
    )
    params: dict[str, Any] = module.params
    if not module.check_mode:
        with ThreadPoolExecutor() as pool:
            wrong = list(
                pool.map(lambda base: make(base, params["temporary"], params["timeout_seconds"]), params["bases"])
            )
        if any(wrong):
            problems = "\n".join(filter(None, wrong))
            module.fail_json(
                msg=f"{problems}\nHINT: the mirror in use is named above; another one: images_debian_mirror"
            )
    module.exit_json(changed=True)


if __name__ == "__main__":
    main()
