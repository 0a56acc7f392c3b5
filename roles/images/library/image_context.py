#!/usr/bin/python
"""Packs the build contexts of images into one archive, on the controller.

A module of its own because the host that builds may be another machine: what is packed is exactly what the images' tags
were made of, whoever owns the files here and whenever they were written.

Times are made of the content. BuildKit takes a file of the same name, size and time as one it has already: with one
fixed time for all, an edit that leaves the size alone would build the old text under the new tag.
"""

from __future__ import annotations

import hashlib
import io
import tarfile
import time
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = r"""
module: image_context
short_description: Packs build contexts into one archive
description: Writes the archive anew each time; what unpacks it removes it.
options:
  root:
    description: The repository.
    type: path
    required: true
  files:
    description: Files to pack, as the filter images_context lists them.
    type: list
    elements: dict
    required: true
  dest:
    description: The archive.
    type: path
    required: true
author:
  - LedgerFlow
"""

DAY = 86_400
EPOCH = 1_000_000_000


def member(file: dict[str, str], content: bytes) -> tarfile.TarInfo:
    """What the archive says of one file: root's, at a time that changes with its content and with nothing else."""
    header = tarfile.TarInfo(file["name"])
    header.mtime = EPOCH + int(hashlib.sha256(content).hexdigest()[:7], 16)
    header.uname = header.gname = "root"
    if file["link"]:
        header.type, header.linkname, header.mode = tarfile.SYMTYPE, file["link"], 0o777
    else:
        header.size, header.mode = len(content), int(file["mode"], 8)
    return header


def pack(root: Path, files: list[dict[str, str]], dest: Path) -> None:
    """Writes the archive beside its place and renames it, so that a killed run leaves no half one in its place."""
    dest.parent.mkdir(parents=True, exist_ok=True)
    for leftover in dest.parent.glob("*.tar*"):  # of killed runs
        if leftover.stat().st_mtime < time.time() - DAY:
            leftover.unlink(missing_ok=True)
    partial = dest.with_name(dest.name + ".part")
    with tarfile.open(partial, "w") as archive:
        for file in files:
            content = b"" if file["link"] else (root / file["source"]).read_bytes()
            archive.addfile(member(file, content), io.BytesIO(content))
    partial.replace(dest)


def main() -> None:
    """Entry point of Ansible."""
    module = AnsibleModule(
        argument_spec={
            "root": {"type": "path", "required": True},
            "files": {"type": "list", "elements": "dict", "required": True},
            "dest": {"type": "path", "required": True},
        },
        supports_check_mode=True,
    )
    params: dict[str, Any] = module.params
    try:
        if not module.check_mode:
            pack(Path(params["root"]), params["files"], Path(params["dest"]))
    except (OSError, tarfile.TarError) as error:
        module.fail_json(
            msg=f"{params['dest']}: could not pack the build contexts: {error}\nHINT: ls -ld {params['root']}/build"
        )
    module.exit_json(changed=True, dest=params["dest"])


if __name__ == "__main__":
    main()
