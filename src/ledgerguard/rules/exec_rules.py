"""The rules for commands inside containers: only those that the grant of an owner allows.

A module of its own because an exec is two requests, and both are judged by the same grant.
"""

from __future__ import annotations

from ledgerguard.api import gojson
from ledgerguard.model import Container, Exec
from ledgerguard.refusal import Refused, Verdict, lost
from ledgerguard.rules import (
    exec_patterns,
    grant_matching,
    ownership,
)
from ledgerguard.rules.call import Call
from ledgerguard.rules.policy import Scene

EXEC_KEYS = gojson.keys(
    "user privileged tty consolesize attachstdin attachstderr attachstdout detach detachkeys env workingdir cmd"
)


def exec_create(call: Call) -> None:
    body = gojson.struct(gojson.parse(call.body), "the body")
    wanted = Exec(
        call.name,
        gojson.words(body.get("cmd"), "Cmd"),
        gojson.text(body.get("user"), "User"),
        gojson.flag(body.get("privileged"), "Privileged"),
        gojson.texts(body.get("env"), "Env"),
        gojson.text(body.get("workingdir"), "WorkingDir"),
        gojson.flag(body.get("tty"), "Tty") or any(gojson.items(body.get("consolesize"), "ConsoleSize")),
        gojson.flag(body.get("attachstdin"), "AttachStdin"),
    )
    unknown = sorted(key for key, value in body.items() if key not in EXEC_KEYS and value not in gojson.NOTHING)
    for container in ownership.meant(call.name, call.scene):
        held = _check_exec(wanted, container, call.scene)
        if held and unknown:
            raise lost(held, "exec", f"unknown key {unknown[0]!r} of a command in its owner {container.name}")


def exec_start(call: Call) -> Verdict | None:
    """Judged again by what the engine says it will run: a container may have been renamed in between, and an exec may
    be older than the guard. What runs in an owner is written down."""
    wanted = call.scene.lookups.execution(call.name)
    if wanted is None:
        raise Refused(f"no such exec: {call.name[:64]}", "docker exec again")
    told = None
    for container in ownership.meant(wanted.container, call.scene):
        held = _check_exec(wanted, container, call.scene)
        if held:
            told = Verdict(True, _exec_text(wanted, container), volumes=held, operation="exec")
    return told


def _exec_text(wanted: Exec, container: Container) -> str:
    typed = (" with a terminal" if wanted.tty else "") + (" with input" if wanted.input else "")
    return f"{' '.join(wanted.argv)!r} as {wanted.user or container.user or 'root'} in {container.name}{typed}"


def _check_exec(wanted: Exec, container: Container, scene: Scene) -> tuple[str, ...]:
    """The protected volumes that the container holds and may write. Refuses a command that is not granted there."""
    if wanted.privileged and scene.profile == "strict":
        raise Refused("host reach (strict): a privileged exec", "docker exec without --privileged")
    held = ownership.held_volumes(container, scene)
    if not held:
        return ()
    if not wanted.privileged and not ownership.written_volumes(container, scene):
        return ()
    mounts = ownership.protected_mounts(container, scene)
    grants = scene.policy.declarations.grants_of(container.name)
    fitting = grant_matching.fitting(container, mounts, grants, scene.names)  # of the version that runs, not of all
    patterns = [pattern for grant in fitting for pattern in grant.exec]
    if ownership.owner_fault(container, mounts, scene) or not exec_patterns.allowed(wanted, container, patterns):
        command = " ".join(wanted.argv)[:60]
        typed = " with a terminal" if wanted.tty else " with input" if wanted.input else ""
        raise lost(
            held, "exec", f"{command!r}{typed} in its owner {container.name} is not among the commands of its grant"
        )
    return held
