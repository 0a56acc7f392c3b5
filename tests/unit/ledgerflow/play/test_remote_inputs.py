"""The files of a deploy over ssh: for their owner alone, all or none, removed without touching a person's own."""

from __future__ import annotations

import base64
import io
import os
import subprocess
import tarfile
from pathlib import Path

import pytest

from ledgerflow.play import remote_inputs
from ledgerflow.play.request import Refusal

HOSTS = "all: {hosts: {a.example.org: }}\n"
SECRETS = "group_vars/all/secrets.yml"


@pytest.fixture(scope="session")
def key(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("key") / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path)], check=True)
    return path.read_text()


@pytest.fixture
def person(tmp_path: Path) -> Path:
    """A checkout whose inventory a person filled in; nothing in it is encrypted, as nothing in it is secret."""
    root = tmp_path / "person"
    (root / "inventory/common").mkdir(parents=True)
    variables = root / "inventory/staging/group_vars/all"
    variables.mkdir(parents=True)
    (variables / "00-common").symlink_to("../../../common")
    (variables / "stack.yml").write_text("ledger_env: staging\n")
    (root / "inventory/staging/hosts.yml").write_text(HOSTS)
    (root / ".env.staging").write_text("LEDGER_ENV=staging\n")
    return root


@pytest.fixture
def runner(tmp_path: Path) -> Path:
    """A bare checkout."""
    (tmp_path / "runner/inventory/common").mkdir(parents=True)
    return tmp_path / "runner"


@pytest.fixture
def given(person: Path, key: str) -> dict[str, str]:
    return {
        "DEPLOY_SSH_KEY": key.replace("\n", "\r\n").strip(),  # as a form of the browser sends it
        "DEPLOY_KNOWN_HOSTS": "a.example.org ssh-ed25519 AAAA",
        "DEPLOY_VAULT_PASSWORD": "the password",
        "DEPLOY_INVENTORY": remote_inputs.pack(person, "staging"),
    }


def tree(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def pack_of(**files: str) -> str:
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w:gz") as archive:
        for name, text in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(text)
            archive.addfile(entry, io.BytesIO(text.encode()))
    return base64.b64encode(target.getvalue()).decode()


def test_what_was_packed_comes_out_the_same_for_its_owner_alone(
    person: Path, runner: Path, given: dict[str, str], key: str
) -> None:
    assert "wrote 7 files" in remote_inputs.write(runner, "staging", given)
    wanted = tree(person)
    got = tree(runner)
    assert {name: got[name] for name in wanted} == wanted
    assert (runner / "inventory/staging/group_vars/all/00-common").readlink() == Path("../../../common")
    assert got["build/inputs/staging/ssh_key"] == key.encode()
    assert got["build/inputs/staging/known_hosts"] == b"a.example.org ssh-ed25519 AAAA\n"
    modes = {(runner / name).stat().st_mode & 0o777 for name in got}
    assert (modes, (runner / "build/inputs/staging").stat().st_mode & 0o777) == ({0o600}, 0o700)


def test_remove_leaves_nothing_and_may_be_called_twice(runner: Path, given: dict[str, str]) -> None:
    remote_inputs.write(runner, "staging", given)
    for _time in range(2):
        remote_inputs.remove(runner, "staging")
        assert tree(runner) == {}
        assert not (runner / "inventory/staging").exists()
    assert (runner / "inventory/common").is_dir()


def test_a_second_write_takes_the_place_of_the_first(runner: Path, given: dict[str, str]) -> None:
    remote_inputs.write(runner, "staging", given)
    remote_inputs.write(runner, "staging", {**given, "DEPLOY_VAULT_PASSWORD": "another"})
    assert (runner / "build/inputs/staging/vault_password").read_text() == "another\n"


@pytest.mark.parametrize("name", [*remote_inputs.FILES, "DEPLOY_INVENTORY"])
@pytest.mark.parametrize("value", ["", " \n", None])
def test_each_missing_one_is_named_with_the_command_that_sets_it(
    runner: Path, given: dict[str, str], name: str, value: str | None
) -> None:
    less = {key: text for key, text in given.items() if key != name} | ({} if value is None else {name: value})
    with pytest.raises(Refusal, match=f"^deploy-inputs: staging: {name} not set$") as refusal:
        remote_inputs.write(runner, "staging", less)
    assert f"gh secret set {name} --env staging" in refusal.value.hint
    assert tree(runner) == {}


def test_a_persons_own_inventory_is_used_and_stays(person: Path, given: dict[str, str]) -> None:
    before = tree(person)
    with pytest.raises(Refusal, match="is there, and is not what deploy-inputs wrote"):
        remote_inputs.write(person, "staging", given)
    del given["DEPLOY_INVENTORY"]
    remote_inputs.write(person, "staging", given)
    remote_inputs.remove(person, "staging")
    assert tree(person) == before


def test_a_persons_settings_without_an_inventory_are_not_written_over(runner: Path, given: dict[str, str]) -> None:
    (runner / ".env.staging").write_text("LEDGER_ENV=staging\nSTACK_NAME=mine\n")
    before = tree(runner)
    with pytest.raises(Refusal, match=r"^\.env\.staging: is there"):
        remote_inputs.write(runner, "staging", given)
    assert tree(runner) == before


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("DEPLOY_SSH_KEY", "no key", "no private key without a passphrase"),
        ("DEPLOY_INVENTORY", "no base64!", "cannot be read"),
        ("DEPLOY_INVENTORY", base64.b64encode(b"no archive").decode(), "cannot be read"),
        (
            "DEPLOY_INVENTORY",
            pack_of(**{"inventory/staging/group_vars/all/x.yml": ""}),
            "holds no inventory/staging/hosts",
        ),
        ("DEPLOY_INVENTORY", pack_of(**{"inventory/prod/hosts.yml": HOSTS}), "holds inventory/prod/hosts.yml"),
        (
            "DEPLOY_INVENTORY",
            pack_of(**{"inventory/staging/../../Makefile": ""}),
            "holds inventory/staging/../../Makefile",
        ),
        ("DEPLOY_INVENTORY", pack_of(**{"/etc/passwd": ""}), "holds "),
        ("DEPLOY_INVENTORY", pack_of(**{"scripts/play": ""}), "holds scripts/play"),
        (
            "DEPLOY_INVENTORY",
            pack_of(**{"inventory/staging/hosts.yml": HOSTS, f"inventory/staging/{SECRETS}": "open"}),
            "is not encrypted",
        ),
    ],
)
def test_what_is_bad_is_refused_and_nothing_is_left(
    runner: Path, given: dict[str, str], name: str, value: str, said: str
) -> None:
    with pytest.raises(Refusal, match=said) as refusal:
        remote_inputs.write(runner, "staging", {**given, name: value})
    assert refusal.value.code == remote_inputs.BAD
    assert value not in refusal.value.what
    assert tree(runner) == {}


def test_a_key_with_a_passphrase_is_refused(runner: Path, given: dict[str, str], tmp_path: Path) -> None:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "a passphrase", "-f", str(tmp_path / "k")], check=True)
    with pytest.raises(Refusal, match="DEPLOY_SSH_KEY: no private key without a passphrase"):
        remote_inputs.write(runner, "staging", {**given, "DEPLOY_SSH_KEY": (tmp_path / "k").read_text()})


def test_a_password_that_does_not_open_the_secrets_is_refused(
    person: Path, runner: Path, given: dict[str, str], tmp_path: Path
) -> None:
    password, secrets = tmp_path / "password", person / "inventory/staging" / SECRETS
    password.write_text(given["DEPLOY_VAULT_PASSWORD"])
    secrets.write_text("a: b\n")
    (runner / ".venv").symlink_to(remote_inputs.ROOT / ".venv")
    vault = [str(runner / ".venv/bin/ansible-vault"), "encrypt", "--vault-password-file", str(password), str(secrets)]
    subprocess.run(vault, check=True, capture_output=True)
    given["DEPLOY_INVENTORY"] = remote_inputs.pack(person, "staging")
    remote_inputs.write(runner, "staging", given)
    with pytest.raises(Refusal, match=f"^DEPLOY_VAULT_PASSWORD: does not open inventory/staging/{SECRETS}$"):
        remote_inputs.write(runner, "staging", {**given, "DEPLOY_VAULT_PASSWORD": "another"})
    assert not (runner / "build/inputs/staging").exists()


def test_open_secrets_strange_links_and_what_is_too_big_are_not_packed(person: Path) -> None:
    secrets = person / "inventory/staging" / SECRETS
    secrets.write_text("vault_secrets_provided: {}\n")
    with pytest.raises(Refusal, match="is not encrypted"):
        remote_inputs.pack(person, "staging")
    secrets.unlink()
    link = person / "inventory/staging/elsewhere.yml"
    link.symlink_to("/etc/passwd")
    with pytest.raises(Refusal, match=r"elsewhere.yml: neither a file nor the link"):
        remote_inputs.pack(person, "staging")
    link.unlink()
    (person / "inventory/staging/host_vars.yml").write_bytes(os.urandom(60_000))
    with pytest.raises(Refusal, match="GitHub takes 49152"):
        remote_inputs.pack(person, "staging")


def test_ansible_is_told_of_the_files_and_of_nothing_where_there_are_none(runner: Path, given: dict[str, str]) -> None:
    assert remote_inputs.ansible_environment(runner, "staging") == {}
    remote_inputs.write(runner, "staging", given)
    told = remote_inputs.ansible_environment(runner, "staging")
    place = runner / "build/inputs/staging"
    assert told["ANSIBLE_PRIVATE_KEY_FILE"] == str(place / "ssh_key")
    assert told["ANSIBLE_VAULT_PASSWORD_FILE"] == str(place / "vault_password")
    assert f"""-o 'UserKnownHostsFile="{place / "known_hosts"}"'""" in told["ANSIBLE_SSH_COMMON_ARGS"]
    assert "-o StrictHostKeyChecking=yes" in told["ANSIBLE_SSH_COMMON_ARGS"]


def test_who_can_be_asked_is_asked_for_the_password_and_others_are_refused(person: Path) -> None:
    def options(environ: dict[str, str], terminal: bool) -> tuple[str, ...]:
        return remote_inputs.vault_options(person, "staging", environ, terminal)

    assert options({}, terminal=False) == ()
    (person / "inventory/staging" / SECRETS).write_text("$ANSIBLE_VAULT;1.1;AES256\n")
    assert options({}, terminal=True) == ("--ask-vault-pass",)
    assert options({"ANSIBLE_VAULT_PASSWORD_FILE": "x"}, terminal=False) == ()
    with pytest.raises(Refusal, match="no password is given, and there is no terminal") as refusal:
        options({}, terminal=False)
    assert refusal.value.code == remote_inputs.COULD_NOT


def test_the_command_line(person: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert remote_inputs.main(["pack", "staging"], {}, person) == 0
    assert capsys.readouterr().out.count("\n") == 1
    assert remote_inputs.main(["write", "prod"], {}, person) == 64
    assert "HINT: gh secret set DEPLOY_SSH_KEY --env prod" in capsys.readouterr().err
    assert remote_inputs.main(["write", "dev"], {}, person) == 64
    assert "ENV=dev: is not deployed over ssh" in capsys.readouterr().err
    assert remote_inputs.main(["pack"], {}, person) == 64
