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
from ledgerguard.refusal import Refusal

_CONFIG_KEYS = (
    "hostname domainname user attachstdin attachstdout attachstderr exposedports tty openstdin stdinonce env cmd "
    "healthcheck argsescaped image volumes workingdir entrypoint networkdisabled macaddress onbuild labels stopsignal "
    "stoptimeout hostconfig networkingconfig platform"  # not shell: health checks would run by it
)
CONFIG_KEYS = frozenset(_CONFIG_KEYS.split())
_BIND_WORDS = frozenset({"rw", "private", "delegated", "rprivate", "Z", "cached", "consistent", "nocopy", "ro", "z"})
FindImage = Callable[[str, tuple[Mount, ...]], Image | None]
_SHARED = frozenset({"shared", "rshared", "slave", "rslave"})
_MOUNT_KEYS = frozenset(
    {"type", "source", "target", "readonly", "consistency", "bindoptions", "volumeoptions", "tmpfsoptions"}
)


def parse_create_request(name: str, body: bytes, find_image: FindImage) -> Container:
    """The container that a create request asks for. `image_of(reference, mounts)` gives the Image, None if unknown."""
    config = gojson.struct(gojson.parse(body), "the body")
    for key, value in config.items():
        if key not in CONFIG_KEYS and value not in NOTHING:  # 20.10 reads host configuration at the top level too
            raise Refusal(f"unknown key {key!r} in the container's configuration", "put it below HostConfig")
    host = gojson.struct(config.get("hostconfig"), "HostConfig")
    reference = gojson.text(config.get("image"), "Image")
    mounts = (*parse_mounts(host), *_parse_anonymous_volumes(config))
    container = _build_container(name, config, host, find_image(reference, mounts), mounts)
    return replace(container, endpoints=_parse_requested_endpoints(config, host))


def _build_container(
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
        volumes_from=_parse_volumes_from(host),
        config=config,
    )


def parse_engine_files(config_v2: Mapping[str, Json], hostconfig: Mapping[str, Json], image: Image | None) -> Container:
    """The container of the engine's files `config.v2.json` and `hostconfig.json`."""
    config = gojson.struct(config_v2.get("Config"), "Config")
    host = gojson.struct(hostconfig, "HostConfig")
    state = gojson.struct(config_v2.get("State"), "State")
    mount_points = gojson.mapping(config_v2.get("MountPoints"), "MountPoints")
    requested = {posixpath.normpath(mount.target): mount for mount in parse_mounts(host)}
    mounts = tuple(
        _parse_mount_point(target, gojson.struct(point, target), requested.get(target))
        for target, point in mount_points.items()
    )
    name = gojson.text(config_v2.get("Name"), "Name").lstrip("/")
    identity = gojson.text(config_v2.get("ID"), "ID")
    return replace(
        _build_container(name, config, host, image, mounts),
        id=identity,
        image=gojson.text(config_v2.get("Image"), "Image"),
        running=gojson.flag(state.get("running"), "Running"),
        volumes_from=(),  # they stand among the mount points now
        endpoints=_parse_recorded_endpoints(config_v2, identity),
        is_recorded=True,
    )


def _parse_mount_point(target: str, point: Mapping[str, Json], request: Mount | None) -> Mount:
    kind = gojson.text(point.get("type"), "Type") or ("volume" if point.get("name") else "bind")
    spec = gojson.struct(point.get("spec"), "Spec")
    bind = gojson.struct(spec.get("bindoptions"), "Spec.BindOptions")
    propagates = gojson.text(point.get("propagation"), "Propagation") in _SHARED
    requested = request or Mount(kind, "", target, propagates=propagates)
    return Mount(
        kind=kind,
        source=gojson.text(point.get("name" if kind == "volume" else "source"), "Source"),
        target=gojson.text(point.get("destination"), "Destination") or target,
        read_only=not gojson.flag(point.get("rw"), "RW"),
        # An old API's create request leaves only here that what is below stays writable.
        complete=requested.complete and not gojson.flag(bind.get("readonlynonrecursive"), "Spec"),
        recursive=requested.recursive,
        # The engine makes whatever overlaps its own directory a receiver; that is judged by the path.
        propagates=requested.propagates,
        is_named=bool(gojson.text(spec.get("source"), "Spec.Source")),
        driver=gojson.text(point.get("driver"), "Driver"),
        unsupported=requested.unsupported,
    )


def parse_inspect(document: Mapping[str, Json]) -> Container:
    """The container that the engine's inspect shows."""
    host = gojson.struct(document.get("HostConfig"), "HostConfig")
    volume_names = {mount.source for mount in parse_mounts(host) if mount.kind == "volume"}
    mount_points = {}
    for entry in gojson.items(document.get("Mounts"), "Mounts"):
        name, source = entry.get("Name"), entry.get("Source")
        requested = source if entry.get("Type") != "volume" else name if name in volume_names else ""
        mount_points[str(entry.get("Destination"))] = {
            **entry,
            "Spec": {"Source": requested},
        }  # which inspect leaves out
    return parse_engine_files({**document, "ID": document.get("Id"), "MountPoints": mount_points}, host, None)


# --- networks -------------------------------------------------------------------------------------------------------

# What the engine fills in, or an address that leads nobody anywhere.
_ENGINE_ENDPOINT_KEYS = gojson.split_keys(
    "aliases networkid endpointid gateway ipaddress ipprefixlen ipv6gateway globalipv6address globalipv6prefixlen "
    "macaddress dnsnames ipamoperational desiredmacaddress"
)


def _parse_requested_endpoints(config: Mapping[str, Json], host: Mapping[str, Json]) -> tuple[Endpoint, ...]:
    """The network that the host configuration names, and those that the request sets up."""
    networking = gojson.struct(config.get("networkingconfig"), "NetworkingConfig")
    settings = gojson.mapping(networking.get("endpointsconfig"), "EndpointsConfig")
    mode = gojson.text(host.get("networkmode"), "NetworkMode")
    default = [Endpoint(mode)] if mode not in settings and not mode.startswith(("container:", "ns:")) else []
    return (*default, *(parse_endpoint(name, endpoint) for name, endpoint in settings.items()))


def parse_endpoint(network: str, settings: Json, identity: str = "") -> Endpoint:
    """A container's place in a network. Older engines add the start of its id to its names."""
    fields = gojson.struct(settings, "EndpointsConfig")
    aliases = gojson.texts(fields.get("aliases"), "Aliases")
    unknown = next(
        (key for key, content in fields.items() if key not in _ENGINE_ENDPOINT_KEYS and not _is_blank(content)), ""
    )
    return Endpoint(network, tuple(alias for alias in aliases if alias != identity[:12]), unknown)


def _is_blank(content: Json) -> bool:
    """Also an object of which every part is nothing: what clients send of addresses that nobody asked for."""
    return content in NOTHING or (isinstance(content, dict) and all(map(_is_blank, content.values())))


def _parse_recorded_endpoints(config_v2: Mapping[str, Json], identity: str) -> tuple[Endpoint, ...]:
    settings = gojson.struct(config_v2.get("NetworkSettings"), "NetworkSettings")
    networks = gojson.mapping(settings.get("networks"), "Networks")
    return tuple(parse_endpoint(name, endpoint, identity) for name, endpoint in networks.items())


# --- mounts ---------------------------------------------------------------------------------------------------------


def parse_mounts(host: Mapping[str, Json]) -> tuple[Mount, ...]:
    """The mounts of a host configuration (by folded key) as they were asked for."""
    return (*_parse_binds(host), *_parse_mount_objects(host))


def _parse_binds(host: Mapping[str, Json]) -> list[Mount]:
    driver = gojson.text(host.get("volumedriver"), "VolumeDriver")
    return [_parse_bind(spec, driver) for spec in gojson.texts(host.get("binds"), "Binds")]


def _parse_bind(spec: str, driver: str) -> Mount:
    parts = spec.split(":")
    if len(parts) == 1:
        return Mount("volume", "", spec, is_named=False)
    if len(parts) > 3 or not parts[0]:
        raise Refusal(f"bind {spec!r} cannot be read", "SOURCE:TARGET[:ro]")
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
        unsupported=f"mode {unknown[0]!r}" if unknown else ("mode 'Z'" if modes & {"Z", "z"} else ""),
    )


def _parse_mount_objects(host: Mapping[str, Json]) -> list[Mount]:
    return [_parse_mount(gojson.struct(mount, "Mounts")) for mount in gojson.items(host.get("mounts"), "Mounts")]


def _parse_mount(fields: Mapping[str, Json]) -> Mount:
    kind, source = gojson.text(fields.get("type"), "Type"), gojson.text(fields.get("source"), "Source")
    known_keys = _MOUNT_KEYS | {"imageoptions"} if kind == "image" else _MOUNT_KEYS
    for key, value in fields.items():
        if key not in known_keys and value not in NOTHING:
            raise Refusal(f"unknown key {key!r} in a mount")
    if kind not in ("bind", "volume", "tmpfs", "image"):
        raise Refusal(f"a mount of type {kind!r}", "use bind, volume, tmpfs or image")
    bind = gojson.struct(fields.get("bindoptions"), "BindOptions")
    volume = gojson.struct(fields.get("volumeoptions"), "VolumeOptions")
    driver = gojson.struct(volume.get("driverconfig"), "DriverConfig")
    return Mount(
        kind,
        source,
        gojson.text(fields.get("target"), "Target"),
        read_only=gojson.flag(fields.get("readonly"), "ReadOnly") or kind == "image",  # the engine has it so
        complete=not gojson.flag(bind.get("readonlynonrecursive"), "ReadOnlyNonRecursive"),
        recursive=not gojson.flag(bind.get("nonrecursive"), "NonRecursive"),
        propagates=gojson.text(bind.get("propagation"), "Propagation") in _SHARED,
        is_named=bool(source),
        copies=not gojson.flag(volume.get("nocopy"), "NoCopy"),
        driver=gojson.text(driver.get("name"), "DriverConfig.Name"),
        options=gojson.text_map(driver.get("options"), "DriverConfig.Options"),
        unsupported=f"subpath {volume['subpath']!r}" if volume.get("subpath") else _find_unknown_tmpfs_option(fields),
    )


def _find_unknown_tmpfs_option(fields: Mapping[str, Json]) -> str:
    """Options of a tmpfs come as lists of a name and its value (API 1.46)."""
    pairs = gojson.items(gojson.struct(fields.get("tmpfsoptions"), "TmpfsOptions").get("options"), "Options")
    unknown = volume_options.find_unknown_tmpfs_option("=".join(gojson.texts(words, "Options")) for words in pairs)
    return f"tmpfs option {unknown[:60]!r}" if unknown else ""


def _parse_anonymous_volumes(config: Mapping[str, Json]) -> list[Mount]:
    return [Mount("volume", "", target, is_named=False) for target in gojson.mapping(config.get("volumes"), "Volumes")]


def _parse_volumes_from(host: Mapping[str, Json]) -> tuple[tuple[str, bool], ...]:
    """(container, read-only) of each `VolumesFrom`."""
    sources = []
    for spec in gojson.texts(host.get("volumesfrom"), "VolumesFrom"):
        name, _, mode = spec.partition(":")
        sources.append((name, "ro" in mode.split(",")))
    return tuple(sources)
