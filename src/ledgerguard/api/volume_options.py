"""What the options of a volume may be: the local driver's are mount(8) in disguise. Pure.

A module of its own because an option's words are an allow-list of their own, used for a volume that is created by name,
in a container's mounts, and for one that exists when a container with it starts.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from ledgerguard.refusal import Refusal

_TMPFS = re.compile(
    r"(?:size=[0-9]+[kmgtKMGT%]?|mode=[0-7]{3,4}|[ug]id=[0-9]+|nr_(?:inodes|blocks)=[0-9]+[kmgKMG]?|r[wo]"
    r"|(?:no)?(?:suid|dev|exec|(?:dir|rel)?atime)|strictatime|a?sync|defaults|)"
)
_BIND = re.compile(r"(?:r?bind|rw|ro|no(?:suid|dev|exec|atime)|r?private)")
_NETWORK = re.compile(r"[a-z0-9_]+(?:=[A-Za-z0-9_.,:/@+-]*)?")
_LOOPBACK = re.compile(r"addr=(?:127\.|::1|localhost|0\.|\[::1)")
SAFE_COMMAND = "docker volume create NAME (without options), or declare it: ledgerguard declare FILE"


def find_bound_device(driver: str, options: Mapping[str, str], profile: str, subject: str) -> str:
    """The host directory that a volume with these options would show; "" if none. Refuses what is not known good.

    Raises Refusal for other drivers, devices, overlays and unknown words; in strict for all but plain and tmpfs.
    """
    if driver not in ("", "local"):
        raise Refusal(f"{subject}: driver {driver!r} is not known to the guard", SAFE_COMMAND)
    if unknown := sorted(set(options) - {"type", "o", "device", "size"}):
        raise Refusal(f"{subject}: unknown option {unknown[0]!r}", SAFE_COMMAND)
    kind, device = options.get("type", ""), options.get("device", "")
    words = [word for word in options.get("o", "").split(",") if word]
    if not (kind or device or words):
        return ""
    if kind == "tmpfs" and not find_unknown_tmpfs_option(words):
        return ""
    if profile == "strict":
        raise Refusal(f"{subject}: options type={kind!r} o={options.get('o', '')!r} device={device!r}", SAFE_COMMAND)
    if kind in ("", "none", "bind") and {"bind", "rbind"} & set(words) and all(_BIND.fullmatch(word) for word in words):
        if not device.startswith("/"):
            raise Refusal(f"{subject}: device {device!r} is not an absolute path", SAFE_COMMAND)
        return device
    if kind in ("nfs", "nfs4", "cifs") and _is_remote(words, device):
        return ""
    raise Refusal(f"{subject}: options type={kind!r} o={options.get('o', '')!r} device={device!r}", SAFE_COMMAND)


def find_unknown_tmpfs_option(words: Iterable[str]) -> str:
    """The first word that is no option of a tmpfs of its own; "" if none. (`remount` makes writable what is mounted
    there read-only, and `bind` shows another directory.)"""
    return next((word for word in words if not _TMPFS.fullmatch(word)), "")


def _is_remote(words: list[str], device: str) -> bool:
    addressed = any(word.startswith("addr=") for word in words) and not any(_LOOPBACK.match(word) for word in words)
    is_known = all(_NETWORK.fullmatch(word) and word not in ("bind", "rbind", "remount", "move") for word in words)
    return addressed and is_known and device.startswith((":", "//"))
