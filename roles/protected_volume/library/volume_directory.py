#!/usr/bin/python
"""Makes the directories of protected volumes and refuses one that is not what its record says.

A module of its own because looking, deciding and making must happen in one step on the host, for all volumes of a stack
at once: either every directory is right or can be made right, or nothing changes. Three layers: `look` reads, `decide`
is pure, `carry_out` writes. The record is written last, so a run killed anywhere leaves a state that `decide` knows.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ansible.module_utils.basic import AnsibleModule

if TYPE_CHECKING:  # where it lies; at work it is where Ansible puts a role's module_utils
    from roles.protected_volume.module_utils import protected_volumes as shared
else:
    from ansible.module_utils import protected_volumes as shared

DOCUMENTATION = r"""
module: volume_directory
short_description: Make the directories of protected volumes, with sentinel and record
description:
  - Makes C(<root>/<stack>/<environment>/<name>/) with a sentinel and C(data/), and a record of it that is
    byte-identical to the sentinel. Takes over a directory whose sentinel is this volume's. Refuses everything else
    that is already there, and then changes nothing.
options:
  root: {description: Directory that holds the data of all stacks., type: path, required: true}
  state_dir: {description: The stack's directory of state; records go to C(volumes/) in it., type: path, required: true}
  stack: {description: Name of the stack., type: str, required: true}
  environment: {description: Name of the environment., type: str, required: true}
  volumes:
    description: The volumes.
    type: list
    elements: dict
    required: true
    suboptions:
      name: {description: What the volume holds., type: str, required: true}
      service: {description: The service it belongs to., type: str, required: true}
      uid: {description: Owner of C(data/)., type: int, required: true}
      gid: {description: Group of C(data/)., type: int, required: true}
      mode: {description: Mode of C(data/)., type: str, default: "0700"}
  owner:
    description: Owner of everything but C(data/). Anything but 0 is for tests that do not run as root.
    type: int
    default: 0
author: [LedgerFlow]
"""
EXAMPLES = r"""
- name: Make the directories of the protected volumes
  volume_directory:
    root: /srv
    state_dir: /etc/ledgerflow/ledger-dev/state
    stack: ledger
    environment: dev
    volumes:
      - {name: db_data, service: postgres, uid: 5432, gid: 5432}
"""
RETURN = r"""
volumes:
  description: Per volume its action, path, record, sentinel and whether it is initialised.
  type: list
  elements: dict
  returned: success
"""


Decision = shared.Decision


@dataclass(frozen=True)
class Volume(shared.Declared):
    """One volume, and the places that follow from its base."""

    base: Path

    @property
    def path(self) -> Path:
        return self.base / self.name

    @property
    def data(self) -> Path:
        return self.path / shared.DATA

    @property
    def sentinel(self) -> Path:
        return self.path / shared.SENTINEL


@dataclass(frozen=True)
class Entry:
    """What lies at a path: missing, directory, file or other (a link, a device), with owner and mode."""

    kind: str
    uid: int = -1
    gid: int = -1
    mode: int = -1


@dataclass(frozen=True)
class Seen:
    """What `look` found for one volume. A text is None where there is no such file."""

    directory: Entry
    entries: tuple[str, ...]
    data: Entry
    data_filled: bool
    sentinel_entry: Entry
    sentinel: str | None
    record: str | None
    initialised: bool
    link: str  # a part of the path that is a symbolic link, or empty


# Pure


def decide(volume: Volume, state: Seen, owner: int) -> Decision:
    """What has to be done; a refusal for everything that is not known to be good."""
    fault = _unusable(volume, state)
    if fault:
        return shared.refuse(volume, *fault)
    if state.record is not None:
        fault = _against_record(volume, state, state.record) or _against_owner(volume, state)
        return shared.refuse(volume, *fault) if fault else _mended(volume, state, owner)
    if state.sentinel is not None:
        fault = _against_stranger(volume, state.sentinel) or _against_owner(volume, state)
        return shared.refuse(volume, *fault) if fault else Decision("adopt", initialise=state.data_filled)
    fault = _against_new(volume, state)
    return shared.refuse(volume, *fault) if fault else Decision("create")


def _unusable(volume: Volume, state: Seen) -> tuple[str, str] | None:
    """A refusal for what is not a plain directory with plain files in it."""
    if state.link:
        return (
            f"{state.link} is a symbolic link",
            f"mount the disk at {state.link} (or bind it there) instead of linking",
        )
    places = ((volume.path, state.directory, "directory"), (volume.data, state.data, "directory"))
    for path, entry, kind in (*places, (volume.sentinel, state.sentinel_entry, "file")):
        if entry.kind not in ("missing", kind):
            return f"{path} is {entry.kind}, not a {kind}", f"ls -ld {path}; move it away if it is not needed"
    return None


def _against_record(volume: Volume, state: Seen, record: str) -> tuple[str, str] | None:
    """A refusal where the directory is not the one its record says."""
    if not shared.is_of(volume, record):
        return (
            f"its record {volume.record} is of another volume: {shared.named(record)}",
            f"restore the record from {volume.sentinel}, or correct the inventory's service of this volume",
        )
    mount = f"findmnt --target {volume.path}; mount the disk that holds it and run this again"
    way_out = f"If the data is gone for good, say so: rm -f {volume.record} {volume.initialised}"
    created = shared.made(record)
    if state.directory.kind == "missing":
        return f"{volume.path} does not exist, but {created}", f"{mount}. {way_out}"
    if not state.entries:
        return f"{volume.path} is empty, but {created}: is a disk not mounted?", f"{mount}. {way_out}"
    if state.sentinel is None:
        back = f"install -o root -g root -m 0444 {volume.record} {volume.sentinel}"
        return (
            f"{volume.sentinel} is missing, but {created}; the directory holds {shared.listed(state.entries)}",
            f"if this is the right directory, put the sentinel back: {back}. Else: {mount}",
        )
    if state.sentinel != record:
        return (
            f"{volume.sentinel} is of another volume: {shared.named(state.sentinel)}; {created}",
            f"another disk or directory is in its place: {mount}",
        )
    if state.data.kind == "missing" and state.initialised:
        return f"{volume.data} does not exist, but its service has already started on it", f"{mount}. {way_out}"
    return None


def _against_stranger(volume: Volume, sentinel: str) -> tuple[str, str] | None:
    """A refusal where a directory without a record shows a sentinel that is not this volume's."""
    if shared.is_of(volume, sentinel):
        return None
    return (
        f"{volume.sentinel} is of another volume: {shared.named(sentinel)}",
        f"mount the right disk, or move that directory away: mv {volume.path} {volume.path}.other",
    )


def _against_owner(volume: Volume, state: Seen) -> tuple[str, str] | None:
    """A refusal where files are there that the service could not read: giving it the directory alone would not do."""
    if not state.data_filled or state.data.uid == volume.uid:
        return None
    return (
        f"{volume.data} holds files and belongs to uid {state.data.uid}, the service runs as {volume.uid}",
        f"if the data is right: chown -R {volume.uid}:{volume.gid} {volume.data}",
    )


def _against_new(volume: Volume, state: Seen) -> tuple[str, str] | None:
    """A refusal where a new directory would lie over data, or in the place of lost data."""
    if state.initialised:
        return (
            f"{volume.initialised} says that its service has already started on it, but record and sentinel are gone",
            f"findmnt --target {volume.path}; mount the disk that holds it and run this again. "
            f"If the data is gone for good, say so: rm -f {volume.initialised}",
        )
    # An empty data/ and a half-written sentinel are what a killed run leaves.
    foreign = set(state.entries) - {shared.TEMPORARY, shared.DATA}
    if foreign or state.data_filled:
        listing = shared.listed(state.entries)
        return (
            f"{volume.path} holds {listing} but no sentinel, and there is no record of it: foreign data",
            f"move it away: mv {volume.path} {volume.path}.foreign; to bring data in: make adopt FROM=…",
        )
    return None


def _mended(volume: Volume, state: Seen, owner: int) -> Decision:
    """Whether owners, modes or an empty data/ have to be put right."""
    right = (
        (state.directory.uid, state.directory.mode) == (owner, 0o755)
        and (state.sentinel_entry.uid, state.sentinel_entry.mode) == (owner, 0o444)
        and state.data == Entry("directory", volume.uid, volume.gid, volume.mode)
    )
    return Decision("none") if right else Decision("mend")


# Reading


def entry_at(path: Path) -> Entry:
    """What lies at a path, links not followed."""
    try:
        status = path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return Entry("missing")
    kinds = {stat.S_IFDIR: "directory", stat.S_IFREG: "file", stat.S_IFLNK: "a symbolic link"}
    kind = kinds.get(stat.S_IFMT(status.st_mode), "something else")
    return Entry(kind, status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode))


def look(volume: Volume) -> Seen:
    """What is there of one volume."""
    directory, data_entry, sentinel = entry_at(volume.path), entry_at(volume.data), entry_at(volume.sentinel)
    names = sorted(os.listdir(volume.path)) if directory.kind == "directory" else []  # noqa: PTH208 - names only
    inside = os.listdir(volume.data) if data_entry.kind == "directory" else []  # noqa: PTH208 - names only
    parts = (volume.base.parent, volume.base, volume.path)
    return Seen(
        directory=directory,
        entries=tuple(name for name in names if name not in shared.NOBODYS),
        data=data_entry,
        data_filled=bool(inside),
        sentinel_entry=sentinel,
        sentinel=shared.read_text(volume.sentinel) if sentinel.kind == "file" else None,
        record=shared.read_text(volume.record),
        initialised=volume.initialised.exists(),
        link=next((str(part) for part in parts if part.is_symlink()), ""),
    )


# Writing


def carry_out(volume: Volume, decision: Decision, state: Seen, owner: int) -> str:
    """Do what was decided; returns the sentinel's text. Each step may be the last one of a killed run."""
    text = state.sentinel
    make_directories(volume.path, owner)
    _own(volume.path, owner, owner, 0o755)
    with contextlib.suppress(FileExistsError):
        volume.data.mkdir(mode=0o700)
    _own(volume.data, volume.uid, volume.gid, volume.mode)
    if text is None:
        text = shared.new_sentinel(volume)
        shared.write_whole(volume.sentinel, text, owner)
    _own(volume.sentinel, owner, owner, 0o444)
    if decision.initialise:
        shared.write_whole(volume.initialised, "", owner)
    if state.record is None:
        shared.write_whole(volume.record, text, owner)
    return text


def make_directories(path: Path, owner: int) -> None:
    """Make a directory and its missing parents, root's and readable; what is there stays as it is."""
    if path.is_dir():
        return
    make_directories(path.parent, owner)
    with contextlib.suppress(FileExistsError):
        path.mkdir(mode=0o755)
    _own(path, owner, owner, 0o755)


def _own(path: Path, uid: int, gid: int, mode: int) -> None:
    entry = entry_at(path)
    if (entry.uid, entry.gid) != (uid, gid):
        os.chown(path, uid, gid, follow_symlinks=False)
    if entry.mode != mode:
        path.chmod(mode)


# The module


def volumes_of(params: dict[str, Any]) -> list[Volume]:
    """The declared volumes with their places."""
    base = Path(params["root"]) / params["stack"] / params["environment"]
    return [Volume(**fields, base=base) for fields in shared.declared(params)]


def converge(volumes: list[Volume], owner: int, check_mode: bool) -> tuple[list[str], list[dict[str, Any]]]:
    """(refusals, results). With a refusal, or in check mode, nothing has been changed."""
    states = {volume.name: look(volume) for volume in volumes}
    decisions = {volume.name: decide(volume, states[volume.name], owner) for volume in volumes}
    refusals = [decision.reason for decision in decisions.values() if decision.action == "refuse"]
    if refusals:
        return refusals, []
    outcomes = []
    for volume in volumes:
        before, decision = states[volume.name], decisions[volume.name]
        text = before.sentinel or ""
        if decision.action != "none" and not check_mode:
            text = carry_out(volume, decision, before, owner)
        outcomes.append(result_of(volume, decision, before, text))
    return [], outcomes


def result_of(volume: Volume, decision: Decision, state: Seen, text: str) -> dict[str, Any]:
    """One volume as it is handed back."""
    return {
        "name": volume.name,
        "volume": volume.docker_name,
        "path": str(volume.path),
        "record": str(volume.record),
        "action": decision.action,
        "initialised": state.initialised or decision.initialise,
        "sentinel": text,
    }


def main() -> None:
    spec = {"root": {"type": "path", "required": True}, **shared.DECLARATION, "owner": {"type": "int", "default": 0}}
    module = AnsibleModule(argument_spec=spec, supports_check_mode=True)
    volumes, owner = volumes_of(module.params), module.params["owner"]
    if owner == 0 and os.geteuid() != 0 and not module.check_mode:
        module.fail_json(msg=f"protected volumes: this runs as uid {os.geteuid()}\nHINT: run as root, or with --become")
    try:
        refusals, outcomes = _converge_locked(volumes, owner, module.check_mode)
    except OSError as error:
        reason = errno.errorcode.get(error.errno or 0, "")
        module.fail_json(msg=f"protected volumes: {error} ({reason})\nHINT: findmnt --target {module.params['root']}")
    if refusals:
        module.fail_json(msg="\n".join(refusals))
    changed = any(outcome["action"] != "none" for outcome in outcomes)
    module.exit_json(changed=changed, volumes=outcomes, diff=shared.difference(outcomes, "path"))


def _converge_locked(volumes: list[Volume], owner: int, check_mode: bool) -> tuple[list[str], list[dict[str, Any]]]:
    # First without a lock, which would already be a change: most runs end here.
    refusals, outcomes = converge(volumes, owner, check_mode=True)
    if refusals or check_mode or all(outcome["action"] == "none" for outcome in outcomes):
        return refusals, outcomes
    make_directories(volumes[0].records, owner)
    with shared.locked(volumes[0].records):
        return converge(volumes, owner, check_mode)


if __name__ == "__main__":
    main()
