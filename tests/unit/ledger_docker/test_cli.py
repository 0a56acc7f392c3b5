"""`ledger_docker` as a program, in a zipapp under the system's Python: it becomes docker, or refuses with 77.

Docker itself is the edge: a small program in its place writes down what it was given and answers as docker does.
"""

from __future__ import annotations

import json
import os
import pty
import shutil
import subprocess
import sys
import zipapp
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from ledger_docker import cli as docker_cli
from ledger_docker import inspection
from ledger_docker import log as docker_log
from tests.terminal import at_a_terminal

SOURCES = Path(docker_cli.__file__).parent
SYSTEM = Path("/usr/bin/python3")
DOCKER = r"""#!/bin/sh
echo "$*" >>"$TRACE"
case "$*" in
  *"volume inspect"*) echo '[{"Name": "kept", "Labels": {"com.ledgerflow.protect": "true"}}]' ;;
  *"container inspect"*) echo '[{"Config": {"Labels": {"com.ledgerflow.environment": "'"${REACHED:-dev}"'"}}}]' ;;
  *"config --format json"*) cat >"$TRACE.config"; echo '{"name": "p", "volumes": {"v": {"name": "kept"}}}' ;;
  *"ps -aq"*) ;;
  *) trap - PIPE; [ -t 0 ] && echo terminal || cat; exit "${STATUS:-0}" ;;
esac
"""


@dataclass
class Program:
    """The zipapp and the directory it runs in."""

    argv: list[str]
    root: Path

    def environment(self, **more: str) -> dict[str, str]:
        own = {"TRACE": str(self.root / "trace"), "LEDGER_DOCKER_LOG": str(self.root / "log/docker.jsonl")}
        return {"PATH": f"{self.root}:/usr/bin:/bin", "HOME": str(self.root), **own, **more}

    def run(self, *arguments: str, given: bytes = b"", **more: str) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            [*self.argv, *arguments], input=given, capture_output=True, timeout=60, env=self.environment(**more),
            start_new_session=True,  # without a terminal of its own, wherever the tests run
        )  # fmt: skip

    def calls(self) -> list[str]:
        trace = self.root / "trace"
        return trace.read_text().splitlines() if trace.exists() else []

    def log(self) -> list[dict[str, object]]:
        return [json.loads(line) for line in (self.root / "log/docker.jsonl").read_text().splitlines()]


@pytest.fixture(scope="session")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    tree = tmp_path_factory.mktemp("zipapp")
    shutil.copytree(SOURCES, tree / "tree/ledger_docker", ignore=shutil.ignore_patterns("__pycache__"))
    zipapp.create_archive(tree / "tree", tree / "ledger_docker.pyz", main="ledger_docker.cli:program")
    return tree / "ledger_docker.pyz"


@pytest.fixture
def program(archive: Path, tmp_path: Path) -> Program:
    (tmp_path / "docker").write_text(DOCKER)
    (tmp_path / "docker").chmod(0o755)
    python = str(SYSTEM) if SYSTEM.exists() else sys.executable
    return Program([python, "-I", str(archive)], tmp_path)


@pytest.mark.parametrize("arguments", [
    ["ps", "-a"], ["exec", "web", "echo", "down -v"], ["exec", "ledger-prod-vault", "ledgervault", "backup"],
    ["run", "--rm", "-v", "kept:/x", "image", "volume", "rm", "kept"], [], ["nonsense", "", "a b", "--x='y'"],
])  # fmt: skip
def test_arguments_go_on_as_they_are_and_nothing_else_is_asked(program: Program, arguments: list[str]) -> None:
    done = program.run(*arguments, given=b"input", LEDGER_ENV="prod", STATUS="42")
    assert (done.returncode, done.stdout, done.stderr) == (42, b"input", b"")
    assert program.calls() == [" ".join(arguments)]
    assert not (program.root / "log").exists()


@pytest.mark.parametrize("status", ["0", "1", "18", "125", "255"])
def test_dockers_exit_code_is_kept(program: Program, status: str) -> None:
    assert program.run("compose", "down", STATUS=status).returncode == int(status)


@pytest.mark.parametrize("arguments", [
    ["compose", "down", "-v"], ["volume", "rm", "-f", "kept"],
    ["compose", "-f", "x.yml", "down", "-t", "0", "--volumes=true"],
])  # fmt: skip
def test_a_refusal_is_77_names_the_volume_and_docker_never_gets_the_command(
    program: Program, arguments: list[str]
) -> None:
    done = program.run(*arguments)
    assert (done.returncode, done.stdout) == (77, b"")
    assert b"kept (environment unknown)" in done.stderr
    assert b"HINT: " in done.stderr
    assert " ".join(arguments) not in program.calls()
    (line,) = program.log()
    assert (line["verdict"], line["volumes"], line["arguments"]) == ("refused", ["kept"], arguments)


def test_a_compose_file_from_standard_input_is_looked_at_and_still_there_for_docker(program: Program) -> None:
    done = program.run("compose", "-f", "-", "down", given=b"services: {}")
    assert (done.returncode, done.stdout) == (0, b"services: {}")
    assert (program.root / "trace.config").read_text() == "services: {}"


def test_production_without_a_terminal_is_refused_and_a_piped_word_is_no_person(program: Program) -> None:
    done = program.run("stop", "web", given=b"prod\n", LEDGER_ENV="prod")
    assert done.returncode == 77
    assert b"no terminal" in done.stderr
    assert "stop web" not in program.calls()
    assert program.run("stop", "web", LEDGER_ENV="dev").returncode == 0


def answering(word: bytes) -> Callable[[bytes], bytes]:
    """Once, when asked."""
    answers = iter([word + b"\n"])
    return lambda shown: next(answers, b"") if b"to go on" in shown else b""


@pytest.mark.parametrize(("environment", "reached"), [("prod", "dev"), ("dev", "prod"), ("", "prod")])
def test_the_typed_name_lets_docker_go_on_with_the_terminal(program: Program, environment: str, reached: str) -> None:
    variables = program.environment(LEDGER_ENV=environment, REACHED=reached, STATUS="3")
    code, shown = at_a_terminal([*program.argv, "stop", "web"], variables, answering(b"prod"))
    assert code == 3
    assert shown.rstrip().endswith(b"terminal"), shown
    assert program.calls()[-1] == "stop web"
    assert (program.log()[0]["asked"], program.log()[0]["answer"]) == ("prod", "prod")


@pytest.mark.parametrize("word", [b"yes", b"", b"prod2", b"PROD"])
def test_another_word_stops_nothing(program: Program, word: bytes) -> None:
    variables = program.environment(LEDGER_ENV="prod")
    code, shown = at_a_terminal([*program.argv, "stop", "web"], variables, answering(word))
    assert code == 77
    assert b"was typed, not prod" in shown
    assert "stop web" not in program.calls()


def test_interactive_use_keeps_the_terminal(program: Program) -> None:
    code, shown = at_a_terminal([*program.argv, "exec", "-it", "web", "sh"], program.environment(), lambda _: b"")
    assert (code, shown.strip()) == (0, b"terminal")


def test_docker_gets_its_signals_back(program: Program) -> None:
    (program.root / "docker").write_text("#!/bin/sh\ngrep SigIgn /proc/self/status\n")
    ignored = int(program.run("ps").stdout.split()[1], 16)
    assert not ignored & 1 << 12, "SIGPIPE is still ignored"


def test_without_a_docker_it_says_so(program: Program) -> None:
    (program.root / "docker").unlink()
    done = subprocess.run([*program.argv, "ps"], capture_output=True, env=program.environment(PATH=str(program.root)))
    assert (done.returncode, done.stderr.splitlines()[-1].startswith(b"HINT: ")) == (127, True)


def test_under_dockers_own_name_it_finds_the_other_docker(tmp_path: Path) -> None:
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "docker").write_text("#!/bin/sh\n")
        (tmp_path / name / "docker").chmod(0o755)
    path = f"{tmp_path / 'first'}:{tmp_path / 'second'}"
    assert docker_cli.find_docker(path, tmp_path / "first/docker") == str(tmp_path / "second/docker")
    assert docker_cli.find_docker(path, tmp_path / "elsewhere") == str(tmp_path / "first/docker")


def test_broken_declarations_are_told_and_labels_still_count(
    program: Program, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:

    (program.root / "volumes.json").write_text("{")
    monkeypatch.setattr(inspection, "DECLARATIONS", program.root / "volumes.json")
    for name, value in program.environment().items():
        monkeypatch.setenv(name, value)
    assert docker_cli.main(["volume", "rm", "kept"]) == 77
    told = capsys.readouterr().err
    assert "not JSON" in told
    assert "kept (environment unknown)" in told


def test_a_declared_volume_is_refused_though_its_label_is_lost_or_the_engine_is_silent(
    program: Program, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:

    (program.root / "volumes.json").write_text('{"volumes": {"kept": {"environment": "prod"}}}')
    (program.root / "docker").write_text("#!/bin/sh\necho Cannot connect >&2; exit 1\n")
    monkeypatch.setattr(inspection, "DECLARATIONS", program.root / "volumes.json")
    for name, value in program.environment().items():
        monkeypatch.setenv(name, value)
    assert docker_cli.main(["volume", "rm", "kept"]) == 77
    assert "kept (environment prod)" in capsys.readouterr().err
    assert docker_cli.main(["volume", "rm", "any"]) == 77
    assert "Cannot connect" in capsys.readouterr().err


def test_a_log_that_cannot_be_written_is_told_and_stops_nothing(program: Program) -> None:
    (program.root / "log").write_text("a file in the way")
    done = program.run("compose", "down", STATUS="5")
    assert done.returncode == 5
    assert b"not logged" in done.stderr


def test_the_log_keeps_one_file_before_it_and_is_its_owners_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(docker_log, "LIMIT_BYTES", 10)
    file = tmp_path / "docker.jsonl"
    for number in range(3):
        assert docker_log.write(file, {"number": number}) == ""
    assert (file.read_text(), (tmp_path / "docker.jsonl.1").read_text()) == ('{"number": 2}\n', '{"number": 1}\n')
    assert file.stat().st_mode & 0o777 == 0o600


def test_each_person_has_a_log(tmp_path: Path) -> None:
    assert docker_log.place({}, 0) == docker_log.FOR_ROOT
    assert docker_log.place({"HOME": "/home/a"}, 1000) == Path("/home/a/.local/state/ledgerguard/docker.jsonl")
    assert docker_log.place({"LEDGER_DOCKER_LOG": str(tmp_path)}, 0) == tmp_path


# --- the same in this process ----------------------------------------------------------------------------------------


@pytest.fixture
def became(program: Program, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """What docker would have been started with: the one step that cannot be taken here."""
    started: list[list[str]] = []
    monkeypatch.setattr(os, "execv", lambda _path, argv: started.append(argv[1:]))
    for name, value in program.environment(LEDGER_ENV=" prod ").items():
        monkeypatch.setenv(name, value)
    return started


@contextmanager
def person(monkeypatch: pytest.MonkeyPatch, types: bytes) -> Iterator[int]:
    """A terminal at which somebody has typed already."""
    ours, theirs = pty.openpty()
    monkeypatch.setattr(docker_cli, "TERMINAL", os.ttyname(theirs))
    os.write(ours, types + b"\n")
    try:
        yield ours
    finally:
        os.close(ours)
        os.close(theirs)


def test_a_person_lets_it_go_on_or_not(became: list[list[str]], monkeypatch: pytest.MonkeyPatch) -> None:
    with person(monkeypatch, b"prod") as terminal:
        docker_cli.main(["stop", "web"])
        shown = b""
        while b"Type prod to go on" not in shown:  # what was typed is echoed too, in pieces of its own
            shown += os.read(terminal, 4096)
    assert became == [["stop", "web"]]
    with person(monkeypatch, b"yes"):
        assert docker_cli.main(["stop", "web"]) == 77
    monkeypatch.setattr(docker_cli, "TERMINAL", "/nonexistent/tty")
    assert docker_cli.main(["stop", "web"]) == 77
    assert became == [["stop", "web"]]


def test_what_is_not_asked_about_goes_on_at_once(became: list[list[str]]) -> None:
    docker_cli.main(["exec", "web", "echo", "down -v"])
    docker_cli.main(["volume", "rm", "other"])
    assert became == [["exec", "web", "echo", "down -v"], ["volume", "rm", "other"]]


def test_an_interrupted_look_ends_as_a_shell_expects(became: list[list[str]], monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(docker_cli, "_judge_first", interrupted)
    assert docker_cli.main(["stop", "web"]) == 130
    assert became == []


def test_a_docker_that_cannot_be_started_is_told(
    program: Program, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (program.root / "docker").write_bytes(b"\x7fELF no program")
    monkeypatch.setenv("PATH", str(program.root))
    assert docker_cli.main(["ps"]) == 127
    assert "Exec format error" in capsys.readouterr().err
    monkeypatch.setenv("PATH", "/nonexistent")
    monkeypatch.setattr(sys, "argv", ["ledger_docker", "ps"])
    with pytest.raises(SystemExit) as stop:
        docker_cli.program()
    assert stop.value.code == 127


def test_a_log_below_a_file_and_a_directory_that_is_gone_are_no_reason_to_stop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    assert "file" in docker_log.write(tmp_path / "file/docker.jsonl", {})
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    assert docker_log.entry(["x"], {})["directory"] == ""
