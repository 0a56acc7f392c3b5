"""Decides what has to happen to a host's Docker engine, and what is refused, from facts given as data.

A module of its own because these decisions are the risky half of the role docker_engine: pure functions can be tried on
every kind of host without having one. The facts come from the role's module engine_state (or, where nothing has to be
done, from host_probe).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from ledgerflow.findings import message

Facts = Mapping[str, Any]

MINIMUM_ENGINE = (20, 10)
MINIMUM_COMPOSE = (2, 0)
DAEMON_JSON = "/etc/docker/daemon.json"

# What dockerd takes over on SIGHUP. Anything else needs a restart.
RELOADABLE = frozenset({
    "authorization-plugins", "debug", "default-runtime", "features", "insecure-registries", "labels", "live-restore",
    "max-concurrent-downloads", "max-concurrent-uploads", "max-download-attempts", "registry-mirrors", "runtimes",
    "shutdown-timeout",
})  # fmt: skip

# Lists in which one's own entries can stand beside those of others.
SET_LIKE = frozenset({"authorization-plugins", "insecure-registries", "labels", "registry-mirrors"})

# CVE-2026-34040: a body above the limit is not shown to authorization plugins. First versions that have the fix.
FIXED_UPSTREAM = (29, 3, 1)
FIXED_DEBIAN = "26.1.5+dfsg1-9+deb13u1"

LOST_PROMISES = (
    "1: a request to the engine can delete, prune, replace or mount a protected volume",
    "layer 1: the volumes are not bind-backed, so removing a volume's record removes its data",
    "rights: secrets, sentinels and records belong to the user, so every program of the user can read and change them",
)


@dataclass(frozen=True)
class Mode:
    """What can be promised here and where things go; `data_root` is empty where volumes are the engine's own."""

    mode: str
    reason: str
    promises_lost: list[str]
    config_root: str
    data_root: str
    bind_backed: bool
    message: str


@dataclass
class Plan:
    """What the role docker_engine will do. Nothing set means that there is nothing to do."""

    refusals: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    packages: list[str] = field(default_factory=list)
    upgrade: bool = False
    suite: dict[str, Any] = field(default_factory=dict)
    heal_dpkg: bool = False
    write: bool = False
    daemon_json: str = ""
    validate: bool = False
    apply: str = "none"
    start: bool = False
    settled: bool = False


def version_numbers(text: str) -> tuple[int, ...]:
    """The leading numbers of a version: `26.1.5+dfsg1` is (26, 1, 5), no number at all is ()."""
    match = re.match(r"v?(\d+(?:\.\d+)*)", text.strip())
    return tuple(int(part) for part in match.group(1).split(".")) if match else ()


def debian_version_key(version: str) -> tuple[Any, ...]:
    """A sort key that orders Debian versions without an epoch as dpkg does."""
    upstream, _, revision = version.split(":", 1)[-1].rpartition("-")
    epoch = int(version.split(":", 1)[0]) if ":" in version else 0
    return (epoch, _part_key(upstream or revision), _part_key(revision if upstream else ""))


def _part_key(part: str) -> tuple[tuple[tuple[int, ...], int], ...]:
    # dpkg: `~` sorts before the end, letters before other signs; the end of the text is weight 0.
    weights = {"~": -1}
    pieces = re.findall(r"([^\d]*)(\d*)", part)
    return tuple(
        ((*(weights.get(c, ord(c) if c.isalpha() else ord(c) + 256) for c in text), 0), int(number or 0))
        for text, number in pieces
    )


# daemon.json


def parse_daemon_json(text: str) -> dict[str, Any]:
    """{options, error}: the options of a daemon.json, or a refusal that names the line."""
    if not text.strip():
        return {"options": {}, "error": ""}
    try:
        options = json.loads(text)
    except ValueError as error:
        line, column = getattr(error, "lineno", 0), getattr(error, "colno", 0)
        bad_line = text.splitlines()[line - 1].strip() if line else ""
        problem = f"line {line}, column {column} is not JSON ({getattr(error, 'msg', error)}): {bad_line!r}"
        return {"options": {}, "error": message(DAEMON_JSON, problem, f"python3 -m json.tool {DAEMON_JSON}")}
    if not isinstance(options, dict):
        problem = f"holds {type(options).__name__}, not an object"
        return {"options": {}, "error": message(DAEMON_JSON, problem, f"write {{}} or an object into {DAEMON_JSON}")}
    return {"options": options, "error": ""}


def merge_daemon_json(existing: Facts, requested: Facts, path: str = "") -> dict[str, Any]:
    """{merged, conflicts, changed}: `existing` with what `requested` adds.

    A value that differs stays as it is and is a conflict with both values.
    """
    merged, conflicts, changed = dict(existing), [], []
    for key, option in requested.items():
        name = f"{path}{key}"
        if key not in existing:
            merged[key], added = option, [name]
        else:
            merged[key], added, clash = _merge_value(name, existing[key], option)
            conflicts += clash
        changed += added
    return {"merged": merged, "conflicts": conflicts, "changed": changed}


def _merge_value(name: str, existing: Any, requested: Any) -> tuple[Any, list[str], list[dict[str, Any]]]:
    """(the value, names changed, conflicts) of one option that is already set."""
    if existing == requested and isinstance(existing, bool) == isinstance(requested, bool):
        return existing, [], []
    if isinstance(existing, Mapping) and isinstance(requested, Mapping):
        inner = merge_daemon_json(existing, requested, f"{name}.")
        return inner["merged"], inner["changed"], inner["conflicts"]
    if name in SET_LIKE and isinstance(existing, list) and isinstance(requested, list):
        missing = [entry for entry in requested if entry not in existing]
        return existing + missing, [name] if missing else [], []
    return existing, [], [{"option": name, "existing": existing, "wanted": requested}]


def without_options(existing: Facts, removed: Facts) -> dict[str, Any]:
    """{merged, changed}: `existing` without the entries of lists that `removed` names; an emptied list goes too."""
    merged, changed = dict(existing), []
    for key, entries in removed.items():
        current = merged.get(key)
        if isinstance(current, list) and any(entry in current for entry in entries):
            merged[key] = [entry for entry in current if entry not in entries]
            changed.append(key)
            if not merged[key]:
                del merged[key]
    return {"merged": merged, "changed": changed}


def conflict_text(conflict: Facts) -> str:
    """The refusal of one conflict, with both values."""
    existing, requested = json.dumps(conflict["existing"]), json.dumps(conflict["wanted"])
    return message(
        DAEMON_JSON,
        f"{conflict['option']} is {existing}, LedgerFlow wants {requested}; it is not overwritten",
        f"remove {conflict['option']} from {DAEMON_JSON}, or set docker_engine_daemon_options to {existing}",
    )


# Modes


def engine_mode(facts: Facts) -> dict[str, Any]:
    """Whether an engine of ours can be configured here; `home` and `xdg_config_home` only matter where it cannot.

    `reduced` says that this mode was asked for; an ordinary engine then is used like one that cannot be configured.
    """
    reason = _reduced_reason(facts)
    if not reason:
        return asdict(Mode("full", "", [], "/etc/ledgerflow", "/srv", True, ""))
    config = _user_directory(facts, "xdg_config_home", ".config")
    promises = list(LOST_PROMISES)
    if facts.get("desktop"):
        promises.append("after a reboot: the engine starts when its user signs in, not by itself")
    lines = [f"engine guard: NOT ACTIVE here ({reason})", *(f"  does not hold: {text}" for text in promises)]
    return asdict(Mode("reduced", reason, promises, f"{config}/ledgerflow", "", False, "\n".join(lines)))


def _reduced_reason(facts: Facts) -> str:
    """Why an engine of ours cannot be configured here; "" where it can."""
    system = facts.get("system") or "Linux"
    reasons = {
        "Docker Desktop: its engine runs in a machine of its own": facts.get("desktop"),
        "rootless engine: it belongs to one user, not to the host": facts.get("rootless"),
        f"{system}: the engine does not run on this host itself": system != "Linux",
        "asked for by engine_reduced": facts.get("reduced"),
    }
    return next((reason for reason, holds in reasons.items() if holds), "")


def engine_place(facts: Facts, data_root: str) -> dict[str, Any]:
    """Where the files and the data of stacks go, and whose the files are.

    `facts`: as of `engine_mode`, and xdg_cache_home, docker_host (as DOCKER_HOST is written). `data_root` is what the
    settings say; it comes back empty where the engine itself keeps the data. `owner` is empty where the files belong
    to whoever runs Ansible, who can then give none away.
    """
    mode = engine_mode(facts)
    reduced, host = mode["mode"] == "reduced", str(facts.get("docker_host") or "")
    own_socket = host.removeprefix("unix://") if reduced and host.startswith("unix://") else ""
    cache = f"{_user_directory(facts, 'xdg_cache_home', '.cache')}/ledgerflow" if reduced else "/var/cache/ledgerflow"
    return {
        "reduced": reduced,
        "config_root": mode["config_root"],
        "data_root": "" if reduced else data_root,
        "bind_backed": mode["bind_backed"],
        "owner": "" if reduced else "root",
        "images_state_dir": f"{mode['config_root']}/images",
        "images_work_dir": f"{cache}/images",
        "socket": own_socket or "/var/run/docker.sock",
    }


def _user_directory(facts: Facts, variable: str, below_home: str) -> str:
    """A directory of the XDG specification, which says that a relative path in its variable is none."""
    variable_path = str(facts.get(variable) or "")
    return variable_path if variable_path.startswith("/") else f"{facts.get('home') or '~'}/{below_home}"


# The plan


def engine_plan(engine: Facts, settings: Facts) -> dict[str, Any]:
    """What to do to an engine and what is refused.

    `settings`: manage (auto, always, never), options, removed_options, fresh_options, restart_allowed,
    packages ({platform: {engine, compose, buildx, extra, suite}}).
    """
    plan = Plan()
    mode = engine_mode(engine)
    reduced = mode["mode"] == "reduced"
    if reduced:
        _plan_reduced(plan, engine, settings, mode)
    else:
        _plan_engine(plan, engine, settings)
        _plan_plugins(plan, engine, settings)
        _plan_daemon_json(plan, engine, settings)
        _plan_suite(plan, engine, settings)
    _check_version(plan, engine)
    _check_rights(plan, engine)
    plan.heal_dpkg = bool(plan.packages and engine.get("dpkg_interrupted"))
    plan.settled = not (plan.refusals or plan.packages or plan.write or plan.start or plan.apply != "none")
    return asdict(plan)


def platform_name(engine: Facts) -> str:
    """`debian 12`, as the keys of the packages' data are written."""
    return f"{engine.get('distribution', '')} {engine.get('distribution_version', '')}".strip()


def _platform(engine: Facts, settings: Facts) -> Facts:
    packages: Facts = settings["packages"].get(platform_name(engine), {})
    return packages


def _all_packages(platform: Facts) -> list[str]:
    return [*platform["engine"], platform["compose"], platform["buildx"], *platform["extra"]]


def _of_distribution(engine: Facts) -> bool:
    return engine.get("package") in ("docker.io", "")


def _plan_reduced(plan: Plan, engine: Facts, settings: Facts, mode: Facts) -> None:
    if not engine.get("reduced"):
        problem = f"{mode['reason']}; only the reduced mode works on it, and it was not asked for"
        hint = "make deploy as the user whose engine it is finds that out by itself; else -e engine_reduced=true"
        plan.refusals.append(message("engine", problem, hint))
    if not engine.get("running"):
        plan.refusals.append(message("engine", f"does not answer ({mode['reason']})", "start it, then run this again"))
    for name in ("compose", "buildx"):
        if not engine.get(name):
            plan.refusals.append(message("engine", f"the plugin docker {name} is missing", f"install docker {name}"))
    if settings["options"]:
        plan.warnings.append(f"{DAEMON_JSON}: docker_engine_daemon_options are not applied ({mode['reason']})")


def _plan_engine(plan: Plan, engine: Facts, settings: Facts) -> None:
    """Install, upgrade or start the engine itself."""
    manage, is_present = settings["manage"], engine.get("installed") or engine.get("running")
    if manage == "never":
        _refuse_unmanaged(plan, engine)
        return
    platform = _platform(engine, settings)
    if not is_present or (manage == "always" and _of_distribution(engine)):
        if not platform:
            platforms = ", ".join(sorted(settings["packages"]))
            problem = (
                f"{platform_name(engine) or 'this system'!r}: no engine can be installed here (known: {platforms})"
            )
            plan.refusals.append(message("distribution", problem, "install Docker 20.10 or newer, then run this again"))
        else:
            plan.packages += _all_packages(platform)
            plan.upgrade = bool(is_present)
    elif manage == "always":
        problem = f"{engine['package']} {engine.get('package_version', '')} is not the distribution's: not replaced"
        plan.refusals.append(
            message("docker_engine_manage", problem, "set docker_engine_manage: auto to use it as it is")
        )
    elif engine.get("dpkg_interrupted") and not engine.get("running") and platform and _of_distribution(engine):
        plan.packages += _all_packages(platform)
    plan.start = not engine.get("running")


def _refuse_unmanaged(plan: Plan, engine: Facts) -> None:
    if not engine.get("installed") and not engine.get("running"):
        problem, hint = "no engine is installed and docker_engine_manage is never", "set docker_engine_manage: auto"
        plan.refusals.append(message("engine", problem, hint))
    elif not engine.get("running"):
        problem = (
            f"{engine.get('version') or 'the engine'} is installed, does not run, and docker_engine_manage is never"
        )
        plan.refusals.append(message("engine", problem, "systemctl start docker, or set docker_engine_manage: auto"))


def _plan_plugins(plan: Plan, engine: Facts, settings: Facts) -> None:
    """Compose v2 and buildx beside an engine that stays as it is."""
    if plan.packages or not (engine.get("installed") or engine.get("running")):
        return
    platform = _platform(engine, settings)
    for name in ("compose", "buildx"):
        version = str(engine.get(name) or "")
        if version and (name != "compose" or version_numbers(version) >= MINIMUM_COMPOSE):
            continue
        if platform and engine.get("package") == "docker.io" and settings["manage"] != "never":
            plan.packages.append(platform[name])
        else:
            plan.refusals.append(_plugin_refusal(name, version, engine))
    # Ansible's Docker modules need it in the host's own Python.
    if platform and settings["manage"] != "never" and engine.get("requests_importable") is False:
        plan.packages.append("python3-requests")


def _plugin_refusal(name: str, version: str, engine: Facts) -> str:
    source = engine.get("package") or "an engine that is not of the distribution"
    problem = f"docker {name} is {version or 'missing'}" + (", version 2 is needed" if name == "compose" else "")
    if engine.get("package") == "docker-ce":
        return message("engine", f"{problem} ({source})", f"apt-get install docker-{name}-plugin")
    return message("engine", f"{problem} ({source})", f"install the {name} plugin from where the engine came from")


def _plan_daemon_json(plan: Plan, engine: Facts, settings: Facts) -> None:
    parsed = parse_daemon_json(str(engine.get("daemon_json") or ""))
    if parsed["error"]:
        plan.refusals.append(parsed["error"])
        return
    existing, running = parsed["options"], bool(engine.get("running"))
    fresh = not running and not engine.get("installed")
    # A new engine starts with our recommendations; whatever a person wrote there before stays.
    recommended = {k: v for k, v in settings["fresh_options"].items() if fresh and k not in existing}
    merge = merge_daemon_json(existing, {**recommended, **settings["options"]})
    plan.refusals += [conflict_text(conflict) for conflict in merge["conflicts"]]
    plan.refusals += [_flag_refusal(key) for key in settings["options"] if _given_as_flag(key, engine)]
    less = without_options(merge["merged"], settings.get("removed_options") or {})
    changed = [*merge["changed"], *less["changed"]]
    plan.write = bool(changed)
    plan.daemon_json = json.dumps(less["merged"], indent=2) + "\n" if plan.write else ""
    plan.validate = plan.write and bool(engine.get("binary")) and version_numbers(str(engine.get("version"))) >= (23,)
    if running and (changed or engine.get("reload_pending")):
        _plan_apply(plan, changed, settings)


def _plan_apply(plan: Plan, changed: Sequence[str], settings: Facts) -> None:
    slow = sorted({name.split(".")[0] for name in changed} - RELOADABLE)
    plan.apply = "restart" if slow else "reload"
    if slow and not settings["restart_allowed"]:
        problem = f"{', '.join(slow)} need a restart of the running engine, which is not allowed"
        hint = "-e docker_engine_restart_allowed=true (without live-restore the containers stop meanwhile)"
        plan.refusals.append(message(DAEMON_JSON, problem, hint))


def _given_as_flag(key: str, engine: Facts) -> bool:
    names = {f"--{key}", f"--{key.removesuffix('s')}"}
    return any(flag.split("=", 1)[0] in names for flag in engine.get("flags") or [])


def _flag_refusal(key: str) -> str:
    problem = f"{key} is also given to dockerd as a flag; dockerd does not start with both"
    return message(DAEMON_JSON, problem, f"remove --{key} from dockerd's command line (systemctl edit docker)")


def _plan_suite(plan: Plan, engine: Facts, settings: Facts) -> None:
    """Debian 12 takes what it needs from Debian 13, and nothing beyond what is installed now is pinned to it."""
    suite = _platform(engine, settings).get("suite") or {}
    pinned = [name for name in plan.packages if name in suite.get("packages", [])]
    if pinned:
        plan.suite = {"from": suite["from"], "to": suite["to"], "packages": pinned}


def _check_version(plan: Plan, engine: Facts) -> None:
    version = str(engine.get("version") or "")
    if not version or plan.upgrade:
        return
    if version_numbers(version) < MINIMUM_ENGINE:
        hint = "upgrade Docker, or -e docker_engine_manage=always where it is the distribution's"
        plan.refusals.append(message("engine", f"{version} is older than 20.10", hint))
    fixed = has_fix(engine)
    if fixed is not True:
        state = "lacks" if fixed is False else "may lack (its package's revision is not known)"
        package_version = engine.get("package_version") or version
        plan.warnings.append(
            f"engine: {package_version} {state} the fix of CVE-2026-34040 (large requests are hidden from the guard)\n"
            "HINT: apt-get upgrade, or -e docker_engine_manage=always where it is the distribution's"
        )


def has_fix(engine: Facts) -> bool | None:
    """Whether the engine has the fix of CVE-2026-34040; None where that cannot be told."""
    numbers, package = version_numbers(str(engine.get("version") or "")), str(engine.get("package_version") or "")
    if numbers >= FIXED_UPSTREAM:
        return True
    if numbers[:2] != (26, 1) or numbers < (26, 1, 5):
        # Distributions mend old versions too, under their own revisions.
        return None if engine.get("distribution") == "ubuntu" else False
    if not package:
        return None
    return debian_version_key(package) >= debian_version_key(FIXED_DEBIAN)


def _check_rights(plan: Plan, engine: Facts) -> None:
    if engine.get("uid") and (plan.packages or plan.write or plan.start or plan.apply != "none"):
        problem = f"has to be changed, but this runs as uid {engine['uid']}"
        plan.refusals.append(message("engine", problem, "run as root, or with --become"))


def asked_plugins(engine: Facts) -> list[str]:
    """The authorization plugins its daemon.json names: the engine starts only while they answer."""
    options = parse_daemon_json(str(engine.get("daemon_json") or ""))["options"]
    return list(options.get("authorization-plugins") or [])


def unanswered_text(engine: Facts) -> str:
    """The refusal of an engine that was started and does not answer, with what its log said last."""
    log = str(engine.get("log") or "(no log)")
    plugins = asked_plugins(engine)
    hint = "journalctl -u docker" if engine.get("systemd") else "tail -n 50 /var/log/docker.log"
    if plugins:
        hint = f"{DAEMON_JSON} names the guard {', '.join(plugins)}: start it first; {hint}"
    return message("engine", f"does not answer after it was started; its last lines:\n{log}", hint)


def unapplied_options(engine: Facts, options: Facts) -> list[str]:
    """The wanted options that the running engine, asked again, still does not have; only those that it shows.

    Of its authorization plugins it lists those it was started with, whatever a reload changed.
    """
    active = {"live-restore": bool(engine.get("live_restore"))}
    wrong = [key for key, active_value in active.items() if key in options and options[key] != active_value]
    hint = "journalctl -u docker, then reload the engine"
    return [message("engine", f"{key} was not taken over on reload", hint) for key in wrong]
