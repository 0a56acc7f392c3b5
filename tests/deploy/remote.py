"""A host of another name, reached over ssh only, and a checkout that deploys to it: what a runner at GitHub has.

A module of its own because the host, the inventory of the examples' shape and the secrets belong together, and because
it alone decides which variables such a deploy is given: none of the tests' own settings reaches it.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from tests.runbooks import Runbook
from tools.kit.image_host import Host
from tools.kit.stacks import LOGS, REPOSITORY

IMAGES = ["postgres", "redis", "searxng", "app", "caddy", "vault", "adminer"]  # the last one for a dev stack beside it
HOSTS = [sys.executable, str(REPOSITORY / "molecule/shared/hosts.py")]
PASSED_ON = ("PATH", "HOME", "LANG", "LC_ALL", "PIP_", "UV_", "SSL_CERT_")
ENVIRONMENT = "staging"
EXAMPLE_HOST = "ledger-staging.example.org"
RUNBOOK = Runbook("deploy-from-github.md")
SITE = "staging.localhost"  # a name for which Caddy makes its own certificate and asks nobody


def blocks() -> list[str]:
    """The commands of the runbook, block by block."""
    found = RUNBOOK.blocks()
    assert len(found) == 5
    return found


def command(*argv: str, stdin: bytes = b"", seconds: float = 300) -> bytes:
    """What a program prints; AssertionError with what it said where it fails."""
    done = subprocess.run(argv, input=stdin, capture_output=True, timeout=seconds, check=False)
    assert done.returncode == 0, f"{argv[:4]}: {done.stderr.decode(errors='replace')}"
    return done.stdout


@dataclass
class RemoteHost:
    """A Debian host with systemd, sshd and an engine of its own. Use `remote_host`."""

    name: str = field(default_factory=lambda: f"t{secrets.token_hex(3)}-remote")
    ports: dict[str, int] = field(default_factory=dict)

    def start(self) -> None:
        publish = ("--publish", "127.0.0.1::22", "--publish", "127.0.0.1::443")
        command(*HOSTS, "start", self.name, "--release", "trixie", "--engine", "--ssh", *publish, seconds=600)
        for port in ("22", "443"):
            told = command("docker", "port", self.name, f"{port}/tcp").decode().splitlines()[0]
            self.ports[port] = int(told.rsplit(":", 1)[1])

    def stop(self) -> None:
        command(*HOSTS, "stop", self.name)

    def run(self, *argv: str, stdin: bytes = b"") -> str:
        """As root inside, past ssh: what the tests look at."""
        return command("docker", "exec", "-i", self.name, *argv, stdin=stdin).decode()

    def bring_images(self, references: list[str]) -> None:
        """From the machine's engine into the one inside, without a file between."""
        with subprocess.Popen(["docker", "save", *references], stdout=subprocess.PIPE) as saved:
            load = ["docker", "exec", "-i", self.name, "docker", "load", "--quiet"]
            loaded = subprocess.run(load, stdin=saved.stdout, capture_output=True, timeout=300, check=False)
        assert (saved.returncode, loaded.returncode) == (0, 0), loaded.stderr

    def known_hosts(self) -> str:
        """The host's key as its owner reads it at the machine itself, in the form of known_hosts."""
        key = self.run("cat", "/etc/ssh/ssh_host_ed25519_key.pub").split()[:2]
        return f"[127.0.0.1]:{self.ports['22']} {' '.join(key)}\n"

    def let_in(self, public_key: str) -> None:
        """Lets user deploy sign in with this key."""
        place = "~deploy/.ssh/authorized_keys"
        keep = f"cat > {place} && chown deploy: {place} && chmod 0600 {place}"
        self.run("sh", "-euc", keep, stdin=public_key.encode())


@dataclass
class Checkout:
    """A copy of the working tree, where `make` is called as a person or a workflow's step calls it."""

    place: Path
    runs: int = 0

    def make_copy(self) -> None:
        git = ["git", "-c", "safe.directory=*", "-C", str(REPOSITORY), "ls-files", "-z", "--cached", "--others"]
        for name in filter(None, command(*git, "--exclude-standard").decode().split("\0")):
            source, target = REPOSITORY / name, self.place / name
            if source.is_file() or source.is_symlink():
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(source, target, follow_symlinks=False)
        (self.place / ".venv").symlink_to(REPOSITORY / ".venv")

    def environment(self, more: Mapping[str, str] | None = None) -> dict[str, str]:
        """What a program here sees: of the tests' own settings nothing."""
        kept = {name: value for name, value in os.environ.items() if name.startswith(PASSED_ON)}
        return {**kept, "PYTHONDONTWRITEBYTECODE": "1", **(more or {})}

    def call(
        self, line: str, environment: Mapping[str, str] | None = None, stdin: str = ""
    ) -> subprocess.CompletedProcess[str]:
        """Runs one line of a workflow or a runbook by bash, as GitHub does; its output is kept in build/logs."""
        self.runs += 1
        done = subprocess.run(
            ["bash", "--noprofile", "--norc", "-e", "-o", "pipefail", "-c", line],
            cwd=self.place,
            env=self.environment(environment),
            input=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=900,
            check=False,
        )
        LOGS.mkdir(parents=True, exist_ok=True)
        (LOGS / f"deploy-test-remote-{self.runs}.log").write_text(f"$ {line}\n{done.stdout}")
        return done

    def well(self, line: str, environment: Mapping[str, str] | None = None) -> str:
        """The same, of a line that must end well; its output."""
        done = self.call(line, environment)
        assert done.returncode == 0, f"{line}: exit {done.returncode}\n{done.stdout[-6000:]}"
        return done.stdout


@dataclass
class Remote:
    """A remote host, a checkout, and a `gh` that keeps what it is given."""

    host: RemoteHost
    checkout: Checkout
    stack: str = field(default_factory=lambda: f"t{secrets.token_hex(3)}")
    password: str = field(default_factory=lambda: secrets.token_urlsafe(24), repr=False)
    values: dict[str, str] = field(default_factory=dict, repr=False)

    @property
    def id(self) -> str:
        return f"{self.stack}-{ENVIRONMENT}"

    @property
    def base(self) -> Path:
        return self.checkout.place.parent

    def prepare(self) -> None:
        """A home with the host's key in its known_hosts, as a person has who was there before, and `gh`."""
        for place in ("home/.ssh", "bin", "gh"):
            (self.base / place).mkdir(parents=True, mode=0o700)
        (self.base / "home/.ssh/known_hosts").write_text(self.host.known_hosts())
        (self.base / "vault-password").write_text(self.password)
        shutil.copy2(REPOSITORY / "tests/workflows/edge/gh", self.base / "bin/gh")

    def own(self) -> dict[str, str]:
        """A home of its own, and `gh`."""
        return {"PATH": f"{self.base / 'bin'}:{os.environ['PATH']}", "HOME": str(self.base / "home")}

    def call(self, line: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """A line of the runbook, its example's host replaced by this one."""
        here = line.replace(EXAMPLE_HOST, f"'[127.0.0.1]:{self.host.ports['22']}'")
        # It reads the known_hosts of the account's home, whatever HOME says.
        here = here.replace("ssh-keygen -F", f"ssh-keygen -f {self.base / 'home/.ssh/known_hosts'} -F")
        # ansible-vault and gh ask a person; here they find the answer in files.
        asked = {"GH_KEEPS": str(self.base / "gh"), "GH_TYPED": self.password}
        if "ansible-vault" in line:
            asked["ANSIBLE_VAULT_PASSWORD_FILE"] = str(self.base / "vault-password")
        return self.checkout.call(here, {**self.own(), **asked, **environment}, stdin=f"{self.password}\n")

    def well(self, line: str, **environment: str) -> str:
        """The same, of what must end well; its output."""
        done = self.call(line, **environment)
        assert done.returncode == 0, f"{line}: exit {done.returncode}\n{done.stdout[-6000:]}"
        return done.stdout

    def follow_runbook(self) -> None:
        """Steps 1 to 3: inventory and secrets, keys, what GitHub holds."""
        copy, encrypt, keys, store, _deploy = blocks()
        self.well(copy)
        self.fill_in()
        self.well(encrypt)
        self.well("\n".join(line for line in keys.splitlines() if not line.startswith("ssh-copy-id ")))
        self.host.let_in((self.checkout.place / "build/deploy-key.pub").read_text())
        self.well(store)

    def take_inputs(self) -> None:
        """What lets every target that follows reach the host."""
        self.well(f"make deploy-inputs ENV={ENVIRONMENT}", **{**self.held(), "DEPLOY_INVENTORY": ""})

    def held(self) -> dict[str, str]:
        """What GitHub holds now."""
        return {path.name: path.read_text() for path in sorted((self.base / "gh" / ENVIRONMENT).iterdir())}

    def fill_in(self) -> None:
        """What a person edits: the host, the secrets' values, the settings."""
        place = self.checkout.place / "inventory" / ENVIRONMENT
        hosts = yaml.safe_load((place / "hosts.yml").read_text())
        (variables,) = hosts["all"]["hosts"].values()
        assert variables["ansible_user"] == "deploy"
        variables |= {"ansible_host": "127.0.0.1", "ansible_port": self.host.ports["22"]}
        (place / "hosts.yml").write_text(yaml.safe_dump(hosts))
        filled = place / "group_vars/all/secrets.yml"
        names = yaml.safe_load(filled.read_text())["vault_secrets_provided"]
        self.values = {name: secrets.token_urlsafe(48) for name in names}
        filled.write_text(yaml.safe_dump({"vault_secrets_provided": self.values}))
        settings = self.checkout.place / f".env.{ENVIRONMENT}"
        own = {"STACK_NAME": self.stack, "HOST_NAME": SITE, "IMAGES_SOURCE": "debian"}
        text = settings.read_text()
        for name, value in own.items():
            text = re.sub(f"(?m)^{name}=.*$", f"{name}={value}", text)
        settings.write_text(text)


@contextmanager
def remote(base: Path) -> Iterator[Remote]:
    """A host with the images in its engine, and a checkout without an inventory; the host is removed in any case."""
    made = Remote(RemoteHost(), Checkout(base / "checkout"))
    made.checkout.make_copy()
    images = Host(base / "images").run(IMAGES, images_state_dir="/etc/ledgerflow/images")
    assert images.status == 0, images.text[-4000:]
    try:
        made.host.start()
        made.host.bring_images([images.refs[name] for name in IMAGES])
        made.prepare()
        yield made
    finally:
        made.host.stop()
