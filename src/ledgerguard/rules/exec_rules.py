"""The rules for commands inside containers: only those that the grant of an owner allows.

A module of its own because an exec is two requests, and both are judged by the same grant.
"""

from __future__ import annotations

from ledgerguard.api import gojson
from ledgerguard.model import Container, Exec
from ledgerguard.refusal import Refusal, Verdict, volume_refusal
from ledgerguard.rules import (
    exec_patterns,
    grant_matching,
    ownership,
)
from ledgerguard.rules.call import Call
from ledgerguard.rules.policy import Context

EXEC_KEYS = gojson.split_keys(
    "user privileged tty consolesize attachstdin attachstderr attachstdout detach detachkeys env workingdir cmd"
)


def create_exec(call: Call) -> None:
    body = gojson.struct(gojson.parse(call.body), "the body")
    command = Exec(
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
    for container in ownership.find_containers(call.name, call.context):
        volumes = _check_exec(command, container, call.context)
        if volumes and unknown:
            raise volume_refusal(
                volumes, "exec", f"unknown key {unknown[0]!r} of a command in its owner {container.name}"
            )


def start_exec(call: Call) -> Verdict | None:
    """Judged again by what the engine says it will run: a container may have been renamed in between, and an exec may
    be older than the guard. What runs in an owner is written down."""
    command = call.context.lookups.execution(call.name)
    if command is None:
        raise Refusal(f"no such exec: {call.name[:64]}", "docker exec again")
    record = None
    for container in ownership.find_containers(command.container, call.context):
        volumes = _check_exec(command, container, call.context)
        if volumes:
            record = Verdict(True, _describe_exec(command, container), volumes=volumes, operation="exec")
    return record


def _describe_exec(command: Exec, container: Container) -> str:
    typed = (" with a terminal" if command.tty else "") + (" with input" if command.input else "")
    return f"{' '.join(command.argv)!r} as {command.user or container.user or 'root'} in {container.name}{typed}"


def _check_exec(command: Exec, container: Container, context: Context) -> tuple[str, ...]:
    """The protected volumes that the container holds and may write. Refuses a command that is not granted there."""
    if command.privileged and context.profile == "strict":
        raise Refusal("host reach (strict): a privileged exec", "docker exec without --privileged")
    volumes = ownership.find_reachable_volumes(container, context)
    if not volumes:
        return ()
    if not command.privileged and not ownership.find_writable_volumes(container, context):
        return ()
    mounts = ownership.find_protected_mounts(container, context)
    grants = context.policy.declarations.grants_of(container.name)
    matching = grant_matching.find_matching_grants(
        container, mounts, grants, context.names
    )  # of the version that runs, not of all
    patterns = [pattern for grant in matching for pattern in grant.exec]
    if ownership.find_owner_fault(container, mounts, context) or not exec_patterns.is_allowed(
        command, container, patterns
    ):
        text = " ".join(command.argv)[:60]
        typed = " with a terminal" if command.tty else " with input" if command.input else ""
        raise volume_refusal(
            volumes, "exec", f"{text!r}{typed} in its owner {container.name} is not among the commands of its grant"
        )
    return volumes
