"""What the role made keeps its data through the incident, a reboot and a disk that is not mounted."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from testinfra.host import Host

testinfra_hosts = ["ansible://all"]
Converge = Callable[..., Any]

VOLUME = "tvolume_ci_db_data"
PATH = "/srv/tvolume/ci/db_data"
STATE = "/etc/ledgerflow/tvolume-ci/state/volumes"
PROJECT = f"""
services:
  postgres: {{image: 'test/busybox:1', init: true, command: [sleep, '600'], volumes: ['{VOLUME}:/d'], restart: always}}
volumes:
  {VOLUME}: {{external: true}}
"""


def ok(host: Host, command: str) -> str:
    done = host.run(command)
    assert done.rc == 0, f"{command}\n{done.stdout}{done.stderr}"
    return str(done.stdout).strip()


def write_row(host: Host, image: str) -> None:
    ok(host, f"docker run --rm -v {VOLUME}:/d {image} sh -c 'echo kept > /d/data/row'")


def row(host: Host, image: str) -> str:
    return ok(host, f"docker run --rm -v {VOLUME}:/d {image} cat /d/data/row")


def test_the_volume_has_exactly_the_declared_labels_and_options(host: Host) -> None:
    volume = json.loads(ok(host, f"docker volume inspect {VOLUME}"))[0]
    assert volume["Labels"] == {
        "com.ledgerflow.protect": "true",
        "com.ledgerflow.stack": "tvolume",
        "com.ledgerflow.environment": "ci",
        "com.ledgerflow.service": "postgres",
    }
    assert volume["Options"] == {"type": "none", "o": "bind", "device": PATH}


def test_the_scratch_volume_is_not_protected(host: Host) -> None:
    labels = json.loads(ok(host, "docker volume inspect tvolume_ci_scratch"))[0]["Labels"]
    assert labels["com.ledgerflow.scratch"] == "true"
    assert "com.ledgerflow.protect" not in labels


def test_a_container_sees_sentinel_and_data_and_cannot_write_the_sentinel(host: Host, small_image: str) -> None:
    seen = ok(host, f"docker run --rm -v {VOLUME}:/d {small_image} cat /d/.ledgerflow.json")
    assert seen == ok(host, f"cat {STATE}/db_data.json")
    as_service = f"docker run --rm --user 5432:5432 -v {VOLUME}:/d {small_image} sh -c"
    ok(host, f"{as_service} 'echo x > /d/data/own'")
    assert host.run(f"{as_service} 'echo x > /d/.ledgerflow.json'").rc != 0
    assert host.run(f"{as_service} 'echo x > /d/beside'").rc != 0


def test_the_incident_loses_no_row(host: Host, small_image: str, converge: Converge) -> None:
    write_row(host, small_image)
    ok(host, f"mkdir -p /root/p && cat > /root/p/compose.yml <<'END'\n{PROJECT}\nEND")
    ok(host, "cd /root/p && docker compose up --detach && docker compose down --volumes --timeout 1")
    ok(host, f"docker volume rm --force {VOLUME}")
    assert host.run(f"docker volume inspect {VOLUME}").rc != 0
    assert host.file(f"{PATH}/data/row").content_string == "kept\n"
    done = converge()
    assert (done.status, done.changed) == (0, 1), done.text
    assert row(host, small_image) == "kept"


def test_a_reboot_brings_engine_volume_and_service_back(
    host: Host, small_image: str, reboot: Callable[[], None], converge: Converge
) -> None:
    write_row(host, small_image)
    ok(host, f"mkdir -p /root/p && cat > /root/p/compose.yml <<'END'\n{PROJECT}\nEND")
    ok(host, "cd /root/p && docker compose up --detach")
    reboot()
    name = ok(host, "cd /root/p && docker compose ps --quiet --status running")
    assert name and ok(host, f"docker exec {name} cat /d/data/row") == "kept"
    assert converge().changed == 0
    ok(host, "cd /root/p && docker compose down --timeout 1")


def test_a_disk_that_is_not_mounted_is_refused_and_nothing_is_made_in_its_place(
    host: Host, small_image: str, converge: Converge
) -> None:
    write_row(host, small_image)
    ok(host, f"mount --bind $(mktemp -d) {PATH}")
    try:
        done = converge()
        assert (done.status, done.changed) == (2, 0), done.text
        assert f"{PATH} is empty" in done.text and "is a disk not mounted?" in done.text
        assert ok(host, f"ls -A {PATH}") == ""
    finally:
        ok(host, f"umount {PATH}")
    assert converge().changed == 0
    assert row(host, small_image) == "kept"


def test_a_host_installed_anew_takes_its_data_over(host: Host, small_image: str, converge: Converge) -> None:
    write_row(host, small_image)
    ok(host, f"rm -r {STATE} && docker volume rm {VOLUME}")
    done = converge()
    assert done.status == 0, done.text
    assert host.file(f"{STATE}/db_data.initialised").exists
    assert ok(host, f"cat {STATE}/db_data.json") == ok(host, f"cat {PATH}/.ledgerflow.json")
    assert row(host, small_image) == "kept"
    assert converge().changed == 0


def test_another_stacks_directory_is_refused(host: Host, converge: Converge) -> None:
    ok(host, f"mkdir -p /srv/other/ci && cp -a {PATH} /srv/other/ci/db_data")
    try:
        done = converge(protected_volume_stack="other")
        assert (done.status, done.changed) == (2, 0), done.text
        assert "is of another volume: stack tvolume" in done.text
        assert host.run("docker volume inspect other_ci_db_data").rc != 0
    finally:
        ok(host, "rm -r /srv/other")


def test_a_volume_with_another_label_is_refused_and_its_way_out_works(
    host: Host, small_image: str, converge: Converge
) -> None:
    write_row(host, small_image)
    options = f"--opt type=none --opt o=bind --opt device={PATH}"
    ok(host, f"docker volume rm {VOLUME} && docker volume create {options} --label other=label {VOLUME}")
    done = converge()
    assert (done.status, done.changed) == (2, 0), done.text
    assert "label com.ledgerflow.protect is missing" in done.text
    assert f"docker volume rm {VOLUME} removes only the engine's record" in " ".join(done.text.split())
    ok(host, f"docker volume rm {VOLUME}")
    assert converge().status == 0
    assert row(host, small_image) == "kept"
