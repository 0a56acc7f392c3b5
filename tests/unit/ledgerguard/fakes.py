"""A host as data: what the engine would know, for decisions without an engine."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ledgerguard.api.request import Request
from ledgerguard.declarations.model import Declarations, DeclaredVolume, Grant, OtherMount, Pattern
from ledgerguard.model import PROTECT, Container, Exec, Image, Mount, Volume
from ledgerguard.refusal import LookupFailed
from ledgerguard.rules.host_areas import HostAreas
from ledgerguard.rules.policy import Policy

IMAGE, OTHER_IMAGE = "sha256:" + "a" * 64, "sha256:" + "b" * 64
OWNER_ID, FOREIGN_ID, READER_ID, PLAIN_ID = (digit * 64 for digit in "1234")
VOLUME, LABELLED, PLAIN, DEVICE = "ledger_dev_db_data", "labelled", "plain", "/srv/ledger/dev/db_data"
TARGET = "/var/lib/postgresql/volume"
CONFIG = "/etc/ledgerflow/ledger-dev/postgres/config"
LABELS = {PROTECT: "true", "com.ledgerflow.environment": "dev"}
OPTIONS = {"type": "none", "o": "bind", "device": DEVICE}
ENTRYPOINT = ("/bin/sh", "/config/start", "postgres-entrypoint")
HEALTH = ("CMD", "pg_isready", "--quiet")
GRANT = Grant(
    "ledger-dev-postgres", (IMAGE,), TARGET, entrypoint=ENTRYPOINT, user="5432:5432", healthcheck=HEALTH,
    environment=("PGDATA",), mounts=(OtherMount(CONFIG, "/config", True),),
    exec=(Pattern(("pg_isready",)), Pattern(("psql", "-c", "*"), user="65534"), Pattern(("pg_dump", "**"))),
)  # fmt: skip
DECLARED = DeclaredVolume(VOLUME, "dev", options=OPTIONS, labels=LABELS, grants=(GRANT,))


def mount(source: str, target: str = "/x", read_only: bool = False, **more: Any) -> Mount:
    kind = "bind" if source.startswith("/") else "volume"
    return Mount(kind, source, target, read_only=read_only, **more)


def container(identity: str, name: str, *mounts: Mount, **more: Any) -> Container:
    made = Container(name, OTHER_IMAGE, (), ("sleep", "9"), "", (), "", (), mounts, {}, id=identity)
    return replace(made, **more)


OWNER = container(
    OWNER_ID,
    GRANT.container,
    mount(VOLUME, TARGET),
    mount(CONFIG, "/config", True),
    image=IMAGE,
    entrypoint=ENTRYPOINT,
    command=(),
    user="5432:5432",
    healthcheck=HEALTH,
    environment=("PGDATA=/x",),
    running=True,
)


@dataclass
class FakeLookups:
    """Look-ups of a made-up host; `broken` makes every one of them fail."""

    volumes_by_name: dict[str, Volume] = field(default_factory=dict)
    all_containers: list[Container] = field(default_factory=list)
    images: dict[str, Image] = field(default_factory=dict)
    execs: dict[str, Exec] = field(default_factory=dict)
    links: dict[str, str] = field(default_factory=dict)
    mounts: tuple[str, ...] = ()
    mounted_again: dict[str, str] = field(default_factory=dict)  # mount point → the directory that is seen there
    networks: dict[str, str] = field(default_factory=dict)  # id → name
    known_runtimes: tuple[str, ...] = ("runc",)
    kinds: dict[str, str] = field(default_factory=dict)  # mount point → type of its file system
    missing: tuple[str, ...] = ()
    recursive: bool = True
    empty: tuple[str, ...] = ()
    swappable: tuple[str, ...] = ("/home/dev",)
    broken: bool = False

    def _fail(self) -> None:
        if self.broken:
            raise LookupFailed("broken on purpose")

    def volumes(self) -> Mapping[str, Volume]:
        self._fail()
        return self.volumes_by_name

    def containers(self, reference: str) -> tuple[Container, ...]:
        self._fail()
        return tuple(one for one in self.all_containers if one.id.startswith(reference) or one.name == reference)

    def image(self, reference: str) -> Image | None:
        self._fail()
        return self.images.get(reference)

    def execution(self, exec_id: str) -> Exec | None:
        self._fail()
        return self.execs.get(exec_id)

    def network(self, reference: str) -> str:
        self._fail()
        return next((name for identity, name in self.networks.items() if identity.startswith(reference)), "")

    def runtimes(self) -> tuple[str, ...]:
        self._fail()
        return self.known_runtimes

    def file_systems(self, path: str) -> tuple[tuple[str, str], ...]:
        above = [point for point in self.kinds if path == point or path.startswith(point + "/")]
        below = [(point, kind) for point, kind in self.kinds.items() if point.startswith(path.rstrip("/") + "/")]
        holder = max(above, key=len, default="/")
        return ((holder, self.kinds.get(holder, "ext4")), *below)

    def exists(self, path: str) -> bool:
        return not path.startswith(self.missing) if self.missing else True

    def real_path(self, path: str) -> str:
        for link, target in self.links.items():
            if path == link or path.startswith(link + "/"):
                return target + path[len(link) :]
        return "/" + path.strip("/")

    def submounts(self, path: str) -> tuple[str, ...]:
        return tuple(one for one in self.mounts if one.startswith(path.rstrip("/") + "/"))

    def locations(self, paths: tuple[str, ...]) -> tuple[str, ...]:
        self._fail()
        return tuple(self._location(path) for path in paths)

    def _location(self, path: str) -> str:
        for point, directory in self.mounted_again.items():
            if path == point or path.startswith(point + "/"):
                return f"8:1:{directory}{path[len(point) :]}"
        return f"8:1:{path}"

    def is_empty(self, path: str) -> bool:
        return path in self.empty

    def recursive_read_only(self) -> bool:
        return self.recursive

    def only_root_changes(self, path: str) -> bool:
        return not path.startswith(self.swappable)


def host() -> FakeLookups:
    """The owner's volume and container, a volume protected by its label alone, foreigners, plain things."""
    image = Image(IMAGE, ("docker-entrypoint",), ("postgres",), "", ("PATH=/bin",))
    volumes = [Volume(VOLUME, labels=LABELS, options=OPTIONS), Volume(LABELLED, labels=LABELS), Volume(PLAIN)]
    return FakeLookups(
        {one.name: one for one in volumes},
        [
            OWNER,
            container(FOREIGN_ID, "foreign", mount(VOLUME)),
            container(READER_ID, "reader", mount(VOLUME, read_only=True)),
            container(PLAIN_ID, "plain", mount(PLAIN)),
            container("7" * 64, "binder", mount(f"{DEVICE}/data")),
            container("9" * 64, "nameless", mount(LABELLED, is_named=False)),
        ],
        {IMAGE: image, "ledgerflow/postgres:1": image, OTHER_IMAGE: Image(OTHER_IMAGE), "alpine": Image(OTHER_IMAGE)},
        {
            "e1": Exec(OWNER_ID, ("pg_isready",)),
            "e2": Exec(OWNER_ID, ("rm", "-rf", TARGET)),
            "e3": Exec(PLAIN_ID, ("rm", "-rf", "/x")),
            "e4": Exec(READER_ID, ("sh",), privileged=True),
        },
        {"/home/dev/link": "/srv/ledger"},
    )


def policy(profile: str = "standard") -> Policy:
    return Policy(Declarations({VOLUME: DECLARED}), profile, HostAreas(guard_directories=("/etc/ledgerguard",)))


def request(method: str, uri: str, body: Any = None, **headers: str) -> Request:
    """As a client sends it; `body` is made JSON unless it is bytes; a header named `x_y` is `x-y`."""
    raw = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
    made = {"content-length": str(len(raw))} | ({"content-type": "application/json"} if raw else {})
    made.update({name.replace("_", "-"): value for name, value in headers.items()})
    return Request(method, uri, {name: value for name, value in made.items() if value != "ABSENT"}, raw)
