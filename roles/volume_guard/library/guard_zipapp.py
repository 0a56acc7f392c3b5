#!/usr/bin/python
"""Packs the guard's sources into one file that the host's Python runs, on the controller.

A module of its own because the bytes have to be the same for the same sources, whoever packs them and when: that is how
a host that has them already is known to have nothing to do. So it is written without compression (whose output differs
between libraries), with one time for all files and in a fixed order.
"""

from __future__ import annotations

import hashlib
import io
import os
import zipfile
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = r"""
module: guard_zipapp
short_description: Packs the guard into one executable file
description: Writes the file only where it differs. Changes nothing on a host, so it does the same in check mode.
options:
  source:
    description: The directory that holds the Python packages ledgerguard and ledger_docker.
    type: path
    required: true
  dest:
    description: The file to write.
    type: path
    required: true
author:
  - LedgerFlow
"""
RETURN = r"""
sha256:
  description: Of the whole file.
  type: str
  returned: success
"""

SHEBANG = b"#!/usr/bin/python3 -I\n"
EARLIEST = (1980, 1, 1, 0, 0, 0)
PACKAGES = ("ledgerguard", "ledger_docker")
# One file under two names: what it is called says which program it is.
STARTER = """\
import sys

if sys.argv[0].rsplit("/", 1)[-1] == "ledger_docker":
    from ledger_docker.cli import main
else:
    from ledgerguard.cli import main
sys.exit(main())
"""


def packed(files: dict[str, bytes]) -> bytes:
    """The zipapp of some files by name."""
    archive_bytes = io.BytesIO()
    archive_bytes.write(SHEBANG)
    with zipfile.ZipFile(archive_bytes, "a", zipfile.ZIP_STORED) as archive:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name, EARLIEST)
            entry.create_system, entry.external_attr = 3, 0o644 << 16
            archive.writestr(entry, files[name])
    return archive_bytes.getvalue()


def sources(directory: Path) -> dict[str, bytes]:
    """The modules of both packages, and the program that starts one of their command lines. Raises OSError."""
    paths = [path for package in PACKAGES for path in (directory / package).rglob("*.py")]
    files = {str(path.relative_to(directory)): path.read_bytes() for path in paths}
    for package in PACKAGES:
        if f"{package}/cli.py" not in files:
            raise FileNotFoundError(f"{directory}/{package}/cli.py is not there")
    return {**files, "__main__.py": STARTER.encode()}


def write(content: bytes, dest: Path) -> bool:
    """Whole or not at all, also where several hosts' tasks do it at once; whether it had to be written."""
    if dest.is_file() and dest.read_bytes() == content:
        return False
    dest.parent.mkdir(parents=True, exist_ok=True)
    aside = dest.with_name(f".{dest.name}.{os.getpid()}")
    aside.write_bytes(content)
    aside.replace(dest)
    return True


def main() -> None:
    """Entry point of Ansible."""
    spec = {"source": {"type": "path", "required": True}, "dest": {"type": "path", "required": True}}
    module = AnsibleModule(argument_spec=spec, supports_check_mode=True)
    source, dest = Path(module.params["source"]), Path(module.params["dest"])
    try:
        content = packed(sources(source))
        changed = write(content, dest)
    except OSError as error:
        module.fail_json(msg=f"{dest}: the guard could not be packed: {error}\nHINT: ls -l {source}")
    module.exit_json(changed=changed, sha256=hashlib.sha256(content).hexdigest())


if __name__ == "__main__":
    main()
