"""Which directories of the host a world has for itself, and how: pure decisions, no effect.

A module of its own because a directory that is forgotten here is a directory of the machine that a test changes.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

# Written by deploys and tests. `/usr` and `/var` are large: seen through an overlay, their changes kept in the world.
COPIED = Path("/etc")
OVERLAID = (Path("/usr"), Path("/root"))
MIRRORED = Path("/var")
EMPTY = (Path("/srv"), Path("/tmp"))  # noqa: S108 a mount point, nothing is written there
VOLATILE = Path("/run")
PRIVATE = (COPIED, *OVERLAID, MIRRORED, *EMPTY, VOLATILE)
# The machine's own deployment, engine and guard: a world starts without them.
HIDDEN_DIRECTORIES = (
    "etc/docker",
    "etc/ledgerflow",
    "etc/ledgerguard",
    "etc/systemd/system/docker.service.d",
    "var/lib/docker",
    "var/lib/containerd",
    "var/lib/ledgerguard",
    "var/log/ledgerguard",
)
HIDDEN_FILES = (
    "etc/init.d/ledgerguard",
    "etc/profile.d/ledgerflow.sh",
    "etc/systemd/system/ledgerguard.socket",
    "etc/systemd/system/ledgerguard.service",
    "etc/systemd/system/ledgerguard-check.service",
    "usr/local/bin/ledger_docker",
    "usr/local/sbin/ledgerguard",
    "usr/local/sbin/ledgerguard-supervise",
)
IMAGES_RECORD = Path("etc/ledgerflow/images")  # which source the images came from: the world has the same images
CGROUP_PREFIX = "ledgerflow-bed-"


@dataclass(frozen=True)
class Overlay:
    """One directory of the host, seen through the world: reads from `lower`, writes to `upper`."""

    lower: Path
    upper: Path
    work: Path
    mount_point: Path

    def argv(self) -> list[str]:
        """The mount command."""
        options = f"lowerdir={self.lower},upperdir={self.upper},workdir={self.work}"
        return ["mount", "-t", "overlay", "overlay", "-o", options, str(self.mount_point)]


def overlay(world: Path, lower: Path) -> Overlay:
    """The overlay of one directory; its changes lie in `<world>/changes/<path>`."""
    relative = lower.relative_to("/")
    return Overlay(
        lower=lower,
        upper=world / "changes" / relative,
        work=world / "work" / str(relative).replace("/", "-"),
        mount_point=world / "root" / relative,
    )


def is_hidden(path: Path) -> bool:
    """Whether a directory of the host is left out of a world."""
    return str(path.relative_to("/")) in HIDDEN_DIRECTORIES


def is_private(path: Path) -> bool:
    """Whether a world hides what the host has at this path, so that it must be bound into the world to be seen."""
    return any(path.is_relative_to(private) for private in PRIVATE)


def split_for_mirror(children: Iterable[Path], worlds: Path) -> tuple[list[Path], list[Path]]:
    """Directories to overlay, and directories to mirror child by child because the worlds themselves lie below them.

    A directory cannot be the lower layer of an overlay whose upper layer lies inside of it (ELOOP).
    """
    visible = [child for child in children if child != worlds and not is_hidden(child)]
    deeper = [child for child in visible if worlds.is_relative_to(child) or child == Path("/var/lib")]
    return [child for child in visible if child not in deeper], deeper


def daemon_json(world: Path) -> dict[str, object]:
    """The engine's settings. The control groups' driver is named: systemd's would refuse the parent group."""
    return {
        "exec-opts": ["native.cgroupdriver=cgroupfs"],
        "cgroup-parent": f"/{CGROUP_PREFIX}{world.name}",
        "live-restore": True,
    }


def shared_layers(layers: Iterable[str], writable: Iterable[str]) -> list[str]:
    """Layers of images, which no engine ever writes to again: a copy of a world links their files."""
    return sorted(set(layers) - set(writable) - {"l"})
