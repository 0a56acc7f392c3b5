#!/usr/bin/python
"""Puts sentinels into volumes that the engine itself keeps, and refuses one that is not what its record says.

A module of its own because the host has no directory to look into there (Docker Desktop, rootless): a throw-away
container without a network looks, another one writes. What it promises is what volume_directory promises: either every
volume is right or can be made right, or nothing changes; the record is written last. Three layers: `look` reads,
`decide` is pure, `carry_out` writes.
"""

from __future__ import annotations

import secrets
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ansible.module_utils.basic import AnsibleModule

if TYPE_CHECKING:  # where it lies; at work it is where Ansible puts a role's module_utils
    from roles.protected_volume.module_utils import protected_volumes as shared
else:
    from ansible.module_utils import protected_volumes as shared

DOCUMENTATION = r"""
module: volume_inside
short_description: Make the insides of protected volumes that the engine keeps, with sentinel and record
description:
  - Writes a sentinel and C(data/) into each volume, and a record on the host that is byte-identical to the sentinel.
    Takes over a volume whose sentinel is this volume's. Refuses everything else, and then changes nothing.
  - In check mode a volume that is not there yet is fine, unless a record says that it was.
options:
  image:
    description: >-
      An image with C(/bin/sh) that the engine has. Empty in check mode, volumes that are there are not looked into.
    type: str
    default: ""
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
author: [LedgerFlow]
"""
EXAMPLES = r"""
- name: Put the sentinels into the protected volumes
  volume_inside:
    image: ledgerflow/postgres:0123456789ab
    state_dir: /home/ann/.config/ledgerflow/ledger-dev/state
    stack: ledger
    environment: dev
    volumes:
      - {name: db_data, service: postgres, uid: 5432, gid: 5432}
"""
RETURN = r"""
volumes:
  description: Per volume its action, record, sentinel and whether it is initialised.
  type: list
  elements: dict
  returned: success
"""

Volume = shared.Declared
Decision = shared.Decision
LIMIT_SECONDS = 120
END = "end of the look"

# Both for any sh with the usual small programs; each mount is /volumes/<what it holds>. Prefixes keep apart what is
# told, and the last line shows that nothing was cut off.
LOOK = f"""set -eu
cd /volumes
for name in *; do
  entries=$(ls -A "$name") inside=
  printf 'volume %s\\n' "$name"
  printf '%s\\n' "$entries" | sed 's/^/entry /'
  if [ -d "$name/data" ] && [ ! -L "$name/data" ]; then
    inside=$(ls -A "$name/data")
    stat -c 'data %u %g %a' "$name/data"
  fi
  [ -z "$inside" ] || printf 'filled\\n'
  if [ -f "$name/{shared.SENTINEL}" ] && [ ! -L "$name/{shared.SENTINEL}" ]; then
    sed 's/^/sentinel /' "$name/{shared.SENTINEL}"
  fi
done
printf '{END}\\n'
"""
# Five words for each volume: what it holds, uid, gid, mode, and the sentinel's text or nothing.
WRITE = f"""set -eu
cd /volumes
while [ $# -gt 0 ]; do
  name=$1 uid=$2 gid=$3 mode=$4 text=$5
  shift 5
  chown 0:0 "$name"
  chmod 0755 "$name"
  [ -d "$name/data" ] || mkdir -m 0700 "$name/data"
  chown "$uid:$gid" "$name/data"
  chmod "$mode" "$name/data"
  [ -n "$text" ] || continue
  rm -f "$name/{shared.TEMPORARY}"
  printf '%s' "$text" > "$name/{shared.TEMPORARY}"
  chmod 0444 "$name/{shared.TEMPORARY}"
  sync "$name/{shared.TEMPORARY}" 2>/dev/null || sync
  mv "$name/{shared.TEMPORARY}" "$name/{shared.SENTINEL}"
  sync "$name" 2>/dev/null || sync
done
"""


class EngineError(Exception):
    """The engine's command line did not do what it was asked; the message holds its words."""


@dataclass(frozen=True)
class Inside:
    """What a volume holds: the names in it, owner and mode of data/ (None: not there), the sentinel's text or None."""

    entries: tuple[str, ...] = ()
    data: tuple[int, int, int] | None = None
    filled: bool = False
    sentinel: str | None = None


@dataclass(frozen=True)
class Seen:
    """What is known of one volume before anything is done; `inside` is None where it was not looked into."""

    exists: bool
    inside: Inside | None
    record: str | None
    initialised: bool


# Pure


def decide(volume: Volume, state: Seen) -> Decision:
    """What has to be done; a refusal for everything that is not known to be good."""
    inside = state.inside or Inside()
    if state.exists and state.inside is None:
        return Decision("unknown")
    if state.record is not None:
        fault = _against_record(volume, state, inside, state.record) or _against_owner(volume, inside)
        return shared.refuse(volume, *fault) if fault else _mended(volume, inside)
    if inside.sentinel is not None:
        fault = _against_stranger(volume, inside.sentinel) or _against_owner(volume, inside)
        return shared.refuse(volume, *fault) if fault else Decision("adopt", initialise=inside.filled)
    fault = _against_new(volume, state, inside)
    return shared.refuse(volume, *fault) if fault else Decision("create")


def _gone(volume: Volume) -> str:
    return (
        "bring the volume back from a copy of it. If the data is gone for good, say so, and restore a backup into the "
        f"new one: rm -f {volume.record} {volume.initialised}"
    )


def _against_record(volume: Volume, state: Seen, inside: Inside, record: str) -> tuple[str, str] | None:
    """A refusal where the volume is not the one its record says."""
    if not shared.is_of(volume, record):
        return (
            f"its record {volume.record} is of another volume: {shared.named(record)}",
            "restore the record from the volume's .ledgerflow.json, or correct the inventory's service of this volume",
        )
    created = shared.made(record)
    if not state.exists:
        return f"the engine does not have it, but {created}: somebody removed it", _gone(volume)
    if not inside.entries:
        return f"it is empty, but {created}: somebody removed it and made it anew", _gone(volume)
    if inside.sentinel is None:
        return f"no sentinel is in it, but {created}; it holds {shared.listed(inside.entries)}", _gone(volume)
    if inside.sentinel != record:
        return f"its sentinel is of another volume: {shared.named(inside.sentinel)}; {created}", _gone(volume)
    if inside.data is None and state.initialised:
        return "data/ is not in it, but its service has already started on it", _gone(volume)
    return None


def _against_stranger(volume: Volume, sentinel: str) -> tuple[str, str] | None:
    """A refusal where a volume without a record shows a sentinel that is not this volume's."""
    if shared.is_of(volume, sentinel):
        return None
    return (
        f"its sentinel is of another volume: {shared.named(sentinel)}",
        f"docker volume inspect {volume.docker_name}; use another STACK_NAME, or copy what it holds and remove it",
    )


def _against_owner(volume: Volume, inside: Inside) -> tuple[str, str] | None:
    """A refusal where files are there that the service could not read: giving it the directory alone would not do."""
    if not inside.filled or inside.data is None or inside.data[0] == volume.uid:
        return None
    return (
        f"data/ holds files and belongs to uid {inside.data[0]}, the service runs as {volume.uid}",
        f"if the data is right, give it to {volume.uid}:{volume.gid} from a container that has this volume",
    )


def _against_new(volume: Volume, state: Seen, inside: Inside) -> tuple[str, str] | None:
    """A refusal where a new inside would lie over data, or in the place of lost data."""
    if state.initialised:
        return (
            f"{volume.initialised} says that its service has already started on it, but record and sentinel are gone",
            _gone(volume),
        )
    # An empty data/ and a half-written sentinel are what a killed run leaves.
    if set(inside.entries) - {shared.TEMPORARY, shared.DATA} or inside.filled:
        return (
            f"it holds {shared.listed(inside.entries)} but no sentinel, and there is no record of it: foreign data",
            f"copy what it holds, then docker volume rm {volume.docker_name}; to bring data in: make adopt FROM=…",
        )
    return None


def _mended(volume: Volume, inside: Inside) -> Decision:
    return Decision("none" if inside.data == (volume.uid, volume.gid, volume.mode) else "mend")


def container_argv(volumes: Sequence[Volume], image: str, script: str, *words: str, writes: bool) -> list[str]:
    """A throw-away container with these volumes: no network, nothing else to write to, few of root's rights."""
    first = volumes[0]
    name = f"{first.stack}-{first.environment}-volumes-{secrets.token_hex(4)}"
    argv = ["docker", "run", "--rm", "--pull", "never", "--name", name, "--network", "none", "--read-only"]
    argv += ["--user", "0:0", "--cap-drop", "ALL", "--cap-add", "DAC_OVERRIDE"]
    argv += ["--cap-add", "CHOWN", "--cap-add", "FOWNER"] if writes else []
    argv += ["--security-opt", "no-new-privileges", "--no-healthcheck", "--entrypoint", "/bin/sh"]
    for volume in volumes:
        only = "" if writes else ",readonly"
        argv += ["--mount", f"type=volume,source={volume.docker_name},target=/volumes/{volume.name}{only}"]
    return [*argv, image, "-c", script, "sh", *words]


def written_words(volume: Volume, text: str | None) -> list[str]:
    """What the script that writes is told of one volume; its sentinel is left as it is without a text."""
    return [volume.name, str(volume.uid), str(volume.gid), f"{volume.mode:04o}", text or ""]


def read_look(text: str) -> dict[str, Inside]:
    """What the script that looks told, by what each volume holds."""
    lines = text.splitlines()
    if not lines or lines[-1] != END:
        raise EngineError(f"the look into the volumes was cut off: {text[-200:]!r}")
    sections: dict[str, dict[str, list[str]]] = {}
    current: dict[str, list[str]] = {}
    for line in lines[:-1]:
        key, _, content = line.partition(" ")
        if key == "volume":
            current = sections.setdefault(content, {})
        elif content or key != "entry":  # an empty directory is told as one empty entry
            current.setdefault(key, []).append(content)
    return {name: _inside(parts) for name, parts in sections.items()}


def _inside(parts: dict[str, list[str]]) -> Inside:
    numbers = parts["data"][0].split() if "data" in parts else []
    return Inside(
        entries=tuple(entry for entry in parts.get("entry", []) if entry not in shared.NOBODYS),
        data=(int(numbers[0]), int(numbers[1]), int(numbers[2], 8)) if numbers else None,
        filled="filled" in parts,
        sentinel="\n".join(parts["sentinel"]) + "\n" if "sentinel" in parts else None,
    )


# Reading


def run(argv: Sequence[str]) -> str:
    """What the engine's command line answers; EngineError where it fails or hangs."""
    try:
        process = subprocess.run(argv, capture_output=True, timeout=LIMIT_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise EngineError(f"{argv[0]} {argv[1]}: {error}") from error
    if process.returncode:
        words = (process.stderr or process.stdout).decode(errors="replace").strip()
        raise EngineError(f"{argv[0]} {argv[1]}: status {process.returncode}: {words}")
    return process.stdout.decode(errors="replace")


def look(volumes: Sequence[Volume], image: str) -> dict[str, Seen]:
    """What is there of each volume. A mount of a volume that is not there would make it: the engine is asked first."""
    names = set(run(["docker", "volume", "ls", "--quiet"]).split())
    existing = [volume for volume in volumes if volume.docker_name in names]
    inside = read_look(run(container_argv(existing, image, LOOK, writes=False))) if existing and image else {}
    return {
        volume.name: Seen(
            exists=volume in existing,
            inside=inside.get(volume.name),
            record=shared.read_text(volume.record),
            initialised=volume.initialised.exists(),
        )
        for volume in volumes
    }


# Writing


def carry_out(volumes: Sequence[Volume], decisions: dict[str, Decision], states: dict[str, Seen], image: str) -> None:
    """Do what was decided; each step may be the last one of a killed run."""
    changed = [volume for volume in volumes if decisions[volume.name].action != "none"]
    new = {volume.name: shared.new_sentinel(volume) for volume in changed if decisions[volume.name].action == "create"}
    words = [word for volume in changed for word in written_words(volume, new.get(volume.name))]
    run(container_argv(changed, image, WRITE, *words, writes=True))
    after = look(changed, image)  # what is recorded is what the volume really shows
    for volume in changed:
        inside = after[volume.name].inside
        if inside is None or inside.sentinel is None or new.get(volume.name, inside.sentinel) != inside.sentinel:
            raise EngineError(f"volume {volume.docker_name} does not show the sentinel that was written into it")
        if decisions[volume.name].initialise:
            shared.write_whole(volume.initialised, "")
        if states[volume.name].record is None:
            shared.write_whole(volume.record, inside.sentinel)


# The module


def converge(volumes: list[Volume], image: str, check_mode: bool) -> tuple[list[str], list[dict[str, Any]]]:
    """(refusals, results). With a refusal, or in check mode, nothing has been changed."""
    states = look(volumes, image)
    decisions = {volume.name: decide(volume, states[volume.name]) for volume in volumes}
    refusals = [decision.reason for decision in decisions.values() if decision.action == "refuse"]
    if not check_mode:
        refusals += [_not_made(volume) for volume in volumes if not states[volume.name].exists and not refusals]
    if refusals:
        return refusals, []
    if not check_mode and any(decision.action != "none" for decision in decisions.values()):
        carry_out(volumes, decisions, states, image)
    return [], [result_of(volume, decisions[volume.name], states[volume.name]) for volume in volumes]


def _not_made(volume: Volume) -> str:
    return f"volume {volume.docker_name}: the engine does not have it\nHINT: docker volume ls; run the deploy again"


def result_of(volume: Volume, decision: Decision, state: Seen) -> dict[str, Any]:
    """One volume as it is handed back; its sentinel is what the record now says."""
    return {
        "name": volume.name,
        "volume": volume.docker_name,
        "record": str(volume.record),
        "action": decision.action,
        "initialised": state.initialised or decision.initialise,
        "sentinel": shared.read_text(volume.record) or "",
    }


def main() -> None:
    spec = {"image": {"type": "str", "default": ""}, **shared.DECLARATION}
    module = AnsibleModule(argument_spec=spec, supports_check_mode=True)
    volumes, image = [Volume(**fields) for fields in shared.declared(module.params)], module.params["image"]
    if not image and not module.check_mode:
        module.fail_json(msg="protected_volume_image: empty; nothing else looks into a volume\nHINT: name an image")
    try:
        refusals, outcomes = _converge_locked(volumes, image, module.check_mode)
    except EngineError as error:
        module.fail_json(msg=f"protected volumes: {error}\nHINT: docker info; then run this again")
    except OSError as error:
        module.fail_json(msg=f"protected volumes: {error}\nHINT: ls -la {module.params['state_dir']}")
    if refusals:
        module.fail_json(msg="\n".join(refusals))
    diff = shared.difference(outcomes, "volume")
    module.exit_json(changed=bool(diff["after"]), volumes=outcomes, diff=diff)


def _converge_locked(volumes: list[Volume], image: str, check_mode: bool) -> tuple[list[str], list[dict[str, Any]]]:
    if check_mode:
        return converge(volumes, image, check_mode)
    volumes[0].records.mkdir(parents=True, exist_ok=True)
    with shared.locked(volumes[0].records):
        return converge(volumes, image, check_mode)


if __name__ == "__main__":
    main()
