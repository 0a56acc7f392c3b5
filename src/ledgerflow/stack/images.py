"""Which image each service runs, by a name made of all that goes into it, and what must be done to have it.

A module of its own because these are rules over images/versions.yml and the files of this repository: they never ask an
engine or a registry, so a deploy knows every reference before anything is touched, and a run with nothing to do costs
the time of reading a few hundred small files.

A *plan* is {options, refs: {name: reference}, items: [item]}, items in the order in which they must be made. An *item*
has name, ref, how (pull, bootstrap or build), level (0 for pull and bootstrap, above that 1 more than its parents) and
what its kind needs; see `_made`. A *finding* is {where, what, hint}.
"""

from __future__ import annotations

import fnmatch
import hashlib
import json
import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleFilterError

Finding = dict[str, str]
Item = dict[str, Any]
Plan = dict[str, Any]
Versions = Mapping[str, Any]

KINDS = ("pull", "bootstrap", "build")
LABEL = "com.ledgerflow.image"
MAKING = 2  # part of every tag: a higher one, when images are made otherwise than before
NOT_CONTENT = (
    "__pycache__",
    "*.pyc",
    "*.swp",
    ".coverage*",
    ".mypy_cache",
    ".pytest_cache",
    ".ruff_cache",
    ".DS_Store",
)
NOT_SHIPPED = ("doc", "man", "info", "locale", "lintian")
VERSIONS_FILE = "images/versions.yml"

_TAG = re.compile(r"^ledgerflow/(?P<name>[a-z][a-z0-9-]*):[0-9a-f]{12}$")


# ---- what an image is made of


def images_plan(versions: Versions, wanted: Iterable[str], options: Mapping[str, Any]) -> Plan:
    """The plan for the `wanted` logical names and all that they are made from.

    `options` has root (the repository), source (registry or debian), registry, mirror and security_mirror (of Debian's
    packages, or "") and digests (pinned: those of versions.yml hold; recorded: those that the host recorded).
    """
    plan: Plan = {"options": dict(options), "refs": {}, "items": []}
    for name in wanted:
        _add(plan, versions, name, options, ())
    return plan


def _add(plan: Plan, versions: Versions, name: str, options: Mapping[str, Any], above: tuple[str, ...]) -> None:
    if name in plan["refs"]:
        return
    if name in above:
        raise AnsibleFilterError(f"{VERSIONS_FILE}: {' -> '.join((*above, name))}: an image cannot be its own parent")
    kind, spec = _recipe(versions, name, options["source"])
    for parent in _parents(spec).values():
        _add(plan, versions, parent, options, (*above, name))
    item = _made(plan, versions, name, kind, spec, options)
    plan["refs"][name] = item["ref"]
    plan["items"].append(item)


def _recipe(versions: Versions, name: str, source: str) -> tuple[str, Mapping[str, Any]]:
    known = versions["images"]
    if name not in known:
        raise AnsibleFilterError(
            f"images_wanted: no image is called {name!r}"
            f"\nHINT: one of {', '.join(sorted(known))}, or add it to {VERSIONS_FILE}"
        )
    ways = known[name]
    recipe = ways.get("any") or ways.get(source)
    if recipe is None:
        raise AnsibleFilterError(
            f"{VERSIONS_FILE}: {name}: nothing says how it is made from source {source!r}"
            f"\nHINT: images_source={next(iter(ways))}"
        )
    ((kind, spec),) = recipe.items()
    if kind not in KINDS:
        raise AnsibleFilterError(
            f"{VERSIONS_FILE}: {name}: {kind!r} is no way to make an image\nHINT: {', '.join(KINDS)}"
        )
    return kind, spec


def _parents(spec: Mapping[str, Any]) -> dict[str, str]:
    return dict(spec.get("parents") or {})


def _made(
    plan: Plan, versions: Versions, name: str, kind: str, spec: Mapping[str, Any], options: Mapping[str, Any]
) -> Item:
    """The item of one image; its reference is a hash over everything else in it."""
    if kind == "pull":
        content = _pulled(spec, options)
    elif kind == "bootstrap":
        content = _bootstrapped(spec, options)
        content["refreshed"] = versions["refreshed"]
    else:
        content = _built(plan, spec, name, Path(options["root"]))
        content["refreshed"] = versions["refreshed"]
    return {"name": name, "how": kind, "ref": f"ledgerflow/{name}:{_hash(content)}", **content}


def _pulled(spec: Mapping[str, Any], options: Mapping[str, Any]) -> Item:
    repository = f"{options['registry']}/{spec['repository']}"
    pinned = spec.get("digest") if options["digests"] == "pinned" else None
    return {"level": 0, "repository": repository, "tag": str(spec["tag"]), "digest": pinned}


def _bootstrapped(spec: Mapping[str, Any], options: Mapping[str, Any]) -> Item:
    suite, mirror, security = spec["suite"], options["mirror"], options["security_mirror"]
    sources = [f"deb {mirror} {suite} main", f"deb {mirror} {suite}-updates main"] if mirror else []
    if security:
        sources.append(f"deb {security} {suite}-security main")
    return {"level": 0, "suite": suite, "packages": sorted(spec["packages"]), "sources": sources}


def _built(plan: Plan, spec: Mapping[str, Any], name: str, root: Path) -> Item:
    levels = {item["name"]: item["level"] for item in plan["items"]}
    parents = _parents(spec)
    return {
        "level": 1 + max((levels[parent] for parent in parents.values()), default=0),
        "context": spec["context"],
        "dockerfile": spec["dockerfile"],
        "target": spec.get("target") or "",
        "args": {key: str(value) for key, value in (spec.get("args") or {}).items()}
        | {key: plan["refs"][parent] for key, parent in parents.items()},
        "parents": sorted(parents.values()),
        "secrets": list(spec.get("secrets") or []),
        "files": context_files(root, name, spec),
    }


def _hash(content: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps([MAKING, content], sort_keys=True).encode()).hexdigest()[:12]


def context_files(root: Path, name: str, spec: Mapping[str, Any]) -> list[list[str]]:
    """[path in the context, mode, sha256 or link target] of every file that the build may read, in a fixed order."""
    context = root / spec["context"]
    exclude = (*NOT_CONTENT, *(spec.get("exclude") or ()))
    wanted = [spec["dockerfile"], *spec["include"]]
    found: dict[str, list[str]] = {}
    for entry in wanted:
        path = context / entry
        if not path.exists():
            raise AnsibleFilterError(
                f"{VERSIONS_FILE}: {name}: {Path(spec['context']) / entry}: no such file or folder"
                f"\nHINT: mend `include` or `dockerfile` of {name}"
            )
        for file in _walk(path, exclude):
            relative = os.path.relpath(file, context)
            found[relative] = [relative, *_fingerprint(Path(file))]
    return [found[key] for key in sorted(found)]


def _walk(path: Path, exclude: Iterable[str]) -> Iterable[str]:
    """Files below `path` (or itself), without what is no content. os.scandir: five times as fast as Path.rglob."""
    if not path.is_dir() or path.is_symlink():
        yield str(path)
        return
    with os.scandir(path) as entries:
        for entry in entries:
            if any(fnmatch.fnmatch(entry.name, pattern) for pattern in exclude):
                continue
            if entry.is_dir(follow_symlinks=False):
                yield from _walk(Path(entry.path), exclude)
            else:
                yield entry.path


def _fingerprint(path: Path) -> list[str]:
    if path.is_symlink():
        return ["link", str(path.readlink())]
    mode = "0755" if path.stat().st_mode & 0o100 else "0644"
    return [mode, hashlib.sha256(path.read_bytes()).hexdigest()]


# ---- what is to be done


def images_missing(plan: Plan, wanted: Iterable[str], present: Iterable[str]) -> list[Item]:
    """Items that must be made: the wanted ones that are not there, and of their parents only those a build needs."""
    there = set(present)
    items = {item["name"]: item for item in plan["items"]}
    needed: set[str] = set()
    queue = list(wanted)
    while queue:
        item = items[queue.pop()]
        if item["name"] in needed or item["ref"] in there:
            continue
        needed.add(item["name"])
        queue.extend(item.get("parents", []))
    return [item for item in plan["items"] if item["name"] in needed]


def images_waves(items: Iterable[Item]) -> list[list[Item]]:
    """Builds grouped so that all of one wave can run at once: an image's parents are in an earlier wave."""
    builds = [item for item in items if item["how"] == "build"]
    return [[item for item in builds if item["level"] == level] for level in sorted({item["level"] for item in builds})]


def images_bake(items: Iterable[Item], folder: str, ca_bundle: str) -> dict[str, Any]:
    """What `docker buildx bake` reads to build one wave, all at once; contexts were unpacked in `folder`."""
    targets = {item["name"]: _bake_target(item, folder, ca_bundle) for item in items}
    return {"group": {"default": {"targets": sorted(targets)}}, "target": targets}


def _bake_target(item: Item, folder: str, ca_bundle: str) -> dict[str, Any]:
    target: dict[str, Any] = {
        "context": f"{folder}/{item['name']}",
        "dockerfile": item["dockerfile"],
        "args": item["args"],
        "tags": [item["ref"]],
        "labels": {LABEL: item["name"]},
    }
    if item["target"]:
        target["target"] = item["target"]
    if ca_bundle and "ca_bundle" in item["secrets"]:
        target["secret"] = [f"id=ca_bundle,src={ca_bundle}"]
    return target


def images_context(items: Iterable[Item]) -> list[dict[str, str]]:
    """The files of the contexts to pack: source (below the repository), name in the archive, mode, link target."""
    return [
        {
            "source": os.path.normpath(f"{item['context']}/{path}"),
            "name": f"{item['name']}/{path}",
            "mode": mode,
            "link": value if mode == "link" else "",
        }
        for item in items
        if item["how"] == "build"
        for path, mode, value in item["files"]
    ]


def images_bases(items: list[Item], folder: str) -> list[dict[str, Any]]:
    """What the module debian_base runs for each base: name, archive and argv."""
    archives = {item["name"]: f"{folder}/{item['name']}.tar" for item in items}
    return [
        {"name": item["name"], "archive": archives[item["name"]], "argv": _mmdebstrap(item, archives[item["name"]])}
        for item in items
    ]


def _mmdebstrap(item: Item, archive: str) -> list[str]:
    """argv that makes a minimal Debian: no caches, documents or translations, nothing of the host it was made on."""
    rules = [f"--dpkgopt=path-exclude=/usr/share/{path}/*" for path in NOT_SHIPPED]
    rules.append("--dpkgopt=path-include=/usr/share/doc/*/copyright")
    clean = """--customize-hook=rm -rf "$1/etc/hostname" "$1/etc/resolv.conf" "$1/var/log/apt" "$1"/var/log/*.log"""
    packages = [f"--include={','.join(item['packages'])}"] if item["packages"] else []
    return ["mmdebstrap", "--variant=minbase", *packages, *rules, clean, item["suite"], archive, *item["sources"]]


# ---- what is refused


def images_places(items: Iterable[Item]) -> list[dict[str, str]]:
    """The images whose digest nothing pins, to be asked for: {place: repository:tag}."""
    return [{"place": _place(item)} for item in items if item["how"] == "pull" and not item["digest"]]


def images_digests_asked(answers: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Digest by place, from the manifests that `docker buildx imagetools inspect` shows, as a looped command does."""
    told = (answer for answer in answers if not answer["rc"])
    return {answer["__images_item"]["place"]: str(json.loads(answer["stdout"])["digest"]) for answer in told}


def images_digest_findings(asked: Mapping[str, str], recorded: Mapping[str, str], file: str) -> list[Finding]:
    """A tag that stands for other bytes than when it was first pulled here."""
    return [
        {
            "where": f"image {place}",
            "what": f"the registry answers {digest}, {file} recorded {recorded[place]} at the first pull",
            "hint": f"if the new one is wanted: make update-deps pins it; or take the line out of {file}",
        }
        for place, digest in sorted(asked.items())
        if place in recorded and recorded[place] != digest
    ]


def images_findings(facts: Mapping[str, Any], items: Iterable[Item]) -> list[Finding]:
    """Why `items` could not be made on this host; `facts` as roles/images/tasks/refuse.yml gathers them."""
    findings = []
    kinds = {item["how"] for item in items}
    if "pull" in kinds and facts["answer"].get("status") not in (200, 401):
        what = f"the registry does not answer: {facts['answer'].get('msg', 'no answer')}"
        hint = "without a registry: images_source=debian (IMAGES_SOURCE=debian in .env.<env>)"
        findings.append({"where": f"images_registry {facts['registry']}", "what": what, "hint": hint})
    if "bootstrap" in kinds and not facts["bootstrapper"]:
        what = "neither mmdebstrap nor apt-get is here, so no base image can be made"
        findings.append({"where": "host", "what": what, "hint": "images_source=registry"})
    elif "bootstrap" in kinds and not facts.get("root", True) and "mmdebstrap" not in facts["bootstrapper"]:
        what, hint = "mmdebstrap is missing, and this user cannot install it", "sudo apt-get install mmdebstrap"
        findings.append({"where": "host", "what": what, "hint": f"{hint}, or images_source=registry"})
    if facts["ca_bundle"] and not facts["ca_stat"].get("isreg"):
        what = f"{facts['ca_bundle']}: no such file on the host"
        findings.append({"where": "images_ca_bundle", "what": what, "hint": "ls -l /etc/ssl/certs/ca-certificates.crt"})
    return findings


def images_registry_findings(results: Iterable[Mapping[str, Any]], asked: str) -> list[Finding]:
    """What the registry refused; `results` of a looped command, `asked` the part of each item that was asked for."""
    return [
        {
            "where": f"image {result['__images_item'][asked]}",
            "what": f"the registry answers: {(str(result['stderr']).strip().splitlines() or ['nothing'])[-1]}",
            "hint": "a registry with copies of your own: images_digests=recorded; without any: images_source=debian",
        }
        for result in results
        if result["rc"]
    ]


def images_pulls(items: Iterable[Item], asked: Mapping[str, str]) -> list[dict[str, str]]:
    """What to pull, always by digest, and the tag it gets here: {from, ref}."""
    return [
        {"from": f"{item['repository']}@{item['digest'] or asked[_place(item)]}", "ref": item["ref"]}
        for item in items
        if item["how"] == "pull"
    ]


def _place(item: Item) -> str:
    return f"{item['repository']}:{item['tag']}"


def images_registry_url(registry: str) -> str:
    """Where a registry says that it is there. On loopback it speaks HTTP, as the engine itself takes it."""
    host = registry.split("/")[0]
    if host == "docker.io":
        host = "registry-1.docker.io"
    loopback = re.match(r"^(localhost|127\.[0-9.]+|\[::1\])(:|$)", host)
    return f"{'http' if loopback else 'https'}://{host}/v2/"


# ---- what may go


def images_retired(
    images: list[Mapping[str, Any]], used: Iterable[str], keep: int, refs: Mapping[str, str]
) -> list[str]:
    """What may go of the names in `refs`: tags beyond the newest `keep`, and ids that lost their tag to a second build.

    `images` as `docker image inspect` gives them, `used` the image ids of all containers; those and `refs` stay.
    """
    busy = set(used)
    idle = [image for image in images if image["Id"] not in busy and _label(image) in refs]
    untagged = [image["Id"] for image in idle if not image.get("RepoTags") and not image.get("RepoDigests")]
    old = [tag for name in refs for _made, tag in sorted(_tags(images, name), reverse=True)[keep:]]
    free = {tag for image in idle for tag in image.get("RepoTags") or []} - set(refs.values())
    return sorted(free & set(old)) + sorted(untagged)


def _tags(images: list[Mapping[str, Any]], name: str) -> list[tuple[str, str]]:
    """(time, tag) of every version of one of our images."""
    found = []
    for image in images:
        made = str((image.get("Metadata") or {}).get("LastTagTime") or image["Created"])
        for tag in image.get("RepoTags") or []:
            match = _TAG.match(tag)
            if match and match["name"] == name == _label(image):
                found.append((made, tag))
    return found


def _label(image: Mapping[str, Any]) -> str:
    return str(((image.get("Config") or {}).get("Labels") or {}).get(LABEL, ""))
