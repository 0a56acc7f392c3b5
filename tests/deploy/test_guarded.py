"""A whole stack under the guard, in *strict*: its own life meets no refusal, the incident meets nothing else.

The host is a container with systemd and an engine of its own, deployed over ssh as staging. Judged by files on its disk
and by rows. The tests run in the order of this file.
"""

from __future__ import annotations

import io
import json
import re
import tarfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path

import pytest
from remote import ENVIRONMENT, Remote, remote
from stacks import LOGS

ROW, PHOTO = "the row that must survive", "data/photo.bin"
SDK = ("docker", "requests", "urllib3", "idna", "certifi", "charset_normalizer")
REFUSED = "ledgerguard"  # the plugin's name is in each refusal that the engine hands on
RESTARTS, CLIENTS = 20, 8
SEEN_SECONDS = 6  # the guard tells others of itself each 5 seconds
pytestmark = pytest.mark.timeout(1800)  # a whole deploy in one test; the default is for less

RAW = """
import socket, sys
with socket.socket(socket.AF_UNIX) as plain:
    plain.connect("/run/docker.sock")
    plain.sendall(b"DELETE /volumes/%s?force=1 HTTP/1.0\\r\\nHost: engine\\r\\n\\r\\n" % sys.argv[1].encode())
    sys.stdout.buffer.write(plain.makefile("rb").read())
"""
BY_SDK = """
import sys
import docker
try:
    docker.from_env().volumes.get(sys.argv[1]).remove(force=True)
except docker.errors.APIError as error:
    print(error)
"""
CLIENT = """
import subprocess, sys, time
end, calls = time.monotonic() + float(sys.argv[2]), 0
while time.monotonic() < end:
    name = f"{sys.argv[1]}-{calls}"
    for argv in (["ps", "-q"], ["volume", "create", name], ["volume", "rm", name]):
        done = subprocess.run(["docker", *argv], capture_output=True, text=True, timeout=60)
        if done.returncode:
            raise SystemExit(f"{argv}: {done.stderr}")
        calls += 1
print(calls)
"""


@dataclass(frozen=True)
class Kept:
    """What must be there afterwards: rows of the database, files on the disk of the host."""

    rows: str
    sentinels: str
    photo: str
    backups: str


@dataclass
class Guarded:
    """The deployed stack, looked at from its host."""

    far: Remote
    stopwatch: dict[str, float] = field(default_factory=dict)
    meant: set[str] = field(default_factory=set)

    @property
    def id(self) -> str:
        return self.far.id

    @property
    def data(self) -> str:
        return f"/srv/{self.far.stack}/{ENVIRONMENT}"

    def volume(self, what: str = "db_data") -> str:
        return f"{self.far.stack}_{ENVIRONMENT}_{what}"

    def make(self, target: str) -> str:
        """A target that must end well; its output. How long it took is printed at the end."""
        started = time.monotonic()
        said = self.far.well(f"make {target} ENV={ENVIRONMENT}")
        self.stopwatch[f"make {target}"] = time.monotonic() - started
        return said

    def sh(self, script: str, *arguments: str) -> str:
        """A shell of root on the host; its output, whatever its exit status: a refusal is judged by what it says and by
        what is left."""
        return self.far.host.run("sh", "-c", f"({script}) 2>&1 || true", "sh", *arguments)

    def python(self, script: str, *arguments: str) -> str:
        told = 'PYTHONPATH=/opt/sdk exec python3 -c "$@"'
        return self.sh(told, script, *arguments)

    def sql(self, statement: str) -> str:
        """As the backup's role, who only reads; by a user of the container who may write nothing."""
        password = self.far.values["postgres_backup_password"]
        argv = ["docker", "exec", "-e", f"PGPASSWORD={password}", "-u", "65534:65534", f"{self.id}-postgres"]
        asked = ["psql", "-XqAt", "-h", "127.0.0.1", "-U", "ledger_backup", "-d", "ledger", "-c", statement]
        return self.far.host.run(*argv, *asked)

    def kept(self) -> Kept:
        return Kept(
            rows=self.sql("SELECT id, description, amount FROM ledger_transaction ORDER BY id"),
            sentinels=self.far.host.run("sh", "-c", f"sha256sum {self.data}/*/.ledgerflow.json"),
            photo=self.far.host.run("sha256sum", f"{self.data}/media/{PHOTO}"),
            backups=self.far.host.run("sh", "-c", f"find {self.data}/backups/data -type f -name '*.sql.gz' | sort"),
        )

    def containers(self) -> dict[str, str]:
        """Service → id and start time."""
        shown = "{{.Name}} {{.Id}} {{.State.StartedAt}}"
        listed = self.far.host.run("sh", "-c", f"docker inspect --format '{shown}' $(docker ps -q)")
        return dict(line.lstrip("/").split(" ", 1) for line in listed.splitlines())

    def refusals(self) -> list[str]:
        """What was refused so far, the canary apart, which the role attacks on purpose."""
        lines = self.far.host.run("ledgerguard", "audit", "--verdict", "refused", "--json").splitlines()
        told = [json.loads(line) for line in lines]
        seen = [
            f"{one['time']} {one['uri']}: {one['reason']}" for one in told if "ledgerguard-canary" not in one["volumes"]
        ]
        return [line for line in seen if line not in self.meant]

    def forget_refusals(self) -> None:
        """What was refused so far was meant to be."""
        self.meant.update(self.refusals())


def packed(modules: Sequence[str]) -> bytes:
    """Python packages of this environment as an archive: the host cannot fetch them."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        for name in modules:
            archive.add(Path(str(import_module(name).__file__)).parent, arcname=name)
    return made.getvalue()


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    """A host that was deployed to, with a row, a file and a proven backup."""
    with remote(tmp_path_factory.mktemp("guarded")) as far:
        far.follow_runbook()
        far.take_inputs()
        made = Guarded(far)
        made.make("deploy")
        far.host.run("mkdir", "-p", "/opt/sdk")
        far.host.run("tar", "-x", "-C", "/opt/sdk", stdin=packed(SDK))
        live = next(name for name in made.containers() if "-app-web-" in name)
        imported = ["python", "manage.py", "import_statement", "-", "--account", "Test", "--filename", "test.csv"]
        line = f'"01/02/2025","12.34","*","","{ROW}"\n'
        far.host.run("docker", "exec", "-i", live, *imported, stdin=line.encode())
        photo = f"head -c 16384 /dev/urandom > {made.data}/media/{PHOTO} && chown 9001:9001 {made.data}/media/{PHOTO}"
        far.host.run("sh", "-euc", photo)
        made.make("backup")
        yield made
        times = "\n".join(f"{what}: {seconds:.1f} s" for what, seconds in made.stopwatch.items())
        (LOGS / "deploy-test-guarded-times.log").write_text(times + "\n")
        print(times)


def test_it_was_deployed_under_a_strict_guard_that_is_really_active(guarded: Guarded) -> None:
    assert "engine guard: enforce, strict" in guarded.make("status")
    assert "canary: its removal was refused" in guarded.sh("ledgerguard check --existing")
    assert ROW in guarded.kept().rows


def test_its_own_life_meets_no_refusal_and_changes_no_container(guarded: Guarded) -> None:
    before = guarded.containers()
    assert re.findall(r"changed=(\d+) +unreachable=0 +failed=0", guarded.make("deploy")) == ["0"]
    for target in ("backup", "prove FILE=latest", "restore-test", "verify-data", "migrate", "restore-smoke"):
        guarded.make(target)
    assert "VERDICT: holds" in guarded.make("health-check")
    assert guarded.containers() == before
    assert guarded.refusals() == []


def test_what_restore_smoke_may_do_is_taken_back(guarded: Guarded) -> None:
    declared = json.loads(guarded.far.host.run("cat", "/etc/ledgerguard/volumes.json"))["volumes"]
    words = [one["argv"] for volume in declared.values() for grant in volume["grants"] for one in grant["exec"]]
    assert [argv for argv in words if argv[0] in ("dropdb", "rm", "sh")] == []
    assert "smoke" not in guarded.far.host.run("ls", f"/etc/ledgerflow/{guarded.id}/state/declarations")


def test_a_second_colour_comes_up(guarded: Guarded) -> None:
    (before,) = [name for name in guarded.containers() if "-app-web-" in name]
    settings = guarded.far.checkout.place / f".env.{ENVIRONMENT}"
    settings.write_text(settings.read_text().replace("APP_MEMORY_MB=512", "APP_MEMORY_MB=500"))
    guarded.make("deploy")
    (after,) = [name for name in guarded.containers() if "-app-web-" in name]
    assert after != before
    assert guarded.refusals() == []


def test_declarations_that_were_lost_are_made_again_and_no_container_is(guarded: Guarded) -> None:
    before = guarded.containers()
    guarded.sh(f"rm /etc/ledgerguard/volumes.json /etc/ledgerflow/{guarded.id}/state/declarations/vault.json")
    assert "has gone" in guarded.sh("docker volume create another")
    time.sleep(SEEN_SECONDS)
    guarded.make("deploy")
    declared = json.loads(guarded.far.host.run("cat", "/etc/ledgerguard/volumes.json"))["volumes"]
    holders = {grant["container"] for one in declared.values() for grant in one["grants"]}
    assert {f"{guarded.id}-{name}" for name in ("postgres", "vault", "caddy", "redis-queue", "app-worker")} <= holders
    assert guarded.containers() == before
    assert guarded.refusals() != []
    guarded.forget_refusals()


def test_the_guard_is_restarted_under_clients_and_no_call_is_refused(guarded: Guarded) -> None:
    before, started = guarded.containers(), time.monotonic()
    seconds = RESTARTS * 0.75
    client = f"python3 -c '{CLIENT}' client$n {seconds}"
    restart = f"sleep 0.5; i=0; while [ $i -lt {RESTARTS} ]; do systemctl restart ledgerguard; i=$((i+1)); done"
    told = guarded.sh(f"n=0; while [ $n -lt {CLIENTS} ]; do {client} & n=$((n+1)); done; {restart}; wait")
    guarded.stopwatch[f"{RESTARTS} restarts under {CLIENTS} clients"] = time.monotonic() - started
    calls = [int(line) for line in told.splitlines() if line.isdigit()]
    assert (len(calls), told.split()) == (CLIENTS, [str(number) for number in calls]), told
    assert min(calls) > 0
    assert guarded.containers() == before
    assert guarded.refusals() == []


COMPOSE = """
services: {{holder: {{image: nobody/has:this, volumes: ["data:/data"]}}}}
volumes: {{data: {{name: {volume}}}}}
"""


def test_the_incident_is_refused_and_the_next_deploy_has_every_transaction(guarded: Guarded) -> None:
    before, volume = guarded.kept(), guarded.volume()
    assert ROW in before.rows
    projects = guarded.sh(f"ls /etc/ledgerflow/{guarded.id}/*/compose.yml").split()
    for file in projects:
        guarded.sh(f'docker compose -f "$1" -p {guarded.id}-$(basename $(dirname "$1")) down -v', file)
    assert guarded.sh("docker ps -q") == "", "what was stopped is no longer there to hold a volume"
    guarded.far.host.run("sh", "-c", "mkdir -p /root/own && cat > /root/own/compose.yml",
                         stdin=COMPOSE.format(volume=volume).encode())  # fmt: skip
    attempts = {
        "compose down -v, of a project that takes the volume for its own": guarded.sh(
            "cd /root/own && docker compose down -v"
        ),
        "volume rm -f": guarded.sh(f"docker volume rm -f {volume}"),
        "volume prune -a": guarded.sh("docker volume prune -af"),
        "system prune": guarded.sh("docker system prune -a --volumes -f"),
        "the SDK": guarded.python(BY_SDK, volume),
        "typed into the socket": guarded.python(RAW, volume),
    }
    assert {what: said for what, said in attempts.items() if REFUSED not in said} == {}
    listed = set(guarded.sh("docker volume ls -q").split())
    assert {guarded.volume(what) for what in ("db_data", "media", "backups", "redis_data", "caddy_data")} <= listed

    # What was refused can be unlocked: with a proven backup, once. Then the next deploy makes the record again.
    media = guarded.volume("media")
    unlocked = guarded.sh(
        f"ledgerguard unlock {media} --operation remove --reason 'its record is to be made anew' --for 5m"
    )
    assert "unlocked once: remove" in unlocked
    assert guarded.sh(f"docker volume rm {media}") == f"{media}\n"

    guarded.stopwatch.pop("make deploy", None)
    guarded.make("deploy")
    assert guarded.kept() == before
    assert media in guarded.sh("docker volume ls -q").split()
    assert "VERDICT: holds" in guarded.make("health-check")
    assert "VERDICT: holds" in guarded.make("verify-data")
