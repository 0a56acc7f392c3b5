"""What the inventory says of services, networks, volumes and ports.

A module of its own because the pictures, the tables in docs/architecture.md and the test of reachability must all come
from the one place that the deploy itself reads. Only plain values are evaluated (names, networks, volumes, ports): no
Ansible, no host, no engine.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from jinja2 import StrictUndefined
from jinja2.nativetypes import NativeEnvironment
from jinja2.runtime import Context

from ledgerflow.host.engine import engine_place
from ledgerflow.repository import ROOT

COLOURS = ("blue", "green")
# What a service listens on inside its container, where its image fixes it; the door listens on what it publishes.
# tests/deploy/test_reachability.py holds every container's listening sockets against it.
LISTENS = {
    "postgres": (5432,), "redis-queue": (6379,), "redis-cache": (6379,), "searxng": (8080,), "adminer": (8080,),
    "app-web-blue": (8000,), "app-web-green": (8000,),
}  # fmt: skip

Values = dict[str, Any]


class TopologyError(Exception):
    """The inventory or a role does not say what is needed."""


@dataclass(frozen=True)
class Service:
    """One container: its networks, its volumes by mount target, and what it publishes on the host."""

    name: str
    networks: tuple[str, ...]
    protected: tuple[tuple[str, str], ...] = ()  # (volume, target)
    scratch: tuple[tuple[str, str], ...] = ()
    ports: tuple[str, ...] = ()  # address:port on the host
    binds: tuple[str, ...] = ()  # directories of the host, as compose is given them

    @property
    def listens(self) -> tuple[int, ...]:
        """Ports of its own that others on its networks can open."""
        return LISTENS.get(self.name) or tuple(int(port.rpartition(":")[2]) for port in self.ports)

    def reaches(self, target: Service) -> bool:
        """Whether they share a network."""
        return bool(set(self.networks) & set(target.networks))


@dataclass(frozen=True)
class Topology:
    """One environment's stack."""

    stack: str
    environment: str
    networks: tuple[tuple[str, bool], ...]  # (name, internal)
    services: tuple[Service, ...]
    volumes: tuple[str, ...]  # protected
    scratch_volumes: tuple[str, ...]
    data_root: str

    @property
    def outside(self) -> set[str]:
        """Networks from which the world outside can be reached."""
        return {name for name, internal in self.networks if not internal}


# --- values ---------------------------------------------------------------------------------------------------------


def load(path: Path) -> Values:
    """A file of variables, or none."""
    document = yaml.safe_load(path.read_text()) if path.is_file() else None
    return document if isinstance(document, dict) else {}


class Variables(Mapping[str, Any]):
    """An environment's variables, evaluated when they are asked for."""

    def __init__(self, variables: Values) -> None:
        self._values = variables
        self._templates = NativeEnvironment(undefined=StrictUndefined, autoescape=False)
        self._templates.filters |= {"regex_replace": regex_replace, "bool": is_true, "combine": combine}
        self._templates.filters |= {"engine_place": engine_place, "dirname": dirname}
        self._templates.globals["lookup"] = lambda *_: ""  # a person's environment has no part in this
        self._templates.context_class = self._context()

    def _context(self) -> type[Context]:
        variables = self

        class Lazy(Context):
            def resolve_or_missing(self, key: str) -> Any:
                return variables[key] if key in variables else super().resolve_or_missing(key)

        return Lazy

    def evaluate(self, expression: Any) -> Any:
        """The value with every template in it carried out."""
        if isinstance(expression, str) and "{{" in expression:
            # Ansible keeps the backslash of '\\1' in a template's text; Jinja would take it for an escape.
            return self._templates.from_string(re.sub(r"(?<!\\)\\(?=\d)", r"\\\\", expression.strip())).render()
        if isinstance(expression, list):
            return [self.evaluate(element) for element in expression]
        if isinstance(expression, dict):
            return {self.evaluate(key): self.evaluate(element) for key, element in expression.items()}
        return expression

    def raw(self, name: str) -> Any:
        """The value as it is written."""
        return self._values.get(name)

    def __getitem__(self, name: str) -> Any:
        return self.evaluate(self._values[name])

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)


def regex_replace(text: object, pattern: str, replacement: str) -> str:
    """Ansible's filter of that name, as far as it is used here."""
    return re.sub(pattern, replacement, str(text))


def is_true(setting: object) -> bool:
    """Ansible's filter `bool`."""
    return str(setting).lower() in {"true", "yes", "1"}


def dirname(path: str) -> str:
    """Ansible's filter of that name."""
    return str(Path(path).parent)


def combine(first: Values, *more: Values) -> Values:
    """Ansible's filter of that name, without its options."""
    combined = dict(first)
    for mapping in more:
        combined |= mapping
    return combined


def read_variables(inventory: Path, roles: Path) -> Variables:
    """All variables of an environment in Ansible's order: defaults, inventory, a role's own."""
    variables: Values = {}
    for path in sorted(roles.glob("*/defaults/main.yml")):
        variables |= load(path)
    group = inventory / "group_vars/all"
    for path in [*sorted((group / "00-common").glob("*.yml")), *sorted(group.glob("*.yml"))]:
        variables |= load(path)
    for path in sorted(roles.glob("*/vars/main.yml")):
        variables |= load(path)
    variables["inventory_dir"] = str(inventory)
    schema = variables.get("settings_schema") or {}
    variables["stack_settings"] = {name.lower(): rule.get("default", "") for name, rule in schema.items()}
    return Variables(variables)


# --- services -------------------------------------------------------------------------------------------------------


def make_service(name: str, description: Values, variables: Variables, ports: tuple[str, ...] = ()) -> Service:
    """A service from the parts of its description that matter here."""

    def pairs(key: str) -> tuple[tuple[str, str], ...]:
        return tuple((variables.evaluate(description.get(key)) or {}).items())

    networks = tuple(variables.evaluate(description["networks"]))
    binds = tuple(variables.evaluate(description.get("volumes")) or [])
    return Service(name, networks, pairs("protected"), pairs("mounts"), ports, binds)


def single_service(role: str, variables: Variables) -> list[Service]:
    """The service of a role that describes just one."""
    description = variables.raw(f"__{role}_description")
    if not description:
        raise TopologyError(f"roles/{role}/vars/main.yml: no __{role}_description")
    ports = tuple(variables.evaluate(description.get("ports")) or [])
    published = tuple(port.rpartition(":")[0] for port in ports)
    return [make_service(role, description, variables, published)]


def redis_services(variables: Variables) -> list[Service]:
    """Queue and cache."""
    return [
        Service(
            name=instance["name"],
            networks=(variables["redis_network"],),
            protected=((instance["volume"], "/data"),) if "volume" in instance else (),
        )
        for instance in variables["redis_instances"]
    ]


def app_services(variables: Variables) -> list[Service]:
    """The web process in both colours, of which one runs, and the other processes."""
    common = {"protected": variables.raw("app_protected"), "volumes": variables.raw("app_volumes")}
    name = variables["app_name"]
    web, processes = variables.raw("app_web"), variables.raw("app_processes")
    services = [make_service(f"{name}-web-{colour}", {**common, **web}, variables) for colour in COLOURS]
    return services + [
        make_service(f"{name}-{process['name']}", {**common, **process}, variables) for process in processes
    ]


# Roles that run more than one container; every other one describes its own.
MANY: dict[str, Callable[[Variables], list[Service]]] = {"redis": redis_services, "app": app_services}


def read_topology(environment: str, root: Path = ROOT) -> Topology:
    """The topology of inventory/<environment>; of its example where there is only that."""
    folder = root / "inventory" / environment
    variables = read_variables(folder if folder.is_dir() else folder.with_suffix(".example"), root / "roles")
    services: list[Service] = []
    for role in variables["stack_service_roles"]:
        services += MANY[role](variables) if role in MANY else single_service(role, variables)
    volumes = {key: variables[f"protected_volume_{key}"] for key in ("items", "scratch_items")}
    return Topology(
        stack=variables["stack_name"],
        environment=variables["ledger_env"],
        networks=tuple((network["name"], bool(network["internal"])) for network in variables["networks_items"]),
        services=tuple(services),
        volumes=tuple(network["name"] for network in volumes["items"]),
        scratch_volumes=tuple(network["name"] for network in volumes["scratch_items"]),
        data_root=variables["stack_data_root"],
    )
