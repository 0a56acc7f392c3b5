"""What `ledger_docker` looks at before it lets a command through: volumes, compose's project, containers.

A module of its own because it is the part that runs programs. It asks docker's own command line with the same options
for engine and project, so contexts, hosts over ssh, several compose files and profiles mean what they mean in the
command.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ledger_docker.arguments import ANONYMOUS, NAMED, PROJECT, RECREATED, UNUSED, Command, Given, written
from ledger_docker.judgement import ENVIRONMENT, PROTECT, Seen, Volume, named_by

DECLARATIONS = Path("/etc/ledgerguard/volumes.json")
SECONDS = 30
LABEL = "com.docker.compose.project"


class LookError(Exception):
    """A look that could not be made; the text says why."""


@dataclass(frozen=True)
class Project:
    """A compose project: its name, the volumes that are its own (not external), its services' environments."""

    name: str
    volumes: tuple[str, ...] = ()
    environments: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Looker:
    """Looks with one docker program; `declared` are volume names from the guard's declarations."""

    docker: str
    declared: Mapping[str, str]  # name → environment
    stdin: bytes | None = None  # a compose file that came by `-f -`

    def look(self, command: Command) -> Seen:
        """All that a judgement of this command needs; a look that fails is told in `failed`."""
        seen = Seen(filters=prune_filters(command))
        try:
            return self._look(command, seen)
        except LookError as error:
            return replace(seen, failed=str(error), volumes=tuple(self._only_declared(command)))

    def _look(self, command: Command, seen: Seen) -> Seen:
        project = self._project(command) if command.path[0] == "compose" else None
        containers = self._containers(command, project)
        reached = {str(item.get("labels", {}).get(ENVIRONMENT, "")) for item in containers}
        reached |= project.environments if project else set()
        names: set[str] = set()
        for kind in command.removes:
            names |= self._names(kind, command, project, containers)
        volumes = self._volumes(command.docker, names)
        api = self._api(command.docker) if UNUSED in command.removes else ()
        return replace(seen, volumes=tuple(volumes), environments=frozenset(reached - {""}), api=api)

    def _names(
        self, kind: str, command: Command, project: Project | None, containers: Sequence[Mapping[str, Any]]
    ) -> set[str]:
        """The volumes that may go, by name."""
        if kind == NAMED:
            return {name for word in command.words for name in named_by(word) if name}
        if kind == UNUSED:
            label = f"label={PROTECT}"
            return set(self._lines(command.docker, "volume", "ls", "-q", "--filter", label)) | set(self.declared)
        if kind == ANONYMOUS:
            return {name for item in containers for name in item["volumes"]}
        if kind in {PROJECT, RECREATED} and project is not None:
            return set(project.volumes)
        return set()

    # --- compose ----------------------------------------------------------------------------------------------------

    def _project(self, command: Command) -> Project | None:
        """The project; None where compose itself will say that there is none."""
        options = written((*command.compose, ("profile", "*")))
        done = self._run(command.docker, "compose", *options, "config", "--format", "json", stdin=self.stdin)
        named = (command.values("project-name") or [os.environ.get("COMPOSE_PROJECT_NAME", "")])[-1]
        if done.returncode == 0:
            project = read_project(done.stdout)
            # With a name and no file compose goes by the labels of what is there, and not by a file it finds.
            by_label = self._of_project(command.docker, named) if named and not command.values("file") else ()
            return replace(project, volumes=tuple({*project.volumes, *by_label}))
        if "no configuration file" in done.stderr.lower():
            return Project(named, self._of_project(command.docker, named)) if named else None
        raise LookError(f"docker compose config: {_last_line(done.stderr)}")

    def _of_project(self, docker: Given, name: str) -> tuple[str, ...]:
        return tuple(self._lines(docker, "volume", "ls", "-q", "--filter", f"label={LABEL}={name}"))

    def _containers(self, command: Command, project: Project | None) -> list[dict[str, Any]]:
        """Labels and volumes of the containers that the command reaches."""
        if command.path[0] == "container" and command.path[1] != "prune":
            names: Sequence[str] = [word for word in command.words if word]
        elif project is not None and project.name:
            names = self._lines(command.docker, "ps", "-aq", "--filter", f"label={LABEL}={project.name}")
        else:
            return []
        return [container_facts(item) for item in self._inspect(command.docker, "container", names)]

    # --- the engine -------------------------------------------------------------------------------------------------

    def _volumes(self, docker: Given, names: Iterable[str]) -> list[Volume]:
        wanted = sorted(name for name in names if not name.startswith("-"))
        found = {str(item["Name"]): volume_of(item) for item in self._inspect(docker, "volume", wanted)}
        return [replace(volume, declared=name in self.declared) for name, volume in found.items()]

    def _only_declared(self, command: Command) -> list[Volume]:
        """Where the engine could not be asked: what was declared, as far as the command names it."""
        words = {name for word in command.words for name in named_by(word)} if NAMED in command.removes else set()
        return [
            Volume(name, {PROTECT: "true", ENVIRONMENT: environment}, declared=True)
            for name, environment in self.declared.items()
            if name in words
        ]

    def _inspect(self, docker: Given, kind: str, names: Sequence[str]) -> list[dict[str, Any]]:
        """What is there of these names; those that are not there are docker's to complain about."""
        if not names:
            return []
        done = self._run(docker, kind, "inspect", *names)
        missing = [line for line in done.stderr.splitlines() if line.strip() and "no such" not in line.lower()]
        if done.returncode != 0 and (missing or not done.stderr.strip()):
            raise LookError(f"docker {kind} inspect: {_last_line(done.stderr)}")
        found = _json(done.stdout or "[]")
        return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []

    def _api(self, docker: Given) -> tuple[int, ...]:
        """The version of the API that will be spoken; empty where it is not told."""
        done = self._run(docker, "version", "--format", "{{.Client.APIVersion}}")
        parts = done.stdout.strip().split(".")
        return tuple(int(part) for part in parts) if done.returncode == 0 and all(map(str.isdigit, parts)) else ()

    def _lines(self, docker: Given, *arguments: str) -> list[str]:
        done = self._run(docker, *arguments)
        if done.returncode != 0:
            raise LookError(f"docker {' '.join(arguments[:2])}: {_last_line(done.stderr)}")
        return done.stdout.split()

    def _run(self, docker: Given, *arguments: str, stdin: bytes | None = None) -> subprocess.CompletedProcess[str]:
        argv = [self.docker, *written(docker), *arguments]
        try:
            done = subprocess.run(argv, input=stdin or b"", capture_output=True, timeout=SECONDS, check=False)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise LookError(f"docker {arguments[0]}: {error}") from error
        out, err = done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")
        return subprocess.CompletedProcess(argv, done.returncode, out, err)


def read_project(text: str) -> Project:
    """A project as `docker compose config --format json` writes it."""
    value = _json(text)
    project = value if isinstance(value, dict) else {}
    volumes = project.get("volumes") or {}
    own = {key: item or {} for key, item in volumes.items() if not (item or {}).get("external")}
    services = (project.get("services") or {}).values()
    return Project(
        name=str(project.get("name", "")),
        volumes=tuple(str(item.get("name") or f"{project.get('name', '')}_{key}") for key, item in own.items()),
        environments=frozenset(
            str(item["labels"][ENVIRONMENT]) for item in services if ENVIRONMENT in ((item or {}).get("labels") or {})
        ),
    )


def container_facts(item: Mapping[str, Any]) -> dict[str, Any]:
    """Labels, and the names of mounted volumes, of a container as the engine's inspect tells it."""
    mounts = item.get("Mounts") or []
    return {
        "labels": (item.get("Config") or {}).get("Labels") or {},
        "volumes": [str(mount.get("Name")) for mount in mounts if mount.get("Type") == "volume" and mount.get("Name")],
    }


def volume_of(item: Mapping[str, Any]) -> Volume:
    """A volume as the engine's inspect tells it."""
    labels = {str(key): str(value) for key, value in (item.get("Labels") or {}).items()}
    return Volume(str(item["Name"]), labels, str((item.get("Options") or {}).get("device", "")))


def prune_filters(command: Command) -> tuple[str, ...]:
    """The filters of a prune, with those of docker's own configuration (`pruneFilters`), which docker adds."""
    if UNUSED not in command.removes:
        return ()
    given = [value or "" for name, value in command.docker if name == "config"]
    folder = (given or [os.environ.get("DOCKER_CONFIG") or str(Path.home() / ".docker")])[-1]
    try:
        configured = json.loads((Path(folder) / "config.json").read_text()).get("pruneFilters") or []
    except (OSError, ValueError, AttributeError):
        configured = []
    return (*command.values("filter"), *(str(item) for item in configured))


def read_declarations(path: Path) -> dict[str, str]:
    """Volume → environment of the guard's declarations, empty where there are none; ValueError if it cannot be read."""
    try:
        value = json.loads(path.read_text())
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise ValueError(f"{path}: {error.strerror}") from error
    except ValueError as error:
        raise ValueError(f"{path}: not JSON: {error}") from error
    volumes = value.get("volumes") if isinstance(value, dict) else None
    if isinstance(volumes, list):
        volumes = {str(item.get("name")): item for item in volumes if isinstance(item, dict)}
    if not isinstance(volumes, dict):
        raise ValueError(f"{path}: no volumes in it")
    return {
        str(name): str(item.get("environment", "unknown")) if isinstance(item, dict) else "unknown"
        for name, item in volumes.items()
    }


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise LookError(f"docker's answer is not JSON: {text[:80]!r}") from error


def _last_line(text: str) -> str:
    return next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "no answer")
