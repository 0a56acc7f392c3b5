"""docs/runbooks/recreate-volume.md and incident.md, each of their commands, on the stack under a strict guard.

What they are for is really broken first: the engine's records are removed or lose their labels, the host is emptied
but for the data, the data moves to another disk, a row is deleted. The tests run in the order of this file; the host is
the one of test_guarded.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from tests.deploy.guarded import ROW, Guarded
from tests.deploy.remote import ENVIRONMENT
from tests.runbooks import Runbook

RECREATE, INCIDENT = Runbook("recreate-volume.md"), Runbook("incident.md")
PROTECTED = ("backups", "caddy_data", "db_data", "media", "redis_data")
ENGINE = "/var/lib/docker"
pytestmark = pytest.mark.timeout(1800)  # a whole deploy in one test; the default is for less

# With live-restore the containers outlive the engine, and a volume that is still mounted is a way to the data.
STOP = """
docker stop --time 30 $(docker ps -q) >/dev/null
systemctl stop docker.socket docker
if findmnt -rno TARGET | grep /var/lib/docker/volumes/; then exit 3; fi
"""
START = "systemctl reset-failed docker docker.socket; systemctl start docker; sleep 5"
# What a reinstallation leaves: the data's disk, here with the images too, as no registry is near.
EMPTIED = """
systemctl disable --now ledgerguard.socket ledgerguard.service
rm -r /var/lib/docker/containers /var/lib/docker/volumes /var/lib/docker/network
rm -r /etc/ledgerflow /etc/ledgerguard /var/lib/ledgerguard /var/log/ledgerguard /usr/local/sbin/ledgerguard
rm -r /usr/local/bin/ledger_docker /etc/profile.d/ledgerflow.sh
rm -r /etc/systemd/system/ledgerguard.* /etc/systemd/system/docker.service.d
systemctl daemon-reload
python3 - <<'END'
import json, pathlib
file = pathlib.Path("/etc/docker/daemon.json")
options = json.loads(file.read_text())
del options["authorization-plugins"]
file.write_text(json.dumps(options))
END
"""


def here(guarded: Guarded, command: str) -> str:
    """A command of a page, its example's stack and environment replaced by this one's."""
    names = {
        "ledger_prod": f"{guarded.far.stack}_{ENVIRONMENT}",
        "ledger-prod": guarded.id,
        "/srv/ledger/prod": guarded.data,
        "ledger/prod": f"{guarded.far.stack}/{ENVIRONMENT}",
        "ENV=prod": f"ENV={ENVIRONMENT}",
        ".env.prod": f".env.{ENVIRONMENT}",
        "inventory/prod/": f"inventory/{ENVIRONMENT}/",
    }
    for name, ours in names.items():
        command = command.replace(name, ours)
    return command


def typed(guarded: Guarded, *commands: str) -> str:
    """What commands of a page print that must all end well: in the checkout what is for the checkout, the others in a
    shell of root on the host."""
    said = []
    for command in commands:
        line = here(guarded, command)
        if re.search(r"^(make|cat inventory/|sed -i) ?", line, re.MULTILINE):
            said.append(guarded.far.well(line))
        else:
            said.append(guarded.far.host.run("bash", "-euo", "pipefail", "-c", f"exec 2>&1\n{line}"))
    return "\n".join(said)


def broken(guarded: Guarded, *steps: str) -> None:
    guarded.far.host.run("sh", "-euc", "\n".join(steps))


def recreated(guarded: Guarded, heading: str) -> str:
    """Both looks of the page, its way out of one case, and how to be sure; what the looks showed."""
    there, shown = (
        typed(guarded, *RECREATE.under("Is the data there?")),
        typed(guarded, *RECREATE.under("Which case is it?")),
    )
    assert there.count(".ledgerflow.json") == len(PROTECTED)
    assert there.endswith("17\n")
    typed(guarded, *RECREATE.under(heading))
    sure = typed(guarded, *RECREATE.under("How to be sure"))
    assert sure.count("VERDICT: holds") == 2
    assert len(re.findall(r" protected +/", sure)) == len(PROTECTED)
    labelled = re.findall(rf"^local +{guarded.far.stack}_{ENVIRONMENT}_(\w+)$", sure, re.MULTILINE)
    assert sorted(labelled) == sorted(PROTECTED)
    assert "bad:" not in sure
    return shown


@pytest.fixture
def unharmed(guarded: Guarded) -> Iterator[None]:
    """The same rows, sentinels and files afterwards; backups may have been added."""
    before = guarded.kept()
    yield
    after = guarded.kept()
    assert (after.rows, after.sentinels, after.photo) == (before.rows, before.sentinels, before.photo)
    assert set(before.backups.split()) <= set(after.backups.split())


@pytest.mark.usefixtures("unharmed")
def test_the_engine_lost_its_records_and_their_directories(guarded: Guarded) -> None:
    broken(guarded, STOP, f"rm -r {ENGINE}/volumes", START)
    assert "the engine has no record of it" in guarded.sh("ledgerguard check")
    said = guarded.sh(f"docker inspect --format '{{{{.State.Error}}}}' {guarded.id}-postgres")
    assert f"get {guarded.volume()}: no such volume" in said
    assert recreated(guarded, "The record is lost").count("no such volume") == len(PROTECTED)


@pytest.mark.usefixtures("unharmed")
def test_the_engine_lost_labels(guarded: Guarded) -> None:
    broken(guarded, STOP, f"rm {ENGINE}/volumes/metadata.db", START)
    done = guarded.far.call(f"make deploy ENV={ENVIRONMENT}")
    assert done.returncode != 0
    assert "label com.ledgerflow.protect is missing" in done.stdout
    assert "docs/runbooks/recreate-volume.md" in done.stdout
    assert "ledgerguard" in guarded.sh("docker volume prune -af")
    shown = recreated(guarded, "The label is lost")
    assert f"{guarded.volume()} null null" in shown
    guarded.forget_refusals()


@pytest.mark.usefixtures("unharmed")
def test_the_host_was_installed_anew_and_the_disk_of_the_data_kept(guarded: Guarded) -> None:
    broken(guarded, STOP, EMPTIED, START)
    assert guarded.sh("docker ps -aq; docker volume ls -q") == ""
    assert f"cannot access '/etc/ledgerflow/{guarded.id}'" in recreated(guarded, "The host was installed anew")
    assert "engine guard: enforce, strict" in guarded.make("status")
    guarded.meant.clear()  # the audit went with the old disk


@pytest.mark.usefixtures("unharmed")
def test_the_directory_was_moved_to_another_disk(guarded: Guarded) -> None:
    target = f"/mnt/data/{guarded.far.stack}"
    broken(guarded, "mkdir -p /mnt/data", "mount -t tmpfs -o mode=0755,size=32g tmpfs /mnt/data", f"mkdir {target}",
           "docker stop --time 30 $(docker ps -q) >/dev/null", f"mv {guarded.data} {target}/")  # fmt: skip
    refused = guarded.far.call(f"make deploy ENV={ENVIRONMENT}")
    assert f"{guarded.data}/db_data does not exist, but" in refused.stdout
    try:
        for command in RECREATE.under("The directory is on another disk"):
            typed(guarded, command)
    finally:
        guarded.data_root = "/mnt/data"
    sure = typed(guarded, *RECREATE.under("How to be sure"))
    assert sure.count("VERDICT: holds") == 2
    assert len(re.findall(rf" protected +{target}/", sure)) == len(PROTECTED)
    assert "bad:" not in sure


def backups(guarded: Guarded) -> list[str]:
    """Names of the backups there are, the oldest first."""
    return sorted(path.rsplit("/", 1)[1] for path in guarded.kept().backups.split())


def test_a_deleted_row_is_stopped_preserved_verified_told_and_brought_back(guarded: Guarded) -> None:
    guarded.make("backup")
    before, last_good = guarded.kept(), backups(guarded)[-1]
    guarded.sql("DELETE FROM ledger_transaction", role="app")
    assert guarded.kept().rows == ""

    stopped = typed(guarded, *INCIDENT.under("1. Stop"))
    assert {f"{guarded.id}-postgres", f"{guarded.id}-vault"} <= set(stopped.split())
    assert [
        name for name in guarded.containers() if f"{guarded.id}-app-" in name or name == f"{guarded.id}-caddy"
    ] == []
    typed(guarded, *INCIDENT.under("2. Preserve"))
    kept = guarded.sh("ls /root/incident; find /root/incident/backups -name '*.sql.gz'; tar -tzf /root/incident.tar.gz")
    assert {"audit.jsonl", "journal.txt", f"{guarded.id}-app-beat.log"} <= set(kept.split())
    assert kept.count(f"/{last_good}\n") == 2

    verify, *others = INCIDENT.under("3. Verify")
    gone = guarded.far.call(here(guarded, verify))
    assert gone.returncode != 0
    assert "VERDICT: bad" in gone.stdout
    assert f"table public.ledger_transaction: 0 transactions, 1 in {last_good}" in gone.stdout
    assert last_good in typed(guarded, *others)

    assert "reach: " in typed(guarded, *INCIDENT.under("4. Notify"))

    beside, difference, again = INCIDENT.under("5. Restore")
    assert "proven" in typed(guarded, re.sub(r"^FILE=\S+", f"FILE={last_good}", beside, count=1))
    assert re.findall(rf"^< .*\|{ROW}$", typed(guarded, difference), re.MULTILINE) != []
    guarded.far.well(here(guarded, again.splitlines()[0]))
    guarded.add_row()
    assert "VERDICT: holds" in guarded.far.well(here(guarded, again.splitlines()[1]))
    assert guarded.kept().rows.split("|", 1)[1] == before.rows.split("|", 1)[1]

    assert "VERDICT: holds" in typed(guarded, *INCIDENT.under("6. Review"))
    with pytest.raises(AssertionError, match='database "before" does not exist'):
        guarded.sql("SELECT 1", database="before")
    guarded.forget_refusals()


def test_every_command_of_the_pages_was_run() -> None:
    assert RECREATE.not_asked_for() == []
    assert INCIDENT.not_asked_for() == []
