"""What is wrong is told with where, what, the value seen and a HINT, and nothing half-done is left."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import http.server
import json
import re
import socket
import socketserver
import stat
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from tests.deploy import secret_scan
from tools.kit.stacks import Run, Stack, free_ports, new_stack

Everything = dict[str, Any]


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack of which nothing is there yet, and of which these tests leave nothing."""
    yield from new_stack(tmp_path_factory.mktemp("fresh"))


# --- what is there --------------------------------------------------------------------------------------------------


def objects(stack: Stack) -> Everything:
    """The stack's containers, volumes and networks, each with what would change if it were touched."""
    told: Everything = {}
    for kind, prefix, details in (
        ("container", f"{stack.id}-", "{{.Name}} {{.Id}} {{.State.StartedAt}} {{.State.Status}}"),
        ("volume", f"{stack.name}_", "{{.Name}} {{.CreatedAt}} {{json .Labels}} {{json .Options}}"),
        ("network", f"{stack.id}-", "{{.Name}} {{.Id}} {{json .Labels}} {{.Internal}}"),
    ):
        form = "{{.Names}}" if kind == "container" else "{{.Name}}"
        everyone = ["-a"] if kind == "container" else []
        names = stack.docker(kind, "ls", *everyone, "--filter", f"name=^{prefix}", "--format", form).split()
        told[kind] = sorted(stack.docker(kind, "inspect", "-f", details, *names).splitlines()) if names else []
    return told


def files(stack: Stack) -> Everything:
    """Path → mode, owner and content below the stack's places; without what its services write by themselves."""
    found: Everything = {}
    for root in (stack.config, stack.data):
        for path in (root, *sorted(root.rglob("*"))) if root.exists() else ():
            parts = path.relative_to(root).parts
            # The app's, the vault's, and that of a guard the machine may have: it tells every stack that it lives.
            if parts[1:2] == ("data",) or parts[:2] in (("state", "vault"), ("state", "guard.json")):
                continue
            status = path.lstat()
            content = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() and not path.is_symlink() else ""
            found[str(path)] = (stat.filemode(status.st_mode), status.st_uid, status.st_gid, content)
    return found


def everything(stack: Stack) -> Everything:
    return {**objects(stack), **files(stack)}


NOTHING: Everything = {"container": [], "volume": [], "network": []}


def refusal(run: Run) -> str:
    """The message of the task that failed; it must be one, and must not be a trace."""
    assert run.status != 0, "it was not refused"
    assert "Traceback" not in run.text
    return re.sub(r"\s*\n\s*", " ", run.text.split("fatal: [", 1)[1].split("PLAY RECAP")[0])


@contextmanager
def nothing_changes(stack: Stack) -> Iterator[None]:
    before = everything(stack)
    yield
    assert everything(stack) == before


# --- settings -------------------------------------------------------------------------------------------------------

Edit = Callable[[str], str]


def setting(name: str, value: str) -> Edit:
    return lambda text: re.sub(rf"(?m)^{name}=.*$", f"{name}={value}", text)


SETTINGS: dict[str, tuple[Edit, str, str]] = {
    "unknown": (
        lambda text: text + "COLOUR=red\n",
        ".env.ci: unknown setting COLOUR",
        "HINT: remove the line, or see .env.example",
    ),
    "missing": (
        lambda text: re.sub(r"(?m)^TIME_ZONE=.*\n", "", text),
        ".env.ci: setting TIME_ZONE is missing",
        "HINT: add the line TIME_ZONE=UTC",
    ),
    "too weak": (
        setting("POSTGRES_MEMORY_MB", "64"),
        ".env.ci: POSTGRES_MEMORY_MB is '64', wanted a whole number from 256",
        "HINT: set POSTGRES_MEMORY_MB=1024",
    ),
    "not of its type": (
        setting("APP_PORT", "99999"),
        ".env.ci: APP_PORT is '99999', wanted a whole number from 1 to 65535",
        "HINT: set APP_PORT=9001",
    ),
    "two for one port": (
        lambda text: re.sub(r"(?m)^ADMINER_PORT=.*$", "ADMINER_PORT=18099", setting("SEARXNG_PORT", "18099")(text)),
        ".env.ci: ADMINER_PORT and SEARXNG_PORT are both 18099",
        "HINT: give ADMINER_PORT another port",
    ),
    "given twice": (
        lambda text: text + "HOST_NAME=localhost\n",
        "HOST_NAME is set twice, first in line",
        "HINT: keep one of the lines",
    ),
    "of another environment": (
        setting("LEDGER_ENV", "dev"),
        ".env.ci: LEDGER_ENV is dev, but the inventory is for ci",
        "HINT: run it with ENV=dev, or correct the line",
    ),
}


def test_every_wrong_setting_is_refused_by_name_in_one_run(fresh: Stack, tmp_path: Path) -> None:
    fresh.write_settings()
    wrong = tmp_path / ".env.ci"
    text = fresh.settings_file.read_text()
    for edit, _what, _hint in SETTINGS.values():
        text = edit(text)
    wrong.write_text(text)
    message = refusal(fresh.play("deploy", settings_file=str(wrong)))
    for _edit, what, hint in SETTINGS.values():
        assert what in message
        assert hint in message
    assert everything(fresh) == NOTHING


def test_a_line_that_is_no_setting_is_refused_without_showing_what_may_be_a_password(
    fresh: Stack, tmp_path: Path
) -> None:
    fresh.write_settings()
    wrong = tmp_path / ".env.ci"
    wrong.write_text("ADMIN PASSWORD=correct-horse\n" + fresh.settings_file.read_text())
    run = fresh.play("deploy", settings_file=str(wrong))
    assert ".env.ci:1: not a NAME=value line: 'ADMIN PASSWORD'" in refusal(run)
    assert "correct-horse" not in run.text
    assert everything(fresh) == NOTHING


# --- host -----------------------------------------------------------------------------------------------------------


def test_a_host_that_is_too_small_is_told_what_it_has_and_what_is_needed(fresh: Stack) -> None:
    run = fresh.play(
        "deploy",
        host_facts_minimum_cores=999,
        host_facts_minimum_memory_mb=99_000_000,
        host_facts_minimum_disk_mb=10**9,
    )
    message = refusal(run)
    assert re.search(r"host: \d+ processor cores, 999 are needed HINT: ", message)
    assert re.search(r"host: \d+ MB of memory, 99000000 are needed HINT: ", message)
    place = re.escape(str(fresh.data))
    assert re.search(
        rf"disk of {place}: \d+ MB free, 1000000000 are needed HINT: df -h {place}; move it with DATA_ROOT", message
    )
    assert everything(fresh) == NOTHING


def free_port_of_the_hint(message: str, name: str) -> int:
    found = re.search(rf"HINT: set {name}=(\d+) in \.env\.ci, or stop it", message)
    assert found, message
    return int(found[1])


def test_a_port_taken_by_a_program_is_refused_with_the_program_and_the_line_that_mends_it(fresh: Stack) -> None:
    port = int(fresh.settings["APP_PORT"])
    with socket.create_server(("127.0.0.1", port)):
        message = refusal(fresh.play("deploy"))
    assert re.search(rf"port {port} \(APP_PORT\): taken by \S+ \(pid \d+\) on 127\.0\.0\.1", message), message
    with socket.create_server(("127.0.0.1", free_port_of_the_hint(message, "APP_PORT"))):
        pass  # the port of the hint is free
    assert everything(fresh) == NOTHING


@contextmanager
def container(stack: Stack, *arguments: str) -> Iterator[str]:
    """A sleeping container of the test's own, from an image that is there."""
    name = f"{stack.name}x-bystander"
    image = stack.docker("image", "ls", "--filter", "reference=ledgerflow/redis", "--quiet").split()[0]
    stack.docker("run", "--detach", "--name", name, *arguments, "--entrypoint", "sleep", image, "600")
    try:
        yield name
    finally:
        stack.docker("rm", "--force", name)


def test_a_port_taken_by_another_container_is_refused_with_its_name(fresh: Stack) -> None:
    port = fresh.settings["SEARXNG_PORT"]
    with container(fresh, "--publish", f"127.0.0.1:{port}:80") as name:
        message = refusal(fresh.play("deploy"))
    assert f"port {port} (SEARXNG_PORT): taken by container {name} on 127.0.0.1" in message
    assert free_port_of_the_hint(message, "SEARXNG_PORT") != int(port)
    assert everything(fresh) == NOTHING


# --- engine ---------------------------------------------------------------------------------------------------------


class EngineOfAnotherVersion(http.server.BaseHTTPRequestHandler):
    """Hands looks (and nothing else) on to the machine's engine and changes one answer: its version."""

    protocol_version = "HTTP/1.0"

    def do_GET(self) -> None:
        with contextlib.closing(http.client.HTTPConnection("localhost")) as upstream:
            upstream.sock = socket.socket(socket.AF_UNIX)
            upstream.sock.connect("/var/run/docker.sock")
            upstream.request("GET", self.path)
            with upstream.getresponse() as answer:
                body = answer.read()
        if self.path.endswith("/info"):
            body = json.dumps({**json.loads(body), "ServerVersion": "19.03.15"}).encode()
        self.send_response(answer.status)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(body)

    def address_string(self) -> str:
        return "unix"

    def log_message(self, *_arguments: object) -> None:
        """Quiet."""


@contextmanager
def an_old_engine(directory: Path) -> Iterator[str]:
    """The socket of an engine that says it is too old: one that is cannot be had here."""
    place = directory / "docker.sock"
    with socketserver.ThreadingUnixStreamServer(str(place), EngineOfAnotherVersion) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield str(place)
        finally:
            server.shutdown()
            thread.join()


def test_an_engine_that_is_too_old_is_refused_with_its_version(fresh: Stack, tmp_path: Path) -> None:
    with an_old_engine(tmp_path) as place, mock.patch.object(fresh, "socket", place):
        message = refusal(fresh.play("deploy"))
    assert "engine: 19.03.15 is older than 20.10 HINT: upgrade Docker" in message
    assert everything(fresh) == NOTHING


# --- what stands in the way -----------------------------------------------------------------------------------------


def test_volumes_of_our_names_with_other_labels_or_options_are_refused_and_kept(fresh: Stack, tmp_path: Path) -> None:
    labels, options = f"{fresh.name}_ci_db_data", f"{fresh.name}_ci_media"
    declared = {
        "com.ledgerflow.protect": "true", "com.ledgerflow.stack": fresh.name, "com.ledgerflow.environment": "ci",
        "com.ledgerflow.service": "app",
    }  # fmt: skip
    marks = [word for name, value in declared.items() for word in ("--label", f"{name}={value}")]
    bind = ("--opt", "type=none", "--opt", "o=bind")
    fresh.docker("volume", "create", *bind, "--opt", f"device={fresh.data}/db_data", labels)
    fresh.docker("volume", "create", *marks, *bind, "--opt", f"device={tmp_path}", options)
    try:
        with nothing_changes(fresh):
            message = refusal(fresh.play("deploy"))
        assert f"volume {labels}: label com.ledgerflow.environment is missing (declared 'ci')" in message
        assert "label com.ledgerflow.protect is missing (declared 'true')" in message
        assert f"volume {options}: option device is '{tmp_path}', declared '{fresh.data}/media'" in message
        assert f"HINT: its data is in {tmp_path}, not in {fresh.data}/media: move it first" in message
    finally:
        fresh.docker("volume", "rm", labels, options)
    assert everything(fresh) == NOTHING


def test_a_network_of_our_name_that_is_not_internal_is_refused_and_kept(fresh: Stack) -> None:
    name = f"{fresh.id}-data"
    fresh.docker("network", "create", "--label", f"com.ledgerflow.network={name}", name)
    try:
        with nothing_changes(fresh):
            message = refusal(fresh.play("deploy"))
        assert f"network {name}: internal is false, true is declared" in message
        assert f"HINT: docker network inspect {name}; if nothing else needs it: docker network rm {name}" in message
    finally:
        fresh.docker("network", "rm", name)
    assert everything(fresh) == NOTHING


def test_a_registry_that_does_not_answer_is_refused_before_anything_is_made(fresh: Stack, tmp_path: Path) -> None:
    (port,) = free_ports(1)
    fresh.write_settings()
    changed = setting("IMAGES_SOURCE", "registry")(fresh.settings_file.read_text())
    (tmp_path / ".env.ci").write_text(setting("IMAGES_REGISTRY", f"127.0.0.1:{port}")(changed))
    message = refusal(fresh.play("deploy", settings_file=str(tmp_path / ".env.ci")))
    assert f"images_registry 127.0.0.1:{port}: the registry does not answer" in message
    assert "HINT: without a registry: images_source=debian (IMAGES_SOURCE=debian in" in message
    assert everything(fresh) == NOTHING


# --- secrets of a stack that has data -------------------------------------------------------------------------------


@contextmanager
def secret_replaced(stack: Stack, name: str, content: bytes | None) -> Iterator[Path]:
    """The stored secret gone (None) or damaged, and put back as it was unless the test healed it."""
    place = stack.config / "secrets" / name
    kept = place.read_bytes()
    place.unlink()
    if content is not None:
        place.write_bytes(content)
        place.chmod(0o400)
    damaged = content
    try:
        yield place
    finally:
        if not place.exists() or place.read_bytes() == damaged:
            place.unlink(missing_ok=True)
            place.write_bytes(kept)
            place.chmod(0o400)


def works(stack: Stack) -> bool:
    """Whether the app is ready, asked as its users come: through Caddy."""
    with contextlib.closing(
        http.client.HTTPConnection("127.0.0.1", int(stack.settings["APP_PORT"]), timeout=20)
    ) as caddy:
        try:
            caddy.request("GET", "/readyz")
            return caddy.getresponse().status == 200
        except OSError:
            return False


@pytest.mark.parametrize("name", ["postgres_app_password", "app_secret_key"])
def test_a_secret_that_is_missing_while_data_exists_is_refused(stack: Stack, name: str) -> None:
    with secret_replaced(stack, name, None), nothing_changes(stack):
        message = refusal(stack.play("deploy"))
    place = stack.config / "secrets"
    assert f"{place}/{name}: missing, while data made with it exists (" in message
    assert (
        f"HINT: put the file back from your copy of {place}; or, to have a new one made and set everywhere" in message
    )
    assert f"-e service_secrets_renewed={name}" in message
    assert works(stack)


@pytest.mark.parametrize("name", ["redis_queue_password", "searxng_secret"])
def test_a_damaged_secret_is_refused_before_anything_changes(stack: Stack, name: str) -> None:
    with secret_replaced(stack, name, b"hunter2 cut"), nothing_changes(stack):
        run = stack.play("deploy")
    message = refusal(run)
    place = stack.config / "secrets"
    assert f"{place}/{name}: weak or damaged (11 characters)" in message
    assert (
        f"HINT: put the file back from your copy of {place}; or, to have a new one made: rm {place}/{name}" in message
    )
    assert "hunter2" not in run.text
    assert works(stack)


@pytest.mark.soak
def test_a_renewed_secret_is_made_and_set_everywhere_and_the_old_one_opens_nothing(stack: Stack) -> None:
    renewed = "postgres_app_password"
    old = stack.secret(renewed)
    with secret_replaced(stack, renewed, None) as place, secret_scan.processes_watched({"old": old}) as seen:
        stack.deploy(service_secrets_renewed=renewed)
        new = place.read_text()
    assert seen == set()
    assert new != old
    assert opens(stack, new)
    assert not opens(stack, old)
    stack.wait_for(lambda: works(stack))
    assert "the row that must survive" in stack.rows()
    assert stack.deploy().changed == 0


def opens(stack: Stack, password: str) -> bool:
    """Whether the app's role gets in with it, over TCP; the password goes in by standard input."""
    script = "read -r PGPASSWORD; export PGPASSWORD; psql -XqAt -h 127.0.0.1 -U ledger_app -d ledger -c 'SELECT 1'"
    return (
        stack.docker("exec", "-i", f"{stack.id}-postgres", "sh", "-c", script, stdin=password + "\n", check=False)
        == "1"
    )


# --- a service that cannot be reached -------------------------------------------------------------------------------


def test_a_version_that_cannot_reach_its_database_is_told_and_the_one_before_keeps(stack: Stack) -> None:
    stack.docker("stop", f"{stack.id}-postgres")
    try:
        before = everything(stack)
        message = refusal(stack.play("deploy", deploy_service="app", app_drain_seconds=38))
        after = everything(stack)
        assert f"{stack.id}-postgres" in message
        assert "the version before keeps serving" in message
        assert "HINT: " in message
        assert objects_of(after) == objects_of(before)
    finally:
        stack.docker("start", f"{stack.id}-postgres")
        stack.wait_until_healthy("postgres")
    stack.wait_for(lambda: works(stack))
    assert stack.deploy(deploy_service="app").changed == 0


def objects_of(seen: Everything) -> Everything:
    return {kind: seen[kind] for kind in NOTHING}
