"""The rules for requests about containers: create, start, update, rename, attach, copy, remove.

A module of its own beside the table of routes: the table names the rule of a route, this decides. A rule raises Refused
or returns nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from ledgerguard.api import containers, gojson
from ledgerguard.api.request import api_version, truthy
from ledgerguard.model import Image, Mount
from ledgerguard.refusal import Refused, lost
from ledgerguard.rules import (
    container_description,
    host_config,
    ownership,
)
from ledgerguard.rules.call import Call

READ_ONLY_ALL_THE_WAY = (1, 44)  # the version since which a read-only bind is read-only below too


def create_container(call: Call) -> None:
    name = call.query.get("name", "").lstrip("/")

    def image_of(reference: str, mounts: tuple[Mount, ...]) -> Image | None:
        """Asked of the engine only where it matters: for whoever names a protected volume, or has a declared name."""
        if call.scene.policy.declarations.names_container(ownership.final_name(name)):
            return call.scene.lookups.image(reference)
        named = any(mount.kind == "volume" and mount.source for mount in mounts)
        wanted = named and any(mount.source in call.scene.protected for mount in mounts)
        return call.scene.lookups.image(reference) if wanted else None

    container = containers.created(name, call.body, image_of)
    if (version := api_version(call.request.uri)) and version < READ_ONLY_ALL_THE_WAY:
        container = replace(container, mounts=tuple(replace(one, complete=False) for one in container.mounts))
    ownership.check(container, call.scene, to_be_created=True)


def start(call: Call) -> None:
    """Judged again: the container may be older than the guard, and what a path leads to may have changed."""
    if call.request.body.strip() not in (b"", b"{}", b"null"):
        raise Refused("starting with a host configuration in the body", "give it when the container is created")
    if any(key.startswith("checkpoint") for key in call.query):
        raise Refused("starting from a checkpoint")
    for container in ownership.meant(call.name, call.scene):
        ownership.check(container, call.scene, to_be_created=False)


def update(call: Call) -> None:
    """Judged as the container would be then: a restart policy is mounts that nobody asks for, and an owner's limits are
    declared."""
    body = gojson.struct(gojson.parse(call.body), "the body")
    host_config.check(body, call.scene.profile)
    changed = {key: value for key, value in body.items() if value not in gojson.NOTHING}
    if container_description.host_form({"restartpolicy": body.get("restartpolicy")}) == {} and not _names_policy(body):
        changed.pop("restartpolicy", None)
    for container in ownership.meant(call.name, call.scene):
        ownership.check(replace(container, host={**container.host, **changed}), call.scene, to_be_created=False)


def _names_policy(body: Mapping[str, gojson.Json]) -> bool:
    return bool(gojson.struct(body.get("restartpolicy"), "RestartPolicy").get("name"))


def remove_container(call: Call) -> None:
    """With `v` the engine removes anonymous volumes too, protected or not."""
    if not truthy(call.query.get("v")):
        return
    for container in call.scene.lookups.containers(call.name):
        taken = tuple(mount.source for mount in ownership.protected_mounts(container, call.scene) if not mount.named)
        if taken:
            raise lost(
                taken,
                "remove",
                f"removing container {call.name} with its volumes would lose it",
                "docker rm without -v",
            )


def rename(call: Call) -> None:
    """The owner's name is part of its grant: two owners on one volume would corrupt it, and a name that moves between
    a question and its execution would lead to another container. Compose alone gives a new owner its final name."""
    wanted = call.query.get("name", "").lstrip("/")
    declared = call.scene.policy.declarations.names_container(wanted)
    for container in ownership.meant(call.name, call.scene):
        held = ownership.written_volumes(container, call.scene)
        replacing = not container.running and ownership.final_name(container.name) == wanted
        if held and not replacing:
            raise lost(held, "rename", f"its owner {container.name} keeps its name")
        if declared and not replacing:
            raise Refused(f"container {container.name}: the name {wanted} is a declared container's", "another name")


def attach(call: Call) -> None:
    typed = not call.request.empty and call.request.content_type is not None  # it may be a form, which is read first
    if truthy(call.query.get("stdin")) or typed or call.request.method == "GET":
        for container in ownership.meant(call.name, call.scene):
            held = ownership.written_volumes(container, call.scene)
            if held:
                raise lost(held, "attach", f"attaching to the input of its owner {container.name}", "docker logs -f")


def copy_in(call: Call) -> None:
    """Into readers neither: what `docker cp` follows inside is the container's to arrange."""
    for container in ownership.meant(call.name, call.scene):
        held = ownership.held_volumes(container, call.scene)
        if held:
            raise lost(held, "copy", f"copying into container {container.name}, which holds it", "docker cp out of it")
