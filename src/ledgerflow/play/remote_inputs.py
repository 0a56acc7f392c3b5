"""Puts the files that a deploy over ssh needs where `scripts/play` looks for them, and removes them again.

A module of its own because it alone handles secrets on the controller: they come by the environment, never by a command
line, go into files of mode 0600 below build/inputs/<env>/, and are never shown.
`python -m ledgerflow.play.remote_inputs` and

    write ENV   from DEPLOY_SSH_KEY, DEPLOY_KNOWN_HOSTS, DEPLOY_VAULT_PASSWORD and DEPLOY_INVENTORY (made by `pack`)
    remove ENV  all that `write` wrote; what was there before stays
    pack ENV    prints the inventory and the settings file of ENV as one line, for DEPLOY_INVENTORY

Exit codes: 0 done, 1 what was given is bad, 2 could not look, 64 usage or something is missing.
"""

from __future__ import annotations

import base64
import binascii
import io
import os
import shlex
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable, Mapping
from pathlib import Path, PurePosixPath

from ledgerflow.play.request import REMOTE, USAGE, Refusal
from ledgerflow.repository import ROOT

FILES = {"DEPLOY_SSH_KEY": "ssh_key", "DEPLOY_KNOWN_HOSTS": "known_hosts", "DEPLOY_VAULT_PASSWORD": "vault_password"}
INVENTORY = "DEPLOY_INVENTORY"
HOW = {
    "DEPLOY_SSH_KEY": "gh secret set DEPLOY_SSH_KEY --env {env} < the private key, without a passphrase",
    "DEPLOY_KNOWN_HOSTS": "gh secret set DEPLOY_KNOWN_HOSTS --env {env} < the lines of your known_hosts for its hosts",
    "DEPLOY_VAULT_PASSWORD": "gh secret set DEPLOY_VAULT_PASSWORD --env {env}",
    INVENTORY: "make deploy-inputs-pack ENV={env} | gh secret set DEPLOY_INVENTORY --env {env}",
}
ENCRYPTED = b"$ANSIBLE_VAULT;"
SECRETS_FILE = "group_vars/all/secrets.yml"
WRITTEN = "written"  # the paths outside of the folder that `write` made, noted before they are made
MOST_BYTES = 48 * 1024  # of one secret at GitHub
PAGE = "see docs/runbooks/deploy-from-github.md"
BAD, COULD_NOT = 1, 2


# --- what a run asks --------------------------------------------------------------------------------------------------


def folder(root: Path, env: str) -> Path:
    """Where the files of one environment are."""
    return root / "build/inputs" / env


def ansible_environment(root: Path, env: str) -> dict[str, str]:
    """What ansible-playbook must know of the files that `write` wrote; nothing where it wrote none."""
    place = folder(root, env)
    key, hosts, password = (place / FILES[name] for name in FILES)
    variables = {}
    if key.exists() and hosts.exists():
        # The host's key is known or the run ends: nobody is there to be asked.
        known_hosts_option = shlex.quote(f'UserKnownHostsFile="{hosts}"')
        strict = "-o StrictHostKeyChecking=yes -o GlobalKnownHostsFile=/dev/null -o IdentitiesOnly=yes"
        variables["ANSIBLE_PRIVATE_KEY_FILE"] = str(key)
        variables["ANSIBLE_SSH_COMMON_ARGS"] = f"-o {known_hosts_option} {strict}"
    if password.exists():
        variables["ANSIBLE_VAULT_PASSWORD_FILE"] = str(password)
    return variables


def vault_options(root: Path, env: str, environ: Mapping[str, str], terminal: bool) -> tuple[str, ...]:
    """Options by which ansible-playbook gets the vault's password; Refusal where it would get none."""
    secrets = root / "inventory" / env / SECRETS_FILE
    is_configured = any(environ.get(name) for name in ("ANSIBLE_VAULT_PASSWORD_FILE", "ANSIBLE_VAULT_IDENTITY_LIST"))
    if is_configured or not secrets.exists() or not is_encrypted(secrets.read_bytes()):
        return ()
    if terminal:
        return ("--ask-vault-pass",)
    place = secrets.relative_to(root)
    raise Refusal(
        f"{place}: is encrypted, no password is given, and there is no terminal to ask at",
        f"set ANSIBLE_VAULT_PASSWORD_FILE to a file that holds it, or DEPLOY_VAULT_PASSWORD and the others for "
        f"`make deploy-inputs ENV={env}`",
        code=COULD_NOT,
    )


# --- pure ------------------------------------------------------------------------------------------------------------


def is_encrypted(content: bytes) -> bool:
    """Whether ansible-vault wrote this."""
    return content.startswith(ENCRYPTED)


def with_unix_ends(content: str) -> str:
    """A secret as a file holds it: line ends of Unix, one at the end. ssh reads no key without it."""
    return content.replace("\r\n", "\n").strip() + "\n"


def find_missing(environ: Mapping[str, str], required: list[str], env: str) -> Refusal | None:
    """A refusal that names each input that is not set or empty."""
    absent = [name for name in required if not environ.get(name, "").strip()]
    if not absent:
        return None
    hints = "\n      ".join(HOW[name].format(env=env) for name in absent)
    return Refusal(f"deploy-inputs: {env}: {', '.join(absent)} not set", f"{hints}\n      {PAGE}")


def is_allowed(member: tarfile.TarInfo, env: str) -> bool:
    """Whether a packed entry is a file of this environment, or the link to what all inventories share."""
    path = PurePosixPath(member.name)
    is_in_inventory = path.parts[:2] == ("inventory", env) and len(path.parts) > 2
    if ".." in path.parts or path.is_absolute() or not (is_in_inventory or member.name == f".env.{env}"):
        return False
    return member.isfile() or (member.issym() and path.name == "00-common" and member.linkname == "../../../common")


def unpack(packed: str, env: str) -> list[tuple[tarfile.TarInfo, bytes]]:
    """The entries of a packed inventory with their content; Refusal where it is none, or holds something else."""
    try:
        raw = base64.b64decode("".join(packed.split()), validate=True)
        with tarfile.open(fileobj=io.BytesIO(raw), mode="r:gz") as archive:
            entries = [(entry, read_content(archive, entry)) for entry in archive.getmembers()]
    except (binascii.Error, tarfile.TarError, EOFError, OSError, ValueError) as error:
        raise Refusal(f"{INVENTORY}: cannot be read: {error}", HOW[INVENTORY].format(env=env), code=BAD) from error
    strange = [entry.name for entry, _content in entries if not is_allowed(entry, env)]
    names = {entry.name for entry, _content in entries}
    if strange or f"inventory/{env}/hosts.yml" not in names:
        problem = f"holds {strange[0]}" if strange else f"holds no inventory/{env}/hosts.yml"
        raise Refusal(f"{INVENTORY}: {problem}", HOW[INVENTORY].format(env=env), code=BAD)
    refuse_open_secrets({entry.name: text for entry, text in entries}, env)
    return entries


def read_content(archive: tarfile.TarFile, entry: tarfile.TarInfo) -> bytes:
    """The bytes of a file; none of anything else."""
    file = archive.extractfile(entry) if entry.isfile() else None
    return file.read() if file else b""


def refuse_open_secrets(contents: Mapping[str, bytes], env: str) -> None:
    """Refusal where the file of secrets is there and can be read by anyone."""
    name = f"inventory/{env}/{SECRETS_FILE}"
    if name in contents and not is_encrypted(contents[name]):
        raise Refusal(f"{name}: is not encrypted", f"ansible-vault encrypt {name}", code=BAD)


# --- effects ---------------------------------------------------------------------------------------------------------


def write_private(path: Path, content: bytes) -> None:
    """A file that only its owner reads from its first byte on; Refusal where one is there."""
    path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(content)


def write(root: Path, env: str, environ: Mapping[str, str]) -> str:
    """Writes everything or nothing; gives what to tell."""
    own_files = own_inventory(root, env)
    if own_files and environ.get(INVENTORY):
        hint = f"unset {INVENTORY} to deploy with the one that is here, or move it away"
        raise Refusal(f"inventory/{env}: is there, and is not what deploy-inputs wrote", hint, code=BAD)
    remove(root, env)
    if refusal := find_missing(environ, [*FILES, *([] if own_files else [INVENTORY])], env):
        raise refusal
    entries = [] if own_files else unpack(environ[INVENTORY], env)
    existing = [entry.name for entry, _content in entries if os.path.lexists(root / entry.name)]
    if existing:
        raise Refusal(f"{existing[0]}: is there, and is not what deploy-inputs wrote", "move it away", code=BAD)
    try:
        place = folder(root, env)
        place.mkdir(mode=0o700, parents=True)
        for name, file in FILES.items():
            write_private(place / file, with_unix_ends(environ[name]).encode())
        write_private(place / WRITTEN, "\n".join(entry.name for entry, _content in entries).encode())
        for entry, text in entries:
            write_entry(root, entry, text)
        check_key(place / FILES["DEPLOY_SSH_KEY"], env)
        check_password(root, env, place / FILES["DEPLOY_VAULT_PASSWORD"])
    except BaseException:
        remove(root, env)
        raise
    count = len(FILES) + len(entries)
    return f"deploy-inputs: {env}: wrote {count} files; make deploy-inputs-remove ENV={env} removes them"


def own_inventory(root: Path, env: str) -> bool:
    """Whether a person's inventory is there, which `write` must leave alone."""
    return (root / "inventory" / env).exists() and f"inventory/{env}/hosts.yml" not in written_files(root, env)


def written_files(root: Path, env: str) -> list[str]:
    """The paths outside of its folder that an earlier `write` made, or was about to make."""
    note = folder(root, env) / WRITTEN
    return note.read_text().split("\n") if note.exists() else []


def write_entry(root: Path, entry: tarfile.TarInfo, text: bytes) -> None:
    """One file or link of the packed inventory."""
    path = root / entry.name
    if entry.issym():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.symlink_to(entry.linkname)
    else:
        write_private(path, text)


def check_key(key: Path, env: str) -> None:
    """Refusal where ssh could not use the key without asking somebody."""
    argv = ["ssh-keygen", "-y", "-P", "", "-f", str(key)]
    try:
        process = subprocess.run(argv, capture_output=True, stdin=subprocess.DEVNULL, timeout=20)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Refusal(f"ssh-keygen: {error}", "install openssh-client", code=COULD_NOT) from error
    if process.returncode:
        raise Refusal(
            "DEPLOY_SSH_KEY: no private key without a passphrase", HOW["DEPLOY_SSH_KEY"].format(env=env), code=BAD
        )


def check_password(root: Path, env: str, password: Path) -> None:
    """Refusal where the password does not open the inventory's secrets."""
    secrets = root / "inventory" / env / SECRETS_FILE
    if not secrets.exists() or not is_encrypted(secrets.read_bytes()):
        return
    argv = [str(root / ".venv/bin/ansible-vault"), "view", "--vault-password-file", str(password), str(secrets)]
    # What it says may hold parts of the secrets.
    if subprocess.run(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=60).returncode:
        problem = f"DEPLOY_VAULT_PASSWORD: does not open {secrets.relative_to(root)}"
        raise Refusal(problem, HOW["DEPLOY_VAULT_PASSWORD"].format(env=env), code=BAD)


def remove(root: Path, env: str) -> str:
    """Removes what `write` wrote, also what a killed one left; gives what to tell. Refusal where something stays."""
    try:
        names = [name for name in written_files(root, env) if name]
        for name in names:
            (root / name).unlink(missing_ok=True)
        for below in sorted({parent for name in names for parent in (root / name).parents}, reverse=True):
            if below.is_relative_to(root / "inventory" / env) and below.is_dir() and not any(below.iterdir()):
                below.rmdir()
        if os.path.lexists(folder(root, env)):
            shutil.rmtree(folder(root, env))
    except OSError as error:
        problem = f"deploy-inputs: {env}: secrets may be left below {folder(root, env)}: {error}"
        raise Refusal(problem, f"mend it, then make deploy-inputs-remove ENV={env}", code=COULD_NOT) from error
    return f"deploy-inputs: {env}: removed {len(names)} files of the inventory, the keys and the password"


def pack(root: Path, env: str) -> str:
    """The inventory and the settings of one environment as one line of base64."""
    folder_of_it, settings = root / "inventory" / env, root / f".env.{env}"
    if not (folder_of_it / "hosts.yml").is_file():
        raise Refusal(
            f"inventory/{env}/hosts.yml: not there", f"cp -r inventory/{env}.example inventory/{env} and edit it"
        )
    paths = sorted(path for path in folder_of_it.rglob("*") if path.is_symlink() or path.is_file())
    paths += [settings] if settings.is_file() else []
    refuse_open_secrets({str(path.relative_to(root)): path.read_bytes() for path in paths if path.is_file()}, env)
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w:gz") as archive:
        for path in paths:
            entry = archive.gettarinfo(str(path), str(path.relative_to(root)))
            if not is_allowed(entry, env):
                raise Refusal(f"{entry.name}: neither a file nor the link to inventory/common", "remove it", code=BAD)
            with path.open("rb") if entry.isfile() else io.BytesIO() as file:
                archive.addfile(entry, file)
    packed = base64.b64encode(target.getvalue()).decode()
    if len(packed) > MOST_BYTES:
        raise Refusal(
            f"inventory/{env}: packed {len(packed)} bytes, GitHub takes {MOST_BYTES}", "make it smaller", code=BAD
        )
    return packed


def main(argv: list[str], environ: Mapping[str, str], root: Path = ROOT) -> int:
    """Returns the exit code."""
    verbs: dict[str, Callable[[str], str]] = {
        "write": lambda env: write(root, env, environ),
        "remove": lambda env: remove(root, env),
        "pack": lambda env: pack(root, env),
    }
    if len(argv) != 2 or argv[0] not in verbs:
        print(f"usage: python -m ledgerflow.play.remote_inputs {'|'.join(verbs)} ENV", file=sys.stderr)
        return USAGE
    verb, env = argv
    if env not in REMOTE:
        print(f"ENV={env}: is not deployed over ssh\nHINT: ENV= one of {', '.join(REMOTE)}", file=sys.stderr)
        return USAGE
    try:
        print(verbs[verb](env))
    except Refusal as refusal:
        print(f"{refusal.what}\nHINT: {refusal.hint}", file=sys.stderr)
        return refusal.code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
