"""The rules for requests about containers: create, start, update, rename, attach, copy, remove.

A module of its own beside the table of routes: the table names the rule of a route, this decides. A rule raises Refusal
or returns nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from ledgerguard.api import containers, gojson
from ledgerguard.api.request import api_version, is_true
from ledgerguard.model import Image, Mount
from ledgerguard.refusal import Refusal, volume_refusal
from ledgerguard.rules import (
    container_description,
    host_config,
    ownership,
)
from ledgerguard.rules.call import Call

RECURSIVE_READ_ONLY_SINCE = (1, 44)  # the version since which a read-only bind is read-only below too


def create_container(call: Call) -> None:
    name = call.query.get("name", "").lstrip("/")

    def find_image(reference: str, mounts: tuple[Mount, ...]) -> Image | None:
        """Asked of the engine only where it matters: for whoever names a protected volume, or has a declared name."""
        if call.context.policy.declarations.names_container(ownership.name_after_replacement(name)):
            return call.context.lookups.image(reference)
        names_volume = any(mount.kind == "volume" and mount.source for mount in mounts)
        is_needed = names_volume and any(mount.source in call.context.protected for mount in mounts)
        return call.context.lookups.image(reference) if is_needed else None

    container = containers.parse_create_request(name, call.body, find_image)
    if (version := api_version(call.request.uri)) and version < RECURSIVE_READ_ONLY_SINCE:
        container = replace(container, mounts=tuple(replace(mount, complete=False) for mount in container.mounts))
    ownership.check_container(container, call.context, to_be_created=True)


def start_container(call: Call) -> None:
    """Judged again: the container may be older than the guard, and what a path leads to may have changed."""
    if call.request.body.strip() not in (b"", b"{}", b"null"):
        raise Refusal("starting with a host configuration in the body", "give it when the container is created")
    if any(key.startswith("checkpoint") for key in call.query):
        raise Refusal("starting from a checkpoint")
    for container in ownership.find_containers(call.name, call.context):
        ownership.check_container(container, call.context, to_be_created=False)


def update_container(call: Call) -> None:
    """Judged as the container would be then: a restart policy is mounts that nobody asks for, and an owner's limits are
    declared."""
    body = gojson.struct(gojson.parse(call.body), "the body")
    host_config.check_settings(body, call.context.profile)
    changed = {key: value for key, value in body.items() if value not in gojson.NOTHING}
    if container_description.normalize_host({"restartpolicy": body.get("restartpolicy")}) == {} and not _names_policy(
        body
    ):
        changed.pop("restartpolicy", None)
    for container in ownership.find_containers(call.name, call.context):
        ownership.check_container(
            replace(container, host={**container.host, **changed}), call.context, to_be_created=False
        )


def _names_policy(body: Mapping[str, gojson.Json]) -> bool:
    return bool(gojson.struct(body.get("restartpolicy"), "RestartPolicy").get("name"))


def remove_container(call: Call) -> None:
    """With `v` the engine removes anonymous volumes too, protected or not."""
    if not is_true(call.query.get("v")):
        return
    for container in call.context.lookups.containers(call.name):
        volumes = tuple(
            mount.source for mount in ownership.find_protected_mounts(container, call.context) if not mount.is_named
        )
        if volumes:
            raise volume_refusal(
                volumes,
                "remove",
                f"removing container {call.name} with its volumes would lose it",
                "docker rm without -v",
            )


def rename_container(call: Call) -> None:
    """The owner's name is part of its grant: two owners on one volume would corrupt it, and a name that moves between
    a question and its execution would lead to another container. Compose alone gives a new owner its final name."""
    new_name = call.query.get("name", "").lstrip("/")
    is_declared = call.context.policy.declarations.names_container(new_name)
    for container in ownership.find_containers(call.name, call.context):
        volumes = ownership.find_writable_volumes(container, call.context)
        is_replacement = not container.running and ownership.name_after_replacement(container.name) == new_name
        if volumes and not is_replacement:
            raise volume_refusal(volumes, "rename", f"its owner {container.name} keeps its name")
        if is_declared and not is_replacement:
            raise Refusal(f"container {container.name}: the name {new_name} is a declared container's", "another name")


def attach_container(call: Call) -> None:
    may_send_input = (
        not call.request.empty and call.request.content_type is not None
    )  # it may be a form, which is read first
    if is_true(call.query.get("stdin")) or may_send_input or call.request.method == "GET":
        for container in ownership.find_containers(call.name, call.context):
            volumes = ownership.find_writable_volumes(container, call.context)
            if volumes:
                raise volume_refusal(
                    volumes, "attach", f"attaching to the input of its owner {container.name}", "docker logs -f"
                )


def copy_into_container(call: Call) -> None:
    """Into readers neither: what `docker cp` follows inside is the container's to arrange."""
    for container in ownership.find_containers(call.name, call.context):
        volumes = ownership.find_reachable_volumes(container, call.context)
        if volumes:
            raise volume_refusal(
                volumes, "copy", f"copying into container {container.name}, which holds it", "docker cp out of it"
            )
