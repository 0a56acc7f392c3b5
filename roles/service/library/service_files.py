#!/usr/bin/python
"""Writes all of a service's files in one call, and makes its secrets on the host itself.

A module of its own because of two promises: no secret leaves the host (with lookups or slurp each would travel
through the controller and its logs; a template such as C(redis://:{url:queue_password}@host) is filled here, from the
root-only store), and a kill at any moment leaves each file old or new. One call for all of them, as ten tasks for each
of ten services were most of a deploy's time.
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import urllib.parse
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = r"""
module: service_files
short_description: Makes missing secrets and writes a service's configuration, secret files and compose project
description: A secret that exists is never overwritten, unless its value is provided.
options:
  store:
    description: Root-only directory of all the stack's secrets, one file each.
    type: path
    required: true
  made:
    description: >-
      Directory with an empty file for each secret that was ever in the store. A lost secret is told by it from one that
      a killed deploy, or an earlier version, never made.
    type: path
    required: true
  root:
    description: The service's own directory; below it C(config/), C(secrets/) and C(compose.yml).
    type: path
    required: true
  gid:
    description: >-
      Group that may read the service's files. Without one they are readable by any, for a user who cannot give files
      away; then the stack's directory, the parent of C(root), is closed to all others.
    type: int
  secrets:
    description: >-
      Secret file name to template. C({secret:NAME}) is the value, C({url:NAME}) the value quoted for a URL,
      C({sha256:NAME}) its digest in hex.
    type: dict
    default: {}
  provided:
    description: Values from ansible-vault, by secret name.
    type: dict
    default: {}
  generate:
    description: Whether a missing secret is generated. If not, it is an error.
    type: bool
    default: false
  config:
    description: Path below C(config/) to content. One that starts with C(#!) may be run by the service.
    type: dict
    default: {}
  sentinels:
    description: Volume name to the record of its sentinel, which is copied to C(config/sentinels/).
    type: dict
    default: {}
  compose:
    description: Text of C(compose.yml); C(@SECRETS@) in it becomes the digest of the secret files. Empty for none.
    type: str
    default: ""
author:
  - LedgerFlow
"""

DIGEST = "@SECRETS@"
MINIMUM_LENGTH = 16
_REFERENCE = re.compile(r"\{(secret|url|sha256):([^{}]*)\}")
_NAME = re.compile(r"[a-z0-9_]+")
_FORMS: dict[str, Callable[[str], str]] = {
    "secret": lambda secret: secret,
    "url": lambda secret: urllib.parse.quote(secret, safe=""),
    "sha256": lambda secret: hashlib.sha256(secret.encode()).hexdigest(),
}


class SecretError(Exception):
    """A secret that cannot be used as it is; the message tells where, what and the way out, never the value."""


def referenced(templates: Mapping[str, str]) -> list[str]:
    """Names of the secrets that the templates use, in order, each once.

    A misspelt name is an error: left alone, the template itself would become the secret, known to all.
    """
    names = list(dict.fromkeys(name for text in templates.values() for _form, name in _REFERENCE.findall(text)))
    for name in names:
        if not _NAME.fullmatch(name):
            raise SecretError(f"secret {name!r}: not a secret's name\nHINT: use lower-case letters, digits and _ only")
    return names


def filled(template: str, secrets_by_name: Mapping[str, str]) -> str:
    """The template with each reference replaced."""
    return _REFERENCE.sub(lambda match: _FORMS[match[1]](secrets_by_name[match[2]]), template)


def write_file(path: Path, content: str, gid: int, mode: int, look_only: bool = False) -> bool:
    """Writes beside and renames, so that a kill leaves the old file or the new one; tells whether anything changed."""
    if path.is_file() and not path.is_symlink():
        status = path.stat()
        is_same = (status.st_uid, status.st_gid, status.st_mode & 0o7777) == (os.geteuid(), gid, mode)
        if is_same and path.read_bytes() == content.encode():
            return False
    if look_only:
        return True
    beside = path.with_name(f".{path.name}.new")
    beside.unlink(missing_ok=True)
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        stream.write(content)
        os.fchown(descriptor, -1, gid)
        os.fchmod(descriptor, mode)
        stream.flush()
        os.fsync(descriptor)
    beside.rename(path)
    _sync(path.parent)  # data may be made with this secret a moment later: it must not outlive it
    return True


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def directory(path: Path, gid: int, mode: int, look_only: bool = False) -> bool:
    """Makes the directory with its group and mode; tells whether anything changed."""
    if path.is_dir():
        status = path.stat()
        if (status.st_gid, status.st_mode & 0o7777) == (gid, mode):
            return False
    if look_only:
        return True
    path.mkdir(parents=True, exist_ok=True)
    os.chown(path, -1, gid)
    path.chmod(mode)
    return True


@dataclass(frozen=True)
class Access:
    """Who may read what. Without a gid of the service's own all may who get past the closed directory of the stack."""

    gid: int | None

    @property
    def group(self) -> int:
        """The group of the service's files."""
        return os.getegid() if self.gid is None else self.gid

    def mode(self, requested: int) -> int:
        """`requested`, or where the group is not the service's: for others what it gives to the group."""
        return requested | (requested >> 3 & 0o7) if self.gid is None else requested


def stored(
    store: Path, name: str, provided: Mapping[str, Any], generate: bool, look_only: bool = False
) -> tuple[str, bool]:
    """The secret's value and whether it had to be written to the store."""
    path, group = store / name, os.getegid()
    if name in provided:
        secret = _strong(str(provided[name]), f"secret {name} (provided)")
        return secret, write_file(path, secret, group, 0o400, look_only)
    if path.is_file():
        # Bytes that are no text become a character that no secret has, and are refused as damaged.
        return _strong(path.read_text(encoding="utf-8", errors="replace"), str(path)), False
    if not generate:
        hint = f"set service_secrets_provided.{name} in the inventory, encrypted by ansible-vault"
        raise SecretError(f"secret {name}: not provided and not on the host\nHINT: {hint}")
    secret = secrets.token_urlsafe(48)
    return secret, write_file(path, secret, group, 0o400, look_only)


def _strong(secret: str, place: str) -> str:
    damaged = secret != secret.strip() or not secret.isprintable() or "\ufffd" in secret
    if len(secret) < MINIMUM_LENGTH or len(set(secret)) < 6 or damaged:
        hint = (
            f"at least {MINIMUM_LENGTH} varied characters in one line without spaces around; "
            "python3 -c 'import secrets; print(secrets.token_urlsafe(32))'"
        )
        raise SecretError(f"{place}: weak or damaged ({len(secret)} characters)\nHINT: {hint}")
    return secret


def converge(params: Mapping[str, Any], look_only: bool = False) -> dict[str, Any]:
    """Brings all files to what is wanted, or only looks; gives changed, the secrets' digest and a diff of the rest."""
    root, access = Path(params["root"]), Access(params["gid"])
    closed = access.gid is None and directory(root.parent, os.getegid(), 0o700, look_only)
    digest, changed = _secrets(params, root / "secrets", access, look_only)
    changed |= closed
    for path, group, mode in _directories(root, access, params["config"], params["sentinels"]):
        changed |= directory(path, group, mode, look_only)
    differences: list[dict[str, str]] = []
    for path, content, group, mode in _plain_files(root, access, params, digest):
        before = path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
        if write_file(path, content, group, mode, look_only):
            changed = True
            head = {"before_header": str(path), "after_header": str(path)}
            differences.append({"before": before, "after": content, **head})
    return {"changed": changed, "digest": digest, "diff": differences}


def _secrets(params: Mapping[str, Any], target: Path, access: Access, look_only: bool) -> tuple[str, bool]:
    """Store and secret files; gives the digest of the files and whether anything changed."""
    store, made_folder, templates = Path(params["store"]), Path(params["made"]), params["secrets"]
    names = referenced(templates)
    changed = directory(store, os.getegid(), 0o700, look_only)
    changed |= directory(made_folder, os.getegid(), 0o755, look_only)
    changed |= directory(target.parent, os.getegid(), 0o755, look_only)
    changed |= directory(target, access.group, access.mode(0o750), look_only)
    by_name: dict[str, str] = {}
    for name in names:
        by_name[name], is_new = stored(store, name, params["provided"], params["generate"], look_only)
        changed |= is_new
        changed |= write_file(made_folder / name, "", os.getegid(), 0o444, look_only)  # after it, and before any data
    digest = hashlib.sha256(str(target).encode())
    for file, template in sorted(templates.items()):
        content = filled(template, by_name)
        digest.update(hashlib.sha256(f"{file}\0{content}".encode()).digest())
        changed |= write_file(target / file, content, access.group, access.mode(0o440), look_only)
    for stale in [path for path in target.glob("*") if path.name not in templates]:
        changed = True
        if not look_only:
            stale.unlink()
    return digest.hexdigest(), changed


def _directories(
    root: Path, access: Access, config: Mapping[str, str], sentinels: Mapping[str, str]
) -> list[tuple[Path, int, int]]:
    """The directories below the service's own, parents first: path, group, mode."""
    below = {parent for path in config for parent in Path(path).parents} | ({Path("sentinels")} if sentinels else set())
    return [(root / "config" / path, access.group, access.mode(0o750)) for path in sorted(below | {Path()})]


def _plain_files(
    root: Path, access: Access, params: Mapping[str, Any], digest: str
) -> list[tuple[Path, str, int, int]]:
    """Everything that is no secret: path, content, group, mode."""
    files = []
    for path, content in sorted(params["config"].items()):
        mode = access.mode(0o550 if str(content).startswith("#!") else 0o440)
        files.append((root / "config" / path, str(content), access.group, mode))
    for volume, record in sorted(params["sentinels"].items()):
        sentinel = Path(record).read_text(encoding="utf-8")
        files.append((root / "config/sentinels" / f"{volume}.json", sentinel, access.group, access.mode(0o440)))
    if params["compose"]:
        files.append((root / "compose.yml", params["compose"].replace(DIGEST, digest), os.getegid(), 0o600))
    return files


def main() -> None:
    """Entry point of Ansible."""
    module = AnsibleModule(
        argument_spec={
            "store": {"type": "path", "required": True},
            "made": {"type": "path", "required": True},
            "root": {"type": "path", "required": True},
            "gid": {"type": "int"},
            "secrets": {"type": "dict", "default": {}},
            "provided": {"type": "dict", "default": {}, "no_log": True},
            "generate": {"type": "bool", "default": False},
            "config": {"type": "dict", "default": {}},
            "sentinels": {"type": "dict", "default": {}},
            "compose": {"type": "str", "default": ""},
        },
        supports_check_mode=True,
    )
    try:
        outcome = converge(module.params, look_only=module.check_mode)
    except SecretError as error:
        module.fail_json(msg=str(error))
    except OSError as error:
        module.fail_json(msg=f"{error.filename}: {error.strerror}\nHINT: ls -la {module.params['root']}")
    module.exit_json(**outcome)


if __name__ == "__main__":
    main()
