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
ENGINES_PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# Judged as mounts, as networks or for every container; or of no effect on what runs inside.
_ELSEWHERE = gojson.keys(
    "binds mounts volumesfrom volumedriver autoremove containeridfile consolesize maskedpaths readonlypaths networkmode"
)
# The engine's own choice where nobody chose: root's, by daemon.json.
_OF_THE_ENGINE = frozenset({"logconfig", "runtime", "cgroupnsmode", "ipcmode", "shmsize"})
# The engine records them without what the kernel does not support.
_LIMITS = gojson.keys(
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
_CONFIG = (
    "hostname", "domainname", "tty", "openstdin", "stopsignal", "stoptimeout", "macaddress", "networkdisabled", "shell",
)  # fmt: skip
_FEWER = frozenset({"tty", "openstdin"})  # a terminal or an input that is declared and not there harms nothing


def _capabilities(value: Json) -> Json:
    return sorted({word.upper().removeprefix("CAP_") for word in gojson.words(value, "capabilities")})


def _restart(value: Json) -> Json:
    policy = gojson.struct(value, "RestartPolicy")
    name = gojson.text(policy.get("name"), "RestartPolicy.Name")
    return {} if name in ("", "no") else {"name": name, "maximumretrycount": policy.get("maximumretrycount") or 0}


def _logs(value: Json) -> Json:
    chosen = gojson.struct(value, "LogConfig")
    said = gojson.text_map(chosen.get("config"), "LogConfig.Config")
    kind = gojson.text(chosen.get("type"), "LogConfig.Type")
    return {"type": kind, "config": said} if said or kind not in ("", "json-file") else {}


def _ports(value: Json) -> Json:
    ports = gojson.mapping(value, "PortBindings")
    found = {
        port: [gojson.struct(one, "PortBindings") for one in gojson.items(all_of, port)]
        for port, all_of in ports.items()
    }
    return {
        port: sorted([_text(one.get("hostip")), _text(one.get("hostport"))] for one in some)
        for port, some in found.items()
        if some
    }


def _text(value: Json) -> str:
    return gojson.text(value, "PortBindings")


def _tmpfs(value: Json) -> Json:
    chosen = gojson.text_map(value, "Tmpfs")
    return {target: sorted(filter(None, words.split(","))) for target, words in chosen.items()}


def _security(value: Json) -> Json:
    words = [word.replace(":", "=", 1) for word in gojson.texts(value, "SecurityOpt")]
    return sorted("no-new-privileges=true" if word == "no-new-privileges" else word for word in words)


def _unordered(value: Json) -> Json:
    return sorted(gojson.texts(value, "a list of texts"))


_NORMAL: Mapping[str, Callable[[Json], Json]] = {
    "capadd": _capabilities,
    "capdrop": _capabilities,
    "restartpolicy": _restart,
    "logconfig": _logs,
    "portbindings": _ports,
    "tmpfs": _tmpfs,
    "securityopt": _security,
    "extrahosts": _unordered,
    "groupadd": _unordered,
    "links": _unordered,
}


def host_form(host: Mapping[str, Json]) -> Form:
    """A host configuration (by folded key) without what is as by default and what is judged elsewhere."""
    form: Form = {}
    for key, value in host.items():
        if key in _ELSEWHERE or value in NOTHING:
            continue
        plain = _NORMAL[key](value) if key in _NORMAL else value
        if plain not in NOTHING and plain not in _DEFAULTS.get(key, ()):
            form[key] = plain
    if form.get("memoryswap") == 2 * form.get("memory", 0):  # what the engine makes of a limit without one for swap
        form.pop("memoryswap", None)
    mode = gojson.text(host.get("networkmode"), "NetworkMode")
    if mode in ("none", "host") or mode.startswith(("container:", "ns:")):
        form["networkmode"] = mode
    mounts = [gojson.struct(one, "Mounts") for one in gojson.items(host.get("mounts"), "Mounts")]
    made = {str(one.get("target")): one.get("tmpfsoptions") or {} for one in filter(_is_tmpfs, mounts)}
    return {**form, "tmpfsmounts": made} if made else form


def settings(host: Mapping[str, Json]) -> Form:
    """Of a host configuration (by folded key) all that its form has, as the engine writes it: to be declared."""
    mounts = [one for one in gojson.items(host.get("mounts"), "Mounts") if _is_tmpfs(gojson.struct(one, "Mounts"))]
    said = {key: host[key] for key in host_form(host) if key != "tmpfsmounts"}
    return {**said, "mounts": mounts} if mounts else said


def _is_tmpfs(mount: Mapping[str, Json]) -> bool:
    return bool(mount.get("type") == "tmpfs")


def config_form(container: Container, image: Image | None) -> Form:
    """What its configuration says beside the program, without what is as by default."""
    form = _without_defaults(container.config)
    if form.get("hostname") == (container.id[:12] or None) or container.host.get("networkmode") == "host":
        form.pop("hostname", None)
    if image and form.get("stopsignal") == image.stop_signal:
        form.pop("stopsignal")
    return form


def declared_form(declared: Mapping[str, Json]) -> Form:
    """Of a declaration's `host`, whatever the case of its keys."""
    return host_form(gojson.struct(declared, "host"))


def host_fault(container: Container, declared: Mapping[str, Json]) -> str:
    """The first setting that is not as declared; "" if none."""
    seen, wanted = host_form(container.host), declared_form(declared)
    for key in sorted({*seen, *wanted}):
        found, granted = seen.get(key), wanted.get(key)
        if found == granted or (found is None and key in _OF_THE_ENGINE):
            continue
        if container.made and ((key in _OF_THE_ENGINE and granted is None) or (key in _LIMITS and found in (None, -1))):
            continue
        return _told(key, found, granted)
    return ""


def _without_defaults(config: Mapping[str, Json]) -> Form:
    """No time to stop is another than none given: with 0 the program is killed at once."""
    said = {key: config.get(key) for key in _CONFIG}
    return {key: value for key, value in said.items() if value not in NOTHING or (key, value) == ("stoptimeout", 0)}


def config_fault(container: Container, declared: Mapping[str, Json], image: Image | None) -> str:
    seen = config_form(container, image)
    wanted = _without_defaults(gojson.struct(declared, "config"))
    if image and wanted.get("stopsignal") == image.stop_signal:
        wanted.pop("stopsignal")
    keys = sorted({*seen, *wanted} - (_FEWER - set(seen)))
    differing = (key for key in keys if seen.get(key) != wanted.get(key))
    return next((_told(key, seen.get(key), wanted.get(key)) for key in differing), "")


def _told(key: str, found: Json, granted: Json) -> str:
    return f"{key} {_short(found)}, declared {_short(granted)}"


def _short(value: Json) -> str:
    text = "nothing" if value is None else str(value)
    return text if len(text) <= 60 else text[:57] + "..."


# --- the environment ------------------------------------------------------------------------------------------------


def value_digest(container: str, name: str, value: str) -> str:
    """What a declaration keeps of a variable's value: it may be a secret."""
    return _digest(f"{container}/{name}", value)


@lru_cache(maxsize=512)
def _digest(salt: str, value: str) -> str:
    return hashlib.pbkdf2_hmac("sha256", value.encode(), salt.encode(), ROUNDS).hex()


def own_environment(environment: Iterable[str], image: Image | None) -> tuple[str, ...]:
    """The variables (NAME=VALUE) that are not the image's. The engine adds a PATH where the image has none."""
    of_image = image.environment if image else ()
    has_path = any(one.startswith("PATH=") for one in of_image)
    left_out = {*of_image, *(() if has_path else (ENGINES_PATH,))}
    return tuple(one for one in environment if one not in left_out)


def environment_fault(
    container: str, environment: Iterable[str], values: Mapping[str, str], image: Image | None
) -> str:
    """A variable whose value is not the declared one, or that is missing; "" if none. Of one that is there twice the
    last counts for the engine, and each here."""
    seen: dict[str, list[str]] = {}
    for one in environment:
        name, _, value = one.partition("=")
        seen.setdefault(name, []).append(value)
    of_image = dict(one.split("=", 1) for one in (image.environment if image else ()) if "=" in one)
    for name, digest in sorted(values.items()):
        given = seen.get(name) or [of_image[key] for key in (name,) if key in of_image]
        if not given:
            return f"environment {name} is missing"
        if any(value_digest(container, name, value) != digest for value in given):
            return f"environment {name} has another value than declared"
    return ""


# --- networks and mounts ----------------------------------------------------------------------------------------------


def missing_mount(mounts: Iterable[Mount], targets: Iterable[str]) -> str:
    """The first of the declared targets at which nothing is mounted; "" if none."""
    taken = {mount.target.rstrip("/") or "/" for mount in mounts}
    return next((target for target in targets if (target.rstrip("/") or "/") not in taken), "")
