"""What a host must have before anything is put on it.

A module of its own because these are the judgements on `host_probe`'s facts: pure, tested with facts given as data,
so that a host nobody has here (two gigabytes, a full disk, a taken port) is judged as well.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ledgerflow.findings import Finding, finding

Facts = Mapping[str, Any]


def host_findings(probe: Facts, minimum: Mapping[str, int]) -> list[Finding]:
    """Too few cores, too little memory or disk; `minimum` has cores, memory_mb and disk_mb."""
    findings = []
    if probe["cores"] < minimum["cores"]:
        problem = f"{probe['cores']} processor cores, {minimum['cores']} are needed"
        findings.append(finding("host", problem, "use a larger machine"))
    if probe["memory_mb"] < minimum["memory_mb"]:
        problem = f"{probe['memory_mb']} MB of memory, {minimum['memory_mb']} are needed"
        findings.append(finding("host", problem, "use a larger machine"))
    for path, free in sorted(probe["disk_free_mb"].items()):
        if free < minimum["disk_mb"]:
            problem = f"{free} MB free, {minimum['disk_mb']} are needed"
            hint = f"df -h {path}; move it with DATA_ROOT, or free room"
            findings.append(finding(f"disk of {path}", problem, hint))
    return findings


def port_findings(probe: Facts, ports: Mapping[str, int], stack_id: str, settings_file: str) -> list[Finding]:
    """A wanted port (setting name → port) that something other than this stack listens on."""
    findings = []
    for setting, port in ports.items():
        listener = probe["ports"].get(str(port))
        if listener is None or str(listener["container"]).startswith(f"{stack_id}-"):
            continue
        by = (
            f"container {listener['container']}"
            if listener["container"]
            else listener["program"] or "a program unknown to us"
        )
        problem = f"taken by {by} on {listener['address'] or 'this host'}"
        hint = f"set {setting}={_free_port(probe, port, ports)} in {settings_file}, or stop it"
        findings.append(finding(f"port {port} ({setting})", problem, hint))
    return findings


def _free_port(probe: Facts, port: int, ports: Mapping[str, int]) -> int:
    occupied = {int(number) for number in probe["ports"]} | set(ports.values())
    start = port + 1000 if port < 60000 else port - 1000
    return next(number for number in range(start, start + 1000) if number not in occupied)


def secret_findings(probe: Facts, names: list[str], provided: list[str], stack_dir: str) -> list[Finding]:
    """Secrets that are damaged, or gone although data made with them is there: new ones would lock the data away."""
    return weak_secret_findings(probe, names, provided, stack_dir) + _missing_secrets(probe, names, provided, stack_dir)


def weak_secret_findings(probe: Facts, names: list[str], provided: list[str], stack_dir: str) -> list[Finding]:
    """Secrets whose file holds what no secret of ours is: cut off, overwritten, edited by hand."""
    damaged = {
        name: weakness for name, weakness in probe["weak_secrets"].items() if name in names and name not in provided
    }
    return [
        finding(
            f"{stack_dir}/secrets/{name}",
            f"weak or damaged ({weakness})",
            f"put the file back from your copy of {stack_dir}/secrets; or, to have a new one made: "
            f"rm {stack_dir}/secrets/{name}, then the deploy with -e service_secrets_renewed={name}",
        )
        for name, weakness in sorted(damaged.items())
    ]


def _missing_secrets(probe: Facts, names: list[str], provided: list[str], stack_dir: str) -> list[Finding]:
    if not probe["initialised"]:
        return []
    # One that was never made (a first deploy was killed, or this version brought it) locks nothing away.
    lost_names = set(probe["secrets_made"]) - set(probe["secrets"]) - set(provided)
    missing = [name for name in names if name in lost_names]
    volumes = ", ".join(probe["initialised"])
    return [
        finding(
            f"{stack_dir}/secrets/{name}",
            f"missing, while data made with it exists ({volumes})",
            f"put the file back from your copy of {stack_dir}/secrets; "
            f"or, to have a new one made and set everywhere: the deploy with -e service_secrets_renewed={name}",
        )
        for name in missing
    ]


def provided_secret_findings(
    probe: Facts, names: list[str], provided: Mapping[str, Any], generated: bool
) -> list[Finding]:
    """Secrets that role service would refuse half-way: provided but empty or weak, or new and neither had nor made."""
    findings = []
    for name in sorted(names):
        if name in provided:
            secret = "" if provided[name] is None else str(provided[name])
            problem = (
                ""
                if is_strong(secret)
                else f"provided, but {f'weak ({len(secret)} characters)' if secret else 'empty'}"
            )
        else:
            problem = "" if generated or name in probe["secrets"] else "not provided and not on the host"
        if problem:
            hint = (
                f"set service_secrets_provided.{name} in the inventory, encrypted by ansible-vault: one line of "
                "python3 -c 'import secrets; print(secrets.token_urlsafe(48))'"
            )
            findings.append(finding(f"secret {name}", problem, hint))
    return findings


def is_strong(secret: str) -> bool:
    """The rule of roles/service/library/service_files.py, which runs on the host; a test holds them together."""
    clean = secret == secret.strip() and secret.isprintable() and "\ufffd" not in secret
    return clean and len(secret) >= 16 and len(set(secret)) >= 6
