"""The engine's own files as look-ups: volumes from its database, containers from their directories.

A module of its own because it is the layer that reads; nothing here decides. What has not changed is not read again.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from ledgerguard.api.containers import parse_engine_files
from ledgerguard.lookups import bolt_file, host_paths
from ledgerguard.lookups.engine_api import EngineApi
from ledgerguard.model import Container, Exec, Image, Volume
from ledgerguard.refusal import LookupFailed, Refusal

KEPT_IMAGES, KEPT_VOLUMES, KEPT_NETWORKS = 200, 2000, 200
RECURSIVE_SINCE_ENGINE, RECURSIVE_SINCE_KERNEL = 25, (5, 12)
Stamp = tuple[int, int, int]


def read_stamp(path: str) -> Stamp:
    """What changes when a file is replaced: the engine writes its files aside and renames them."""
    status = os.stat(path)  # noqa: PTH116 a Path costs ten times the call, and there are two for each container
    return status.st_ino, status.st_mtime_ns, status.st_size


@dataclass
class EngineFiles:
    """Look-ups of one engine. Safe for threads: a decision sees either what was kept or reads for itself."""

    data_root: Path
    api: EngineApi
    _database: bolt_file.BucketReader = field(init=False)
    _volumes: tuple[int, int, dict[str, Volume]] | None = None
    _containers: dict[str, tuple[Stamp, Stamp, Container]] = field(default_factory=dict)
    _images: dict[str, Image] = field(default_factory=dict)
    _networks: dict[str, str] = field(default_factory=dict)
    _version: str = ""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self._database = bolt_file.BucketReader(self.data_root / "volumes/metadata.db", b"volumes")

    # --- volumes ----------------------------------------------------------------------------------------------------

    def volumes(self) -> Mapping[str, Volume]:
        """All volumes; also directories the engine would take for volumes though their record is lost."""
        try:
            with self._lock:
                records, changed = self._database.read(), read_stamp(f"{self.data_root}/volumes")[1]
                cached = self._volumes
                if cached is None or cached[0] != id(records) or cached[1] != changed:
                    cached = (id(records), changed, self._known(records))
                    self._volumes = cached
                return cached[2]
        except (OSError, bolt_file.BoltError, ValueError) as error:
            return self._asked(error)

    def _known(self, records: Mapping[bytes, bytes]) -> dict[str, Volume]:
        directories = (entry for entry in os.scandir(self.data_root / "volumes") if entry.is_dir(follow_symlinks=False))
        unrecorded = {
            directory.name: self._unrecorded(directory.name)
            for directory in directories
            if directory.name.encode() not in records
        }
        return {**unrecorded, **{key.decode(): _parse_volume(key.decode(), value) for key, value in records.items()}}

    def _unrecorded(self, name: str) -> Volume:
        try:
            document = json.loads((self.data_root / "volumes" / name / "opts.json").read_text())
        except FileNotFoundError:
            return Volume(name)
        return Volume(name, options=_parse_options_file(document))

    def _asked(self, error: Exception) -> Mapping[str, Volume]:
        """The engine itself, where its database cannot be read."""
        try:
            answer = self.api.get("/volumes")
        except LookupFailed as api_error:
            raise LookupFailed(f"volumes: {error}; {api_error}") from error
        return {
            volume["Name"]: Volume(
                volume["Name"], volume["Driver"], volume.get("Labels") or {}, volume.get("Options") or {}
            )
            for volume in (answer or {}).get("Volumes") or ()
        }

    # --- containers -------------------------------------------------------------------------------------------------

    def containers(self, reference: str) -> tuple[Container, ...]:
        containers = self.all_containers()
        reference = reference.lstrip("/")
        return tuple(
            container for container in containers if container.id.startswith(reference) or container.name == reference
        )

    def all_containers(self) -> tuple[Container, ...]:
        """Every container as its files say. Raises LookupFailed."""
        try:
            names = [entry.name for entry in os.scandir(self.data_root / "containers")]
        except FileNotFoundError:
            names = []
        except OSError as error:
            raise LookupFailed(f"containers: {error}") from error
        with self._lock:
            self._containers = {name: cached for name, cached in self._containers.items() if name in names}
            containers = [self._container(name) for name in names]
        return tuple(container for container in containers if container is not None)

    def _container(self, name: str) -> Container | None:
        files = tuple(f"{self.data_root}/containers/{name}/{file}" for file in ("config.v2.json", "hostconfig.json"))
        try:
            stamps = read_stamp(files[0]), read_stamp(files[1])
            cached = self._containers.get(name)
            if cached and cached[:2] == stamps:
                return cached[2]
            container = _parse_container(*(json.loads(Path(file).read_text()) for file in files))
        except FileNotFoundError:  # being made, or being removed
            return None
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise LookupFailed(f"container {name[:12]}: {error}") from error
        self._containers[name] = (*stamps, container)
        return container

    # --- images, commands, the engine -------------------------------------------------------------------------------

    def image(self, reference: str) -> Image | None:
        cached = self._images.get(reference)  # only ids are kept: a tag moves
        if cached:
            return cached
        image = self.api.image(reference)
        if image:
            if len(self._images) >= KEPT_IMAGES:
                self._images.clear()
            self._images[image.id] = image
        return image

    def execution(self, exec_id: str) -> Exec | None:
        return self.api.execution(exec_id)

    def network(self, reference: str) -> str:
        if reference not in self._networks:  # only full ids are kept: they are never given twice, nor renamed
            network = self.api.network(reference)
            if network is None:
                return ""
            if len(self._networks) >= KEPT_NETWORKS:
                self._networks.clear()
            self._networks[network[0]] = network[1]
            return network[1]
        return self._networks[reference]

    def runtimes(self) -> tuple[str, ...]:
        return self.api.runtimes()

    def recursive_read_only(self) -> bool:
        if not self._version:
            self._version = self.api.version()
        major = self._version.partition(".")[0]
        kernel = tuple(int(part) for part in os.uname().release.split("-")[0].split(".")[:2])
        return major.isdigit() and int(major) >= RECURSIVE_SINCE_ENGINE and kernel >= RECURSIVE_SINCE_KERNEL

    # --- the host's paths -------------------------------------------------------------------------------------------

    def real_path(self, path: str) -> str:
        return host_paths.real_path(path)

    def submounts(self, path: str) -> tuple[str, ...]:
        return host_paths.submounts(path)

    def locations(self, paths: tuple[str, ...]) -> tuple[str, ...]:
        return host_paths.locations(paths)

    def file_systems(self, path: str) -> tuple[tuple[str, str], ...]:
        return host_paths.file_systems(path)

    def exists(self, path: str) -> bool:
        return host_paths.exists(path)

    def is_empty(self, path: str) -> bool:
        return host_paths.is_empty(path)

    def only_root_changes(self, path: str) -> bool:
        return host_paths.only_root_changes(path)


def _parse_container(config: dict[str, Any], host: dict[str, Any]) -> Container:
    """The container of its two files. One that holds what the guard does not know concerns itself alone."""
    try:
        return parse_engine_files(config, host, None)
    except Refusal as error:
        name, identity = str(config["Name"]).lstrip("/"), str(config["ID"])
        fault = f"container {name} cannot be judged: {error}"
        return Container(name, "", (), (), "", (), "", (), (), {}, id=identity, fault=fault)


@lru_cache(maxsize=KEPT_VOLUMES)
def _parse_volume(name: str, content: bytes) -> Volume:
    record = json.loads(content)
    return Volume(name, record.get("Driver") or "local", record.get("Labels") or {}, record.get("Options") or {})


def _parse_options_file(document: object) -> dict[str, str]:
    """The local driver's own file, of keys that other versions write in other case."""
    names = {"mounttype": "type", "mountopts": "o", "mountdevice": "device"}
    pairs = document.items() if isinstance(document, dict) else ()
    return {names[key.casefold()]: str(content) for key, content in pairs if key.casefold() in names and content}
