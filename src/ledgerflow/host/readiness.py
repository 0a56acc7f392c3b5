"""What a host must have before anything is put on it.

A module of its own because these are the judgements on `host_probe`'s facts: pure, tested with facts given as data,
so that a host nobody has here (two gigabytes, a full disk, a taken port) is judged as well.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Finding = dict[str, str]
Facts = Mapping[str, Any]


def host_findings(probe: Facts, minimum: Mapping[str, int]) -> list[Finding]:
    """Too few cores, too little memory or disk; `minimum` has cores, memory_mb and disk_mb."""
    findings = []
    if probe["cores"] < minimum["cores"]:
        what = f"{probe['cores']} processor cores, {minimum['cores']} are needed"
        findings.append({"where": "host", "what": what, "hint": "use a larger machine"})
    if probe["memory_mb"] < minimum["memory_mb"]:
        what = f"{probe['memory_mb']} MB of memory, {minimum['memory_mb']} are needed"
        findings.append({"where": "host", "what": what, "hint": "use a larger machine"})
    for path, free in sorted(probe["disk_free_mb"].items()):
        if free < minimum["disk_mb"]:
            what = f"{free} MB free, {minimum['disk_mb']} are needed"
            hint = f"df -h {path}; move it with DATA_ROOT, or free room"
            findings.append({"where": f"disk of {path}", "what": what, "hint": hint})
    return findings


def port_findings(probe: Facts, wanted: Mapping[str, int], stack_id: str, settings_file: str) -> list[Finding]:
    """A wanted port (setting name → port) that something other than this stack listens on."""
    findings = []
    for setting, port in wanted.items():
        taken = probe["ports"].get(str(port))
        if taken is None or str(taken["container"]).startswith(f"{stack_id}-"):
            continue
        by = f"container {taken['container']}" if taken["container"] else taken["program"] or "a program unknown to us"
        what = f"taken by {by} on {taken['address'] or 'this host'}"
        hint = f"set {setting}={_free_port(probe, port, wanted)} in {settings_file}, or stop it"
        findings.append({"where": f"port {port} ({setting})", "what": what, "hint": hint})
    return findings


def _free_port(probe: Facts, port: int, wanted: Mapping[str, int]) -> int:
    taken = {int(number) for number in probe["ports"]} | set(wanted.values())
    start = port + 1000 if port < 60000 else port - 1000
    return next(number for number in range(start, start + 1000) if number not in taken)


def secret_findings(probe: Facts, wanted: list[str], provided: list[str], stack_dir: str) -> list[Finding]:
    """Secrets that are damaged, or gone although data made with them is there: new ones would lock the data away."""
    return weak_secret_findings(probe, wanted, provided, stack_dir) + _missing_secrets(
        probe, wanted, provided, stack_dir
    )


def weak_secret_findings(probe: Facts, wanted: list[str], provided: list[str], stack_dir: str) -> list[Finding]:
    """Secrets whose file holds what no secret of ours is: cut off, overwritten, edited by hand."""
    damaged = {name: seen for name, seen in probe["weak_secrets"].items() if name in wanted and name not in provided}
    return [
        {
            "where": f"{stack_dir}/secrets/{name}",
            "what": f"weak or damaged ({seen})",
            "hint": f"put the file back from your copy of {stack_dir}/secrets; or, to have a new one made: "
            f"rm {stack_dir}/secrets/{name}, then the deploy with -e service_secrets_renewed={name}",
        }
        for name, seen in sorted(damaged.items())
    ]


def _missing_secrets(probe: Facts, wanted: list[str], provided: list[str], stack_dir: str) -> list[Finding]:
    if not probe["initialised"]:
        return []
    # One that was never made (a first deploy was killed, or this version brought it) locks nothing away.
    lost = set(probe["secrets_made"]) - set(probe["secrets"]) - set(provided)
    missing = [name for name in wanted if name in lost]
    volumes = ", ".join(probe["initialised"])
    return [
        {
            "where": f"{stack_dir}/secrets/{name}",
            "what": f"missing, while data made with it exists ({volumes})",
            "hint": f"put the file back from your copy of {stack_dir}/secrets; "
            f"or, to have a new one made and set everywhere: the deploy with -e service_secrets_renewed={name}",
        }
        for name in missing
    ]


def provided_secret_findings(
    probe: Facts, wanted: list[str], provided: Mapping[str, Any], generated: bool
) -> list[Finding]:
    """Secrets that role service would refuse half-way: provided but empty or weak, or new and neither had nor made."""
    findings = []
    for name in sorted(wanted):
        if name in provided:
            value = "" if provided[name] is None else str(provided[name])
            what = "" if strong(value) else f"provided, but {f'weak ({len(value)} characters)' if value else 'empty'}"
        else:
            what = "" if generated or name in probe["secrets"] else "not provided and not on the host"
        if what:
            hint = (
                f"set service_secrets_provided.{name} in the inventory, encrypted by ansible-vault: one line of "
                "python3 -c 'import secrets; print(secrets.token_urlsafe(48))'"
            )
            findings.append({"where": f"secret {name}", "what": what, "hint": hint})
    return findings


def strong(value: str) -> bool:
    """The rule of roles/service/library/service_files.py, which runs on the host; a test holds them together."""
    clean = value == value.strip() and value.isprintable() and "\ufffd" not in value
    return clean and len(value) >= 16 and len(set(value)) >= 6
