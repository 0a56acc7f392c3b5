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

from ledgerflow.findings import Finding, finding

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


def images_plan(versions: Versions, names: Iterable[str], options: Mapping[str, Any]) -> Plan:
    """The plan for the images of these `names` and all that they are made from.

    `options` has root (the repository), source (registry or debian), registry, mirror and security_mirror (of Debian's
    packages, or "") and digests (pinned: those of versions.yml hold; recorded: those that the host recorded).
    """
    plan: Plan = {"options": dict(options), "refs": {}, "items": []}
    for name in names:
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
    image = _make_item(plan, versions, name, kind, spec, options)
    plan["refs"][name] = image["ref"]
    plan["items"].append(image)


def _recipe(versions: Versions, name: str, source: str) -> tuple[str, Mapping[str, Any]]:
    specs = versions["images"]
    if name not in specs:
        raise AnsibleFilterError(
            f"images_wanted: no image is called {name!r}"
            f"\nHINT: one of {', '.join(sorted(specs))}, or add it to {VERSIONS_FILE}"
        )
    ways = specs[name]
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


def _make_item(
    plan: Plan, versions: Versions, name: str, kind: str, spec: Mapping[str, Any], options: Mapping[str, Any]
) -> Item:
    """The item of one image; its reference is a hash over everything else in it."""
    if kind == "pull":
        content = _pulled_item(spec, options)
    elif kind == "bootstrap":
        content = _bootstrapped_item(spec, options)
        content["refreshed"] = versions["refreshed"]
    else:
        content = _built_item(plan, spec, name, Path(options["root"]))
        content["refreshed"] = versions["refreshed"]
    return {"name": name, "how": kind, "ref": f"ledgerflow/{name}:{_hash(content)}", **content}


def _pulled_item(spec: Mapping[str, Any], options: Mapping[str, Any]) -> Item:
    repository = f"{options['registry']}/{spec['repository']}"
    pinned = spec.get("digest") if options["digests"] == "pinned" else None
    return {"level": 0, "repository": repository, "tag": str(spec["tag"]), "digest": pinned}


def _bootstrapped_item(spec: Mapping[str, Any], options: Mapping[str, Any]) -> Item:
    suite, mirror, security = spec["suite"], options["mirror"], options["security_mirror"]
    sources = [f"deb {mirror} {suite} main", f"deb {mirror} {suite}-updates main"] if mirror else []
    if security:
        sources.append(f"deb {security} {suite}-security main")
    return {"level": 0, "suite": suite, "packages": sorted(spec["packages"]), "sources": sources}


def _built_item(plan: Plan, spec: Mapping[str, Any], name: str, root: Path) -> Item:
    levels = {image["name"]: image["level"] for image in plan["items"]}
    parents = _parents(spec)
    return {
        "level": 1 + max((levels[parent] for parent in parents.values()), default=0),
        "context": spec["context"],
        "dockerfile": spec["dockerfile"],
        "target": spec.get("target") or "",
        "args": {key: str(argument) for key, argument in (spec.get("args") or {}).items()}
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
    patterns = [spec["dockerfile"], *spec["include"]]
    by_folder: dict[str, list[str]] = {}
    for entry in patterns:
        path = context / entry
        if not path.exists():
            raise AnsibleFilterError(
                f"{VERSIONS_FILE}: {name}: {Path(spec['context']) / entry}: no such file or folder"
                f"\nHINT: mend `include` or `dockerfile` of {name}"
            )
        for file in _walk(path, exclude):
            relative = os.path.relpath(file, context)
            by_folder[relative] = [relative, *_fingerprint(Path(file))]
    return [by_folder[key] for key in sorted(by_folder)]


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


def images_missing(plan: Plan, names: Iterable[str], present: Iterable[str]) -> list[Item]:
    """Items that must be made: the wanted ones that are not there, and of their parents only those a build needs."""
    present_refs = set(present)
    by_name = {image["name"]: image for image in plan["items"]}
    required: set[str] = set()
    queue = list(names)
    while queue:
        image = by_name[queue.pop()]
        if image["name"] in required or image["ref"] in present_refs:
            continue
        required.add(image["name"])
        queue.extend(image.get("parents", []))
    return [image for image in plan["items"] if image["name"] in required]


def images_waves(images: Iterable[Item]) -> list[list[Item]]:
    """Builds grouped so that all of one wave can run at once: an image's parents are in an earlier wave."""
    builds = [image for image in images if image["how"] == "build"]
    return [
        [image for image in builds if image["level"] == level] for level in sorted({image["level"] for image in builds})
    ]


def images_bake(images: Iterable[Item], folder: str, ca_bundle: str) -> dict[str, Any]:
    """What `docker buildx bake` reads to build one wave, all at once; contexts were unpacked in `folder`."""
    targets = {image["name"]: _bake_target(image, folder, ca_bundle) for image in images}
    return {"group": {"default": {"targets": sorted(targets)}}, "target": targets}


def _bake_target(image: Item, folder: str, ca_bundle: str) -> dict[str, Any]:
    target: dict[str, Any] = {
        "context": f"{folder}/{image['name']}",
        "dockerfile": image["dockerfile"],
        "args": image["args"],
        "tags": [image["ref"]],
        "labels": {LABEL: image["name"]},
    }
    if image["target"]:
        target["target"] = image["target"]
    if ca_bundle and "ca_bundle" in image["secrets"]:
        target["secret"] = [f"id=ca_bundle,src={ca_bundle}"]
    return target


def images_context(images: Iterable[Item]) -> list[dict[str, str]]:
    """The files of the contexts to pack: source (below the repository), name in the archive, mode, link target."""
    return [
        {
            "source": os.path.normpath(f"{image['context']}/{path}"),
            "name": f"{image['name']}/{path}",
            "mode": mode,
            "link": content if mode == "link" else "",
        }
        for image in images
        if image["how"] == "build"
        for path, mode, content in image["files"]
    ]


def images_bases(images: list[Item], folder: str) -> list[dict[str, Any]]:
    """What the module debian_base runs for each base: name, archive and argv."""
    archives = {image["name"]: f"{folder}/{image['name']}.tar" for image in images}
    return [
        {"name": image["name"], "archive": archives[image["name"]], "argv": _mmdebstrap(image, archives[image["name"]])}
        for image in images
    ]


def _mmdebstrap(image: Item, archive: str) -> list[str]:
    """argv that makes a minimal Debian: no caches, documents or translations, nothing of the host it was made on."""
    rules = [f"--dpkgopt=path-exclude=/usr/share/{path}/*" for path in NOT_SHIPPED]
    rules.append("--dpkgopt=path-include=/usr/share/doc/*/copyright")
    clean = """--customize-hook=rm -rf "$1/etc/hostname" "$1/etc/resolv.conf" "$1/var/log/apt" "$1"/var/log/*.log"""
    packages = [f"--include={','.join(image['packages'])}"] if image["packages"] else []
    return ["mmdebstrap", "--variant=minbase", *packages, *rules, clean, image["suite"], archive, *image["sources"]]


# ---- what is refused


def images_places(images: Iterable[Item]) -> list[dict[str, str]]:
    """The images whose digest nothing pins, to be asked for: {place: repository:tag}."""
    return [{"place": _place(image)} for image in images if image["how"] == "pull" and not image["digest"]]


def images_resolved_digests(answers: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Digest by place, from the manifests that `docker buildx imagetools inspect` shows, as a looped command does."""
    resolved = (answer for answer in answers if not answer["rc"])
    return {answer["__images_item"]["place"]: str(json.loads(answer["stdout"])["digest"]) for answer in resolved}


def images_digest_findings(resolved: Mapping[str, str], recorded: Mapping[str, str], file: str) -> list[Finding]:
    """A tag that stands for other bytes than when it was first pulled here."""
    return [
        finding(
            f"image {place}",
            f"the registry answers {digest}, {file} recorded {recorded[place]} at the first pull",
            f"if the new one is wanted: make update-deps pins it; or take the line out of {file}",
        )
        for place, digest in sorted(resolved.items())
        if place in recorded and recorded[place] != digest
    ]


def images_findings(facts: Mapping[str, Any], images: Iterable[Item]) -> list[Finding]:
    """Why `images` could not be made on this host; `facts` as roles/images/tasks/refuse.yml gathers them."""
    findings = []
    kinds = {image["how"] for image in images}
    if "pull" in kinds and facts["answer"].get("status") not in (200, 401):
        problem = f"the registry does not answer: {facts['answer'].get('msg', 'no answer')}"
        hint = "without a registry: images_source=debian (IMAGES_SOURCE=debian in .env.<env>)"
        findings.append(finding(f"images_registry {facts['registry']}", problem, hint))
    if "bootstrap" in kinds and not facts["bootstrapper"]:
        problem = "neither mmdebstrap nor apt-get is here, so no base image can be made"
        findings.append(finding("host", problem, "images_source=registry"))
    elif "bootstrap" in kinds and not facts.get("root", True) and "mmdebstrap" not in facts["bootstrapper"]:
        problem, hint = "mmdebstrap is missing, and this user cannot install it", "sudo apt-get install mmdebstrap"
        findings.append(finding("host", problem, f"{hint}, or images_source=registry"))
    if facts["ca_bundle"] and not facts["ca_stat"].get("isreg"):
        problem = f"{facts['ca_bundle']}: no such file on the host"
        findings.append(finding("images_ca_bundle", problem, "ls -l /etc/ssl/certs/ca-certificates.crt"))
    return findings


def images_registry_findings(answers: Iterable[Mapping[str, Any]], key: str) -> list[Finding]:
    """What the registry refused; `answers` of a looped command, `key` the part of each item that was asked for."""
    return [
        finding(
            f"image {answer['__images_item'][key]}",
            f"the registry answers: {(str(answer['stderr']).strip().splitlines() or ['nothing'])[-1]}",
            "a registry with copies of your own: images_digests=recorded; without any: images_source=debian",
        )
        for answer in answers
        if answer["rc"]
    ]


def images_pulls(images: Iterable[Item], resolved: Mapping[str, str]) -> list[dict[str, str]]:
    """What to pull, always by digest, and the tag it gets here: {from, ref}."""
    return [
        {"from": f"{image['repository']}@{image['digest'] or resolved[_place(image)]}", "ref": image["ref"]}
        for image in images
        if image["how"] == "pull"
    ]


def _place(image: Item) -> str:
    return f"{image['repository']}:{image['tag']}"


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
    old = [tag for name in refs for _tagged_at, tag in sorted(_tags(images, name), reverse=True)[keep:]]
    free = {tag for image in idle for tag in image.get("RepoTags") or []} - set(refs.values())
    return sorted(free & set(old)) + sorted(untagged)


def _tags(images: list[Mapping[str, Any]], name: str) -> list[tuple[str, str]]:
    """(time, tag) of every version of one of our images."""
    tagged = []
    for image in images:
        tagged_at = str((image.get("Metadata") or {}).get("LastTagTime") or image["Created"])
        for tag in image.get("RepoTags") or []:
            match = _TAG.match(tag)
            if match and match["name"] == name == _label(image):
                tagged.append((tagged_at, tag))
    return tagged


def _label(image: Mapping[str, Any]) -> str:
    return str(((image.get("Config") or {}).get("Labels") or {}).get(LABEL, ""))
