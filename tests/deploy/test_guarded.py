"""A whole stack under the guard, in *strict*: its own life meets no refusal, the incident meets nothing else.

The host is a container with systemd and an engine of its own, deployed over ssh as staging. Judged by files on its disk
and by rows. The tests run in the order of this file.
"""

from __future__ import annotations

import json
import re
import time

import pytest

from tests.deploy.guarded import ROW, Guarded
from tests.deploy.remote import ENVIRONMENT

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


def test_it_was_deployed_under_a_strict_guard_that_is_really_active(guarded: Guarded) -> None:
    assert "engine guard: enforce, strict" in guarded.make("status")
    assert "canary: its removal was refused" in guarded.sh("ledgerguard check --existing")
    assert ROW in guarded.kept().rows


def test_its_own_life_meets_no_refusal_and_changes_no_container(guarded: Guarded) -> None:
    before = guarded.containers()
    assert re.findall(r"changed=(\d+) +unreachable=0 +failed=0", guarded.make("deploy")) == ["0"]
    judged = ("prove FILE=latest", "restore-test", "verify-data", "verify-data FILE=latest", "audit")
    for target in ("backup", *judged, "prune DRY=1", "prune", "migrate", "restore-smoke"):
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
        "the SDK": guarded.python(BY_SDK, volume),
        "typed into the socket": guarded.python(RAW, volume),
    }
    assert {what: said for what, said in attempts.items() if REFUSED not in said} == {}
    assert REFUSED not in guarded.sh("docker volume prune -f"), "today's client asks for nameless volumes alone"
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
