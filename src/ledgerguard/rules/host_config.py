"""What a container's host configuration may be, by allow-list, per profile. Pure.

A module of its own because it is one table: a key that is not in it may only be empty. *standard* lets pass what tools
of developers need (privileged, the engine's socket); *strict* nothing that reaches the host.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping

from ledgerguard.api import gojson, volume_options
from ledgerguard.api.gojson import NOTHING, Json
from ledgerguard.refusal import Refusal


def _split(words: str) -> frozenset[str]:
    return frozenset(words.split())


DEFAULT_CAPABILITIES = _split(
    "AUDIT_WRITE CHOWN DAC_OVERRIDE FOWNER FSETID KILL MKNOD NET_BIND_SERVICE NET_RAW SETFCAP SETGID SETPCAP SETUID "
    "SYS_CHROOT"
)
# Debuggers, VPNs and databases of developers; none of them reaches another container's files.
STANDARD_CAPABILITIES = DEFAULT_CAPABILITIES | _split(
    "IPC_LOCK LEASE NET_ADMIN PERFMON SYS_NICE SYS_PTRACE SYS_RESOURCE SYS_TIME WAKE_ALARM"
)
# None of them is a disk.
STANDARD_DEVICES = re.compile(
    r"/dev/(?:fuse|kfd|kmsg|kvm|net/tun|null|(?:dri|snd|bus/usb)(?:/[A-Za-z0-9/]+)?|(?:ttyUSB|ttyACM|video)[0-9]+"
    r"|nvidia[a-z0-9-]*)"
)
RUNTIMES = frozenset({"", "runc", "io.containerd.runc.v2"})
# What every engine since 20.10 sets by itself. Without it /proc/sysrq-trigger, /proc/sys or a disk's removal by
# /proc/scsi are a container's to write.
READ_ONLY_PATHS = frozenset({"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"})
MASKED_PATHS = _split(
    "/proc/acpi /proc/asound /proc/kcore /proc/keys /proc/latency_stats /proc/sched_debug /proc/scsi /proc/timer_list "
    "/proc/timer_stats /sys/firmware"
)
UNJUDGED_KEYS = _split(
    "binds mounts volumesfrom containeridfile portbindings restartpolicy autoremove consolesize "
    "capdrop cgroupnsmode dns dnsoptions dnssearch extrahosts groupadd links oomscoreadj publishallports "
    "readonlyrootfs shmsize sysctls cpushares memory nanocpus blkioweight blkioweightdevice blkiodevicereadbps "
    "blkiodevicewritebps blkiodevicereadiops blkiodevicewriteiops cpuperiod cpuquota cpurealtimeperiod "
    "cpurealtimeruntime cpusetcpus cpusetmems memoryreservation memoryswap memoryswappiness oomkilldisable pidslimit "
    "ulimits cpucount cpupercent iomaximumiops iomaximumbandwidth init kernelmemory kernelmemorytcp storageopt "
    "isolation"
)

Rule = Callable[[Json, str], str]  # value, profile → what is wrong, or ""
Runtimes = Callable[[], tuple[str, ...]]


def is_driver_path(name: str) -> bool:
    """Whether a driver's name leads out of the directories, root's own, where the engine looks for its plugin."""
    return name.startswith("/") or ".." in name


def _read_words(value: Json, key: str) -> list[str]:
    return list(gojson.words(value, key))


def _privileged(value: Json, profile: str) -> str:
    return "privileged" if gojson.flag(value, "Privileged") and profile == "strict" else ""


def _pid_mode(value: Json, profile: str) -> str:
    mode = gojson.text(value, "PidMode")
    return "" if not mode or (mode.startswith("container:") and profile == "standard") else f"pid mode {mode!r}"


def _host_namespace(name: str) -> Rule:
    """A namespace that may be the host's in standard only."""

    def rule(value: Json, profile: str) -> str:
        mode = gojson.text(value, name)
        return f"{name} {mode!r}" if mode == "host" and profile == "strict" else ""

    return rule


def _network_mode(value: Json, profile: str) -> str:
    mode = gojson.text(value, "NetworkMode")
    if mode.startswith(("ns:", "/")) or (mode == "host" and profile == "strict"):
        return f"network mode {mode!r}"
    return ""


def _capabilities(value: Json, profile: str) -> str:
    allowed = DEFAULT_CAPABILITIES if profile == "strict" else STANDARD_CAPABILITIES
    requested = {word.upper().removeprefix("CAP_") for word in _read_words(value, "CapAdd")}
    return f"capability {sorted(requested - allowed)[0]}" if requested - allowed else ""


def _devices(value: Json, profile: str) -> str:
    for device in gojson.items(value, "Devices"):
        path = gojson.text(gojson.struct(device, "Devices").get("pathonhost"), "PathOnHost")
        if profile == "strict" or not STANDARD_DEVICES.fullmatch(path):
            return f"device {path!r}"
    return ""


def _must_be_empty(name: str) -> Rule:
    """A key that may only be empty."""
    return lambda value, _profile: "" if value in NOTHING else f"{name} {str(value)!r}"


def _must_be_empty_in_strict(name: str) -> Rule:
    return lambda value, profile: f"{name} {str(value)!r}" if value not in NOTHING and profile == "strict" else ""


def _runtime(value: Json, profile: str, runtimes: Runtimes) -> str:
    """In strict the engine's default one, in standard each that root has set up: by name, and never by a path."""
    name = gojson.text(value, "Runtime")
    if name in RUNTIMES:
        return ""
    names = runtimes()
    return "" if name in (names[:1] if profile == "strict" else names) else f"runtime {name!r}"


def _volume_driver(value: Json, _profile: str) -> str:
    """Anonymous volumes' too."""
    name = gojson.text(value, "VolumeDriver")
    return "" if name == "local" else f"volume driver {name!r}"


def _log_config(value: Json, profile: str) -> str:
    log_config = gojson.struct(value, "LogConfig")
    name = gojson.text(log_config.get("type"), "LogConfig.Type")
    if is_driver_path(name):
        return f"log driver {name!r}, with {log_config.get('config')}"
    log_options = gojson.text_map(log_config.get("config"), "LogConfig.Config")
    local_options = [
        f"{key} {text!r}" for key, text in sorted(log_options.items()) if text.strip().lower().startswith("unix")
    ]
    return f"log option {', '.join(local_options)}" if local_options and profile == "strict" else ""


def _tmpfs(value: Json, _profile: str) -> str:
    for words in gojson.text_map(value, "Tmpfs").values():
        if unknown := volume_options.find_unknown_tmpfs_option(words.split(",")):
            return f"tmpfs option {unknown!r}"
    return ""


def _security_options(value: Json, profile: str) -> str:
    for word in gojson.texts(value, "SecurityOpt"):
        key, _, setting = word.replace(":", "=", 1).partition("=")
        if key == "no-new-privileges" or (key == "apparmor" and setting == "docker-default"):
            continue
        if key in ("seccomp", "apparmor", "label") and profile == "standard":
            continue
        return f"security option {word!r}"
    return ""


def _must_contain_paths(name: str, least: frozenset[str]) -> Rule:
    def rule(value: Json, _profile: str) -> str:
        if value is None or least <= set(gojson.texts(value, name)):
            return ""
        return f"{name} leaves {', '.join(sorted(least - set(value)))} open"

    return rule


RULES: Mapping[str, Rule] = {
    "annotations": _must_be_empty("Annotations"),  # the runtime's own switches, systemd's properties among them
    "logconfig": _log_config,
    "tmpfs": _tmpfs,
    "volumedriver": _volume_driver,
    "privileged": _privileged,
    "pidmode": _pid_mode,
    "ipcmode": _host_namespace("IpcMode"),
    "utsmode": _host_namespace("UTSMode"),
    "usernsmode": _host_namespace("UsernsMode"),
    "networkmode": _network_mode,
    "capadd": _capabilities,
    "devices": _devices,
    "devicecgrouprules": _must_be_empty("DeviceCgroupRules"),
    "devicerequests": _must_be_empty_in_strict("DeviceRequests"),
    "cgroup": _must_be_empty("Cgroup"),
    "cgroupparent": _must_be_empty_in_strict("CgroupParent"),
    "securityopt": _security_options,
    "readonlypaths": _must_contain_paths("ReadonlyPaths", READ_ONLY_PATHS),
    "maskedpaths": _must_contain_paths("MaskedPaths", MASKED_PATHS),
}

JUDGED_EACH = gojson.split_keys("capadd devices securityopt tmpfs")


def find_faults(host: Mapping[str, Json], profile: str, runtimes: Runtimes = tuple) -> Iterator[str]:
    """Each setting that is not allowed in this profile. `runtimes`: those of the engine, asked only where one is
    named."""
    for key, value in host.items():
        if value in NOTHING and key not in ("readonlypaths", "maskedpaths"):
            continue
        if key == "runtime":
            yield from filter(None, [_runtime(value, profile, runtimes)])
        elif key in RULES:
            yield from filter(None, (RULES[key](part, profile) for part in _split_setting(key, value)))
        elif key not in UNJUDGED_KEYS:
            yield f"unknown key {key!r} in HostConfig, {value!r}"


def _split_setting(key: str, value: Json) -> list[Json]:
    """Each of several on its own: what root allowed one of them is not allowed to the next."""
    if key in JUDGED_EACH and isinstance(value, list):
        return [[element] for element in value]
    if key in JUDGED_EACH and isinstance(value, dict):
        return [{name: element} for name, element in value.items()]
    return [value]


def host_refusal(fault: str, profile: str) -> Refusal:
    return Refusal(f"host reach ({profile}): {fault}", "run the container without it")


def check_settings(host: Mapping[str, Json], profile: str) -> None:
    """Refuses the first setting that is not allowed in this profile."""
    for fault in find_faults(host, profile):
        raise host_refusal(fault, profile)


def find_remount_power(host: Mapping[str, Json]) -> str:
    """Why a container could make a read-only mount of its own writable again; "" if it cannot."""
    if gojson.flag(host.get("privileged"), "Privileged"):
        return "privileged"
    added = {word.upper().removeprefix("CAP_") for word in _read_words(host.get("capadd"), "CapAdd")}
    return f"capability {sorted(added - DEFAULT_CAPABILITIES)[0]}" if added - DEFAULT_CAPABILITIES else ""


def shared_containers(host: Mapping[str, Json]) -> tuple[str, ...]:
    """Containers whose processes or shared memory this one would share."""
    modes = [gojson.text(host.get(key), key) for key in ("pidmode", "ipcmode")]
    return tuple(mode.removeprefix("container:") for mode in modes if mode.startswith("container:"))
