"""A machine for each job that a test runs, and what the environments at GitHub hold."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import yaml

from ledgerflow.play import remote_inputs
from tests.workflows.runner import ROOT, Job, machine, working_tree
from tools.kit.image_host import Host

WORKFLOWS = ROOT / ".github/workflows"
NewJob = Callable[..., Job]


@pytest.fixture(scope="session")
def image(bed: None, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The image of a runner: as the part `images` made it, or made now."""
    if made := os.environ.get("RUNNER_IMAGE"):
        return made
    result = Host(tmp_path_factory.mktemp("images")).run(["runner"], images_state_dir="/etc/ledgerflow/images")
    assert result.status == 0, result.text[-4000:]
    return result.refs["runner"]


@pytest.fixture(scope="session")
def source(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """What is checked out, and its commit."""
    place = tmp_path_factory.mktemp("source")
    return place, working_tree(place)


@pytest.fixture
def new_job(image: str, source: tuple[Path, str]) -> Iterator[NewJob]:
    """Makes jobs of workflow files, each on a machine of its own, or `on` a used one; `change` edits the file first."""
    with ExitStack() as machines:

        def make(file: str, name: str, change: tuple[str, str] | None = None, on: str = "", **contexts: Any) -> Job:
            text = (WORKFLOWS / file).read_text()
            if change:
                assert change[0] in text
                text = text.replace(*change)
            place, commit = source
            known: dict[str, Any] = {"github": {"sha": commit, "token": "the-token", "ref": "refs/heads/main"}}
            for key, value in contexts.items():
                known[key] = {**known.get(key, {}), **value}
            return Job(text, name, known, on or machines.enter_context(machine(image, place)), commit)

        yield make


@pytest.fixture(scope="module")
def used(image: str, source: tuple[Path, str]) -> Iterator[str]:
    """One machine for jobs in which a fault must be seen: what an earlier one left does not help them."""
    with machine(image, source[0]) as name:
        yield name


@pytest.fixture(scope="session")
def held(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, str]]:
    """What the environments staging and prod at GitHub hold: a key, known hosts, a password, a packed inventory."""
    return {env: environment_secrets(tmp_path_factory.mktemp(env), env) for env in ("staging", "prod")}


def environment_secrets(base: Path, env: str) -> dict[str, str]:
    """As docs/runbooks/deploy-from-github.md says, from the example."""
    password, key, place = base / "password", base / "key", base / "inventory" / env
    shutil.copytree(ROOT / "inventory" / f"{env}.example", place, symlinks=True)
    password.write_text(f"the vault's password of {env}")
    filled = place / "group_vars/all/secrets.yml"
    filled.write_text(yaml.safe_dump({"vault_secrets_provided": {"app_secret_key": f"the app's key of {env}"}}))
    encrypt = [str(ROOT / ".venv/bin/ansible-vault"), "encrypt", "--vault-password-file", str(password), str(filled)]
    subprocess.run(encrypt, check=True, capture_output=True)
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    (base / f".env.{env}").write_text((ROOT / ".env.example").read_text())
    return {
        "DEPLOY_SSH_KEY": key.read_text(),
        "DEPLOY_KNOWN_HOSTS": f"192.0.2.20 {' '.join(key.with_suffix('.pub').read_text().split()[:2])}\n",
        "DEPLOY_VAULT_PASSWORD": password.read_text(),
        "DEPLOY_INVENTORY": remote_inputs.pack(base, env),
    }
