"""One rule for each kind of route: what has to hold before the engine may carry it out. Pure but for the look-ups.

A module of its own beside the table of routes: the table says which rule a route has, this says what the rules are. A
rule raises Refused, or returns nothing, or what the audit has to say of a call that is allowed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from ledgerguard.api import containers, gojson, prune_filters, volume_options
from ledgerguard.api.request import Request, api_version, truthy
from ledgerguard.model import Container, Exec, Image, Mount, Volume
from ledgerguard.refusal import Refused, Verdict, lost
from ledgerguard.rules import (
    container_description,
    exec_patterns,
    grant_matching,
    host_config,
    host_mounts,
    network_membership,
    ownership,
)
from ledgerguard.rules.policy import Scene

EXEC_KEYS = gojson.keys(
    "user privileged tty consolesize attachstdin attachstderr attachstdout detach detachkeys env workingdir cmd"
)
READ_ONLY_ALL_THE_WAY = (1, 44)  # the version since which a read-only bind is read-only below too


@dataclass(frozen=True)
class Call:
    """A request on a known route: the names in its path, its query; `body` only where the route reads JSON."""

    request: Request
    names: Mapping[str, str]
    query: Mapping[str, str]
    body: bytes
    scene: Scene

    @property
    def name(self) -> str:
        return self.names["name"]


def harmless(_call: Call) -> None:
    """Touches no volume and no container's content."""


def refused(call: Call) -> None:
    """Plugins, swarm and checkpoints work past what a plugin is shown."""
    raise Refused(
        f"{call.request.method} {call.request.uri[:80]}: swarm, engine plugins and checkpoints work past the guard",
        "compose projects and built-in drivers",
    )


def create_network(call: Call) -> None:
    """An unknown driver is a plugin's, which the engine looks for by that name as a path."""
    body = gojson.struct(gojson.parse(call.body), "the body")
    addresses = gojson.struct(body.get("ipam"), "IPAM")
    driver, manager = gojson.text(body.get("driver"), "Driver"), gojson.text(addresses.get("driver"), "IPAM.Driver")
    for name in (driver, manager):
        if host_config.leads_away(name):
            raise Refused(f"network driver {name[:60]!r} is a path", "a driver's name")


def build(call: Call) -> None:
    """The classic builder runs its steps in the network that the query names."""
    mode = call.query.get("networkmode", "")
    if call.scene.profile == "strict" and (mode == "host" or mode.startswith("container:")):
        raise Refused(f"host reach (strict): a build with network mode {mode[:60]!r}", "docker build without --network")


# --- volumes --------------------------------------------------------------------------------------------------------


def remove_volume(call: Call) -> None:
    if call.name in call.scene.protected:
        raise lost(
            (call.name,),
            "remove",
            f"removing it would lose its data{_device(call)}",
            "docker compose down (without -v)",
        )


def _device(call: Call) -> str:
    known = call.scene.volumes.get(call.name)
    return f" ({known.labels.get('com.ledgerflow.environment', 'labelled')})" if known and known.labelled else ""


def prune_volumes(call: Call) -> None:
    scene = call.scene
    there = [scene.volumes[name] for name in sorted(scene.protected) if name in scene.volumes]
    taken = prune_filters.taken(call.query.get("filters", ""), there, api_version(call.request.uri))
    if taken:
        what = f"protected volume {', '.join(taken[:3])}: this prune may take it"
        raise Refused(what, prune_filters.SAFE, volumes=taken, operation="prune")


def create_volume(call: Call) -> None:
    """A declared one exactly as declared; an existing protected one unchanged; any other with harmless options."""
    body = gojson.struct(gojson.parse(call.body), "the body")
    if unknown := sorted(set(body) - {"name", "driver", "driveropts", "labels", "clustervolumespec"}):
        raise Refused(f"unknown key {unknown[0]!r} in the volume", volume_options.SAFE)
    if body.get("clustervolumespec") not in gojson.NOTHING:
        raise Refused("a cluster volume", volume_options.SAFE)
    wanted = Volume(
        gojson.text(body.get("name"), "Name"),
        gojson.text(body.get("driver"), "Driver") or "local",
        gojson.text_map(body.get("labels"), "Labels"),
        gojson.text_map(body.get("driveropts"), "DriverOpts"),
    )
    _check_volume(wanted, call.scene)


def _check_volume(wanted: Volume, scene: Scene) -> None:
    declared = scene.policy.declarations.volumes.get(wanted.name)
    if declared and wanted.name not in scene.policy.unlocked:
        found = (wanted.driver, dict(wanted.options), dict(wanted.labels))
        if found != (declared.driver, dict(declared.options), dict(declared.labels)):
            raise lost(
                (wanted.name,),
                "mount",
                "may be created only exactly as declared (driver, options, labels)",
                "make deploy",
            )
        return
    known = scene.volumes.get(wanted.name)
    if known and wanted.name in scene.protected:
        if (wanted.driver, dict(wanted.options), dict(wanted.labels)) not in (
            (known.driver, dict(known.options), dict(known.labels)), (known.driver, {}, {})
        ):  # fmt: skip
            raise lost((wanted.name,), "mount", "is there with other labels or options", "leave it as it is")
        return
    device = volume_options.bound_device(
        wanted.driver, wanted.options, scene.profile, f"volume {wanted.name or '(anonymous)'}"
    )
    plain = not wanted.options or wanted.options.get("type") == "tmpfs"
    if not plain and wanted.name in scene.owners_volumes():
        raise ownership.working_place(wanted.name, "docker volume create without options")
    if device:
        host_mounts.check(device, Mount("volume", wanted.name, ""), scene)


# --- containers -----------------------------------------------------------------------------------------------------


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
    for container in _found(call):
        ownership.check(container, call.scene, to_be_created=False)


def _found(call: Call) -> tuple[Container, ...]:
    """Every container that the engine could mean; one that is not known cannot be judged."""
    return ownership.meant(call.name, call.scene)


def update(call: Call) -> None:
    """Judged as the container would be then: a restart policy is mounts that nobody asks for, and an owner's limits are
    declared."""
    body = gojson.struct(gojson.parse(call.body), "the body")
    host_config.check(body, call.scene.profile)
    changed = {key: value for key, value in body.items() if value not in gojson.NOTHING}
    if container_description.host_form({"restartpolicy": body.get("restartpolicy")}) == {} and not _names_policy(body):
        changed.pop("restartpolicy", None)
    for container in _found(call):
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
    for container in _found(call):
        held = ownership.written_volumes(container, call.scene)
        replacing = not container.running and ownership.final_name(container.name) == wanted
        if held and not replacing:
            raise lost(held, "rename", f"its owner {container.name} keeps its name")
        if declared and not replacing:
            raise Refused(f"container {container.name}: the name {wanted} is a declared container's", "another name")


def attach(call: Call) -> None:
    typed = not call.request.empty and call.request.content_type is not None  # it may be a form, which is read first
    if truthy(call.query.get("stdin")) or typed or call.request.method == "GET":
        for container in _found(call):
            held = ownership.written_volumes(container, call.scene)
            if held:
                raise lost(held, "attach", f"attaching to the input of its owner {container.name}", "docker logs -f")


def copy_in(call: Call) -> None:
    """Into readers neither: what `docker cp` follows inside is the container's to arrange."""
    for container in _found(call):
        held = ownership.held_volumes(container, call.scene)
        if held:
            raise lost(held, "copy", f"copying into container {container.name}, which holds it", "docker cp out of it")


# --- commands inside ------------------------------------------------------------------------------------------------


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
    for container in _found(call):
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


# --- networks -------------------------------------------------------------------------------------------------------


def connect(call: Call) -> None:
    """A container's names in a network are part of what it is there."""
    body = gojson.struct(gojson.parse(call.body), "the body")
    endpoint = containers.endpoint(call.names["network"], body.get("endpointconfig"))
    for found in ownership.meant(gojson.text(body.get("container"), "Container"), call.scene):
        # Older engines are asked to connect the one that replaces another before it has its final name.
        container = found if found.running else replace(found, name=ownership.final_name(found.name))
        held = ownership.protected_mounts(container, call.scene)
        network_membership.check_endpoints(container, held, (endpoint,), call.scene)
        wrong = ownership.owner_fault(replace(container, endpoints=(endpoint,)), held, call.scene) if held else ""
        written = ownership.written_volumes(container, call.scene)
        if wrong and written:
            raise lost(written, "mount", f"connecting its owner {container.name}: {wrong}", "make deploy")
