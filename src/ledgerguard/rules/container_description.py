"""What a container is beside its program, in a normal form, and whether that is what was declared. Pure.

A module of its own because three writers say the same thing in three ways: a client's request, the engine's own files
and inspect (which hold the engine's defaults), and a declaration. Each is brought to one form, and forms are compared
whole: a key that nobody thought of is a difference.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache

from ledgerguard.api import gojson
from ledgerguard.api.gojson import NOTHING, Json
from ledgerguard.model import Container, Image, Mount

Form = dict[str, Json]
ROUNDS = 2_000  # a value may be a short secret, and declarations are for anybody to read
ENGINE_PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# Judged as mounts, as networks or for every container; or of no effect on what runs inside.
_JUDGED_ELSEWHERE = gojson.split_keys(
    "binds mounts volumesfrom volumedriver autoremove containeridfile consolesize maskedpaths readonlypaths networkmode"
)
# The engine's own choice where nobody chose: root's, by daemon.json.
_ENGINE_CHOICES = frozenset({"logconfig", "runtime", "cgroupnsmode", "ipcmode", "shmsize"})
# The engine records them without what the kernel does not support.
_LIMITS = gojson.split_keys(
    "memory memoryswap memoryreservation memoryswappiness kernelmemory kernelmemorytcp pidslimit nanocpus cpushares "
    "cpuperiod cpuquota cpurealtimeperiod cpurealtimeruntime cpusetcpus cpusetmems blkioweight oomkilldisable"
)
_DEFAULTS: Mapping[str, tuple[Json, ...]] = {
    "shmsize": (64 << 20,),
    "ipcmode": ("private", "shareable"),
    "cgroupnsmode": ("host", "private"),
    "runtime": ("runc", "io.containerd.runc.v2"),
    "isolation": ("default",),
    "memoryswappiness": (-1,),
    "pidslimit": (-1,),
}
_CONFIG_KEYS = (
    "hostname", "domainname", "tty", "openstdin", "stopsignal", "stoptimeout", "macaddress", "networkdisabled", "shell",
)  # fmt: skip
_MAY_BE_MISSING = frozenset({"tty", "openstdin"})  # a terminal or an input that is declared and not there harms nothing


def _capabilities(value: Json) -> Json:
    return sorted({word.upper().removeprefix("CAP_") for word in gojson.words(value, "capabilities")})


def _restart_policy(value: Json) -> Json:
    policy = gojson.struct(value, "RestartPolicy")
    name = gojson.text(policy.get("name"), "RestartPolicy.Name")
    return {} if name in ("", "no") else {"name": name, "maximumretrycount": policy.get("maximumretrycount") or 0}


def _log_config(value: Json) -> Json:
    log_config = gojson.struct(value, "LogConfig")
    log_options = gojson.text_map(log_config.get("config"), "LogConfig.Config")
    kind = gojson.text(log_config.get("type"), "LogConfig.Type")
    return {"type": kind, "config": log_options} if log_options or kind not in ("", "json-file") else {}


def _ports(value: Json) -> Json:
    ports = gojson.mapping(value, "PortBindings")
    bindings = {
        port: [gojson.struct(binding, "PortBindings") for binding in gojson.items(all_of, port)]
        for port, all_of in ports.items()
    }
    return {
        port: sorted([_text(binding.get("hostip")), _text(binding.get("hostport"))] for binding in entries)
        for port, entries in bindings.items()
        if entries
    }


def _text(value: Json) -> str:
    return gojson.text(value, "PortBindings")


def _tmpfs(value: Json) -> Json:
    options_by_target = gojson.text_map(value, "Tmpfs")
    return {target: sorted(filter(None, words.split(","))) for target, words in options_by_target.items()}


def _security_options(value: Json) -> Json:
    words = [word.replace(":", "=", 1) for word in gojson.texts(value, "SecurityOpt")]
    return sorted("no-new-privileges=true" if word == "no-new-privileges" else word for word in words)


def _sorted_texts(value: Json) -> Json:
    return sorted(gojson.texts(value, "a list of texts"))


_NORMALIZERS: Mapping[str, Callable[[Json], Json]] = {
    "capadd": _capabilities,
    "capdrop": _capabilities,
    "restartpolicy": _restart_policy,
    "logconfig": _log_config,
    "portbindings": _ports,
    "tmpfs": _tmpfs,
    "securityopt": _security_options,
    "extrahosts": _sorted_texts,
    "groupadd": _sorted_texts,
    "links": _sorted_texts,
}


def normalize_host(host: Mapping[str, Json]) -> Form:
    """A host configuration (by folded key) without what is as by default and what is judged elsewhere."""
    form: Form = {}
    for key, value in host.items():
        if key in _JUDGED_ELSEWHERE or value in NOTHING:
            continue
        normal = _NORMALIZERS[key](value) if key in _NORMALIZERS else value
        if normal not in NOTHING and normal not in _DEFAULTS.get(key, ()):
            form[key] = normal
    if form.get("memoryswap") == 2 * form.get("memory", 0):  # what the engine makes of a limit without one for swap
        form.pop("memoryswap", None)
    mode = gojson.text(host.get("networkmode"), "NetworkMode")
    if mode in ("none", "host") or mode.startswith(("container:", "ns:")):
        form["networkmode"] = mode
    mounts = [gojson.struct(mount, "Mounts") for mount in gojson.items(host.get("mounts"), "Mounts")]
    tmpfs_mounts = {str(mount.get("target")): mount.get("tmpfsoptions") or {} for mount in filter(_is_tmpfs, mounts)}
    return {**form, "tmpfsmounts": tmpfs_mounts} if tmpfs_mounts else form


def declarable_host_settings(host: Mapping[str, Json]) -> Form:
    """Of a host configuration (by folded key) all that its form has, as the engine writes it: to be declared."""
    mounts = [
        mount for mount in gojson.items(host.get("mounts"), "Mounts") if _is_tmpfs(gojson.struct(mount, "Mounts"))
    ]
    settings = {key: host[key] for key in normalize_host(host) if key != "tmpfsmounts"}
    return {**settings, "mounts": mounts} if mounts else settings


def _is_tmpfs(mount: Mapping[str, Json]) -> bool:
    return bool(mount.get("type") == "tmpfs")


def normalize_config(container: Container, image: Image | None) -> Form:
    """What its configuration says beside the program, without what is as by default."""
    form = _without_defaults(container.config)
    if form.get("hostname") == (container.id[:12] or None) or container.host.get("networkmode") == "host":
        form.pop("hostname", None)
    if image and form.get("stopsignal") == image.stop_signal:
        form.pop("stopsignal")
    return form


def normalize_declared_host(declared: Mapping[str, Json]) -> Form:
    """Of a declaration's `host`, whatever the case of its keys."""
    return normalize_host(gojson.struct(declared, "host"))


def find_host_fault(container: Container, declared: Mapping[str, Json]) -> str:
    """The first setting that is not as declared; "" if none."""
    actual, declared_form = normalize_host(container.host), normalize_declared_host(declared)
    for key in sorted({*actual, *declared_form}):
        present, expected = actual.get(key), declared_form.get(key)
        if present != expected and not _is_engine_choice(key, present, expected, container.is_recorded):
            return _describe_difference(key, present, expected)
    return ""


def _is_engine_choice(key: str, present: Json, expected: Json, is_recorded: bool) -> bool:
    """Whether a difference is the engine's own: a default that it chose, a limit that its kernel does not support."""
    if key in _ENGINE_CHOICES:
        return present is None or (is_recorded and expected is None)
    return is_recorded and key in _LIMITS and present in (None, -1)


def _without_defaults(config: Mapping[str, Json]) -> Form:
    """No time to stop is another than none given: with 0 the program is killed at once."""
    settings = {key: config.get(key) for key in _CONFIG_KEYS}
    return {key: value for key, value in settings.items() if value not in NOTHING or (key, value) == ("stoptimeout", 0)}


def find_config_fault(container: Container, declared: Mapping[str, Json], image: Image | None) -> str:
    actual = normalize_config(container, image)
    expected = _without_defaults(gojson.struct(declared, "config"))
    if image and expected.get("stopsignal") == image.stop_signal:
        expected.pop("stopsignal")
    keys = sorted({*actual, *expected} - (_MAY_BE_MISSING - set(actual)))
    differing = (key for key in keys if actual.get(key) != expected.get(key))
    return next((_describe_difference(key, actual.get(key), expected.get(key)) for key in differing), "")


def _describe_difference(key: str, actual: Json, expected: Json) -> str:
    return f"{key} {_shorten(actual)}, declared {_shorten(expected)}"


def _shorten(value: Json) -> str:
    text = "nothing" if value is None else str(value)
    return text if len(text) <= 60 else text[:57] + "..."


# --- the environment ------------------------------------------------------------------------------------------------


def digest_value(container: str, name: str, value: str) -> str:
    """What a declaration keeps of a variable's value: it may be a secret."""
    return _digest(f"{container}/{name}", value)


@lru_cache(maxsize=512)
def _digest(salt: str, value: str) -> str:
    return hashlib.pbkdf2_hmac("sha256", value.encode(), salt.encode(), ROUNDS).hex()


def environment_beside_image(environment: Iterable[str], image: Image | None) -> tuple[str, ...]:
    """The variables (NAME=VALUE) that are not the image's. The engine adds a PATH where the image has none."""
    image_variables = image.environment if image else ()
    has_path = any(variable.startswith("PATH=") for variable in image_variables)
    inherited = {*image_variables, *(() if has_path else (ENGINE_PATH,))}
    return tuple(variable for variable in environment if variable not in inherited)


def find_environment_fault(
    container: str, environment: Iterable[str], digests: Mapping[str, str], image: Image | None
) -> str:
    """A variable whose value is not the declared one, or that is missing; "" if none. Of one that is there twice the
    last counts for the engine, and each here."""
    actual: dict[str, list[str]] = {}
    for variable in environment:
        name, _, value = variable.partition("=")
        actual.setdefault(name, []).append(value)
    inherited = dict(variable.split("=", 1) for variable in (image.environment if image else ()) if "=" in variable)
    for name, digest in sorted(digests.items()):
        contents = actual.get(name) or [inherited[key] for key in (name,) if key in inherited]
        if not contents:
            return f"environment {name} is missing"
        if any(digest_value(container, name, value) != digest for value in contents):
            return f"environment {name} has another value than declared"
    return ""


# --- networks and mounts ----------------------------------------------------------------------------------------------


def find_missing_mount(mounts: Iterable[Mount], targets: Iterable[str]) -> str:
    """The first of the declared targets at which nothing is mounted; "" if none."""
    mounted = {mount.target.rstrip("/") or "/" for mount in mounts}
    return next((target for target in targets if (target.rstrip("/") or "/") not in mounted), "")
