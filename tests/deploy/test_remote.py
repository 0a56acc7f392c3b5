"""A deploy to another host over ssh, as docs/runbooks/deploy-from-github.md and the workflow do it. One host for all.

The host is a container with systemd, sshd and an engine of its own; the images come into it from the machine's engine.
The tests run in the order of this file. What stands in: `gh`, which keeps what it is given; ssh-copy-id, as the new
host lets nobody in yet; and the person who fills in the inventory.
"""

from __future__ import annotations

import http.client
import re
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.deploy.remote import ENVIRONMENT, SITE, Checkout, Remote, blocks, command, remote
from tools.kit.stacks import REPOSITORY


@pytest.fixture(scope="module")
def far(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Remote]:
    """A host, and a checkout whose inventory and secrets the runbook's steps 1 to 3 made."""
    with remote(tmp_path_factory.mktemp("remote")) as made:
        made.follow_runbook()
        yield made


def test_github_holds_what_its_workflow_asks_for(far: Remote) -> None:
    jobs = yaml.safe_load((REPOSITORY / ".github/workflows/deploy.yml").read_text())["jobs"]
    asked = {name for job in jobs.values() for step in job["steps"] for name in step.get("env", {})}
    assert far.held().keys() | {"GITHUB_TOKEN"} == asked


def test_a_host_with_another_key_is_not_talked_to(far: Remote) -> None:
    other = far.held()["DEPLOY_KNOWN_HOSTS"].rsplit(" ", 1)[0]
    stranger = (far.checkout.place / "build/deploy-key.pub").read_text().split()[1]
    inputs = {**far.held(), "DEPLOY_KNOWN_HOSTS": f"{other} {stranger}", "DEPLOY_INVENTORY": ""}
    far.well(f"make deploy-inputs ENV={ENVIRONMENT}", **inputs)
    done = far.call(f"make deploy ENV={ENVIRONMENT}")
    far.well(f"make deploy-inputs-remove ENV={ENVIRONMENT}")
    assert done.returncode != 0
    assert "Host key verification failed" in done.stdout
    assert far.host.run("sh", "-c", "ls /etc/ledgerflow 2>/dev/null || true") == ""


def test_the_runbook_deploys_from_a_laptop_and_leaves_the_inventory_but_no_key(far: Remote) -> None:
    said = far.well(blocks()[4])
    assert "VERDICT: holds" in said
    assert "last proven backup: " in said
    assert not (far.checkout.place / "build/inputs" / ENVIRONMENT).exists()
    assert (far.checkout.place / "inventory" / ENVIRONMENT / "hosts.yml").exists()


def test_the_ledger_answers_there_with_the_secrets_of_the_vault(far: Remote) -> None:
    assert answer(far, "/healthz") == 200
    for name, value in far.values.items():
        assert far.host.run("cat", f"/etc/ledgerflow/{far.id}/secrets/{name}") == value, name


def answer(far: Remote, path: str) -> int:
    """The status of a page through TLS, with the authority that the host's Caddy made."""
    found = far.host.run("find", f"/srv/{far.stack}/{ENVIRONMENT}/caddy_data", "-name", "root.crt").split()
    trust = ssl.create_default_context(cadata=far.host.run("cat", found[0]))
    with socket.create_connection(("127.0.0.1", far.host.ports["443"]), timeout=20) as plain:
        connection = http.client.HTTPSConnection(SITE, timeout=20)
        connection.sock = trust.wrap_socket(plain, server_hostname=SITE)
        connection.request("GET", path)
        status = connection.getresponse().status
        connection.close()
    return status


def test_nothing_of_the_stack_is_on_the_controller_and_no_secret_in_what_was_said(far: Remote) -> None:
    assert not Path("/etc/ledgerflow", far.id).exists()
    listed = command("docker", "ps", "-a", "--format", "{{.Names}}").decode()
    assert [name for name in listed.split() if name.startswith(far.stack)] == []
    logs = [path.read_text(errors="replace") for path in (far.checkout.place / "build").rglob("*") if path.is_file()]
    logs = [text for text in logs if "PRIVATE KEY" not in text]  # build/deploy-key, the runbook's own
    assert logs != []
    for name, value in {**far.values, "vault": far.password}.items():
        assert [text for text in logs if value.strip() in text] == [], name


def test_a_runners_bare_clone_deploys_again_and_nothing_changes(far: Remote, tmp_path: Path) -> None:
    """The steps of the workflow, from the file; GitHub, which would say whether ci passed, is not asked."""
    bare = Checkout(tmp_path / "clone")
    bare.make_copy()
    job = yaml.safe_load((REPOSITORY / ".github/workflows/deploy.yml").read_text())["jobs"][ENVIRONMENT]
    said = {}
    for step in (each for each in job["steps"] if "run" in each and "GITHUB_TOKEN" not in each.get("env", {})):
        secrets = {name: far.held()[name] for name in step.get("env", {})}
        said[step["name"]] = bare.well(step["run"], {**job["env"], **secrets, "CI": "true", "HOME": str(tmp_path)})
    recap = re.findall(r"changed=(\d+) +unreachable=0 +failed=0", said["Deploy over ssh"])
    assert recap == ["0"], said["Deploy over ssh"][-4000:]
    assert "VERDICT: holds" in said["Ask every service whether it is ready"]
    assert not (bare.place / "build/inputs" / ENVIRONMENT).exists()
    assert not (bare.place / "inventory" / ENVIRONMENT).exists()


def test_every_question_about_the_data_is_answered_there(far: Remote) -> None:
    far.take_inputs()
    for target in ("prove FILE=latest", "verify-data", "restore-smoke"):
        said = far.well(f"make {target} ENV={ENVIRONMENT}")
        assert re.search("VERDICT: (proven|holds)", said.splitlines()[-1]), said[-3000:]
    assert far.id in far.well(f"make status ENV={ENVIRONMENT}")
    far.well(f"make deploy-inputs-remove ENV={ENVIRONMENT}")


def test_without_the_password_a_run_that_cannot_ask_says_how_to_give_it(far: Remote) -> None:
    done = far.call(f"make status ENV={ENVIRONMENT}")
    assert done.returncode != 0
    assert "secrets.yml: is encrypted, no password is given" in done.stdout
    assert "HINT: set ANSIBLE_VAULT_PASSWORD_FILE" in done.stdout
