"""Finds in a compose file what would put protected data at risk.

A module of its own because it is pure: text in, findings out, each with its line. The file is parsed as YAML with the
places of its nodes kept; variables count with the defaults that the file gives them and with what `.env` beside it
says. What cannot be known that way is a finding too (`unknown`), never a pass.
"""

from __future__ import annotations

import itertools
import os.path
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import yaml

PROTECT, SCRATCH = "com.ledgerflow.protect", "com.ledgerflow.scratch"
DATABASES = (
    "postgres", "postgresql", "postgis", "timescaledb", "pgvector", "pgbouncer", "mysql", "mariadb", "percona",
    "redis", "valkey", "keydb", "dragonfly", "mongo", "mongodb", "memcached", "elasticsearch", "opensearch",
    "cassandra", "scylla", "couchdb", "clickhouse", "clickhouse-server", "influxdb", "neo4j", "cockroach", "mssql",
    "etcd",
)  # fmt: skip
DATABASE_PORTS = frozenset({
    1433, 1521, 2379, 3306, 5432, 5433, 5984, 6379, 6432, 7474, 7687, 8086, 8123, 9042, 9200, 11211, 26257, 27017,
    33060,
})  # fmt: skip
SOCKETS = ("/run/docker.sock", "/var/run/docker.sock", "/run/containerd/containerd.sock")
HOST_PATHS = (
    "/var/lib/docker",
    "/var/lib/containerd",
    "/etc/ledgerguard",
)  # beside the data: the engine's and the guard's own
_VARIABLE = re.compile(
    r"\$(?:(\$)|([A-Za-z_]\w*)|\{([A-Za-z_]\w*)(?:(:?[-?+])((?:[^{}]|\{[^{}]*\}|\$\{[^{}]*\})*))?\})"
)
_UNKNOWN = "\N{REPLACEMENT CHARACTER}"  # stands for a value that the file does not tell


@dataclass(frozen=True)
class Rules:
    """What is protected: volumes by the engine's name, directories of the host."""

    volumes: frozenset[str] = frozenset()
    paths: tuple[str, ...] = ()


@dataclass(frozen=True)
class Finding:
    """One thing wrong: its id, place, what, and how it is mended. `unknown`: it could not be checked."""

    id: str
    where: str
    line: int
    what: str
    hint: str
    unknown: bool = False

    @property
    def text(self) -> str:
        """For people."""
        return f"{self.where}:{self.line}: {self.what} [{self.id}]\nHINT: {self.hint}"


@dataclass(frozen=True)
class Mount:
    """One line of a service's volumes. `kind`: bind, volume, tmpfs or other."""

    kind: str
    source: str
    target: str
    read_only: bool
    line: int


@dataclass
class Compose:
    """One compose file while it is looked at."""

    where: str
    directory: str
    rules: Rules
    variables: Mapping[str, str]
    findings: list[Finding] = field(default_factory=list)
    project: str = ""
    names: dict[str, str] = field(default_factory=dict)  # key → the engine's name of it
    protected: set[str] = field(default_factory=set)  # keys

    def add(self, problem: str, line: int, text: str, hint: str, unknown: bool = False) -> None:
        """Notes a finding."""
        self.findings.append(Finding(f"compose.{problem}", self.where, line, text, hint, unknown))

    def text(self, node: yaml.Node | None) -> str:
        """A scalar with its variables put in; an unknown one leaves a mark."""
        return interpolate(node.value, self.variables) if isinstance(node, yaml.ScalarNode) else ""


def check_text(
    text: str, file_name: str, directory: str, rules: Rules, variables: Mapping[str, str] | None = None
) -> list[Finding]:
    """Everything wrong with one compose file; `directory` is what its relative paths start from."""
    compose = Compose(file_name, directory, rules, variables or {})
    try:
        documents = [node for node in yaml.compose_all(text, Loader=yaml.SafeLoader) if node is not None]
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 1 if mark else 1
        compose.add("unreadable", line, f"not YAML: {getattr(error, 'problem', error)}", "docker compose config", True)
        return compose.findings
    for document in documents:
        if isinstance(document, yaml.MappingNode):
            _document(compose, document)
        else:
            compose.add(
                "unreadable", line_of(document), "no mapping, so no compose project", "docker compose config", True
            )
    return compose.findings


def _document(compose: Compose, document: yaml.MappingNode) -> None:
    top = entries(document)
    compose.project = compose.text(top.get("name")) or PurePosixPath(compose.directory).name
    for key, node in entries(top.get("volumes")).items():
        _volume(compose, key, node, _key_line(top.get("volumes"), key))
    for name, service in entries(top.get("services")).items():
        _service(compose, name, entries(service), _key_line(top.get("services"), name))


# --- volumes --------------------------------------------------------------------------------------------------------


def _volume(compose: Compose, key: str, node: yaml.Node, line: int) -> None:
    attributes = entries(node)
    legacy = entries(attributes.get("external"))
    external = bool(legacy) or is_true(compose.text(attributes.get("external")))
    name = (
        compose.text(attributes.get("name"))
        or compose.text(legacy.get("name"))
        or (key if external else f"{compose.project}_{key}")
    )
    labels = labels_of(compose, attributes.get("labels"))
    compose.names[key] = name
    if name in compose.rules.volumes or is_true(labels.get(PROTECT, "")):
        compose.protected.add(key)
    if _UNKNOWN in name:
        compose.add("unknown", line, f"volume {key}: its name is not told by this file", _default_hint("name"), True)
    if external:
        return
    if key in compose.protected:
        problem = f"volume {key}: {name} is protected, but this project owns it: its `down --volumes` removes it"
        hint = (
            f"write `{key}: {{external: true, name: {name}}}`; role protected_volume or docker volume create makes it"
        )
        compose.add("external", line, problem, hint)
    elif not is_true(labels.get(SCRATCH, "")) and not _in_memory(compose, attributes):
        problem = (
            f"volume {key}: {name} has neither label {PROTECT} nor {SCRATCH}: nobody knows whether its data counts"
        )
        hint = f'label it {SCRATCH}: "true" if nothing in it is kept; else make it with {PROTECT}=true, and external'
        compose.add("label", line, problem, hint)
    options = entries(attributes.get("driver_opts"))
    if "bind" in compose.text(options.get("o")).split(","):
        device = compose.text(options.get("device"))
        _host_path(compose, f"volume {key}", device, False, line_of(options["device"]) if "device" in options else line)


def _in_memory(compose: Compose, attributes: Mapping[str, yaml.Node]) -> bool:
    return compose.text(entries(attributes.get("driver_opts")).get("type")) == "tmpfs"


def labels_of(compose: Compose, node: yaml.Node | None) -> dict[str, str]:
    """Labels, given as a mapping or as a list of NAME=VALUE."""
    if isinstance(node, yaml.SequenceNode):
        pairs = [compose.text(label).partition("=") for label in node.value]
        return {name: child for name, _, child in pairs}
    return {name: compose.text(child) for name, child in entries(node).items()}


# --- services -------------------------------------------------------------------------------------------------------


def _service(compose: Compose, name: str, service: Mapping[str, yaml.Node], line: int) -> None:
    mounts = list(_mounts(compose, service))
    for mount in mounts:
        _mount(compose, name, mount)
    volumes = [mount for mount in mounts if mount.kind == "volume" and mount.source in compose.protected]
    for volume, cover in itertools.product(volumes, mounts):
        if cover is not volume and is_inside(cover.target, volume.target):
            problem = f"service {name}: {cover.source or 'a mount'} on {cover.target} covers volume {volume.source}"
            hint = f"mount it elsewhere: {volume.target} is the volume's own place"
            compose.add("covered", cover.line, problem, hint)
    _ports(compose, name, service, line)


def _mount(compose: Compose, service: str, mount: Mount) -> None:
    owner = f"service {service}"
    if mount.kind == "bind":
        _host_path(compose, owner, mount.source, mount.read_only, mount.line)
    elif mount.kind == "volume" and not mount.source:
        problem = f"{owner}: a nameless volume on {mount.target}: it has no label, and goes with its container"
        compose.add("label", mount.line, problem, f"name it, or if nothing in it is kept: tmpfs: [{mount.target}]")
    elif mount.kind == "volume" and mount.source not in compose.names and _UNKNOWN not in mount.source:
        problem = f"{owner}: volume {mount.source} is not declared in this file, so its label is not known"
        hint = f"add volumes: {{{mount.source}: {{external: true}}}}, or docker compose config over all files"
        compose.add("unknown", mount.line, problem, hint, True)


def _host_path(compose: Compose, owner: str, source: str, read_only: bool, line: int) -> None:
    if _UNKNOWN in source:
        problem = f"{owner}: the host's path {source.replace(_UNKNOWN, '$…')} is not told by this file"
        compose.add("unknown", line, problem, _default_hint("path"), True)
        return
    for path in _resolved_paths(source, compose.directory):
        if _reaches_socket(path):
            problem = f"{owner}: {path} gives the engine's socket away: whoever has it can remove any volume"
            compose.add("socket", line, problem, "leave it out; no container gets the engine's socket")
            return
        if not read_only and (protected := _protected_path(compose.rules, path)):
            problem = f"{owner}: {source} is bound for writing and reaches {protected}, where protected data is"
            hint = f"mount the volume by its name, or bind another place; to read: {source}:…:ro"
            compose.add("bind", line, problem, hint)
            return


def _reaches_socket(path: str) -> bool:
    return any(path == socket or (path not in ("/", "/var") and is_inside(socket, path)) for socket in SOCKETS)


def _protected_path(rules: Rules, path: str) -> str:
    """The first protected path that this one reaches, or that reaches this one; else ""."""
    places = (*rules.paths, *HOST_PATHS)
    return next((place for place in places if is_inside(path, place) or is_inside(place, path)), "")


def _resolved_paths(source: str, directory: str) -> list[str]:
    """The absolute path, and where it leads if links on this machine change that."""
    path = os.path.normpath(Path(directory) / Path(source).expanduser())
    return list(dict.fromkeys([path, os.path.realpath(path)]))


def is_inside(path: str, directory: str) -> bool:
    """Whether a path is a directory or below it."""
    return PurePosixPath(path).is_relative_to(directory)


def _mounts(compose: Compose, service: Mapping[str, yaml.Node]) -> Iterator[Mount]:
    for node in elements(service.get("volumes")):
        yield _short_mount(compose, node) if isinstance(node, yaml.ScalarNode) else _long_mount(compose, node)
    tmpfs = service.get("tmpfs")
    for node in [tmpfs] if isinstance(tmpfs, yaml.ScalarNode) else elements(tmpfs):
        yield Mount("tmpfs", "", compose.text(node).partition(":")[0], False, line_of(node))


def _short_mount(compose: Compose, node: yaml.Node) -> Mount:
    parts = compose.text(node).split(":")
    line = line_of(node)
    if len(parts) == 1:
        return Mount("volume", "", parts[0], False, line)
    source, target, options = parts[0], parts[1], parts[2].split(",") if len(parts) > 2 else []
    kind = "bind" if source.startswith((".", "/", "~", _UNKNOWN)) or "/" in source else "volume"
    return Mount(kind, source, target, "ro" in options, line)


def _long_mount(compose: Compose, node: yaml.Node) -> Mount:
    attributes = entries(node)
    source, target = (compose.text(attributes.get(key)) for key in ("source", "target"))
    source, target = source or compose.text(attributes.get("src")), target or compose.text(attributes.get("dst"))
    kind = compose.text(attributes.get("type")) or "volume"
    return Mount(kind, source, target, is_true(compose.text(attributes.get("read_only"))), line_of(node))


# --- ports ----------------------------------------------------------------------------------------------------------


def _ports(compose: Compose, name: str, service: Mapping[str, yaml.Node], line: int) -> None:
    image = compose.text(service.get("image"))
    database = is_database(image)
    for node in elements(service.get("ports")):
        inner, port_text = _read_port(compose, node)
        database_ports = [port for port in inner if port in DATABASE_PORTS]
        if database or database_ports:
            reason = image if database else f"port {database_ports[0]}"
            problem = f"service {name}: publishes {port_text} of a database ({reason})"
            hint = "leave `ports` out: others reach it by name on a network they share; by hand: docker exec -it … psql"
            compose.add("port", line_of(node), problem, hint)
        elif not inner:
            compose.add(
                "unknown",
                line_of(node),
                f"service {name}: port {port_text} is not told by this file",
                _default_hint("port"),
                True,
            )
    if database and compose.text(service.get("network_mode")) == "host":
        problem = f"service {name}: network_mode host publishes every port of a database ({image})"
        compose.add("port", line_of(service["network_mode"]), problem, "give it a network of its own")


def is_database(image: str) -> bool:
    """By the image's own name: registry/library/postgres:17 is one, postgres-exporter is not."""
    last = image.partition("@")[0].rpartition("/")[2].partition(":")[0].lower()
    return last in DATABASES


def _read_port(compose: Compose, node: yaml.Node) -> tuple[range | tuple[()], str]:
    """The ports inside the container, and the text as it is written; none where they are not told."""
    port_text = compose.text(entries(node).get("target")) if isinstance(node, yaml.MappingNode) else compose.text(node)
    inner = port_text.partition("/")[0].rpartition(":")[2]
    low, _, high = inner.partition("-")
    port_shown = port_text.replace(_UNKNOWN, "$…")
    if not low.isdecimal() or not (high or low).isdecimal():
        return (), port_shown
    return range(int(low), int(high or low) + 1), port_shown


# --- YAML and variables ---------------------------------------------------------------------------------------------


def entries(node: yaml.Node | None) -> dict[str, yaml.Node]:
    """A mapping's values by key, with what `<<` merges in; empty for anything else."""
    if not isinstance(node, yaml.MappingNode):
        return {}
    by_key: dict[str, yaml.Node] = {}
    for key, child in node.value:
        if key.tag == "tag:yaml.org,2002:merge":
            for merged in [child] if isinstance(child, yaml.MappingNode) else reversed(elements(child)):
                by_key = {**entries(merged), **by_key}
    return {**by_key, **{str(key.value): child for key, child in node.value if key.tag != "tag:yaml.org,2002:merge"}}


def elements(node: yaml.Node | None) -> list[yaml.Node]:
    """A sequence's items; empty for anything else."""
    return list(node.value) if isinstance(node, yaml.SequenceNode) else []


def line_of(node: yaml.Node) -> int:
    """Its first line, counted from 1."""
    return int(node.start_mark.line) + 1


def _key_line(node: yaml.Node | None, name: str) -> int:
    """The line of a key; of the mapping where it came by a merge."""
    pairs = node.value if isinstance(node, yaml.MappingNode) else []
    return next((line_of(key) for key, _ in pairs if str(key.value) == name), line_of(node) if node else 1)


def is_true(text: str) -> bool:
    """YAML's ways to write true, quoted or not."""
    return text.strip().lower() in {"true", "yes", "on", "1"}


def interpolate(text: str, variables: Mapping[str, str]) -> str:
    """A value with compose's variables put in; one that neither the file nor `.env` tells becomes a mark."""

    def value(match: re.Match[str]) -> str:
        escaped, bare, braced, operator, word = match.groups()
        if escaped:
            return "$"
        name = bare or braced
        variable = variables.get(name)
        is_set = variable is not None if operator == "-" else bool(variable)
        if operator in ("-", ":-") and not is_set:
            return interpolate(word, variables)
        if operator in ("+", ":+"):
            return interpolate(word, variables) if is_set else ""
        return _UNKNOWN if variable is None else variable

    return _VARIABLE.sub(value, text)


def read_env(text: str) -> dict[str, str]:
    """NAME=value lines of a `.env` file beside a compose file."""
    pairs = [line.strip().removeprefix("export ").partition("=") for line in text.splitlines()]
    return {
        name.strip(): content.strip().strip("'\"") for name, sign, content in pairs if sign and not name.startswith("#")
    }


def _default_hint(setting: str) -> str:
    return f"give it a default in the file, as in ${{NAME:-the usual {setting}}}, or set it in .env beside it"


def report_text(findings: Sequence[Finding]) -> str:
    """All of them, for people."""
    return "\n".join(finding.text for finding in findings)
