"""Decides what has to happen to a host's guard, its mode, and on which engines it could not keep its word.

A module of its own because these decisions are the risky half of the role volume_guard: pure functions can be tried on
every kind of host without having one. The facts come from the role's module guard_state; whether an engine has the fix
is decided where engines are (`engine.py`).
"""

from __future__ import annotations

import hashlib
import json
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from ledgerflow.host.engine import has_fix, version_numbers

Facts = Mapping[str, Any]

PROGRAM = "/usr/local/sbin/ledgerguard"
DATA_ROOT = "/var/lib/docker"
PLUGIN, CANARY = "ledgerguard", "ledgerguard-canary"
PROTECT = "com.ledgerflow.protect"
OLDEST_PYTHON = (3, 11)
SOCKET_UNIT = "/etc/systemd/system/ledgerguard.socket"
UNITS = "/etc/systemd/system/"


@dataclass
class Plan:
    """What the role volume_guard will do. Nothing set means that there is nothing to do."""

    stale: list[str] = field(default_factory=list)
    reload_units: bool = False
    enable: bool = False
    socket: str = ""
    service: str = ""
    turn_on: bool = False
    reload: bool = False
    settled: bool = False


# --- mode and command -----------------------------------------------------------------------------------------------


def guard_mode(seen: Facts, wanted: str) -> dict[str, str]:
    """{mode, reason}. `auto` and `observe-first` never turn an enforcing guard back."""
    if wanted not in ("auto", "observe-first"):
        return {"mode": wanted, "reason": f"volume_guard_mode is {wanted}"}
    foreign = list(seen["engine"]["foreign"])
    if "--mode=enforce" in seen["options"] or seen["status"].get("mode") == "enforce":
        return {"mode": "enforce", "reason": f"{wanted}: the guard enforces already"}
    if wanted == "observe-first":
        return {"mode": "observe", "reason": "observe-first: it has not enforced yet"}
    if seen["engine"]["unseen"]:
        what = f"the engine does not run and keeps {seen['engine']['unseen']} containers: whose they are is not known"
        return {"mode": "observe", "reason": f"auto: {what}"}
    if foreign:
        shown = ", ".join(foreign[:5]) + (", …" if len(foreign) > 5 else "")
        return {"mode": "observe", "reason": f"auto: containers that are not LedgerFlow's hold volumes: {shown}"}
    return {"mode": "enforce", "reason": "auto: no foreign container holds a volume"}


def data_root(seen: Facts) -> str:
    """Where the engine keeps its things, running or not."""
    return str(seen["engine"]["root_dir"] or seen["data_root"] or DATA_ROOT)


def guard_command(seen: Facts, settings: Facts) -> list[str]:
    """The command line of the service. `settings`: mode (decided), profile, state_files, hook."""
    words = [f"--mode={settings['mode']}", f"--profile={settings['profile']}", f"--data-root={data_root(seen)}"]
    words += [f"--state-file={file}" for file in settings["state_files"]]
    return [PROGRAM, "serve", *words, *(f"--hook={word}" for word in settings["hook"])]


def guard_check_command(seen: Facts, settings: Facts) -> list[str]:
    """The command line of the check after each start of the engine. `settings`: mode (decided), profile, hook."""
    words = [f"--mode={settings['mode']}", f"--profile={settings['profile']}", f"--data-root={data_root(seen)}"]
    return [PROGRAM, "check", "--existing", *words, *(f"--hook={word}" for word in settings["hook"])]


def unit_command(words: Sequence[str]) -> str:
    """A command line as systemd reads it."""
    escapes = {"\\": "\\\\", '"': '\\"', "%": "%%", "$": "$$"}
    return " ".join('"' + "".join(escapes.get(c, c) for c in word) + '"' for word in words)


def shell_command(words: Sequence[str]) -> str:
    """A command line as a shell reads it."""
    return shlex.join(words)


# --- the plan -------------------------------------------------------------------------------------------------------


def file_digests(files: Sequence[Facts], program: str) -> list[dict[str, str]]:
    """{path, mode, sha256} of each wanted file: of its `content`, or of the program where it has none."""
    return [
        {
            "path": str(one["path"]),
            "mode": str(one["mode"]),
            "sha256": hashlib.sha256(str(one["content"]).encode()).hexdigest() if "content" in one else program,
        }
        for one in files
    ]


def guard_plan(seen: Facts, files: Sequence[Facts], command: Sequence[str]) -> dict[str, Any]:
    """What to do on a host. `files`: {path, mode, content}, the program without content but with sha256."""
    program = next(str(one["sha256"]) for one in files if "content" not in one)
    plan = Plan(stale=[one["path"] for one in file_digests(files, program) if not _as_wanted(seen, one)])
    plan.reload = PLUGIN in seen["plugins"] and seen["asked"] is False
    unknown = PLUGIN not in seen["plugins"] or seen["reload_pending"] or not seen["engine"]["running"]
    plan.turn_on = plan.reload or unknown
    status, answers = seen["status"], bool(seen["status"])
    other = status.get("program") != program or list(status.get("arguments", [])) != list(command[1:])
    if seen["systemd"]:
        units = [path for path in plan.stale if path.startswith(UNITS)]
        plan.reload_units = bool(units) or seen["service"]["stale"] or seen["socket"]["stale"]
        plan.enable = not (seen["service"]["enabled"] and seen["socket"]["enabled"])
        plan.socket = _socket_step(seen, plan)
        running = answers and seen["service"]["active"]
        other = other or plan.reload_units
    else:
        running = answers and bool(seen["supervisor"])
        other = other or any(path.endswith("ledgerguard-supervise") for path in plan.stale)
        plan.enable = not seen["boot"]
    plan.service = "restart" if running and other else "" if running else "start"
    plan.settled = not (plan.stale or plan.reload_units or plan.enable or plan.socket or plan.service)
    return asdict(plan)


def _as_wanted(seen: Facts, wanted: Facts) -> bool:
    there = seen["files"].get(wanted["path"]) or {}
    return (there.get("sha256"), there.get("mode"), there.get("uid"), there.get("gid")) == (
        wanted["sha256"], wanted["mode"], 0, 0,
    )  # fmt: skip


def _socket_step(seen: Facts, plan: Plan) -> str:
    """The socket is left alone while it is right: only so does an exchange of the service refuse nothing."""
    if not seen["socket"]["active"]:
        return "start"
    return "restart" if SOCKET_UNIT in plan.stale else ""


# --- what is refused ------------------------------------------------------------------------------------------------


def guard_faults(seen: Facts, engine: Facts, environment: str, good: Sequence[str]) -> dict[str, list[str]]:
    """{refusals, warnings} of a host. `engine`: version, package_version, distribution; `good`: known to be mended."""
    found: dict[str, list[str]] = {"refusals": [], "warnings": []}
    python = version_numbers(str(seen.get("python", "")))
    if python < OLDEST_PYTHON:
        what = f"/usr/bin/python3 is {seen.get('python') or 'missing'}; the guard needs 3.11 or newer"
        found["refusals"].append(
            _told("guard", what, "apt-get install python3, or a newer release of the distribution")
        )
    if seen.get("flags"):
        found["refusals"].append(_flag_refusal(seen))
    fault = engine_fault(engine, good)
    if fault:
        found["refusals" if environment == "prod" else "warnings"].append(fault)
    return found


def _flag_refusal(seen: Facts) -> str:
    """A plugin given as a flag: no reload brings it back, and a key in daemon.json beside it keeps dockerd from
    starting."""
    what = f"dockerd was given {' '.join(seen['flags'])}: a reload drops such a plugin and never brings it back"
    where = "systemctl cat docker" if seen["systemd"] else "DOCKER_OPTS in /etc/default/docker"
    hint = f"take it from dockerd's command line ({where}), restart the engine at a quiet time, run this again"
    return _told("engine", what, f"{hint}: the plugin then stands in daemon.json")


def engine_fault(engine: Facts, good: Sequence[str]) -> str:
    """Why requests could be hidden from the guard on this engine; "" where they cannot, or where there is none yet."""
    version, package = str(engine.get("version") or ""), str(engine.get("package_version") or "")
    if not version or {version, package} & set(good) or has_fix(engine) is True:
        return ""
    seen = package or version
    what = f"{seen} is not known to have the fix of CVE-2026-34040: large requests are hidden from the guard"
    hint = "apt-get upgrade, or docker_engine_manage: always where it is the distribution's; if it is mended, add it to"
    return _told("engine", what, f"{hint} volume_guard_good_engines")


def _told(where: str, what: str, hint: str) -> str:
    return f"{where}: {what}\nHINT: {hint}"


def check_text(output: str, left_out: Sequence[str] = ()) -> str:
    """The findings of `ledgerguard check --json` that are not well, or what it said where that is no JSON."""
    try:
        findings = json.loads(output)["findings"]
        if not findings:
            raise ValueError("nothing was checked")
        findings = [one for one in findings if one["verdict"] != "ok" and one["id"] not in left_out]
    except (ValueError, KeyError, TypeError):
        return _told("guard", f"check said {output.strip()[:500]!r}", "sudo ledgerguard check")
    lines = [
        f"guard: {one['id']}: {one['verdict']}: {one['what']}\nHINT: {one.get('hint') or 'sudo ledgerguard check'}"
        for one in findings
    ]
    return "\n".join(lines)


# --- a stack that goes ----------------------------------------------------------------------------------------------


def volumes_to_unlock(volumes: Facts, prefix: str, status: Facts) -> list[str]:
    """Of a stack's volumes as the engine has them those the guard keeps and nobody has unlocked for removal yet.

    `status`: what `ledgerguard status --json` said, {} where there is no guard.
    """
    declared = set(status.get("declared") or [])
    given = {one["volume"] for one in status.get("unlocks") or [] if one["operation"] == "remove"}
    kept = [name for name, one in volumes.items() if _is_labelled(one.get("labels") or {}) or name in declared]
    return sorted(name for name in kept if _of_stack(name, prefix) and name not in given)


def _is_labelled(labels: Facts) -> bool:
    """As the guard sees it: volumes of environment ci are disposable."""
    return PROTECT in labels and labels.get("com.ledgerflow.environment") != "ci"


def without_volumes(declared: Facts, prefix: str) -> dict[str, Any]:
    """Declarations by volume, without those of a stack."""
    return {name: one for name, one in declared.items() if not _of_stack(name, prefix)}


def without_stack(document: Facts, prefix: str, stack_id: str) -> dict[str, Any]:
    """A whole document of declarations without a stack's volumes, networks and members. Exceptions are nobody's."""
    left = {**document, "volumes": without_volumes(document["volumes"], prefix)}
    if "networks" in document:
        left["networks"] = [name for name in document["networks"] if not name.startswith(f"{stack_id}-")]
    if "members" in document:
        left["members"] = [one for one in document["members"] if not one["container"].startswith(f"{stack_id}-")]
    return left


def _of_stack(name: str, prefix: str) -> bool:
    return name.startswith(f"{prefix}_")


# --- another's volume -----------------------------------------------------------------------------------------------


def foreign_declaration(volume: Facts, grants: Sequence[Facts], known: Facts, settings: Facts) -> dict[str, Any]:
    """The declaration of a volume as the engine has it, for the containers that hold it now.

    `volume`: as the engine shows it; `grants`: results of `ledgerguard grant`, of which those that failed are left out;
    `known`: what is declared already, whose grants for containers that are not there now stay; `settings`: environment,
    profile.
    """
    name = str(volume["Name"])
    granted = [json.loads(one["stdout"])[name] for one in grants if one["rc"] == 0]
    holders = {str(one["item"]) for one in grants}
    before = (known.get("volumes") or {}).get(name) or {}
    undescribed = {"host": None} if known.get("schema") == 1 else {}  # it goes on saying nothing of host settings
    kept = [{**undescribed, **one} for one in before.get("grants", []) if one["container"] not in holders]
    return {
        "environment": settings["environment"],
        "driver": volume["Driver"],
        "options": volume.get("Options") or {},
        "labels": volume.get("Labels") or {},
        "profile": settings["profile"],
        "grants": [*granted, *kept],
    }


def ungranted(grants: Sequence[Facts]) -> list[str]:
    """What `ledgerguard grant` said of the containers that hold a volume and cannot be granted."""
    return [str(one["stderr"]).strip() for one in grants if one["rc"] != 0]


def would_refuse_lines(output: str) -> list[str]:
    """Of `ledgerguard audit --json`: each kind of request that would have been refused, how often, and when last.

    What `ledgerguard check` does to its canary is left out.
    """
    kinds: dict[tuple[str, str], tuple[int, str]] = {}
    for line in map(json.loads, output.splitlines()):
        if CANARY in line.get("volumes", []):
            continue
        key = (re.sub(r"[0-9a-f]{64}", "…", f"{line.get('method')} {line.get('uri')}"), str(line.get("reason")))
        kinds[key] = (kinds.get(key, (0, ""))[0] + 1, str(line.get("time")))
    return [f"{count} times {what}: {why} (last {when})" for (what, why), (count, when) in kinds.items()]
