"""Compose files given as text: each fault is found on its line, and its twin is let alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from ledgerflow.checks.compose import Rules, check_text, interpolate, is_database, read_env

RULES = Rules(frozenset({"ledger_dev_db_data", "ledger_dev_media"}), ("/srv/ledger/dev",))


def found(text: str, directory: str = "/home/a/shop", **variables: str) -> list[tuple[str, int]]:
    return [
        (one.id.removeprefix("compose."), one.line)
        for one in check_text(text, "compose.yml", directory, RULES, variables)
    ]


def service(*lines: str, image: str = "web") -> str:
    """A service whose further lines begin on line 4."""
    return "\n".join(["services:", "  web:", f"    image: {image}", *(f"    {line}" for line in lines), ""])


def volumes(*lines: str) -> str:
    """Top-level volumes whose lines begin on line 2."""
    return "\n".join(["volumes:", *(f"  {line}" for line in lines), ""])


@pytest.mark.parametrize("lines", [
    ["db: {name: ledger_dev_db_data}"], ["db: {external: false, name: ledger_dev_media}"],
    ['db: {labels: {com.ledgerflow.protect: "true"}}'], ['db: {labels: ["com.ledgerflow.protect=true"]}'],
    ["db: {labels: {com.ledgerflow.protect: true}}"], ["db: {name: '${STACK:-ledger}_dev_db_data'}"],
    ["db: {external: '${OURS:-no}', name: ledger_dev_db_data}"],
])  # fmt: skip
def test_a_protected_volume_that_is_not_external_is_found(lines: list[str]) -> None:
    assert found(volumes(*lines)) == [("external", 2)]


def test_a_key_that_becomes_a_protected_name_by_the_projects_name_is_found() -> None:
    assert found("name: ledger_dev\n" + volumes("db_data: {}")) == [("external", 3)]
    assert found(volumes("db_data:"), directory="/home/a/ledger_dev") == [("external", 2)]
    assert found(volumes("db_data:"), directory="/home/a/shop") == [("label", 2)]


@pytest.mark.parametrize("line", [
    "db: {external: true, name: ledger_dev_db_data}", "ledger_dev_db_data: {external: true}",
    "db: {external: {name: ledger_dev_db_data}}", 'db: {labels: {com.ledgerflow.scratch: "true"}}',
    'db: {labels: ["com.ledgerflow.scratch=true"]}', "db: {driver_opts: {type: tmpfs, device: tmpfs}}",
])  # fmt: skip
def test_its_twins_are_fine(line: str) -> None:
    assert found(volumes(line)) == []


@pytest.mark.parametrize(
    "line", ["db:", "db: {}", "db: {labels: {other: x}}", 'db: {labels: {com.ledgerflow.scratch: "no"}}']
)
def test_a_volume_that_nobody_labelled_is_found(line: str) -> None:
    assert found(volumes("x: {external: true}", line)) == [("label", 3)]


def test_labels_that_come_by_an_anchor_count() -> None:
    text = 'x-kept: &kept\n  labels: {com.ledgerflow.scratch: "true"}\n' + volumes(
        "a: *kept", "b:", "  <<: *kept", "c: {}"
    )
    assert found(text) == [("label", 7)]


@pytest.mark.parametrize("mount", [
    "/srv/ledger/dev:/x", "/srv/ledger/dev/db_data/data:/x", "/srv:/x", "/:/host", "/srv/ledger/../ledger/dev/:/x",
    "/var/lib/docker/volumes:/x:rw", "../../../srv/ledger:/x", "${ROOT:-/srv}/ledger/dev:/x", "$ROOT/ledger:/x",
    "/etc/ledgerguard:/x",
])  # fmt: skip
def test_a_bind_that_reaches_protected_data_is_found(mount: str) -> None:
    assert found(service("volumes:", f"  - {mount}"), ROOT="/srv") == [("bind", 5)]


@pytest.mark.parametrize("mount", [
    "/srv/ledger/dev:/x:ro", "/:/rootfs:ro", "./src:/app", "/srv/other:/x", "/srv/ledger/development:/x", "~/x:/x",
    "/etc/ledgerflow/ledger-dev/app/config:/config:ro", "/var/log:/x",
])  # fmt: skip
def test_a_bind_that_only_reads_or_reaches_nothing_of_ours_is_fine(mount: str) -> None:
    assert found(service("volumes:", f"  - {mount}")) == []


def test_a_bind_is_found_in_every_spelling_of_compose() -> None:
    long = service("volumes:", "  - type: bind", "    source: /srv/ledger/dev", "    target: /x")
    assert found(long) == [("bind", 5)]
    assert found(long.replace("target: /x", "read_only: true")) == []
    made = volumes(
        "x:", "  labels: {com.ledgerflow.scratch: 'true'}", "  driver_opts:", "    o: bind", "    device: /srv/ledger"
    )
    assert found(made) == [("bind", 6)]


def test_a_link_that_leads_to_protected_data_is_found(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/srv/ledger/dev")
    assert found(service("volumes: [./link:/x]"), directory=str(tmp_path)) == [("bind", 4)]


@pytest.mark.parametrize(
    "mount", ["/var/run/docker.sock:/s", "/run/docker.sock:/s:ro", "/run:/run:ro", "/run/containerd:/x"]
)
def test_the_engines_socket_is_found_even_read_only(mount: str) -> None:
    assert found(service(f"volumes: ['{mount}']")) == [("socket", 4)]


def test_a_mount_over_a_protected_volume_is_found() -> None:
    kept = volumes("db: {external: true, name: ledger_dev_db_data}")
    over = service("volumes:", "  - db:/data", "  - ./x:/data/sub", "  - ./y:/database", "tmpfs: [/data]")
    assert found(over + kept) == [("covered", 6), ("covered", 8)]


@pytest.mark.parametrize(("image", "port"), [
    ("postgres:17", "5432:5432"), ("registry:5000/library/postgres@sha256:0", '"127.0.0.1:9999:9999"'), ("redis",
    "6379"),
    ("ours", "127.0.0.1::5432/tcp"), ("ours", "3300-3310:3300-3310"), ("ours", "{target: 27017, published: 1}"),
    ("ours", "${P:-1}:5432"),
])  # fmt: skip
def test_a_published_database_port_is_found(image: str, port: str) -> None:
    assert found(service("ports:", f"  - {port}", image=image)) == [("port", 5)]


@pytest.mark.parametrize(("image", "lines"), [
    ("web", ["ports: ['9001:9001', '127.0.0.1:80:8080']"]), ("postgres", ["expose: ['5432']"]),
    ("prom/postgres-exporter", ["ports: ['9187:9187']"]), ("postgres", []), ("web", ["ports: ['5432:80']"]),
])  # fmt: skip
def test_its_twin_is_fine(image: str, lines: list[str]) -> None:
    assert found(service(*lines, image=image)) == []


def test_the_hosts_network_publishes_a_databases_ports() -> None:
    assert found(service("network_mode: host", image="postgres")) == [("port", 4)]
    assert found(service("network_mode: host")) == []


def test_nameless_and_undeclared_volumes_are_found() -> None:
    assert found(service("volumes: [/data]")) == [("label", 4)]
    assert found(service("volumes:", "  - {type: volume, target: /data}")) == [("label", 5)]
    assert found(service("volumes: [other:/data]")) == [("unknown", 4)]
    assert found(service("volumes:", "  - {type: tmpfs, target: /data}")) == []


def test_what_the_file_does_not_tell_is_unknown_and_never_fine() -> None:
    for text in (
        service("volumes: ['$X/y:/z']"),
        service("ports: ['$PORT']"),
        volumes("db: {name: $N, external: true}"),
    ):
        (finding,) = check_text(text, "c.yml", "/x", RULES)
        assert (finding.id, finding.unknown) == ("compose.unknown", True)
    assert found(service("volumes: ['$X/y:/z']"), X="/home") == []


@pytest.mark.parametrize(("text", "line"), [("a: [", 1), ("a:\n\tb: c", 2), ("- a", 1)])
def test_a_file_that_is_no_compose_file_is_told_with_its_line(text: str, line: int) -> None:
    (finding,) = check_text(text, "c.yml", "/x", RULES)
    assert (finding.id, finding.line, finding.unknown) == ("compose.unreadable", line, True)


def test_variables_are_put_in_as_compose_does() -> None:
    known = {"A": "1", "E": ""}
    told = {"$A": "1", "${A}b": "1b", "$$A": "$A", "${N:-x}": "x", "${E:-x}": "x", "${E-x}": "", "${A:+y}": "y",
    "${N:+y}": "",
            "${N:-${A}}": "1", "a$": "a$"}  # fmt: skip
    assert {text: interpolate(text, known) for text in told} == told
    assert read_env("# x\nexport A=1\nB='2'\nnothing\n") == {"A": "1", "B": "2"}


def test_a_database_is_known_by_its_images_own_name() -> None:
    assert is_database("ghcr.io/x/mariadb:11@sha256:0")
    assert not is_database("redis-commander")
    assert not is_database("")
