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

from ledgerflow.findings import message
from ledgerflow.host.engine import has_fix, version_numbers

Facts = Mapping[str, Any]

PROGRAM = "/usr/local/sbin/ledgerguard"
DATA_ROOT = "/var/lib/docker"
PLUGIN, CANARY = "ledgerguard", "ledgerguard-canary"
PROTECT = "com.ledgerflow.protect"
OLDEST_PYTHON = (3, 11)
SOCKET_UNIT = "/etc/systemd/system/ledgerguard.socket"
UNITS = "/etc/systemd/system/"
CHECK_COMMAND = "sudo ledgerguard check"


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


def guard_mode(host: Facts, requested: str) -> dict[str, str]:
    """{mode, reason}. `auto` and `observe-first` never turn an enforcing guard back."""
    if requested not in ("auto", "observe-first"):
        return {"mode": requested, "reason": f"volume_guard_mode is {requested}"}
    foreign = list(host["engine"]["foreign"])
    if "--mode=enforce" in host["options"] or host["status"].get("mode") == "enforce":
        return {"mode": "enforce", "reason": f"{requested}: the guard enforces already"}
    if requested == "observe-first":
        return {"mode": "observe", "reason": "observe-first: it has not enforced yet"}
    if host["engine"]["unseen"]:
        problem = (
            f"the engine does not run and keeps {host['engine']['unseen']} containers: whose they are is not known"
        )
        return {"mode": "observe", "reason": f"auto: {problem}"}
    if foreign:
        examples = ", ".join(foreign[:5]) + (", …" if len(foreign) > 5 else "")
        return {"mode": "observe", "reason": f"auto: containers that are not LedgerFlow's hold volumes: {examples}"}
    return {"mode": "enforce", "reason": "auto: no foreign container holds a volume"}


def data_root(host: Facts) -> str:
    """Where the engine keeps its things, running or not."""
    return str(host["engine"]["root_dir"] or host["data_root"] or DATA_ROOT)


def guard_command(host: Facts, settings: Facts) -> list[str]:
    """The command line of the service. `settings`: mode (decided), profile, state_files, hook."""
    state_files = [f"--state-file={file}" for file in settings["state_files"]]
    return [PROGRAM, "serve", *_common_options(host, settings), *state_files, *_hook_options(settings)]


def guard_check_command(host: Facts, settings: Facts) -> list[str]:
    """The command line of the check after each start of the engine. `settings`: mode (decided), profile, hook."""
    return [PROGRAM, "check", "--existing", *_common_options(host, settings), *_hook_options(settings)]


def _common_options(host: Facts, settings: Facts) -> list[str]:
    return [f"--mode={settings['mode']}", f"--profile={settings['profile']}", f"--data-root={data_root(host)}"]


def _hook_options(settings: Facts) -> list[str]:
    return [f"--hook={word}" for word in settings["hook"]]


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
            "path": str(file["path"]),
            "mode": str(file["mode"]),
            "sha256": hashlib.sha256(str(file["content"]).encode()).hexdigest() if "content" in file else program,
        }
        for file in files
    ]


def guard_plan(host: Facts, files: Sequence[Facts], command: Sequence[str]) -> dict[str, Any]:
    """What to do on a host. `files`: {path, mode, content}, the program without content but with sha256."""
    program = next(str(file["sha256"]) for file in files if "content" not in file)
    plan = Plan(stale=[file["path"] for file in file_digests(files, program) if not _is_up_to_date(host, file)])
    plan.reload = PLUGIN in host["plugins"] and host["asked"] is False
    unknown = PLUGIN not in host["plugins"] or host["reload_pending"] or not host["engine"]["running"]
    plan.turn_on = plan.reload or unknown
    status, answers = host["status"], bool(host["status"])
    differs = status.get("program") != program or list(status.get("arguments", [])) != list(command[1:])
    if host["systemd"]:
        units = [path for path in plan.stale if path.startswith(UNITS)]
        plan.reload_units = bool(units) or host["service"]["stale"] or host["socket"]["stale"]
        plan.enable = not (host["service"]["enabled"] and host["socket"]["enabled"])
        plan.socket = _socket_step(host, plan)
        running = answers and host["service"]["active"]
        differs = differs or plan.reload_units
    else:
        running = answers and bool(host["supervisor"])
        differs = differs or any(path.endswith("ledgerguard-supervise") for path in plan.stale)
        plan.enable = not host["boot"]
    plan.service = "restart" if running and differs else "" if running else "start"
    plan.settled = not (plan.stale or plan.reload_units or plan.enable or plan.socket or plan.service)
    return asdict(plan)


def _is_up_to_date(host: Facts, file: Facts) -> bool:
    present = host["files"].get(file["path"]) or {}
    return (present.get("sha256"), present.get("mode"), present.get("uid"), present.get("gid")) == (
        file["sha256"], file["mode"], 0, 0,
    )  # fmt: skip


def _socket_step(host: Facts, plan: Plan) -> str:
    """The socket is left alone while it is right: only so does an exchange of the service refuse nothing."""
    if not host["socket"]["active"]:
        return "start"
    return "restart" if SOCKET_UNIT in plan.stale else ""


# --- what is refused ------------------------------------------------------------------------------------------------


def guard_faults(host: Facts, engine: Facts, environment: str, good: Sequence[str]) -> dict[str, list[str]]:
    """{refusals, warnings} of a host. `engine`: version, package_version, distribution; `good`: known to be mended."""
    faults: dict[str, list[str]] = {"refusals": [], "warnings": []}
    python = version_numbers(str(host.get("python", "")))
    if python < OLDEST_PYTHON:
        problem = f"/usr/bin/python3 is {host.get('python') or 'missing'}; the guard needs 3.11 or newer"
        faults["refusals"].append(
            message("guard", problem, "apt-get install python3, or a newer release of the distribution")
        )
    if host.get("flags"):
        faults["refusals"].append(_flag_refusal(host))
    fault = engine_fault(engine, good)
    if fault:
        faults["refusals" if environment == "prod" else "warnings"].append(fault)
    return faults


def _flag_refusal(host: Facts) -> str:
    """A plugin given as a flag: no reload brings it back, and a key in daemon.json beside it keeps dockerd from
    starting."""
    problem = f"dockerd was given {' '.join(host['flags'])}: a reload drops such a plugin and never brings it back"
    place = "systemctl cat docker" if host["systemd"] else "DOCKER_OPTS in /etc/default/docker"
    hint = f"take it from dockerd's command line ({place}), restart the engine at a quiet time, run this again"
    return message("engine", problem, f"{hint}: the plugin then stands in daemon.json")


def engine_fault(engine: Facts, good: Sequence[str]) -> str:
    """Why requests could be hidden from the guard on this engine; "" where they cannot, or where there is none yet."""
    version, package = str(engine.get("version") or ""), str(engine.get("package_version") or "")
    if not version or {version, package} & set(good) or has_fix(engine) is True:
        return ""
    engine_version = package or version
    problem = (
        f"{engine_version} is not known to have the fix of CVE-2026-34040: large requests are hidden from the guard"
    )
    hint = "apt-get upgrade, or docker_engine_manage: always where it is the distribution's; if it is mended, add it to"
    return message("engine", problem, f"{hint} volume_guard_good_engines")


def check_text(output: str, left_out: Sequence[str] = ()) -> str:
    """The findings of `ledgerguard check --json` that are not well, or what it said where that is no JSON."""
    try:
        findings = json.loads(output)["findings"]
        if not findings:
            raise ValueError("nothing was checked")
        findings = [finding for finding in findings if finding["verdict"] != "ok" and finding["id"] not in left_out]
    except (ValueError, KeyError, TypeError):
        return message("guard", f"check said {output.strip()[:500]!r}", "sudo ledgerguard check")
    lines = [
        message(
            f"guard: {finding['id']}", f"{finding['verdict']}: {finding['what']}", finding.get("hint") or CHECK_COMMAND
        )
        for finding in findings
    ]
    return "\n".join(lines)


# --- a stack that goes ----------------------------------------------------------------------------------------------


def volumes_to_unlock(volumes: Facts, prefix: str, status: Facts) -> list[str]:
    """Of a stack's volumes as the engine has them those the guard keeps and nobody has unlocked for removal yet.

    `status`: what `ledgerguard status --json` said, {} where there is no guard.
    """
    declared = set(status.get("declared") or [])
    unlocked = {entry["volume"] for entry in status.get("unlocks") or [] if entry["operation"] == "remove"}
    protected = [name for name, entry in volumes.items() if _is_labelled(entry.get("labels") or {}) or name in declared]
    return sorted(name for name in protected if _of_stack(name, prefix) and name not in unlocked)


def _is_labelled(labels: Facts) -> bool:
    """As the guard sees it: volumes of environment ci are disposable."""
    return PROTECT in labels and labels.get("com.ledgerflow.environment") != "ci"


def without_volumes(declared: Facts, prefix: str) -> dict[str, Any]:
    """Declarations by volume, without those of a stack."""
    return {name: volume for name, volume in declared.items() if not _of_stack(name, prefix)}


def without_stack(document: Facts, prefix: str, stack_id: str) -> dict[str, Any]:
    """A whole document of declarations without a stack's volumes, networks and members. Exceptions are nobody's."""
    remaining = {**document, "volumes": without_volumes(document["volumes"], prefix)}
    if "networks" in document:
        remaining["networks"] = [name for name in document["networks"] if not name.startswith(f"{stack_id}-")]
    if "members" in document:
        remaining["members"] = [
            member for member in document["members"] if not member["container"].startswith(f"{stack_id}-")
        ]
    return remaining


def _of_stack(name: str, prefix: str) -> bool:
    return name.startswith(f"{prefix}_")


# --- another's volume -----------------------------------------------------------------------------------------------


def foreign_declaration(
    volume: Facts, grants: Sequence[Facts], current_document: Facts, settings: Facts
) -> dict[str, Any]:
    """The declaration of a volume as the engine has it, for the containers that hold it now.

    `volume`: as the engine shows it; `grants`: results of `ledgerguard grant`, of which those that failed are left out;
    `current_document`: what is declared already, whose grants for containers that are not there now stay;
    `settings`: environment, profile.
    """
    name = str(volume["Name"])
    granted = [json.loads(entry["stdout"])[name] for entry in grants if entry["rc"] == 0]
    holders = {str(entry["item"]) for entry in grants}
    before = (current_document.get("volumes") or {}).get(name) or {}
    undescribed = (
        {"host": None} if current_document.get("schema") == 1 else {}
    )  # it goes on saying nothing of host settings
    other_grants = [{**undescribed, **entry} for entry in before.get("grants", []) if entry["container"] not in holders]
    return {
        "environment": settings["environment"],
        "driver": volume["Driver"],
        "options": volume.get("Options") or {},
        "labels": volume.get("Labels") or {},
        "profile": settings["profile"],
        "grants": [*granted, *other_grants],
    }


def grant_errors(grants: Sequence[Facts]) -> list[str]:
    """What `ledgerguard grant` said of the containers that hold a volume and cannot be granted."""
    return [str(grant["stderr"]).strip() for grant in grants if grant["rc"] != 0]


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
    return [
        f"{count} times {operation}: {why} (last {last_time})" for (operation, why), (count, last_time) in kinds.items()
    ]
