"""`make uninstall` and `make nuke` under a strict guard that enforces: nothing is lost that is not meant to go.

They come last on the host that the tests before them share. Its stack is staging's; the one that is nuked is a dev
stack beside it, whose volumes the same guard keeps. The tests run in the order of this file.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
import yaml

from tests.deploy.guarded import Guarded
from tests.deploy.remote import ENVIRONMENT
from tests.terminal import answered

QUESTION = "Type DESTROY to go on"
DECLARED = "/etc/ledgerguard/volumes.json"
ALL = ("backups", "caddy_data", "db_data", "media", "redis_data")
pytestmark = pytest.mark.timeout(1800)  # a whole deploy in one test; the default is for less


def declared(guarded: Guarded) -> set[str]:
    return set(json.loads(guarded.far.host.run("cat", DECLARED))["volumes"])


def volumes(guarded: Guarded) -> set[str]:
    return set(guarded.sh("docker volume ls -q").split())


def enforces(guarded: Guarded) -> bool:
    """Whether it refuses, with no unlock left over."""
    status = json.loads(guarded.sh("ledgerguard status --json"))
    refused = guarded.sh(f"docker volume rm -f {guarded.volume('media')}")
    return "ledgerguard" in refused and (status["mode"], status["fault"], status["unlocks"]) == ("enforce", "", [])


def test_uninstall_leaves_data_and_a_free_engine_and_a_deploy_takes_both_up_again(guarded: Guarded) -> None:
    before, stood = guarded.kept(), volumes(guarded)
    refused = guarded.far.call(f"make uninstall ENV={ENVIRONMENT}")
    assert refused.returncode != 0
    assert f"HINT: make uninstall ENV={ENVIRONMENT} CONFIRM={guarded.id}" in refused.stdout
    assert guarded.containers() != {}
    assert enforces(guarded)

    said = guarded.make("uninstall", CONFIRM=guarded.id)
    assert f"{guarded.data}/db_data" in said
    assert guarded.sh("docker ps -aq") == ""
    assert "ledgerguard" not in guarded.sh("cat /etc/docker/daemon.json; ls /run/docker/plugins")
    assert volumes(guarded) == stood - {"ledgerguard-canary"}
    assert guarded.sh("docker volume create free && docker volume rm free") == "free\nfree\n"
    assert guarded.sh("systemctl restart docker && docker ps -q") == "", "it starts without its guard"

    guarded.make("deploy")
    assert guarded.kept() == before
    assert volumes(guarded) == stood
    assert "engine guard: enforce, strict" in guarded.make("status")
    assert enforces(guarded)


@dataclass(frozen=True)
class Dev:
    """A dev stack beside staging's, on the same host, under the same guard."""

    host: Guarded

    @property
    def id(self) -> str:
        return f"{self.host.far.stack}-dev"

    @property
    def data(self) -> str:
        return f"/srv/{self.host.far.stack}/dev"

    @property
    def prefix(self) -> str:
        return f"{self.host.far.stack}_dev_"

    def inventory(self) -> None:
        """inventory/dev, with the other host in the place of this machine and a guard as strict as staging's."""
        place = self.host.far.checkout.place
        hosts = yaml.safe_load((place / "inventory" / ENVIRONMENT / "hosts.yml").read_text())
        (variables,) = hosts["all"]["hosts"].values()
        inputs = place / "build/inputs" / ENVIRONMENT
        variables["ansible_ssh_private_key_file"] = str(inputs / "ssh_key")
        variables["ansible_ssh_common_args"] = f"-o UserKnownHostsFile={inputs / 'known_hosts'}"
        (place / "inventory/dev/hosts.yml").write_text(yaml.safe_dump(hosts))
        guard = {"volume_guard_mode": "enforce", "volume_guard_profile": "strict"}
        (place / "inventory/dev/group_vars/all/volume_guard.yml").write_text(yaml.safe_dump(guard))
        settings = {"LEDGER_ENV": "dev", "STACK_NAME": self.host.far.stack, "IMAGES_SOURCE": "debian"}
        text = (place / ".env.example").read_text()
        for name, value in settings.items():
            text = re.sub(f"(?m)^{name}=.*$", f"{name}={value}", text)
        (place / ".env.dev").write_text(text)

    def nuke(self, word: str) -> tuple[int, str]:
        """(exit code, what was shown) of `make nuke` at a terminal, where `word` is typed when it asks."""
        checkout = self.host.far.checkout
        return answered(["make", "nuke"], checkout.place, checkout.environment(self.host.far.own()), QUESTION, word)

    def seen(self) -> tuple[dict[str, str], set[str], str]:
        """Its containers with their starts, its volumes, its files."""
        running = {name: one for name, one in self.host.containers().items() if name.startswith(self.id)}
        files = self.host.sh(f"find {self.data} -name .ledgerflow.json | sort | xargs sha256sum")
        return running, {name for name in volumes(self.host) if name.startswith(self.prefix)}, files


@pytest.fixture(scope="module")
def dev(guarded: Guarded) -> Iterator[Dev]:
    made = Dev(guarded)
    made.inventory()
    guarded.far.well("make deploy")
    guarded.add_row("dev")
    guarded.forget_refusals()
    yield made


def test_nuke_is_for_dev_alone(guarded: Guarded) -> None:
    before = guarded.containers()
    done = guarded.far.call(f"make nuke ENV={ENVIRONMENT}")
    assert done.returncode != 0
    assert "only dev stacks are removed with their data" in done.stdout
    assert guarded.containers() == before


def test_another_word_and_no_terminal_remove_nothing_and_unlock_nothing(guarded: Guarded, dev: Dev) -> None:
    before = dev.seen()
    assert len(before[1]) == 6
    code, shown = dev.nuke("destroy")
    assert (code != 0, "wanted DESTROY; nothing was removed" in shown) == (True, True), shown[-3000:]
    done = guarded.far.call("make nuke </dev/null")
    assert done.returncode != 0
    assert "wanted DESTROY; nothing was removed" in done.stdout
    assert dev.seen() == before
    assert guarded.sh(f"ledgerguard audit --volume {dev.prefix}media --verdict unlock") == ""
    assert enforces(guarded)


def test_without_a_proven_backup_nothing_is_removed(guarded: Guarded, dev: Dev) -> None:
    guarded.far.host.run("docker", "stop", f"{dev.id}-vault")
    before = dev.seen()
    code, shown = dev.nuke("DESTROY")
    guarded.far.host.run("docker", "start", f"{dev.id}-vault")
    assert code != 0
    assert "no proven backup of what is there, so nothing was removed" in shown, shown[-3000:]
    assert {name: one for name, one in dev.seen()[0].items() if not name.endswith("-vault")} == before[0]
    assert dev.seen()[1:] == before[1:]
    assert enforces(guarded)


def test_a_volume_that_the_guard_lets_not_go_keeps_all(guarded: Guarded, dev: Dev) -> None:
    """The last of its volumes is refused, when the others were unlocked already: they are locked again."""
    blocked = f"/var/lib/ledgerguard/unlocks/{dev.prefix}redis_data.remove.json"
    guarded.far.host.run("mkdir", "-p", blocked)
    before = dev.seen()
    code, shown = dev.nuke("DESTROY")
    guarded.far.host.run("rmdir", blocked)
    assert code != 0
    assert f"the guard lets {dev.prefix}redis_data not go, so nothing was removed" in shown, shown[-3000:]
    assert dev.seen() == before
    assert enforces(guarded)


def test_the_word_removes_what_is_devs_alone_and_the_next_deploy_offers_its_backup(guarded: Guarded, dev: Dev) -> None:
    ours = {name: one for name, one in guarded.containers().items() if name.startswith(guarded.id)}
    before, stays = guarded.kept(), declared(guarded) - {f"{dev.prefix}{name}" for name in ALL}
    guarded.forget_refusals()
    code, shown = dev.nuke("DESTROY")
    assert code == 0, shown[-3000:]
    assert dev.seen()[:2] == ({}, set())
    assert guarded.sh(f"ls -d {dev.data} /etc/ledgerflow/{dev.id}").count("No such file") == 2
    backup = guarded.sh(f"ls {dev.data}-removed/*.sql.gz").split()[-1]  # before it, what the refused attempt kept
    assert backup in shown
    assert guarded.refusals() == []
    told = [json.loads(line) for line in guarded.sh("ledgerguard audit --verdict unlocked --json").splitlines()]
    assert {one["volumes"][0] for one in told if one["volumes"][0].startswith(dev.prefix)} == {
        f"{dev.prefix}{name}" for name in ALL
    }
    assert declared(guarded) == stays
    assert enforces(guarded)
    assert guarded.kept() == before
    assert {name: one for name, one in guarded.containers().items() if name.startswith(guarded.id)} == ours

    said = guarded.far.well("make deploy")
    assert f"ledgervault restore /backups/data/removed/{backup.rsplit('/', 1)[1]}" in said
    commands = re.findall(r"^ *(install -.*|ledgerguard unlock .*|docker exec .*)$", said, re.MULTILINE)
    assert len(commands) == 4, said[-4000:]
    for command in commands:
        guarded.far.host.run("sh", "-c", command)
    assert guarded.sh("ledgerguard check").count("bad:") == 0
