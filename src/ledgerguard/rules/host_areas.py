"""Paths of the host that containers must not be given, and whether a path leads there. Pure but for the look-ups.

A module of its own because volumes' options, binds and a container's mounts all end in one question: which directory of
the host is it, and does it hold, or lie in, what is protected?
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from ledgerguard.model import Lookups, Mount

SOCKETS = ("/run/docker.sock", "/run/containerd", "/var/run/docker.sock", "/var/run/containerd")
ENGINE_SOCKETS = frozenset({"/run/docker.sock", "/var/run/docker.sock"})
# Whoever may write here is the host: system programs, their configuration, what package managers and the system's first
# process run, the kernel's files, devices.
SYSTEM = (
    "/bin", "/boot", "/dev", "/efi", "/etc", "/lib", "/lib32", "/lib64", "/libx32", "/nix", "/proc", "/run",
    "/sbin", "/snap", "/sys", "/usr", "/var/cron", "/var/lib/apt", "/var/lib/cloud", "/var/lib/containerd",
    "/var/lib/containers", "/var/lib/dkms", "/var/lib/docker", "/var/lib/dpkg", "/var/lib/kubelet",
    "/var/lib/ledgerguard", "/var/lib/machines", "/var/lib/pacman", "/var/lib/polkit-1", "/var/lib/rpm",
    "/var/lib/snapd", "/var/lib/systemd", "/var/log/ledgerguard", "/var/run", "/var/spool",
)  # fmt: skip
_OF_A_USER = re.compile(r"(?:/var)?/run/user/[0-9]+/.+")
# Where the kernel, and programs that listen, are met: reading is enough to get from there into the host.
LIVE = ("/dev", "/proc", "/run", "/tmp", "/var/run")  # noqa: S108 names
# Types of file systems that are the kernel itself, wherever they are mounted: not to be written, not to be read, not to
# be read in *strict*.
PROCESSES = frozenset({"proc"})
LIVE_KINDS = PROCESSES | {"devpts", "devtmpfs"}
KERNELS = LIVE_KINDS | {"binfmt_misc", "bpf", "cgroup", "cgroup2", "configfs", "debugfs", "efivarfs", "pstore",
                        "rpc_pipefs", "securityfs", "selinuxfs", "sysfs", "tracefs"}  # fmt: skip
# Where *strict* lets containers write at all: below these, for there people keep data and nothing of the system.
DATA = ("/data", "/media", "/mnt", "/srv")
HARMLESS = frozenset({"/etc/localtime", "/etc/timezone", "/dev/null", "/dev/shm", "/dev/net/tun"})  # noqa: S108 names


@dataclass(frozen=True)
class Places:
    """Where the engine and the guard keep their things."""

    data_root: str = "/var/lib/docker"
    own: tuple[str, ...] = field(default_factory=tuple)
    sockets: tuple[str, ...] = SOCKETS
    engine_sockets: frozenset[str] = ENGINE_SOCKETS

    @property
    def system(self) -> tuple[str, ...]:
        return (*SYSTEM, self.data_root, *self.own)


def within(path: str, place: str) -> bool:
    """Whether `path` is `place` or lies below it."""
    return path == place or path.startswith(place.rstrip("/") + "/")


def overlaps(path: str, place: str) -> bool:
    """Whether one holds the other."""
    return within(path, place) or within(place, path)


def opens_root(path: str) -> bool:
    """Whether who writes there may sign in as root: keys of ssh, or root's home."""
    return path == "/root" or ".ssh" in path.split("/")


def of_a_user(path: str) -> bool:
    """Whether it is below a person's own run-time directory: sockets of a desktop, of ssh's and gpg's agents."""
    return _OF_A_USER.fullmatch(path) is not None


def reached(paths: Iterable[str], place: Iterable[str]) -> str:
    """The first of `place` that one of `paths` overlaps; "" if none."""
    spots = tuple(place)
    return next((spot for path in paths for spot in spots if overlaps(path, spot)), "")


def both(path: str, lookups: Lookups) -> tuple[str, str]:
    """The path as written without its dots, and where it really leads."""
    return posixpath.normpath("/" + path.lstrip("/")), lookups.real_path(path)


def located(paths: Iterable[str], lookups: Lookups) -> tuple[str, ...]:
    """The paths, and where each lies in its file system: what is mounted twice has two paths and one location."""
    spots = tuple(paths)
    return (*spots, *lookups.locations(spots))


def shown(paths: tuple[str, str], mount: Mount, lookups: Lookups) -> tuple[str, ...]:
    """All that a mount of what `both` found would show, located: with what is mounted below it, unless it is not
    recursive."""
    below = lookups.submounts(paths[1]) if mount.recursive else ()
    return located((*paths, *below), lookups)
