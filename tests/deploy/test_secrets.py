"""No secret in what the engine tells, in process lists, logs, images, rendered files or what a run leaves behind."""

from __future__ import annotations

import base64
import hashlib
import secrets
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.deploy import secret_scan
from tests.deploy.secret_scan import Finding, search
from tools.kit.stacks import Stack, deployment

# Debian's searx and SearXNG know their own key from the environment only; it opens no door but their own.
KNOWN_FROM_THE_ENVIRONMENT = {"searxng_secret"}


@pytest.fixture(scope="module")
def values(stack: Stack) -> dict[str, str]:
    """Every generated value by its name."""
    found = {path.name: path.read_text() for path in (stack.config / "secrets").iterdir()}
    assert len(found) >= 10
    assert all(len(value) >= 16 for value in found.values())
    return found


def test_the_engine_tells_none_in_inspect_logs_history_and_top(stack: Stack, values: dict[str, str]) -> None:
    assert search(values, secret_scan.engine_sources(stack)) == set()


def test_no_command_line_of_the_host_holds_one(values: dict[str, str]) -> None:
    assert search(values, secret_scan.process_sources()) == set()


def test_no_process_of_a_container_has_one_in_its_environment(stack: Stack, values: dict[str, str]) -> None:
    found = search(values, secret_scan.environment_sources(stack))
    known = {one for one in found if one.where.endswith("-searxng") and one.secret in KNOWN_FROM_THE_ENVIRONMENT}
    assert found - known == set()


def test_no_rendered_file_but_a_secret_file_holds_one(stack: Stack, values: dict[str, str]) -> None:
    sources = dict(secret_scan.stack_files(stack))
    assert str(stack.config / "postgres/compose.yml") in sources
    assert str(stack.config / "state/deployment.json") in sources
    assert search(values, sources.items()) == set()


def test_no_log_result_or_cached_fact_of_a_run_holds_one(stack: Stack, values: dict[str, str]) -> None:
    sources = list(secret_scan.run_files(stack))
    assert any("/build/logs/" in where for where, _content in sources)
    assert search(values, sources) == set()


def test_a_digest_stands_only_where_a_service_compares_with_it(stack: Stack, values: dict[str, str]) -> None:
    """Redis keeps the digests of its users' passwords, the search that of the app's token; nothing else holds any."""
    roots = [path for path in stack.config.iterdir() if path.name not in ("secrets", "state")]
    found = {one for one in search(values, secret_scan.file_sources(*roots)) if one.form in ("md5", "sha256")}
    assert {(one.where, one.secret) for one in found} == {
        (f"{stack.config}/redis-queue/secrets/users.acl", "redis_queue_password"),
        (f"{stack.config}/redis-cache/secrets/users.acl", "redis_cache_password"),
        (f"{stack.config}/searxng/secrets/settings.yml", "app_search_token"),
    }


def test_a_service_is_given_only_the_secrets_it_needs(stack: Stack, values: dict[str, str]) -> None:
    found = search(values, secret_scan.file_sources(*(path / "secrets" for path in stack.config.iterdir())))
    given: dict[str, set[str]] = {}
    for one in found:
        given.setdefault(Path(one.where).relative_to(stack.config).parts[0], set()).add(one.secret)
    app = {"app_secret_key", "app_search_token", "redis_queue_password", "redis_cache_password"}
    running = {f"app-{name}": app | {"postgres_app_password"} for name in ("web-blue", "web-green", "worker", "beat")}
    wanted = {
        "postgres": {f"postgres_{role}_password" for role in ("app", "backup", "migrate", "restore")},
        "redis-queue": {"redis_queue_password"},
        "redis-cache": {"redis_cache_password"},
        "searxng": {"searxng_secret", "app_search_token"},
        "vault": {"postgres_backup_password", "postgres_restore_password"},
        "app-migrate": app | {"postgres_migrate_password"},
        "app-first-user": app | {"postgres_app_password", "app_admin_password"},
        **{name: names for name, names in running.items() if name in given},
    }
    assert given == wanted


def test_a_run_that_tells_all_it_does_shows_none(stack: Stack, values: dict[str, str]) -> None:
    with secret_scan.processes_watched(values) as seen:
        run = stack.play("deploy", cmdline="-vvv", deploy_service="postgres", service_fingerprints_enabled=False)
    assert run.status == 0, run.text[-4000:]
    assert "invocation:" in run.text, "not as talkative as it was meant to be"
    assert search(values, [("output of the run", run.text.encode())]) == set()
    assert seen == set()


# --- modes ----------------------------------------------------------------------------------------------------------


def mode(path: Path) -> tuple[str, int, int]:
    """Permissions, uid and gid."""
    status = path.stat()
    return f"{stat.S_IMODE(status.st_mode):04o}", status.st_uid, status.st_gid


def service_gid(stack: Stack, service: str) -> int:
    return int(stack.docker("inspect", "-f", "{{.Config.User}}", f"{stack.id}-{service}").split(":")[1])


def test_the_store_is_roots_alone(stack: Stack) -> None:
    store = stack.config / "secrets"
    assert mode(store) == ("0700", 0, 0)
    assert {mode(path) for path in store.iterdir()} == {("0400", 0, 0)}


def test_a_services_secrets_are_its_groups_to_read_and_no_one_elses(stack: Stack) -> None:
    for service in deployment(stack)["services"]:
        gid, place = service_gid(stack, service), stack.config / service / "secrets"
        assert gid != 0
        assert mode(place) == ("0750", 0, gid)
        assert {mode(path) for path in place.iterdir()} <= {("0440", 0, gid)}, service


def test_compose_files_are_roots_and_configuration_is_the_services_to_read(stack: Stack) -> None:
    for service in deployment(stack)["services"]:
        gid, place = service_gid(stack, service), stack.config / service
        assert mode(place / "compose.yml") == ("0600", 0, 0)
        assert mode(place / "config") == ("0750", 0, gid)
        seen = {mode(path) for path in (place / "config").rglob("*")}
        assert seen <= {("0440", 0, gid), ("0550", 0, gid), ("0750", 0, gid)}, service


def test_data_is_its_services_alone_below_a_directory_and_a_sentinel_of_root(stack: Stack) -> None:
    owners = {"db_data": "postgres", "redis_data": "redis-queue", "media": "app-worker", "backups": "vault"}
    for what, service in {**owners, "caddy_data": "caddy"}.items():
        gid, place = service_gid(stack, service), stack.data / what
        assert mode(place) == ("0755", 0, 0)
        assert mode(place / ".ledgerflow.json") == ("0444", 0, 0)
        assert mode(place / "data") == ("0700", gid, gid)


# --- the scan can fail ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def planted(stack: Stack) -> Iterator[tuple[Stack, dict[str, str]]]:
    """A container of its own, beside the stack, that shows one made-up value in each place."""
    made_up = {place: secrets.token_urlsafe(32) for place in ("environment", "argument", "label", "log", "encoded")}
    image = stack.docker("inspect", "-f", "{{.Image}}", f"{stack.id}-redis-cache")
    encoded = base64.b64encode(f"user:{made_up['encoded']}@host".encode()).decode()
    name = f"{stack.id}-planted"
    stack.docker(
        "run", "--detach", "--name", name, "--network", "none", "--restart", "no",
        "--env", f"TOKEN={made_up['environment']}", "--label", f"note={made_up['label']}",
        "--env", f"AUTHORIZATION={encoded}", "--entrypoint", "/bin/sh", image,
        "-c", f'echo "$1" | sed "s/^x//" >&2; sleep 300; : {made_up["argument"]}', "sh", f"x{made_up['log']}",
    )  # fmt: skip
    try:
        stack.wait_for(lambda: made_up["log"].encode() in secret_scan.logs(stack, name), 20)
        yield stack, made_up
    finally:
        stack.docker("rm", "--force", name)


def test_the_scan_finds_a_planted_value_in_each_place_the_engine_tells(planted: tuple[Stack, dict[str, str]]) -> None:
    stack, made_up = planted
    name = f"{stack.id}-planted"
    found = search(made_up, secret_scan.engine_sources(stack))
    assert {one.secret for one in found if one.where == f"docker inspect {name}"} == set(made_up)
    assert {one.secret for one in found if one.where == f"docker logs {name}"} == {"log"}
    assert {one.secret for one in found if one.where == f"docker top {name}"} == {"argument", "log"}
    assert [one.form[:6] for one in found if one.secret == "encoded"] == ["base64"]


def test_the_scan_finds_a_planted_value_in_environments_and_arguments(
    planted: tuple[Stack, dict[str, str]],
) -> None:
    stack, made_up = planted
    in_environments = search(made_up, secret_scan.environment_sources(stack))
    assert {one.secret for one in in_environments} == {"environment", "encoded"}
    assert {one.secret for one in search(made_up, secret_scan.process_sources())} == {"argument", "log"}


def test_the_watch_finds_a_command_line_that_was_there_for_a_moment() -> None:
    value = secrets.token_urlsafe(32)
    with secret_scan.processes_watched({"short": value}) as seen:
        subprocess.run([sys.executable, "-c", "import time; time.sleep(2)", value], check=True)
    assert {one.secret for one in seen} == {"short"}


@pytest.mark.parametrize("shift", range(3))
def test_every_form_is_found_inside_something_longer(tmp_path: Path, shift: int) -> None:
    value = secrets.token_urlsafe(48) + "/+ä"
    written = {
        "as it is": value,
        "hex": value.encode().hex(),
        "sha256": hashlib.sha256(value.encode()).hexdigest(),
        f"base64 after {shift} bytes": base64.b64encode(b"abc"[:shift] + value.encode() + b"tail").decode(),
    }
    for form, text in written.items():
        place = tmp_path / "file"
        place.write_text(f"before{text}after")
        assert search({"it": value}, secret_scan.file_sources(tmp_path)) == {Finding(str(place), "it", form)}
