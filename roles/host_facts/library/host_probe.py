#!/usr/bin/python
"""Looks once at a host and its engine, so that every preflight decides from the same facts.

A module of its own because it only looks: it changes nothing, needs nothing installed (standard library; no engine,
no SDK), and one call replaces a dozen tasks. What the facts mean is decided by pure filters on the controller.
"""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import io
import json
import os
import shutil
import socket
import subprocess
import tarfile
import time
import urllib.parse
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = r"""
module: host_probe
short_description: Looks at a host, its container engine and one stack on it
description: Changes nothing. Returns C(probe).
options:
  socket:
    description: The engine's unix socket.
    type: path
    default: /var/run/docker.sock
  stack_dir:
    description: The stack's directory of rendered files.
    type: path
    required: true
  data_dir:
    description: The stack's directory of protected data; empty where the engine keeps it in volumes of its own.
    type: path
    required: true
  volume_prefix:
    description: With no data_dir, how the names of the stack's volumes begin, whose sentinels are then looked for.
    type: str
    default: ""
  images_state_dir:
    description: Where the host's record of its images' source is.
    type: path
    default: /etc/ledgerflow/images
  ports:
    description: Ports whose listener is wanted.
    type: list
    elements: int
    default: []
author:
  - LedgerFlow
"""

Facts = dict[str, Any]
IMAGES_STATE = Path("/etc/ledgerflow/images")
SENTINEL = ".ledgerflow.json"
GUARD = Path("/usr/local/sbin/ledgerguard")


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=20)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def engine_get(socket_path: str, route: str) -> Any:
    """The engine's answer to GET `route`, decoded; OSError or ValueError where there is none."""
    return json.loads(engine_bytes(socket_path, route))


def engine_bytes(socket_path: str, route: str) -> bytes:
    """The body of the engine's answer to GET `route`."""
    connection = _UnixConnection(socket_path)
    try:
        connection.request("GET", route)
        response = connection.getresponse()
        body = response.read()
        if response.status != 200:
            raise ValueError(f"GET {route}: {response.status} {body[:200]!r}")
        return body
    except http.client.HTTPException as error:  # cut off, or not HTTP at all
        raise ValueError(f"GET {route}: {error!r}") from error
    finally:
        connection.close()


def _output(*argv: str) -> str:
    try:
        process = subprocess.run(argv, capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return process.stdout.strip() if process.returncode == 0 else ""


def _read(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None


def engine_package() -> tuple[str, str]:
    """Name and version of the distribution's package the engine came with; its revision tells of security fixes."""
    for name in ("docker.io", "docker-ce"):
        status, _, version = _output("dpkg-query", "-W", "-f=${db:Status-Status} ${Version}", name).partition(" ")
        if status == "installed":
            return name, version
    return "", ""


def engine_facts(socket_path: str) -> Facts:
    """What kind of engine answers at the socket, if any, and which client plugins are there."""
    package, package_version = engine_package()
    facts: Facts = {
        "system": os.uname().sysname,
        "package": package,
        "package_version": package_version,
        "installed": bool(shutil.which("dockerd") or Path("/usr/sbin/dockerd").exists()),
        "running": False,
        "version": "",
        "compose": _output("docker", "compose", "version", "--short"),
        "buildx": _output("docker", "buildx", "version"),
        "rootless": False,
        "desktop": False,
        "security_options": [],
        "root_dir": "",
        "live_restore": False,
        "daemon_json": _read(Path("/etc/docker/daemon.json")) or "",
        "error": "",
    }
    try:
        answer = engine_get(socket_path, "/info")
    except (OSError, ValueError) as error:
        return {**facts, "error": str(error)}
    options = answer.get("SecurityOptions") or []
    return {
        **facts,
        "installed": True,
        "running": True,
        "version": answer.get("ServerVersion", ""),
        "rootless": any("rootless" in option for option in options),
        "desktop": "Docker Desktop" in answer.get("OperatingSystem", ""),
        "security_options": options,
        "root_dir": answer.get("DockerRootDir", ""),
        "live_restore": bool(answer.get("LiveRestoreEnabled")),
    }


def _own_name(container: Facts) -> str:
    """A container's name without links to it (/other/alias); "" while it is being removed."""
    return next((name[1:] for name in container.get("Names") or [] if name.count("/") == 1), "")


def _container(container: Facts) -> Facts:
    status = str(container.get("Status", ""))
    health = next((word for word in ("unhealthy", "healthy", "health: starting") if f"({word})" in status), "none")
    return {
        "id": container["Id"],
        "image": container["Image"],
        "image_id": container["ImageID"],
        "state": container["State"],
        "health": health.replace("health: ", ""),
        "status": status,
        "labels": container.get("Labels") or {},
        "ports": [port for port in container.get("Ports") or [] if port.get("PublicPort")],
        "mounts": [
            {"name": m.get("Name", ""), "target": m.get("Destination", "")} for m in container.get("Mounts") or []
        ],
    }


def object_facts(socket_path: str) -> Facts:
    """Containers, volumes, networks and images the engine knows, by name."""
    volumes = engine_get(socket_path, "/volumes").get("Volumes") or []
    images = engine_get(socket_path, "/images/json")
    containers = engine_get(socket_path, "/containers/json?all=1")
    return {
        "containers": {_own_name(container): _container(container) for container in containers if _own_name(container)},
        "volumes": {
            v["Name"]: {"driver": v["Driver"], "labels": v.get("Labels") or {}, "options": v.get("Options") or {}}
            for v in volumes
        },
        "networks": {
            n["Name"]: {"driver": n["Driver"], "internal": n["Internal"], "labels": n.get("Labels") or {}}
            for n in engine_get(socket_path, "/networks")
        },
        "images": {tag: image["Id"] for image in images for tag in image.get("RepoTags") or []},
        "image_digests": {digest: image["Id"] for image in images for digest in image.get("RepoDigests") or []},
    }


def _listeners() -> dict[int, tuple[str, str]]:
    """Port → (address, socket inode) of each listening TCP socket, from /proc/net (v4 addresses readable)."""
    listeners: dict[int, tuple[str, str]] = {}
    for name in ("tcp6", "tcp"):
        for line in (_read(Path("/proc/net") / name) or "").splitlines()[1:]:
            fields = line.split()
            if fields[3] != "0A":
                continue
            host, port = fields[1].rsplit(":", 1)
            address = socket.inet_ntoa(bytes.fromhex(host)[::-1]) if name == "tcp" else "[::]"
            listeners[int(port, 16)] = (address, fields[9])
    return listeners


def _socket_owner(inode: str) -> str:
    """Program (pid) that holds the socket, or "" where /proc does not tell."""
    for directory in Path("/proc").iterdir():
        if not directory.name.isdigit():
            continue
        if _holds(directory / "fd", f"socket:[{inode}]"):
            return f"{(_read(directory / 'comm') or '?').strip()} (pid {directory.name})"
    return ""


def _holds(descriptors: Path, socket_link: str) -> bool:
    """Whether one of a process's descriptors is the file `link`; one that closes meanwhile is passed over."""
    try:
        links = list(descriptors.iterdir())
    except OSError:
        return False
    for link in links:
        with contextlib.suppress(OSError):
            if str(link.readlink()) == socket_link:
                return True
    return False


def port_facts(ports: list[int], containers: Facts) -> Facts:
    """For each wanted port that is taken: the address, the program and, where it is one, the container."""
    published = {port["PublicPort"]: name for name, container in containers.items() for port in container["ports"]}
    listeners = _listeners()
    by_port = {}
    for port in ports:
        if port in listeners or port in published:
            address, inode = listeners.get(port, ("", ""))
            owner = _socket_owner(inode) if inode else ""
            by_port[str(port)] = {"address": address, "program": owner, "container": published.get(port, "")}
    return by_port


def tree_digest(root: Path) -> str:
    """sha256 over path, mode, owner and content of every file below `root`; "" where there is none."""
    if not root.is_dir():
        return ""
    digest = hashlib.sha256()
    for path in sorted(root.rglob("*")):
        status = path.lstat()
        digest.update(f"{path.relative_to(root)}\0{status.st_mode:o}\0{status.st_uid}:{status.st_gid}\0".encode())
        if path.is_symlink():
            digest.update(bytes(path.readlink()))
        elif path.is_file():
            digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def volume_sentinels(socket_path: str, containers: Facts, prefix: str) -> Facts:
    """The sentinel in each volume that a container has mounted, running or not; of others nothing is known."""
    places = {
        mount["name"].removeprefix(prefix): (container["id"], mount["target"])
        for container in containers.values()
        for mount in container["mounts"]
        if prefix and mount["name"].startswith(prefix)
    }
    return {name: _file_in(socket_path, *place) for name, place in sorted(places.items())}


def _file_in(socket_path: str, container: str, directory: str) -> str | None:
    """The sentinel in a container's directory, as `docker cp` reads it: nothing is started."""
    path = urllib.parse.quote(f"{directory}/{SENTINEL}")
    try:
        archive = engine_bytes(socket_path, f"/containers/{container}/archive?path={path}")
        with tarfile.open(fileobj=io.BytesIO(archive)) as packed:
            file = packed.extractfile(SENTINEL)
            return file.read().decode(errors="replace") if file else None
    except (OSError, ValueError, KeyError, tarfile.TarError):
        return None


def stack_facts(stack_dir: Path, data_dir: Path | None) -> Facts:
    """What one stack has on the host: rendered files by digest, names of secrets, gates, volume records, sentinels."""
    reserved = {"state", "secrets"}
    services = [entry for entry in stack_dir.iterdir() if entry.is_dir()] if stack_dir.is_dir() else []
    records = sorted((stack_dir / "state/volumes").glob("*.json"))
    entries = data_dir.iterdir() if data_dir and data_dir.is_dir() else []
    directories = sorted(entry for entry in entries if entry.is_dir())
    fingerprints = _read(stack_dir / "state/fingerprints.json")
    return {
        "files": {entry.name: tree_digest(entry) for entry in services if entry.name not in reserved},
        "secrets": sorted(entry.name for entry in (stack_dir / "secrets").glob("*")),
        "secrets_made": sorted(entry.name for entry in (stack_dir / "state/secrets").glob("*")),
        "weak_secrets": weak_secrets(stack_dir / "secrets"),
        "stack_directories": sorted(entry.name for entry in (stack_dir / "state").glob("*") if entry.is_dir()),
        "declarations": sorted(path.stem for path in (stack_dir / "state/declarations").glob("*.json")),
        "guard": guard_facts(stack_dir / "state/guard.json"),
        "gates": sorted(entry.name for entry in (stack_dir / "state/gates").glob("*")),
        "records": {path.stem: _read(path) for path in records},
        "initialised": sorted(path.stem for path in (stack_dir / "state/volumes").glob("*.initialised")),
        "sentinels": {entry.name: _read(entry / SENTINEL) for entry in directories},
        "stack_mode": f"{stack_dir.stat().st_mode & 0o7777:04o}" if stack_dir.is_dir() else "",
        "fingerprints": _json_object(fingerprints),
        "deployment": _json_object(_read(stack_dir / "state/deployment.json")),
        "vault": _json_object(_read(stack_dir / "state/vault/vault.json")),
    }


def guard_facts(file: Path) -> Facts:
    """What the engine's guard last wrote of itself, and how many seconds ago; empty where it never did."""
    status = _json_object(_read(file))
    return {**status, "age_seconds": round(time.time() - file.stat().st_mtime)} if status else {}


def weak_secrets(store: Path) -> Facts:
    """Secrets that role service would refuse, by name, with what may be told of them: never a part of the value."""
    weak = {}
    for entry in sorted(store.glob("*")):
        secret = _read(entry)
        if secret is not None and not strong(secret):
            weak[entry.name] = f"{len(secret)} characters"
    return weak


def strong(secret: str) -> bool:
    """The rule of roles/service/library/service_files.py, which is another module; a test holds them together."""
    clean = secret == secret.strip() and secret.isprintable() and "\ufffd" not in secret
    return clean and len(secret) >= 16 and len(set(secret)) >= 6


def _json_object(text: str | None) -> Facts:
    try:
        document = json.loads(text or "{}")
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}


def images_state(directory: Path) -> dict[str, str]:
    """Which source the host's images come from, where that was decided once."""
    source = _read(directory / "source")
    return {} if source is None else {"source": source.strip()}


def disk_free_mb(path: Path) -> int:
    """Free megabytes on the file system that holds `path`, or would hold it."""
    while not path.exists():
        path = path.parent
    return shutil.disk_usage(path).free // 2**20


def memory_mb() -> int:
    """The host's memory in megabytes; the same as MemTotal on Linux, and known on a Mac too."""
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2**20


def probe(
    socket_path: str,
    stack_dir: Path,
    data_dir: Path | None,
    ports: list[int],
    prefix: str = "",
    images_dir: Path = IMAGES_STATE,
) -> Facts:
    """All facts of one host. Without `data_dir` the sentinels are those in volumes that begin with `prefix`."""
    engine = engine_facts(socket_path)
    objects: Facts = {"containers": {}, "volumes": {}, "networks": {}, "images": {}, "image_digests": {}}
    if engine["running"]:
        objects = object_facts(socket_path)
    roots = {str(stack_dir), engine["root_dir"] or "/var/lib/docker"} | ({str(data_dir)} if data_dir else set())
    stack = stack_facts(stack_dir, data_dir)
    if not data_dir:
        stack["sentinels"] = volume_sentinels(socket_path, objects["containers"], prefix)
    return {
        "cores": os.cpu_count() or 0,
        "memory_mb": memory_mb(),
        "root": os.geteuid() == 0,
        "disk_free_mb": {root: disk_free_mb(Path(root)) for root in sorted(roots)},
        "engine": engine,
        "engine_was_running": engine["running"],
        "ports": port_facts(ports, objects["containers"]),
        **objects,
        "images_state": images_state(images_dir),
        "guard_program": GUARD.exists(),
        **stack,
    }


def main() -> None:
    """Entry point of Ansible."""
    module = AnsibleModule(
        argument_spec={
            "socket": {"type": "path", "default": "/var/run/docker.sock"},
            "stack_dir": {"type": "path", "required": True},
            "data_dir": {"type": "path", "required": True},
            "volume_prefix": {"type": "str", "default": ""},
            "images_state_dir": {"type": "path", "default": "/etc/ledgerflow/images"},
            "ports": {"type": "list", "elements": "int", "default": []},
        },
        supports_check_mode=True,
    )
    params = module.params
    stack_dir, images_dir = Path(params["stack_dir"]), Path(params["images_state_dir"])
    data_dir = Path(params["data_dir"]) if params["data_dir"] else None
    try:
        facts = probe(params["socket"], stack_dir, data_dir, params["ports"], params["volume_prefix"], images_dir)
    except (OSError, ValueError, KeyError) as error:
        module.fail_json(msg=f"host_probe: could not look at this host: {error!r}\nHINT: docker info")
    module.exit_json(changed=False, probe=facts)


if __name__ == "__main__":
    main()
