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

from ledger_docker.arguments import ANONYMOUS, NAMED, PROJECT, RECREATED, UNUSED, Command, Options, format_options
from ledger_docker.judgement import ENVIRONMENT, PROTECT, Inspection, Volume, names_in

DECLARATIONS = Path("/etc/ledgerguard/volumes.json")
SECONDS = 30
LABEL = "com.docker.compose.project"


class InspectionError(Exception):
    """A look that could not be made; the text says why."""


@dataclass(frozen=True)
class Project:
    """A compose project: its name, the volumes that are its own (not external), its services' environments."""

    name: str
    volumes: tuple[str, ...] = ()
    environments: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Inspector:
    """Looks with one docker program; `declared` are volume names from the guard's declarations."""

    docker: str
    declared: Mapping[str, str]  # name → environment
    stdin: bytes | None = None  # a compose file that came by `-f -`

    def look(self, command: Command) -> Inspection:
        """All that a judgement of this command needs; a look that fails is told in `failed`."""
        inspection = Inspection(filters=prune_filters(command))
        try:
            return self._look(command, inspection)
        except InspectionError as error:
            return replace(inspection, failed=str(error), volumes=tuple(self._only_declared(command)))

    def _look(self, command: Command, inspection: Inspection) -> Inspection:
        project = self._project(command) if command.path[0] == "compose" else None
        containers = self._containers(command, project)
        reached = {str(container.get("labels", {}).get(ENVIRONMENT, "")) for container in containers}
        reached |= project.environments if project else set()
        names: set[str] = set()
        for kind in command.removes:
            names |= self._names(kind, command, project, containers)
        volumes = self._volumes(command.docker, names)
        api = self._api(command.docker) if UNUSED in command.removes else ()
        return replace(inspection, volumes=tuple(volumes), environments=frozenset(reached - {""}), api=api)

    def _names(
        self, kind: str, command: Command, project: Project | None, containers: Sequence[Mapping[str, Any]]
    ) -> set[str]:
        """The volumes that may go, by name."""
        if kind == NAMED:
            return {name for word in command.words for name in names_in(word) if name}
        if kind == UNUSED:
            label = f"label={PROTECT}"
            return set(self._lines(command.docker, "volume", "ls", "-q", "--filter", label)) | set(self.declared)
        if kind == ANONYMOUS:
            return {name for container in containers for name in container["volumes"]}
        if kind in {PROJECT, RECREATED} and project is not None:
            return set(project.volumes)
        return set()

    # --- compose ----------------------------------------------------------------------------------------------------

    def _project(self, command: Command) -> Project | None:
        """The project; None where compose itself will say that there is none."""
        options = format_options((*command.compose, ("profile", "*")))
        process = self._run(command.docker, "compose", *options, "config", "--format", "json", stdin=self.stdin)
        project_name = (command.values("project-name") or [os.environ.get("COMPOSE_PROJECT_NAME", "")])[-1]
        if process.returncode == 0:
            project = read_project(process.stdout)
            # With a name and no file compose goes by the labels of what is there, and not by a file it finds.
            if project_name and not command.values("file"):
                labelled = self._of_project(command.docker, project_name)
                return replace(project, volumes=tuple({*project.volumes, *labelled}))
            return project
        if "no configuration file" in process.stderr.lower():
            return Project(project_name, self._of_project(command.docker, project_name)) if project_name else None
        raise InspectionError(f"docker compose config: {_last_line(process.stderr)}")

    def _of_project(self, docker: Options, name: str) -> tuple[str, ...]:
        return tuple(self._lines(docker, "volume", "ls", "-q", "--filter", f"label={LABEL}={name}"))

    def _containers(self, command: Command, project: Project | None) -> list[dict[str, Any]]:
        """Labels and volumes of the containers that the command reaches."""
        if command.path[0] == "container" and command.path[1] != "prune":
            names: Sequence[str] = [word for word in command.words if word]
        elif project is not None and project.name:
            names = self._lines(command.docker, "ps", "-aq", "--filter", f"label={LABEL}={project.name}")
        else:
            return []
        return [container_facts(document) for document in self._inspect(command.docker, "container", names)]

    # --- the engine -------------------------------------------------------------------------------------------------

    def _volumes(self, docker: Options, names: Iterable[str]) -> list[Volume]:
        existing_names = sorted(name for name in names if not name.startswith("-"))
        volumes = {
            str(document["Name"]): volume_of(document) for document in self._inspect(docker, "volume", existing_names)
        }
        return [replace(volume, declared=name in self.declared) for name, volume in volumes.items()]

    def _only_declared(self, command: Command) -> list[Volume]:
        """Where the engine could not be asked: what was declared, as far as the command names it."""
        words = {name for word in command.words for name in names_in(word)} if NAMED in command.removes else set()
        return [
            Volume(name, {PROTECT: "true", ENVIRONMENT: environment}, declared=True)
            for name, environment in self.declared.items()
            if name in words
        ]

    def _inspect(self, docker: Options, kind: str, names: Sequence[str]) -> list[dict[str, Any]]:
        """What is there of these names; those that are not there are docker's to complain about."""
        if not names:
            return []
        process = self._run(docker, kind, "inspect", *names)
        missing = [line for line in process.stderr.splitlines() if line.strip() and "no such" not in line.lower()]
        if process.returncode != 0 and (missing or not process.stderr.strip()):
            raise InspectionError(f"docker {kind} inspect: {_last_line(process.stderr)}")
        documents = _as_list(_parse_json(process.stdout or "[]"))
        return [document for document in documents if isinstance(document, dict)]

    def _api(self, docker: Options) -> tuple[int, ...]:
        """The version of the API that will be spoken; empty where it is not told."""
        process = self._run(docker, "version", "--format", "{{.Client.APIVersion}}")
        parts = process.stdout.strip().split(".")
        return tuple(int(part) for part in parts) if process.returncode == 0 and all(map(str.isdigit, parts)) else ()

    def _lines(self, docker: Options, *arguments: str) -> list[str]:
        process = self._run(docker, *arguments)
        if process.returncode != 0:
            raise InspectionError(f"docker {' '.join(arguments[:2])}: {_last_line(process.stderr)}")
        return process.stdout.split()

    def _run(self, docker: Options, *arguments: str, stdin: bytes | None = None) -> subprocess.CompletedProcess[str]:
        argv = [self.docker, *format_options(docker), *arguments]
        try:
            process = subprocess.run(argv, input=stdin or b"", capture_output=True, timeout=SECONDS, check=False)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise InspectionError(f"docker {arguments[0]}: {error}") from error
        out, err = process.stdout.decode(errors="replace"), process.stderr.decode(errors="replace")
        return subprocess.CompletedProcess(argv, process.returncode, out, err)


def read_project(text: str) -> Project:
    """A project as `docker compose config --format json` writes it."""
    project = _as_object(_parse_json(text))
    name = str(project.get("name", ""))
    volumes = {key: _as_object(volume) for key, volume in _as_object(project.get("volumes")).items()}
    services = _as_object(project.get("services")).values()
    labels = [_as_object(_as_object(service).get("labels")) for service in services]
    return Project(
        name=name,
        volumes=tuple(_volume_name(name, key, volume) for key, volume in volumes.items() if not volume.get("external")),
        environments=frozenset(str(mapping[ENVIRONMENT]) for mapping in labels if ENVIRONMENT in mapping),
    )


def _volume_name(project: str, key: str, volume: Mapping[str, Any]) -> str:
    return str(volume.get("name") or f"{project}_{key}")


def _as_object(document: Any) -> dict[str, Any]:
    """The object itself; an empty one for null and for anything else."""
    return document if isinstance(document, dict) else {}


def container_facts(document: Mapping[str, Any]) -> dict[str, Any]:
    """Labels, and the names of mounted volumes, of a container as the engine's inspect tells it."""
    mounts = document.get("Mounts") or []
    names = [mount.get("Name") for mount in mounts if mount.get("Type") == "volume"]
    return {
        "labels": _as_object(_as_object(document.get("Config")).get("Labels")),
        "volumes": [str(name) for name in names if name],
    }


def volume_of(document: Mapping[str, Any]) -> Volume:
    """A volume as the engine's inspect tells it."""
    labels = {str(key): str(text) for key, text in _as_object(document.get("Labels")).items()}
    return Volume(str(document["Name"]), labels, str(_as_object(document.get("Options")).get("device", "")))


def prune_filters(command: Command) -> tuple[str, ...]:
    """The filters of a prune, with those of docker's own configuration (`pruneFilters`), which docker adds."""
    if UNUSED not in command.removes:
        return ()
    config_directories = [setting or "" for name, setting in command.docker if name == "config"]
    folder = (config_directories or [os.environ.get("DOCKER_CONFIG") or str(Path.home() / ".docker")])[-1]
    try:
        configured = json.loads((Path(folder) / "config.json").read_text()).get("pruneFilters") or []
    except (OSError, ValueError, AttributeError):
        configured = []
    return (*command.values("filter"), *(str(entry) for entry in configured))


def read_declarations(path: Path) -> dict[str, str]:
    """Volume → environment of the guard's declarations, empty where there are none; ValueError if it cannot be read."""
    try:
        document = json.loads(path.read_text())
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise ValueError(f"{path}: {error.strerror}") from error
    except ValueError as error:
        raise ValueError(f"{path}: not JSON: {error}") from error
    volumes = _as_object(document).get("volumes")
    if isinstance(volumes, list):
        volumes = {str(volume.get("name")): volume for volume in volumes if isinstance(volume, dict)}
    if not isinstance(volumes, dict):
        raise ValueError(f"{path}: no volumes in it")
    return {str(name): str(_as_object(volume).get("environment", "unknown")) for name, volume in volumes.items()}


def _as_list(document: Any) -> list[Any]:
    return document if isinstance(document, list) else []


def _parse_json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise InspectionError(f"docker's answer is not JSON: {text[:80]!r}") from error


def _last_line(text: str) -> str:
    return next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "no answer")
