"""Containers and requests that reach the host, and what developers' tools need."""

from __future__ import annotations

from typing import Any

from tests.guard.attempts.base import ALLOWED, ATTEMPTS, REFUSED, TWINS, Attempt, attempt, twin
from tools.kit.guard_world import OWNER, World


def _victim_by_process(world: World, *arguments: str) -> None:
    """Through another process's root directory, which is the host's, or the owner's with its volumes."""
    search = f"for p in /proc/[0-9]*; do rm -f $p/root/data/sentinel $p/root{world.backing}/sentinel; done 2>/dev/null"
    world.cli("run", "--rm", *arguments, "tiny", "sh", "-c", search)


ATTEMPTS += [
    Attempt(
        "host reach",
        "--pid=host",
        lambda w: _victim_by_process(w, "--pid=host", "--cap-add=SYS_PTRACE", "--security-opt=apparmor=unconfined"),
    ),
    Attempt(
        "host reach",
        "--pid=container: of the owner",
        lambda w: _victim_by_process(w, f"--pid=container:{OWNER}", "--security-opt=apparmor=unconfined"),
    ),
]


@attempt("host reach", "--pid=container: of the owner by the name of a link")
def _by_link(world: World) -> None:
    body = {"Image": "tiny", "HostConfig": {"NetworkMode": "none", "Links": [f"{OWNER}:db"]}}
    world.post("/containers/create?name=linked", body)
    _victim_by_process(world, "--pid=container:linked/db", "--security-opt=apparmor=unconfined")


@attempt("host reach", "a read-only bind of /proc")
def _by_proc(world: World) -> None:
    search = "for p in /x/[0-9]*; do rm -f $p/root/data/sentinel; done 2>/dev/null"
    world.cli("run", "--rm", "-v", "/proc:/x:ro", "--security-opt=apparmor=unconfined", "tiny", "sh", "-c", search)


_IN_BOTH: dict[str, dict[str, Any]] = {
    "added capabilities": {"CapAdd": ["SYS_ADMIN"]},
    "all capabilities": {"CapAdd": ["ALL"]},
    "a disk as device": {
        "Devices": [{"PathOnHost": "/dev/vda", "PathInContainer": "/dev/vda", "CgroupPermissions": "rwm"}]
    },
    "device rules": {"DeviceCgroupRules": ["b *:* rwm"]},
    "unmasked system paths": {"MaskedPaths": [], "ReadonlyPaths": []},
    "containerd's socket": {"Binds": ["/run/containerd/containerd.sock:/c.sock"]},
    "containerd's socket, read-only": {"Binds": ["/run/containerd/:/c:ro"]},
    "the plugins' directory": {"Binds": ["/run/docker/plugins:/p"]},
    "some system paths unmasked": {"MaskedPaths": ["/proc/kcore", "/proc/timer_list", "/sys/firmware"]},
    "annotations for the runtime": {"Annotations": {"org.systemd.property.Conflicts": "['srv.mount']"}},
    "a log driver that is looked for by a path": {"LogConfig": {"Type": "../../../tmp/evil"}},
}
_IN_STRICT: dict[str, dict[str, Any]] = {
    "privileged": {"Privileged": True},
    "the engine's socket": {"Binds": ["/run/docker.sock:/d.sock"]},
    "network of the host": {"NetworkMode": "host"},
    "sockets' places, read-only": {"Binds": ["/run:/r:ro"]},
    "a program's place, writable": {"Binds": ["/opt:/o"]},
    "logs to a socket of the host": {
        "LogConfig": {"Type": "syslog", "Config": {"syslog-address": "unix:///run/nobody", "mode": "non-blocking"}}
    },
}
for _name, _host in {**_IN_BOTH, **_IN_STRICT}.items():
    ATTEMPTS.append(
        Attempt(
            "host reach",
            _name,
            lambda w, h=_host: w.post("/containers/create?name=reach", {"Image": "tiny", "HostConfig": h}),
            standard=ALLOWED if _name in _IN_STRICT else REFUSED,
            loses=False,
        )
    )
for _name, _call in {
    "a network driver that is looked for by a path": (
        "POST",
        "/networks/create",
        b'{"Name":"n","Driver":"../../../tmp/evil"}',
    ),
    "swarm": ("POST", "/swarm/init", b'{"ListenAddr":"127.0.0.1:2377","AdvertiseAddr":"127.0.0.1"}'),
    "a swarm service": ("POST", "/services/create", b"{}"),
    "plugin disable": ("POST", "/plugins/ledgerguard/disable?force=1", b""),
    "checkpoint deletion": ("DELETE", f"/containers/{OWNER}/checkpoints/x?dir=/srv", b""),
}.items():
    ATTEMPTS.append(
        Attempt(
            "host reach",
            _name,
            lambda w, c=_call: w.http(c[0], c[1], c[2], "Content-Type: application/json"),
            loses=False,
        )
    )

TOOLS: dict[str, dict[str, Any]] = {
    "Dev Containers": {"HostConfig": {"Init": True, "CapAdd": ["SYS_PTRACE"], "SecurityOpt": ["seccomp=unconfined"]}},
    "Testcontainers": {
        "HostConfig": {
            "AutoRemove": True,
            "Privileged": True,
            "Binds": ["/var/run/docker.sock:/var/run/docker.sock:rw"],
        }
    },
    "kind": {
        "HostConfig": {
            "Privileged": True,
            "SecurityOpt": ["seccomp=unconfined", "apparmor=unconfined"],
            "CgroupnsMode": "private",
            "Tmpfs": {"/tmp": "", "/run": ""},
            "Binds": ["/lib/modules:/lib/modules:ro"],
            "Devices": [{"PathOnHost": "/dev/fuse", "PathInContainer": "/dev/fuse", "CgroupPermissions": "rwm"}],
        },
        "Volumes": {"/var": {}},
    },
    "buildx": {
        "HostConfig": {
            "Privileged": True,
            "Init": True,
            "Mounts": [{"Type": "volume", "Source": "buildx_state", "Target": "/var/lib/buildkit"}],
        }
    },
    "Portainer": {
        "HostConfig": {
            "Binds": ["/var/run/docker.sock:/var/run/docker.sock", "portainer_data:/data"],
            "RestartPolicy": {"Name": "always"},
        }
    },
}
for _name, _config in TOOLS.items():

    def _tool(world: World, config: dict[str, Any] = _config) -> None:
        assert " 201 " in world.post("/containers/create?name=tool", {"Image": "tiny", **config}), world.said[-1]

    TWINS.append(
        Attempt(
            "host reach",
            f"created as by {_name}",
            _tool,
            standard=ALLOWED,
            strict=ALLOWED if _name == "-" else REFUSED,
            loses=False,
        )
    )


@twin("host reach", "created as by cAdvisor (/:/rootfs:ro)", strict=REFUSED, only="26.1")
def _cadvisor(world: World) -> None:
    binds = [
        "/:/rootfs:ro",
        "/var/run:/var/run:ro",
        "/sys:/sys:ro",
        f"{world.engine.data_root}/:/var/lib/docker:ro",
        "/dev/disk/:/dev/disk:ro",
    ]
    devices = [{"PathOnHost": "/dev/kmsg", "PathInContainer": "/dev/kmsg", "CgroupPermissions": "r"}]
    body = {"Image": "tiny", "HostConfig": {"Privileged": True, "Binds": binds, "Devices": devices}}
    assert " 201 " in world.post("/containers/create?name=cadvisor", body), world.said[-1]


def _by_second_procfs(world: World, *mode: str) -> None:
    search = "for p in /x/proc/[0-9]*; do rm -f $p/root/data/sentinel; done 2>/dev/null"
    with world.second_procfs() as place:
        bind = ":".join((str(place), "/x", *mode))
        world.cli("run", "--rm", "-v", bind, "--security-opt=apparmor=unconfined", "tiny", "sh", "-c", search)


for _name, _modes in {"a /proc of a chroot's, read-only": ("ro",), "a /proc of a chroot's": ()}.items():
    ATTEMPTS.append(Attempt("host reach", _name, lambda w, m=_modes: _by_second_procfs(w, *m)))


@twin("host reach", "a chroot beside its /proc", strict=REFUSED)
def _chroot_alone(world: World) -> None:
    with world.second_procfs() as place:
        world.ok("run", "--rm", "--mount", f"type=bind,src={place},dst=/x,bind-nonrecursive", "tiny", "ls", "/x")


_EXCEPTIONS: dict[str, tuple[tuple[str, ...], str]] = {
    "node_exporter (/:/host:ro,rslave)": (("-v", "/:/host:ro,rslave"), "bind / ro,propagates"),
    "a container with the host's processes": (("--pid=host",), "pid mode host"),
    "wireguard (SYS_MODULE)": (("--cap-add=SYS_MODULE",), "capability SYS_MODULE"),
    "certbot (/etc/letsencrypt)": (("-v", "/etc/letsencrypt:/etc/letsencrypt"), "bind /etc/letsencrypt rw"),
    "USB rules": (("--device-cgroup-rule=c 189:* rmw",), "DeviceCgroupRules [c 189:* rmw]"),
}


def _excepted(world: World, flags: tuple[str, ...], thing: str) -> None:
    """Root follows the refusal's hint; the container of that name and image may have it, and no other."""
    if world.engine.profile:
        refused = world.cli("create", "--name", "tool", *flags, "tiny")
        assert f"ledgerguard allow tool tiny '{thing}'" in refused.stderr, refused.stderr
        world.said.clear()
        assert world.engine.guard("allow", "tool", "tiny", thing).returncode == 0
    try:
        world.ok("create", "--name", "tool", *flags, "tiny")
    finally:
        if world.engine.profile:
            world.engine.guard("allow", "tool", "--remove")


for _name, (_flags, _thing) in _EXCEPTIONS.items():
    TWINS.append(
        Attempt(
            "host reach",
            f"allowed by root: {_name}",
            lambda w, f=_flags, t=_thing: _excepted(w, f, t),
            standard=ALLOWED,
            strict=ALLOWED,
            loses=False,
        )
    )
