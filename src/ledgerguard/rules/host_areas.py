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
SYSTEM_AREAS = (
    "/bin", "/boot", "/dev", "/efi", "/etc", "/lib", "/lib32", "/lib64", "/libx32", "/nix", "/proc", "/run",
    "/sbin", "/snap", "/sys", "/usr", "/var/cron", "/var/lib/apt", "/var/lib/cloud", "/var/lib/containerd",
    "/var/lib/containers", "/var/lib/dkms", "/var/lib/docker", "/var/lib/dpkg", "/var/lib/kubelet",
    "/var/lib/ledgerguard", "/var/lib/machines", "/var/lib/pacman", "/var/lib/polkit-1", "/var/lib/rpm",
    "/var/lib/snapd", "/var/lib/systemd", "/var/log/ledgerguard", "/var/run", "/var/spool",
)  # fmt: skip
_OF_A_USER = re.compile(r"(?:/var)?/run/user/[0-9]+/.+")
# Where the kernel, and programs that listen, are met: reading is enough to get from there into the host.
LIVE_AREAS = ("/dev", "/proc", "/run", "/tmp", "/var/run")  # noqa: S108 names
# Types of file systems that are the kernel itself, wherever they are mounted: not to be written, not to be read, not to
# be read in *strict*.
PROCESS_FILE_SYSTEMS = frozenset({"proc"})
LIVE_FILE_SYSTEMS = PROCESS_FILE_SYSTEMS | {"devpts", "devtmpfs"}
KERNEL_FILE_SYSTEMS = LIVE_FILE_SYSTEMS | {
    "binfmt_misc", "bpf", "cgroup", "cgroup2", "configfs", "debugfs", "efivarfs", "pstore", "rpc_pipefs", "securityfs",
    "selinuxfs", "sysfs", "tracefs",
}  # fmt: skip
# Where *strict* lets containers write at all: below these, for there people keep data and nothing of the system.
DATA_AREAS = ("/data", "/media", "/mnt", "/srv")
HARMLESS_PATHS = frozenset({"/etc/localtime", "/etc/timezone", "/dev/null", "/dev/shm", "/dev/net/tun"})  # noqa: S108 names


@dataclass(frozen=True)
class HostAreas:
    """Where the engine and the guard keep their things."""

    data_root: str = "/var/lib/docker"
    guard_directories: tuple[str, ...] = field(default_factory=tuple)
    sockets: tuple[str, ...] = SOCKETS
    engine_sockets: frozenset[str] = ENGINE_SOCKETS

    @property
    def system(self) -> tuple[str, ...]:
        return (*SYSTEM_AREAS, self.data_root, *self.guard_directories)


def is_within(path: str, area: str) -> bool:
    """Whether `path` is `area` or lies below it."""
    return path == area or path.startswith(area.rstrip("/") + "/")


def overlaps(path: str, other: str) -> bool:
    """Whether one holds the other."""
    return is_within(path, other) or is_within(other, path)


def is_root_login_path(path: str) -> bool:
    """Whether who writes there may sign in as root: keys of ssh, or root's home."""
    return path == "/root" or ".ssh" in path.split("/")


def is_in_user_runtime(path: str) -> bool:
    """Whether it is below a person's own run-time directory: sockets of a desktop, of ssh's and gpg's agents."""
    return _OF_A_USER.fullmatch(path) is not None


def find_overlap(paths: Iterable[str], areas: Iterable[str]) -> str:
    """The first of `areas` that one of `paths` overlaps; "" if none."""
    candidates = tuple(areas)
    return next((spot for path in paths for spot in candidates if overlaps(path, spot)), "")


def find_holder(paths: Iterable[str], areas: Iterable[str]) -> str:
    """The first of `areas` that holds one of `paths`; "" if none."""
    candidates = tuple(paths)
    return next((area for area in areas for path in candidates if is_within(path, area)), "")


def find_within(holder: str, paths: Iterable[str]) -> str:
    """The first of `paths` that `holder` holds; "" if none."""
    return next((path for path in paths if is_within(path, holder)), "")


def resolve(path: str, lookups: Lookups) -> tuple[str, str]:
    """The path as written without its dots, and where it really leads."""
    return posixpath.normpath("/" + path.lstrip("/")), lookups.real_path(path)


def with_locations(paths: Iterable[str], lookups: Lookups) -> tuple[str, ...]:
    """The paths, and where each lies in its file system: what is mounted twice has two paths and one location."""
    all_paths = tuple(paths)
    return (*all_paths, *lookups.locations(all_paths))


def visible_paths(paths: tuple[str, str], mount: Mount, lookups: Lookups) -> tuple[str, ...]:
    """All that a mount of what `both` found would show, located: with what is mounted below it, unless it is not
    recursive."""
    below = lookups.submounts(paths[1]) if mount.recursive else ()
    return with_locations((*paths, *below), lookups)
