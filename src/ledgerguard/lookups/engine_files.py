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

from ledgerguard.api.containers import recorded
from ledgerguard.lookups import bolt_file, host_paths
from ledgerguard.lookups.engine_api import EngineApi
from ledgerguard.model import Container, Exec, Image, Volume
from ledgerguard.refusal import LookupFailed, Refused

KEPT_IMAGES, KEPT_VOLUMES, KEPT_NETWORKS = 200, 2000, 200
RECURSIVE_SINCE_ENGINE, RECURSIVE_SINCE_KERNEL = 25, (5, 12)
Stamp = tuple[int, int, int]


def stamp_of(path: str) -> Stamp:
    """What changes when a file is replaced: the engine writes its files aside and renames them."""
    status = os.stat(path)  # noqa: PTH116 a Path costs ten times the call, and there are two for each container
    return status.st_ino, status.st_mtime_ns, status.st_size


@dataclass
class EngineFiles:
    """Look-ups of one engine. Safe for threads: a decision sees either what was kept or reads for itself."""

    data_root: Path
    api: EngineApi
    _database: bolt_file.Reader = field(init=False)
    _volumes: tuple[int, int, dict[str, Volume]] | None = None
    _containers: dict[str, tuple[Stamp, Stamp, Container]] = field(default_factory=dict)
    _images: dict[str, Image] = field(default_factory=dict)
    _networks: dict[str, str] = field(default_factory=dict)
    _version: str = ""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self._database = bolt_file.Reader(self.data_root / "volumes/metadata.db", b"volumes")

    # --- volumes ----------------------------------------------------------------------------------------------------

    def volumes(self) -> Mapping[str, Volume]:
        """All volumes; also directories the engine would take for volumes though their record is lost."""
        try:
            with self._lock:
                records, changed = self._database.read(), stamp_of(f"{self.data_root}/volumes")[1]
                kept = self._volumes
                if kept is None or kept[0] != id(records) or kept[1] != changed:
                    kept = (id(records), changed, self._known(records))
                    self._volumes = kept
                return kept[2]
        except (OSError, bolt_file.BoltError, ValueError) as error:
            return self._asked(error)

    def _known(self, records: Mapping[bytes, bytes]) -> dict[str, Volume]:
        places = (entry for entry in os.scandir(self.data_root / "volumes") if entry.is_dir(follow_symlinks=False))
        found = {entry.name: self._unrecorded(entry.name) for entry in places if entry.name.encode() not in records}
        return {**found, **{key.decode(): _volume(key.decode(), value) for key, value in records.items()}}

    def _unrecorded(self, name: str) -> Volume:
        try:
            chosen = json.loads((self.data_root / "volumes" / name / "opts.json").read_text())
        except FileNotFoundError:
            return Volume(name)
        return Volume(name, options=_opts(chosen))

    def _asked(self, error: Exception) -> Mapping[str, Volume]:
        """The engine itself, where its database cannot be read."""
        try:
            listed = self.api.get("/volumes")
        except LookupFailed as second:
            raise LookupFailed(f"volumes: {error}; {second}") from error
        return {
            one["Name"]: Volume(one["Name"], one["Driver"], one.get("Labels") or {}, one.get("Options") or {})
            for one in (listed or {}).get("Volumes") or ()
        }

    # --- containers -------------------------------------------------------------------------------------------------

    def containers(self, reference: str) -> tuple[Container, ...]:
        known = self.all_containers()
        reference = reference.lstrip("/")
        return tuple(one for one in known if one.id.startswith(reference) or one.name == reference)

    def all_containers(self) -> tuple[Container, ...]:
        """Every container as its files say. Raises LookupFailed."""
        try:
            names = [entry.name for entry in os.scandir(self.data_root / "containers")]
        except FileNotFoundError:
            names = []
        except OSError as error:
            raise LookupFailed(f"containers: {error}") from error
        with self._lock:
            self._containers = {name: kept for name, kept in self._containers.items() if name in names}
            found = [self._container(name) for name in names]
        return tuple(one for one in found if one is not None)

    def _container(self, name: str) -> Container | None:
        files = tuple(f"{self.data_root}/containers/{name}/{file}" for file in ("config.v2.json", "hostconfig.json"))
        try:
            stamps = stamp_of(files[0]), stamp_of(files[1])
            kept = self._containers.get(name)
            if kept and kept[:2] == stamps:
                return kept[2]
            made = _made(*(json.loads(Path(file).read_text()) for file in files))
        except FileNotFoundError:  # being made, or being removed
            return None
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise LookupFailed(f"container {name[:12]}: {error}") from error
        self._containers[name] = (*stamps, made)
        return made

    # --- images, commands, the engine -------------------------------------------------------------------------------

    def image(self, reference: str) -> Image | None:
        kept = self._images.get(reference)  # only ids are kept: a tag moves
        if kept:
            return kept
        found = self.api.image(reference)
        if found:
            if len(self._images) >= KEPT_IMAGES:
                self._images.clear()
            self._images[found.id] = found
        return found

    def execution(self, exec_id: str) -> Exec | None:
        return self.api.execution(exec_id)

    def network(self, reference: str) -> str:
        if reference not in self._networks:  # only full ids are kept: they are never given twice, nor renamed
            shown = self.api.network(reference)
            if shown is None:
                return ""
            if len(self._networks) >= KEPT_NETWORKS:
                self._networks.clear()
            self._networks[shown[0]] = shown[1]
            return shown[1]
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


def _made(config: dict[str, Any], host: dict[str, Any]) -> Container:
    """The container of its two files. One that holds what the guard does not know concerns itself alone."""
    try:
        return recorded(config, host, None)
    except Refused as error:
        name, identity = str(config["Name"]).lstrip("/"), str(config["ID"])
        fault = f"container {name} cannot be judged: {error}"
        return Container(name, "", (), (), "", (), "", (), (), {}, id=identity, fault=fault)


@lru_cache(maxsize=KEPT_VOLUMES)
def _volume(name: str, value: bytes) -> Volume:
    record = json.loads(value)
    return Volume(name, record.get("Driver") or "local", record.get("Labels") or {}, record.get("Options") or {})


def _opts(chosen: object) -> dict[str, str]:
    """The local driver's own file, of keys that other versions write in other case."""
    names = {"mounttype": "type", "mountopts": "o", "mountdevice": "device"}
    pairs = chosen.items() if isinstance(chosen, dict) else ()
    return {names[key.casefold()]: str(value) for key, value in pairs if key.casefold() in names and value}
