"""From a create request's body, or from the engine's own files of a container, to a `Container`. Pure.

A module of its own because both are Go's structures written as JSON: one reading of mounts serves both, and what was
asked for and what was made are judged by the same rules.
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Mapping
from dataclasses import replace

from ledgerguard.api import gojson, volume_options
from ledgerguard.api.gojson import NOTHING, Json
from ledgerguard.model import Container, Endpoint, Image, Mount
from ledgerguard.refusal import Refused

_CONFIG_KEYS = (
    "hostname domainname user attachstdin attachstdout attachstderr exposedports tty openstdin stdinonce env cmd "
    "healthcheck argsescaped image volumes workingdir entrypoint networkdisabled macaddress onbuild labels stopsignal "
    "stoptimeout hostconfig networkingconfig platform"  # not shell: health checks would run by it
)
CONFIG = frozenset(_CONFIG_KEYS.split())
_BIND_WORDS = frozenset({"rw", "private", "delegated", "rprivate", "Z", "cached", "consistent", "nocopy", "ro", "z"})
ImageOf = Callable[[str, tuple[Mount, ...]], Image | None]
_SHARED = frozenset({"shared", "rshared", "slave", "rslave"})
_MOUNT_KEYS = frozenset(
    {"type", "source", "target", "readonly", "consistency", "bindoptions", "volumeoptions", "tmpfsoptions"}
)


def created(name: str, body: bytes, image_of: ImageOf) -> Container:
    """The container that a create request asks for. `image_of(reference, mounts)` gives the Image, None if unknown."""
    config = gojson.struct(gojson.parse(body), "the body")
    for key, value in config.items():
        if key not in CONFIG and value not in NOTHING:  # 20.10 reads host configuration at the top level too
            raise Refused(f"unknown key {key!r} in the container's configuration", "put it below HostConfig")
    host = gojson.struct(config.get("hostconfig"), "HostConfig")
    reference = gojson.text(config.get("image"), "Image")
    mounts = (*asked_mounts(host), *_anonymous(config))
    made = _container(name, config, host, image_of(reference, mounts), mounts)
    return replace(made, endpoints=_asked_endpoints(config, host))


def _container(
    name: str, config: Mapping[str, Json], host: Mapping[str, Json], image: Image | None, mounts: tuple[Mount, ...]
) -> Container:
    base = image or Image("")
    entrypoint = gojson.words(config.get("entrypoint"), "Entrypoint")
    command = gojson.words(config.get("cmd"), "Cmd")
    if not entrypoint:  # as the engine does: the image's command goes only with the image's entrypoint
        command = command or base.command
        entrypoint = base.entrypoint
    health = gojson.struct(config.get("healthcheck"), "Healthcheck")
    return Container(
        name=name,
        image=base.id,
        entrypoint=entrypoint,
        command=command,
        user=gojson.text(config.get("user"), "User") or base.user,
        environment=(*gojson.texts(config.get("env"), "Env"),),
        working_dir=gojson.text(config.get("workingdir"), "WorkingDir") or base.working_dir,
        healthcheck=gojson.words(health.get("test"), "Healthcheck.Test") or base.healthcheck,
        mounts=mounts,
        host=host,
        volumes_from=_volumes_from(host),
        config=config,
    )


def recorded(config_v2: Mapping[str, Json], hostconfig: Mapping[str, Json], image: Image | None) -> Container:
    """The container of the engine's files `config.v2.json` and `hostconfig.json`."""
    config = gojson.struct(config_v2.get("Config"), "Config")
    host = gojson.struct(hostconfig, "HostConfig")
    state = gojson.struct(config_v2.get("State"), "State")
    points = gojson.mapping(config_v2.get("MountPoints"), "MountPoints")
    asked = {posixpath.normpath(mount.target): mount for mount in asked_mounts(host)}
    mounts = tuple(_point(target, gojson.struct(point, target), asked.get(target)) for target, point in points.items())
    name = gojson.text(config_v2.get("Name"), "Name").lstrip("/")
    identity = gojson.text(config_v2.get("ID"), "ID")
    return replace(
        _container(name, config, host, image, mounts),
        id=identity,
        image=gojson.text(config_v2.get("Image"), "Image"),
        running=gojson.flag(state.get("running"), "Running"),
        volumes_from=(),  # they stand among the mount points now
        endpoints=_recorded_endpoints(config_v2, identity),
        made=True,
    )


def _point(target: str, point: Mapping[str, Json], asked: Mount | None) -> Mount:
    kind = gojson.text(point.get("type"), "Type") or ("volume" if point.get("name") else "bind")
    spec = gojson.struct(point.get("spec"), "Spec")
    bind = gojson.struct(spec.get("bindoptions"), "Spec.BindOptions")
    propagation = gojson.text(point.get("propagation"), "Propagation")
    return Mount(
        kind=kind,
        source=gojson.text(point.get("name" if kind == "volume" else "source"), "Source"),
        target=gojson.text(point.get("destination"), "Destination") or target,
        read_only=not gojson.flag(point.get("rw"), "RW"),
        # An old API's create request leaves only here that what is below stays writable.
        complete=(asked.complete if asked else True) and not gojson.flag(bind.get("readonlynonrecursive"), "Spec"),
        recursive=asked.recursive if asked else True,
        # The engine makes whatever overlaps its own directory a receiver; that is judged by the path.
        propagates=asked.propagates if asked else propagation in _SHARED,
        named=bool(gojson.text(spec.get("source"), "Spec.Source")),
        driver=gojson.text(point.get("driver"), "Driver"),
        odd=asked.odd if asked else "",
    )


def inspected(shown: Mapping[str, Json]) -> Container:
    """The container that the engine's inspect shows."""
    host = gojson.struct(shown.get("HostConfig"), "HostConfig")
    named = {mount.source for mount in asked_mounts(host) if mount.kind == "volume"}
    points = {}
    for one in gojson.items(shown.get("Mounts"), "Mounts"):
        name, source = one.get("Name"), one.get("Source")
        asked = source if one.get("Type") != "volume" else name if name in named else ""
        points[str(one.get("Destination"))] = {**one, "Spec": {"Source": asked}}  # which inspect leaves out
    return recorded({**shown, "ID": shown.get("Id"), "MountPoints": points}, host, None)


# --- networks -------------------------------------------------------------------------------------------------------

# What the engine fills in, or an address that leads nobody anywhere.
_OF_THE_ENGINE = gojson.keys(
    "aliases networkid endpointid gateway ipaddress ipprefixlen ipv6gateway globalipv6address globalipv6prefixlen "
    "macaddress dnsnames ipamoperational desiredmacaddress"
)


def _asked_endpoints(config: Mapping[str, Json], host: Mapping[str, Json]) -> tuple[Endpoint, ...]:
    """The network that the host configuration names, and those that the request sets up."""
    networking = gojson.struct(config.get("networkingconfig"), "NetworkingConfig")
    given = gojson.mapping(networking.get("endpointsconfig"), "EndpointsConfig")
    mode = gojson.text(host.get("networkmode"), "NetworkMode")
    plain = [Endpoint(mode)] if mode not in given and not mode.startswith(("container:", "ns:")) else []
    return (*plain, *(endpoint(name, one) for name, one in given.items()))


def endpoint(network: str, value: Json, identity: str = "") -> Endpoint:
    """A container's place in a network. Older engines add the start of its id to its names."""
    chosen = gojson.struct(value, "EndpointsConfig")
    aliases = gojson.texts(chosen.get("aliases"), "Aliases")
    odd = next((key for key, one in chosen.items() if key not in _OF_THE_ENGINE and not _is_nothing(one)), "")
    return Endpoint(network, tuple(one for one in aliases if one != identity[:12]), odd)


def _is_nothing(value: Json) -> bool:
    """Also an object of which every part is nothing: what clients send of addresses that nobody asked for."""
    return value in NOTHING or (isinstance(value, dict) and all(map(_is_nothing, value.values())))


def _recorded_endpoints(config_v2: Mapping[str, Json], identity: str) -> tuple[Endpoint, ...]:
    settings = gojson.struct(config_v2.get("NetworkSettings"), "NetworkSettings")
    networks = gojson.mapping(settings.get("networks"), "Networks")
    return tuple(endpoint(name, one, identity) for name, one in networks.items())


# --- mounts ---------------------------------------------------------------------------------------------------------


def asked_mounts(host: Mapping[str, Json]) -> tuple[Mount, ...]:
    """The mounts of a host configuration (by folded key) as they were asked for."""
    return (*_binds(host), *_mounts(host))


def _binds(host: Mapping[str, Json]) -> list[Mount]:
    driver = gojson.text(host.get("volumedriver"), "VolumeDriver")
    return [_bind(spec, driver) for spec in gojson.texts(host.get("binds"), "Binds")]


def _bind(spec: str, driver: str) -> Mount:
    parts = spec.split(":")
    if len(parts) == 1:
        return Mount("volume", "", spec, named=False)
    if len(parts) > 3 or not parts[0]:
        raise Refused(f"bind {spec!r} cannot be read", "SOURCE:TARGET[:ro]")
    modes = frozenset(filter(None, parts[2].split(","))) if len(parts) == 3 else frozenset()
    unknown = sorted(modes - _BIND_WORDS - _SHARED)
    kind = "bind" if parts[0].startswith("/") else "volume"
    return Mount(
        kind,
        parts[0],
        parts[1],
        read_only="ro" in modes,
        propagates=bool(modes & _SHARED),
        copies="nocopy" not in modes,
        driver=driver if kind == "volume" else "",
        odd=f"mode {unknown[0]!r}" if unknown else ("mode 'Z'" if modes & {"Z", "z"} else ""),
    )


def _mounts(host: Mapping[str, Json]) -> list[Mount]:
    return [_mount(gojson.struct(one, "Mounts")) for one in gojson.items(host.get("mounts"), "Mounts")]


def _mount(one: Mapping[str, Json]) -> Mount:
    kind, source = gojson.text(one.get("type"), "Type"), gojson.text(one.get("source"), "Source")
    known = _MOUNT_KEYS | {"imageoptions"} if kind == "image" else _MOUNT_KEYS
    for key, value in one.items():
        if key not in known and value not in NOTHING:
            raise Refused(f"unknown key {key!r} in a mount")
    if kind not in ("bind", "volume", "tmpfs", "image"):
        raise Refused(f"a mount of type {kind!r}", "use bind, volume, tmpfs or image")
    bind = gojson.struct(one.get("bindoptions"), "BindOptions")
    volume = gojson.struct(one.get("volumeoptions"), "VolumeOptions")
    driver = gojson.struct(volume.get("driverconfig"), "DriverConfig")
    return Mount(
        kind,
        source,
        gojson.text(one.get("target"), "Target"),
        read_only=gojson.flag(one.get("readonly"), "ReadOnly") or kind == "image",  # the engine has it so
        complete=not gojson.flag(bind.get("readonlynonrecursive"), "ReadOnlyNonRecursive"),
        recursive=not gojson.flag(bind.get("nonrecursive"), "NonRecursive"),
        propagates=gojson.text(bind.get("propagation"), "Propagation") in _SHARED,
        named=bool(source),
        copies=not gojson.flag(volume.get("nocopy"), "NoCopy"),
        driver=gojson.text(driver.get("name"), "DriverConfig.Name"),
        options=gojson.text_map(driver.get("options"), "DriverConfig.Options"),
        odd=f"subpath {volume['subpath']!r}" if volume.get("subpath") else _odd_tmpfs(one),
    )


def _odd_tmpfs(one: Mapping[str, Json]) -> str:
    """Options of a tmpfs come as lists of a name and its value (API 1.46)."""
    said = gojson.items(gojson.struct(one.get("tmpfsoptions"), "TmpfsOptions").get("options"), "Options")
    unknown = volume_options.unknown_of_tmpfs("=".join(gojson.texts(words, "Options")) for words in said)
    return f"tmpfs option {unknown[:60]!r}" if unknown else ""


def _anonymous(config: Mapping[str, Json]) -> list[Mount]:
    return [Mount("volume", "", target, named=False) for target in gojson.mapping(config.get("volumes"), "Volumes")]


def _volumes_from(host: Mapping[str, Json]) -> tuple[tuple[str, bool], ...]:
    """(container, read-only) of each `VolumesFrom`."""
    found = []
    for spec in gojson.texts(host.get("volumesfrom"), "VolumesFrom"):
        name, _, mode = spec.partition(":")
        found.append((name, "ro" in mode.split(",")))
    return tuple(found)
