"""The guard as a role puts it on a host: it refuses, survives, is exchanged, comes back, guards another's volume, goes.

One story on all hosts at once, in the order of the file: each step stands on those before it, and a playbook takes as
long for one host as for three.
"""

from __future__ import annotations

import json
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from guarded import (
    BARE,
    ROOT,
    checked_since,
    converge,
    follow,
    last_check,
    name_of,
    ok,
    play,
    refused,
    started,
    status,
    wait_for,
)
from testinfra.host import Host

HERE = Path(__file__).parent
SYSTEMD = "all:!localhost:!lf-guard-bare"
PROTECTED = "/var/lib/docker/volumes/ours/_data/sentinel"
FOREIGN = "/var/lib/docker/volumes/shop_data/_data/sentinel"
# Every way in which the owner's data could have gone on the day of the incident.
ATTACKS = ("docker volume rm -f {volume}", "docker volume prune -af")
# Today's client asks for nameless volumes alone.
HARMLESS = ("docker volume prune -f", "docker system prune -f --volumes")
PROJECT = """
services:
  db:
    image: test/busybox:1
    command: [sleep, "100000"]
    init: true
    restart: always
    volumes: ["data:/data"]
volumes:
  data: {}
"""


def protect(**variables: Any) -> tuple[str, dict[str, int]]:
    whose: dict[str, Any] = {"volume": "shop_data", "volume_guard_environment": "dev"}
    return play("playbooks/protect.yml", "--limit", SYSTEMD, **whose, **variables)


def judged_as_meant(host: Host) -> bool:
    """Whether the kept verdict is of this mode: a deploy that asked for another one would call it bad."""
    return "mode" not in [one["id"] for one in status(host)["check"]["findings"]]


def image(host: Host) -> None:
    """An image of the host's own static busybox: no registry is asked."""
    ok(
        host,
        "d=$(mktemp -d) && install -D /bin/busybox $d/bin/busybox && ln -s busybox $d/bin/sh && "
        "for tool in cat sleep; do ln -s busybox $d/bin/$tool; done && tar -C $d -c . | docker import - test/busybox:1",
    )


def compose(host: Host, name: str) -> None:
    """Starts a project whose one service holds one volume, and puts a file into it."""
    ok(host, f"mkdir -p /root/{name} && cat > /root/{name}/compose.yml <<'END'\n{PROJECT}\nEND")
    ok(host, f"cd /root/{name} && docker compose up --detach")


def test_it_is_active_on_each_host(hosts: list[Host]) -> None:
    assert len(hosts) == 3
    for host in hosts:
        told = json.loads(ok(host, "ledgerguard check --existing --json"))
        assert {one["verdict"] for one in told["findings"]} == {"ok"}, told
        program = host.file("/usr/local/sbin/ledgerguard")
        assert (program.user, program.group, program.mode) == ("root", "root", 0o755)
        assert host.file("/usr/local/bin/ledger_docker").sha256sum == program.sha256sum


def test_a_converged_host_shows_no_change_in_check_mode() -> None:
    assert set(converge("--check", "--diff", "--limit", SYSTEMD).values()) == {0}


def test_the_incident_leaves_the_file_on_the_disk(hosts: list[Host]) -> None:
    for host in hosts:
        image(host)
        ok(host, "docker volume create --label com.ledgerflow.protect=true ours")
        ok(host, f"echo kept > {PROTECTED}")
        ok(host, "docker volume create plain")
        for attack in ATTACKS:
            refused(host, attack.format(volume="ours"))
        for command in HARMLESS:
            ok(host, command)
        assert ok(host, f"cat {PROTECTED}") == "kept"
        refused(host, "docker run --rm -v ours:/x test/busybox:1 cat /x/sentinel")
        assert ok(host, "docker run --rm -v ours:/x:ro test/busybox:1 cat /x/sentinel") == "kept"
        ok(host, "docker volume rm plain && docker volume prune -af --filter label!=com.ledgerflow.protect")
        assert ok(host, f"cat {PROTECTED}") == "kept"


def test_ledger_docker_refuses_before_anything_is_stopped(hosts: list[Host]) -> None:
    done = hosts[0].run("ledger_docker volume rm -f ours")
    assert (done.rc, "would remove the protected volume ours" in done.stderr) == (77, True), done.stderr
    assert ok(hosts[0], "bash -lc 'echo $LEDGER_ENV'") == "ci"


def test_a_killed_guard_is_back_by_itself(hosts: list[Host]) -> None:
    for host in hosts:
        ok(host, "kill -9 $(pgrep -o -x ledgerguard || pgrep -o -f '[/]ledgerguard serve')")
        refused(host, "docker volume rm -f ours")


def test_it_is_exchanged_under_eight_clients_and_no_answer_is_wrong(hosts: list[Host]) -> None:
    host = next(host for host in hosts if "trixie" in name_of(host))
    script = (HERE / "clients.py").read_text()
    ok(host, f"cat > /root/clients.py <<'END'\n{script}\nEND")
    told = json.loads(ok(host, "python3 /root/clients.py 5"))
    assert told["wrong"] == []
    assert told["calls"] > 100
    assert len(set(told["guards"])) == 6, told["guards"]


def test_it_is_active_after_a_reboot(hosts: list[Host]) -> None:
    before = {name_of(host): last_check(host)[0] for host in hosts}
    restart = [str(ROOT / "molecule/shared/hosts.py"), "restart"]
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(lambda host: subprocess.run([*restart, name_of(host)], check=True), hosts))
    bare = [host for host in hosts if name_of(host) == BARE]
    # Nothing starts what is in /etc/init.d there. After a crash the number is another process's.
    for host in bare:
        assert ok(host, "ls /etc/rc2.d | grep -c 'S.*ledgerguard'") == "1"
        ok(host, "echo 1 > /run/ledgerguard.pid")
        play("molecule/docker_engine/converge.yml", "--limit", name_of(host))
    for host in hosts:
        checked_since(host, before[name_of(host)], "ok")
        ok(host, "ledgerguard check")
        refused(host, "docker volume rm -f ours")
        assert ok(host, f"cat {PROTECTED}") == "kept"
    assert len(bare) == 1


def test_without_systemd_a_hung_guard_is_mended_as_the_runbook_says(hosts: list[Host]) -> None:
    host = next(host for host in hosts if name_of(host) == BARE)
    before = status(host)["started"]
    ok(host, "kill -STOP $(pgrep -o -f '[/]ledgerguard serve')")
    assert host.run("timeout 2 docker volume rm -f ours").rc == 124
    told = follow(host, "Without systemd")
    assert "mode enforce" in told and "ok: canary: its removal was refused" in told, told
    assert status(host)["started"] > before
    refused(host, "docker volume rm -f ours")


def test_without_systemd_a_hung_guard_is_ended_by_itself(hosts: list[Host]) -> None:
    host = next(host for host in hosts if name_of(host) == BARE)
    before = status(host)["started"]
    ok(host, "kill -STOP $(pgrep -o -f '[/]ledgerguard serve')")
    wait_for(lambda: status(host).get("started", "") > before, "another guard", 60)
    refused(host, "docker volume rm -f ours")


def test_without_the_word_it_is_not_removed(hosts: list[Host]) -> None:
    text, changed = play("playbooks/unprotect.yml", status=2)
    assert "confirm is not set" in text
    assert set(changed.values()) == {0}
    refused(hosts[0], "docker volume rm -f ours")


def test_removed_it_leaves_an_engine_that_works_and_all_data(hosts: list[Host]) -> None:
    play("playbooks/unprotect.yml", confirm="unprotect")
    for host in hosts:
        assert "authorization-plugins" not in json.loads(ok(host, "cat /etc/docker/daemon.json"))
        assert not host.file("/usr/local/sbin/ledgerguard").exists
        assert not host.file("/run/docker/plugins/ledgerguard.sock").exists
        assert "ledgerguard" not in ok(host, "ls /etc/init.d /etc/rc2.d /etc/systemd/system/docker.service.d || true")
        assert host.file("/var/log/ledgerguard/audit.jsonl").exists
        assert ok(host, f"cat {PROTECTED}") == "kept"
        ok(host, "docker volume create after && docker volume rm after")


def test_on_a_foreign_stack_it_observes_first_and_restarts_nothing(with_systemd: list[Host]) -> None:
    for host in with_systemd:
        compose(host, "shop")
        ok(host, f"echo theirs > {FOREIGN}")
    before = [started(host, "shop-db-1") for host in with_systemd]
    told, _changed = protect()
    assert told.count("volume shop_data: declared; held by shop-db-1") == len(with_systemd) == 2
    assert [started(host, "shop-db-1") for host in with_systemd] == before
    for host in with_systemd:
        assert host.run("ledgerguard status").rc == 1  # it does not enforce
        assert judged_as_meant(host)
        ok(host, "docker exec shop-db-1 cat /data/sentinel")
        assert "would-refuse" in ok(host, "ledgerguard audit --volume shop_data")
        assert not host.file("/etc/profile.d/ledgerflow.sh").exists


def test_told_to_enforce_it_refuses_and_the_stack_lives_on(with_systemd: list[Host]) -> None:
    before = [started(host, "shop-db-1") for host in with_systemd]
    told, _changed = protect(mode="enforce")
    assert "is not among the commands of its grant" in told
    assert all(judged_as_meant(host) for host in with_systemd)
    assert [started(host, "shop-db-1") for host in with_systemd] == before
    for host in with_systemd:
        refused(host, "cd /root/shop && docker compose down -v")
        for attack in ATTACKS:
            refused(host, attack.format(volume="shop_data"))
        ok(host, "cd /root/shop && docker compose up --detach && docker compose up --detach --force-recreate")
        assert ok(host, f"cat {FOREIGN}") == "theirs"
