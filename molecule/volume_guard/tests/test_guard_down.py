"""docs/runbooks/guard-down.md on hosts broken on purpose: each fault, what is seen, each way out, and well again.

The commands are read from the page. The story goes on where test_guard.py ends: one host, on which another's stack is
guarded and which refuses. What the page says of hosts without systemd is tried there.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from guarded import (
    PAGE,
    checked_since,
    converge,
    follow,
    last_check,
    name_of,
    ok,
    refused,
    started,
    typed,
    wait_for,
)
from testinfra.host import Host

pytestmark = pytest.mark.soak  # two minutes of broken hosts
DAEMON_JSON = "/etc/docker/daemon.json"
UNITS = "/etc/systemd/system/ledgerguard.s*"
LOG = "/var/log/ledgerguard"
HOLDER = "shop-db-1"
CLEANED = ("docker volume rm -f shop_data", "docker run --rm -v shop_data:/x test/busybox:1 cat /x/sentinel")


@pytest.fixture(scope="module")
def host(with_systemd: list[Host]) -> Host:
    return next(host for host in with_systemd if "trixie" in name_of(host))


@pytest.fixture(autouse=True)
def told_how_long(request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str]) -> Iterator[None]:
    before = time.monotonic()
    yield
    with capsys.disabled():
        print(f"\nguard-down: {request.node.name}: {time.monotonic() - before:.1f} s", flush=True)


def reloads(host: Host) -> int:
    return int(ok(host, "journalctl -u docker --no-pager -o cat | grep -c 'Reloaded configuration' || true"))


def follow_to_a_reload(host: Host, heading: str, *numbers: int) -> None:
    """The same, and until the engine has done what its reload only asked for."""
    before = reloads(host)
    follow(host, heading, *numbers)
    wait_for(lambda: reloads(host) > before, f"{heading}: the engine did not reload")


def well_again(host: Host) -> None:
    """The page's own last step, and what it promises."""
    (block,) = PAGE.under("Is it well again?")
    code, text = typed(host, f"set -e\n{block}")
    assert code == 0, text
    assert "mode enforce" in text and ": ok: " in text, text
    assert "● ledgerguard" not in text, text
    for attempt in CLEANED:
        refused(host, attempt)


def test_a_dead_guard_refuses_everything_and_is_started(host: Host) -> None:
    ok(host, "systemctl stop ledgerguard.socket ledgerguard.service")
    told = PAGE.under("How to be sure")[0].splitlines()
    code, text = typed(host, told[0])
    assert (code, "NOT ACTIVE" in text) == (2, True), text
    code, text = typed(host, told[1])
    assert code == 1, text
    assert "plugin ledgerguard failed with error: " in text and "connect: connection refused" in text, text
    assert "HINT: systemctl restart ledgerguard" in text
    assert "Started ledgerguard.service" in follow(host, "1. Dead")
    well_again(host)


def test_a_hung_guard_lets_commands_wait_and_is_ended(host: Host) -> None:
    ok(host, "kill -STOP $(systemctl show --property=MainPID --value ledgerguard)")
    assert host.run("timeout 2 docker volume rm -f shop_data").rc == 124
    follow(host, "2. Hung")
    well_again(host)


def test_a_full_disk_is_told_and_changes_no_decision(host: Host) -> None:
    ok(host, f"mount -t tmpfs -o size=64k,mode=0700 tmpfs {LOG}")
    try:
        host.run(f"dd if=/dev/zero of={LOG}/filler bs=1k count=100")
        refused(host, CLEANED[0])
        code, text = typed(host, "ledgerguard check")
        assert code == 1 and "bad: audit: " in text and "could not be written" in text, text
        assert host.run("ledgerguard unlock shop_data --operation exec --reason x --for 5m </dev/null").rc != 0
        seen = follow(host, "4. Disk full", 0)
        assert "100%" in seen and LOG in seen, seen
        ok(host, f"rm {LOG}/filler")  # the person
        follow(host, "4. Disk full", 1)
        well_again(host)
    finally:
        ok(host, f"umount {LOG}")


def test_an_engine_without_its_plugin_is_mended_by_hand_and_what_came_back_past_it_is_found(host: Host) -> None:
    follow_to_a_reload(host, "The last way out", 0, 1)
    ok(host, "docker run --detach --restart always --name shop-job-1 -v shop_data:/x test/busybox:1 sleep 100000")
    follow_to_a_reload(host, "5. The engine works without its guard", 0)
    assert "dockerd" in follow(host, "5. The engine works without its guard", 1)
    refused(host, CLEANED[0])
    before = last_check(host)[0]
    ok(host, "systemctl restart docker")
    checked_since(host, before, "bad")
    assert "ledgerguard-check.service" in ok(host, "systemctl --failed --no-pager --plain")
    code, text = typed(host, PAGE.under("How to be sure")[0])
    assert code == 1 and "existing: shop-job-1 (running): protected volume shop_data" in text, text
    wait_for(
        lambda: "shop-job-1" in host.file("/var/lib/ledgerguard/guard.json").content_string, "guard.json tells of it"
    )
    follow(host, "6. Something came back past it")
    well_again(host)


def test_an_engine_whose_guard_is_missing_at_boot_waits_for_it(host: Host) -> None:
    """As systemd has it: the socket is there, and nothing can answer on it."""
    ok(host, "mv /usr/local/sbin/ledgerguard /root/ledgerguard; systemctl stop ledgerguard docker.socket docker")
    ok(host, "systemctl start --no-block docker; sleep 3")
    assert host.run("systemctl is-active docker").stdout.strip() == "activating"
    assert "203/EXEC" in ok(host, "journalctl -u ledgerguard -n 20 --no-pager")
    ok(host, "mv /root/ledgerguard /usr/local/sbin/ledgerguard")
    wait_for(lambda: host.run("systemctl is-active docker").rc == 0, "the engine goes on by itself")
    well_again(host)


def test_an_engine_whose_guard_is_gone_gives_up_has_a_last_way_out_and_is_mended_by_the_role(host: Host) -> None:
    before = started(host, HOLDER)
    ok(host, f"cp {DAEMON_JSON} /root/daemon.json && mkdir /root/units")
    ok(host, "systemctl stop docker.socket docker ledgerguard.socket ledgerguard")
    ok(host, f"mv {UNITS} /root/units && systemctl daemon-reload")
    assert host.run("systemctl start docker").rc != 0
    assert "failed to validate authorization plugin" in ok(host, "journalctl -u docker -n 20 --no-pager")
    first = PAGE.under("3. Missing at boot")[0].splitlines()[0]
    code, text = typed(host, first)
    assert code != 0 and "not found" in text, text
    follow(host, "The last way out", 0, 2)
    ok(host, "docker ps")

    # The guard is back and named again, but the engine was started without it and nobody reloads it.
    ok(host, f"mv /root/units/* /etc/systemd/system/ && systemctl daemon-reload && cp /root/daemon.json {DAEMON_JSON}")
    ok(host, first)
    code, text = typed(host, "ledgerguard check")
    assert code == 1 and "bad: canary: NOT ACTIVE" in text and "ok: daemon.json" in text, text
    assert converge("--limit", name_of(host))[name_of(host)] > 0
    assert started(host, HOLDER) == before
    assert not host.file("/etc/docker/.ledgerflow-reload-pending").exists
    follow(host, "3. Missing at boot")
    well_again(host)


def test_no_command_of_the_page_was_left_out() -> None:
    assert PAGE.not_asked_for() == []
