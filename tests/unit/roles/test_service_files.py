"""Secrets are made once, handed out whole, survive a kill at any moment, and are never shown."""

from __future__ import annotations

import contextlib
import hashlib
import io
import itertools
import json
import os
import signal
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
from ansible.module_utils.testing import patch_module_args
from hypothesis import given
from hypothesis import strategies as st

from roles.service.library import service_files
from roles.service.library.service_files import SecretError, converge, filled, referenced

STRONG, OTHER = "correct-horse-battery", "another-strong-password"
# Root gives the files to the service's group, as the role does; another user can only keep them.
GROUP = 12345 if os.geteuid() == 0 else os.getegid()
WEAK = ["", "short", "a" * 40, "abcde" * 8, f" {STRONG}", f"{STRONG}\n", f"{STRONG}\t{STRONG}", f"{STRONG}\0"]


class Service:
    """A store and a service's directory of their own."""

    def __init__(self, root: Path) -> None:
        self.store, self.directory = root / "etc/secrets", root / "etc/app/secrets"
        self.made = root / "etc/state/secrets"
        self.templates = {"token": "{secret:token}", "url": "redis://app:{url:password}@redis:6379/0"}

    def given(self, **changes: Any) -> dict[str, Any]:
        paths = {"store": str(self.store), "made": str(self.made), "root": str(self.directory.parent)}
        plain: dict[str, Any] = {"config": {}, "sentinels": {}, "compose": ""}
        return {**paths, **plain, "gid": GROUP, "secrets": self.templates, "provided": {}, "generate": True, **changes}

    def converge(self, **changes: Any) -> dict[str, Any]:
        return converge(self.given(**changes))

    def keep(self, name: str, value: str | bytes) -> Path:
        """Puts a value into the store, as a person or an earlier run did."""
        self.store.mkdir(parents=True, exist_ok=True)
        path = self.store / name
        path.write_bytes(value.encode() if isinstance(value, str) else value)
        return path

    def files(self) -> dict[str, str]:
        return {path.name: path.read_text() for path in sorted(self.directory.iterdir())}

    def secrets(self) -> dict[str, str]:
        return {path.name: path.read_text() for path in sorted(self.store.iterdir()) if path.name[0] != "."}


@pytest.fixture
def service(tmp_path: Path) -> Service:
    return Service(tmp_path)


def refusal(call: Callable[[], object]) -> str:
    with pytest.raises(SecretError) as caught:
        call()
    return str(caught.value)


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o7777


# --- making and keeping ---


def test_missing_secrets_are_made_strong_and_each_their_own(service: Service) -> None:
    assert service.converge()["changed"] is True
    made = service.secrets()
    assert set(made) == {"token", "password"}
    assert made["token"] != made["password"]
    assert all(len(value) >= 48 for value in made.values())
    assert service.files() == {"token": made["token"], "url": f"redis://app:{made['password']}@redis:6379/0"}


def test_the_store_is_for_its_owner_only_and_the_files_for_the_service_s_group(service: Service) -> None:
    service.converge()
    assert (mode(service.store), mode(service.store / "token")) == (0o700, 0o400)
    assert (mode(service.directory), mode(service.directory / "token")) == (0o750, 0o440)
    assert {path.stat().st_gid for path in (service.directory, *service.directory.iterdir())} == {GROUP}
    assert {path.stat().st_gid for path in (service.store, *service.store.iterdir())} == {os.getegid()}


def test_what_was_ever_in_the_store_is_known_after_it_is_lost(service: Service) -> None:
    service.keep("token", STRONG)
    service.converge()
    (service.store / "token").unlink()
    assert sorted(path.name for path in service.made.iterdir()) == ["password", "token"]
    assert {path.read_bytes() for path in service.made.iterdir()} == {b""}
    with contextlib.suppress(SecretError):
        service.converge(generate=False, secrets={"other": "{secret:other}"})
    assert sorted(path.name for path in service.made.iterdir()) == ["password", "token"]


def test_a_second_run_changes_nothing(service: Service) -> None:
    first = service.converge()
    before = {path: path.stat().st_mtime_ns for path in service.directory.parent.parent.rglob("*")}
    assert service.converge() == {"changed": False, "digest": first["digest"], "diff": []}
    assert {path: path.stat().st_mtime_ns for path in service.directory.parent.parent.rglob("*")} == before


def test_a_secret_that_exists_is_used_and_kept(service: Service) -> None:
    service.keep("token", STRONG)
    service.converge()
    assert service.secrets()["token"] == service.files()["token"] == STRONG


def test_two_services_are_handed_the_same_secret(service: Service, tmp_path: Path) -> None:
    service.converge()
    other = service.converge(root=str(tmp_path / "etc/redis"), secrets={"hash": "{sha256:password}"})
    assert other["changed"] is True
    wanted = hashlib.sha256(service.secrets()["password"].encode()).hexdigest()
    assert (tmp_path / "etc/redis/secrets/hash").read_text() == wanted


@pytest.mark.parametrize("spoil", [
    lambda path: path.chmod(0o444), lambda path: (path.chmod(0o600), path.write_text("x")), lambda path: path.unlink(),
    lambda path: path.rename(path.with_name("elsewhere")), lambda path: (path.unlink(), path.symlink_to("/etc/motd")),
])  # fmt: skip
def test_a_spoilt_file_of_a_service_is_mended(service: Service, spoil: Callable[[Path], object]) -> None:
    first = service.converge()
    before = service.files()
    spoil(service.directory / "token")
    assert service.converge() == {"changed": True, "digest": first["digest"], "diff": []}
    assert service.files() == before
    assert not (service.directory / "token").is_symlink()
    assert mode(service.directory / "token") == 0o440


def test_directories_that_were_opened_are_closed_again(service: Service) -> None:
    service.converge()
    service.store.chmod(0o755)
    service.directory.chmod(0o777)
    assert service.converge()["changed"] is True
    assert (mode(service.store), mode(service.directory)) == (0o700, 0o750)


def test_a_file_that_is_no_longer_wanted_is_removed_and_its_secret_kept(service: Service) -> None:
    service.converge()
    assert service.converge(secrets={"token": "{secret:token}"})["changed"] is True
    assert list(service.files()) == ["token"]
    assert set(service.secrets()) == {"token", "password"}


# --- provided values ---


def test_a_provided_value_replaces_the_stored_one(service: Service) -> None:
    before = service.converge()
    after = service.converge(provided={"token": STRONG})
    assert after["changed"] is True
    assert after["digest"] != before["digest"]
    assert service.secrets()["token"] == service.files()["token"] == STRONG
    assert (mode(service.store / "token"), mode(service.directory / "token")) == (0o400, 0o440)


def test_a_provided_value_that_is_already_there_changes_nothing(service: Service) -> None:
    service.converge(provided={"token": STRONG})
    assert service.converge(provided={"token": STRONG})["changed"] is False


def test_a_provided_number_is_taken_as_its_digits(service: Service) -> None:
    service.converge(provided={"token": 1234567890123456})
    assert service.files()["token"] == "1234567890123456"


def test_a_provided_value_that_nobody_uses_is_not_stored(service: Service) -> None:
    service.converge(provided={"unused": STRONG})
    assert "unused" not in service.secrets()


# --- refusals ---


@pytest.mark.parametrize("value", WEAK)
def test_a_weak_or_damaged_stored_secret_is_refused_and_left_as_it_is(service: Service, value: str) -> None:
    path = service.keep("token", value)
    said = refusal(service.converge)
    assert said.startswith(f"{path}: weak or damaged ({len(value)} characters)\nHINT: ")
    assert path.read_bytes() == value.encode()
    assert service.files() == {}


@pytest.mark.parametrize("value", ["abcdef0123456789", "abcdef" * 3, "mit Umlauten: äöüß", "p@ss/word#?:[]&%+ "[:16]])
def test_a_secret_that_is_just_strong_enough_is_taken(service: Service, value: str) -> None:
    service.keep("token", value)
    service.converge(provided={"password": value})
    assert (service.files()["token"], service.secrets()["password"]) == (value, value)


@pytest.mark.parametrize("value", [b"\xff" * 3 + STRONG.encode(), STRONG.encode("utf-16")])
def test_a_stored_secret_that_is_no_text_is_refused(service: Service, value: bytes) -> None:
    service.keep("token", value)
    assert "weak or damaged" in refusal(service.converge)


@pytest.mark.parametrize("value", [*WEAK, 1234, None, "\ud800" + STRONG])
def test_a_weak_provided_value_is_refused_before_it_replaces_a_good_one(service: Service, value: object) -> None:
    service.keep("token", STRONG)
    said = refusal(lambda: service.converge(provided={"token": value}))
    assert said.startswith("secret token (provided): weak or damaged")
    assert service.secrets() == {"token": STRONG}


def test_where_nothing_is_generated_a_missing_secret_is_refused_with_the_way_out(service: Service) -> None:
    said = refusal(lambda: service.converge(generate=False, provided={"token": STRONG}))
    assert said.startswith(
        "secret password: not provided and not on the host\nHINT: set service_secrets_provided.passw"
    )
    assert "password" not in service.secrets()


def test_where_nothing_is_generated_provided_and_stored_secrets_are_enough(service: Service) -> None:
    service.keep("token", STRONG)
    assert service.converge(generate=False, provided={"password": OTHER})["changed"] is True


@pytest.mark.parametrize("name", ["Token", "to-ken", "", "../token", "to ken", "tok/en"])
@pytest.mark.parametrize("form", ["secret", "url", "sha256"])
def test_a_misspelt_reference_is_refused_before_anything_is_made(service: Service, name: str, form: str) -> None:
    said = refusal(lambda: service.converge(secrets={"token": f"{{{form}:{name}}}"}))
    assert said.startswith(f"secret {name!r}: not a secret's name\nHINT: ")
    assert not service.store.exists()


# --- templates ---


def test_names_are_found_in_order_each_once() -> None:
    templates = {"a": "{secret:x}:{sha256:y}", "b": "{url:x}{secret:z}"}
    assert referenced(templates) == ["x", "y", "z"]


@pytest.mark.parametrize("text", ["", "no reference", '{"json": {"a": 1}}', "{other:x}", "{secret}", "$${HOME}"])
def test_other_braces_are_left_alone(text: str) -> None:
    assert referenced({"a": text}) == []
    assert filled(text, {}) == text


def test_a_value_that_looks_like_a_reference_is_not_filled_again() -> None:
    assert filled("{secret:a}{secret:b}", {"a": "{secret:b}", "b": "B"}) == "{secret:b}B"


@given(st.text(st.characters(exclude_categories=["C"]), min_size=1))
def test_any_password_comes_whole_out_of_a_url(value: str) -> None:
    parts = urlsplit(filled("postgresql://app:{url:p}@db:5432/ledger", {"p": value}))
    assert (unquote(parts.password or ""), parts.hostname, parts.port, parts.path) == (value, "db", 5432, "/ledger")


def test_a_generated_secret_needs_no_quoting(service: Service) -> None:
    service.converge(secrets={"plain": "{secret:a}", "quoted": "{url:a}"})
    assert service.files()["plain"] == service.files()["quoted"]


# --- killed ---

STEPS = [
    (os, "open"), (os, "chown"), (os, "fchown"), (os, "fchmod"), (os, "fsync"), (os, "close"),
    (Path, "mkdir"), (Path, "chmod"), (Path, "rename"), (Path, "unlink"),
]  # fmt: skip


def killed_before_step(number: int, given_: dict[str, Any]) -> bool:
    """Converges in a process that is killed before its n-th step on the disk; False when it ended before that."""
    child = os.fork()
    if child == 0:
        steps = itertools.count(1)

        def deadly(step: Callable[..., object]) -> Callable[..., object]:
            def taken(*args: Any, **kwargs: Any) -> object:
                if next(steps) == number:
                    os.kill(os.getpid(), signal.SIGKILL)
                return step(*args, **kwargs)

            return taken

        for owner, name in STEPS:
            setattr(owner, name, deadly(getattr(owner, name)))
        try:
            converge(given_)
        finally:
            os._exit(0)
    return os.WIFSIGNALED(os.waitpid(child, 0)[1])


def test_a_run_killed_before_any_step_leaves_whole_secrets_and_the_next_run_heals(tmp_path: Path) -> None:
    for number in itertools.count(1):
        service = Service(tmp_path / str(number))
        killed = killed_before_step(number, service.given())
        left = service.secrets() if service.store.exists() else {}
        assert all(len(value) >= 48 for value in left.values())
        service.converge()
        assert {name: service.secrets()[name] for name in left} == left
        assert set(service.files()) == {"token", "url"}
        assert service.files()["token"] == service.secrets()["token"]
        assert [path.name for path in service.directory.iterdir() if path.name.startswith(".")] == []
        assert service.converge()["changed"] is False
        if not killed:
            break
    assert number > 20


def test_a_replacement_killed_before_any_step_leaves_the_old_value_or_the_new_one(tmp_path: Path) -> None:
    for number in itertools.count(1):
        service = Service(tmp_path / str(number))
        service.converge(provided={"token": STRONG})
        killed = killed_before_step(number, service.given(provided={"token": OTHER}))
        assert {service.secrets()["token"], service.files()["token"]} <= {STRONG, OTHER}
        service.converge(provided={"token": OTHER})
        assert service.secrets()["token"] == service.files()["token"] == OTHER
        if not killed:
            break
    assert number > 5


def test_what_a_killed_write_left_beside_is_replaced_and_never_followed(service: Service, tmp_path: Path) -> None:
    bystander = tmp_path / "bystander"
    bystander.write_text("mine")
    for folder in (service.store, service.directory):
        folder.mkdir(parents=True)
        (folder / ".token.new").symlink_to(bystander)
    service.converge()
    assert bystander.read_text() == "mine"
    assert not (service.store / ".token.new").exists()
    assert set(service.files()) == {"token", "url"}


# --- as Ansible runs it ---


def run(given_: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    """The module's exit code and answer."""
    said = io.StringIO()
    with patch_module_args(given_), contextlib.redirect_stdout(said), pytest.raises(SystemExit) as ended:
        service_files.main()
    answer = json.loads(said.getvalue())
    assert isinstance(answer, dict)
    return int(str(ended.value.code)), answer


def test_the_module_answers_with_changed_and_a_digest(service: Service) -> None:
    code, first = run(service.given())
    assert (code, first["changed"]) == (0, True)
    code, second = run(service.given())
    assert (code, second["changed"], second["digest"]) == (0, False, first["digest"])


def test_another_value_or_another_template_is_another_digest(service: Service) -> None:
    digests = {
        run(service.given())[1]["digest"],
        run(service.given(provided={"token": STRONG}))[1]["digest"],
        run(service.given(provided={"token": STRONG}, secrets={"token": "{secret:token}"}))[1]["digest"],
        run(service.given(provided={"token": STRONG}, secrets={"other": "{secret:token}"}))[1]["digest"],
    }
    assert len(digests) == 4


def test_the_module_fails_with_the_refusal_as_its_message(service: Service) -> None:
    service.keep("token", "short")
    code, answer = run(service.given())
    assert (code, answer["failed"]) == (1, True)
    assert "weak or damaged" in answer["msg"]


def test_what_the_disk_refuses_is_said_with_its_place(service: Service) -> None:
    (service.store / "token").mkdir(parents=True)
    code, answer = run(service.given())
    assert (code, answer["failed"]) == (1, True)
    assert f"{service.store}/" in answer["msg"]
    assert "HINT: ls -la" in answer["msg"]


def test_a_check_changes_nothing_and_says_that_a_run_would(service: Service) -> None:
    code, answer = run(service.given(_ansible_check_mode=True))
    assert (code, answer["changed"]) == (0, True)
    assert not service.store.exists()
    assert not service.directory.exists()


def test_a_check_of_a_converged_service_reports_no_change_and_the_same_digest(service: Service) -> None:
    _code, made = run(service.given())
    code, answer = run(service.given(_ansible_check_mode=True))
    assert (code, answer["changed"], answer["digest"]) == (0, False, made["digest"])


def test_a_check_sees_a_file_that_a_run_would_remove_and_leaves_it(service: Service) -> None:
    service.converge()
    (service.directory / "stale").write_text("x")
    assert run(service.given(_ansible_check_mode=True))[1]["changed"] is True
    assert (service.directory / "stale").exists()
    service.converge()
    assert not (service.directory / "stale").exists()


def test_a_check_sees_a_file_that_a_run_would_write_and_leaves_it(service: Service) -> None:
    service.converge()
    before = service.files()
    changed = {**service.templates, "token": "other {secret:token}"}
    assert run(service.given(_ansible_check_mode=True, secrets=changed))[1]["changed"] is True
    assert service.files() == before


def test_a_check_refuses_what_a_run_would_refuse(service: Service) -> None:
    assert run(service.given(_ansible_check_mode=True, generate=False))[0] == 1


# No character of these stands in any message, so that one that does comes from a value.
VALUES = st.text(st.characters(min_codepoint=0x4E00, max_codepoint=0x4FFF), max_size=40)


@given(provided=VALUES, kept=VALUES, check=st.booleans())
def test_no_value_is_ever_in_what_the_module_says(provided: str, kept: str, check: bool) -> None:
    with tempfile.TemporaryDirectory() as folder:
        service = Service(Path(folder))
        service.keep("password", kept)
        _code, answer = run(service.given(provided={"token": provided}, _ansible_check_mode=check))
        said = json.dumps(answer, ensure_ascii=False)
        assert not set(said) & set(provided + kept)
        assert ("failed" in answer) == any(len(value) < 16 or len(set(value)) < 6 for value in (provided, kept))


# --- the files that are no secret ---


def project(service: Service, **changes: Any) -> dict[str, Any]:
    record = service.store.parent / "db_data.json"
    record.parent.mkdir(parents=True, exist_ok=True)
    record.write_text('{"uuid": "1"}\n')
    given = {
        "config": {"app.conf": "a = 1\n", "start": "#!/bin/sh\n", "x/y/z.conf": ""},
        "sentinels": {"db_data": str(record)},
        "compose": f"secrets: {service_files.DIGEST}\n",
    }
    return service.converge(**{**given, **changes})


def test_configuration_is_written_for_the_service_to_read_and_only_programs_to_run(service: Service) -> None:
    root = service.directory.parent
    assert project(service)["changed"] is True
    assert (root / "config/app.conf").read_text() == "a = 1\n"
    assert [mode(root / "config" / name) for name in ("app.conf", "start", "x/y/z.conf")] == [0o440, 0o550, 0o440]
    assert [mode(root / name) for name in ("config", "config/x", "config/x/y", "config/sentinels")] == [0o750] * 4
    assert (root / "config/sentinels/db_data.json").read_bytes() == (service.store.parent / "db_data.json").read_bytes()
    assert (root / "config/app.conf").stat().st_gid == GROUP
    assert project(service)["changed"] is False


def test_a_changed_secret_changes_the_compose_project(service: Service) -> None:
    compose = service.directory.parent / "compose.yml"
    digest = project(service)["digest"]
    assert compose.read_text() == f"secrets: {digest}\n"
    assert mode(compose) == 0o600
    assert project(service, provided={"token": STRONG})["digest"] != digest
    assert digest not in compose.read_text()


def test_a_changed_file_is_shown_as_a_difference_and_a_secret_never(service: Service) -> None:
    project(service)
    seen = project(service, config={"app.conf": "a = 2\n"}, provided={"token": OTHER})
    assert [(item["before"], item["after"]) for item in seen["diff"] if "app.conf" in item["before_header"]] == [
        ("a = 1\n", "a = 2\n")
    ]
    assert OTHER not in json.dumps(seen)


def test_looking_only_writes_none_of_them(service: Service) -> None:
    seen = converge(service.given(config={"app.conf": "a = 1\n"}, compose="x\n"), look_only=True)
    assert seen["changed"] is True
    assert not service.directory.parent.exists()


def test_a_missing_record_of_a_volume_is_an_error(service: Service) -> None:
    with pytest.raises(FileNotFoundError):
        project(service, sentinels={"db_data": str(service.store / "none.json")})


# --- a user who cannot give files away ---


def test_without_a_group_of_the_services_any_uid_reads_behind_a_directory_closed_to_others(service: Service) -> None:
    service.converge(gid=None, config={"start": "#!/bin/sh\n", "a/b.conf": "x"}, compose="services: {}")
    root = service.directory.parent
    assert mode(root.parent) == 0o700
    assert {path: mode(root / path) for path in ("secrets", "secrets/token", "config", "config/a")} == {
        "secrets": 0o755, "secrets/token": 0o444, "config": 0o755, "config/a": 0o755,
    }  # fmt: skip
    assert (mode(root / "config/start"), mode(root / "config/a/b.conf")) == (0o555, 0o444)
    assert (mode(root / "compose.yml"), mode(service.store), mode(service.store / "token")) == (0o600, 0o700, 0o400)
    assert service.converge(gid=None, config={"start": "#!/bin/sh\n", "a/b.conf": "x"}, compose="services: {}")[
        "changed"
    ] is False  # fmt: skip


def test_a_stacks_directory_that_was_opened_is_closed_again_and_only_there(service: Service) -> None:
    service.converge(gid=None)
    stack = service.directory.parent.parent
    stack.chmod(0o755)
    assert service.converge(gid=None)["changed"]
    assert mode(stack) == 0o700
    stack.chmod(0o755)
    service.converge()
    assert mode(stack) == 0o755
