"""What the role volume_guard writes for shells, run by real shells."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import jinja2
import pytest

from filter_plugins.host import FilterModule

TEMPLATES = Path(__file__).resolve().parents[3] / "roles/volume_guard/templates"


def rendered(name: str, **variables: Any) -> str:
    # Without a choice of its own it escapes nothing, as Ansible does: these are shell scripts, not pages.
    environment = jinja2.Environment(loader=jinja2.FileSystemLoader(TEMPLATES), trim_blocks=True)  # noqa: S701 the same
    environment.filters |= FilterModule().filters()
    return environment.get_template(name).render(**variables)


def prompt(tmp_path: Path, shell: str, environment: str) -> list[str]:
    """LEDGER_ENV, the prompt at once, and the prompt after a person's own settings were read."""
    file = tmp_path / "ledgerflow.sh"
    file.write_text(rendered("profile.sh.j2", volume_guard_environment=environment))
    script = f'PS1="$ "; . {file}; . {file}; echo "$LEDGER_ENV"; echo "$PS1"; PS1="mine$ "; eval "${{PROMPT_COMMAND-}}"'
    argv = [shell, "-euc", f'{script}; echo "$PS1"']
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout.splitlines()


def test_in_prod_the_prompt_is_marked_once_and_stays_marked(tmp_path: Path) -> None:
    assert prompt(tmp_path, "bash", "prod") == ["prod", "[PRODUCTION] $ ", "[PRODUCTION] mine$ "]
    assert prompt(tmp_path, "sh", "prod")[:2] == ["prod", "[PRODUCTION] $ "]


@pytest.mark.parametrize("shell", ["bash", "sh"])
def test_elsewhere_the_prompt_is_left_alone(tmp_path: Path, shell: str) -> None:
    assert prompt(tmp_path, shell, "staging") == ["staging", "$ ", "mine$ "]


def test_a_shell_without_a_prompt_gets_none(tmp_path: Path) -> None:
    text = rendered("profile.sh.j2", volume_guard_environment="prod")
    argv = ["bash", "-euc", f'unset PS1; {text}\necho "${{PS1-none}}"']
    assert subprocess.run(argv, capture_output=True, text=True, check=True).stdout == "none\n"


def wait_for(lines: int, file: Path) -> list[int]:
    end = time.monotonic() + 20
    while time.monotonic() < end:
        found = [int(line) for line in file.read_text().split()] if file.exists() else []
        if len(found) >= lines:
            return found
        time.sleep(0.02)
    raise AssertionError(f"{file}: no {lines} starts")


def supervise(command: list[str], check: list[str], engine: Path, status: tuple[str, ...] = ("true",)) -> str:
    return rendered(
        "supervise.j2",
        __volume_guard_status_command=status,
        __volume_guard_watchdog_seconds="0.1",
        __volume_guard_command=command,
        __volume_guard_check_command=check,
        __volume_guard_engine_pid_file=engine,
    )


def test_without_systemd_the_check_runs_once_after_each_start_of_the_engine(tmp_path: Path) -> None:
    script, checks, engine = tmp_path / "supervise", tmp_path / "checks", tmp_path / "engine.pid"
    script.write_text(supervise(["sleep", "100"], ["sh", "-c", f'echo $$ >> "{checks}"; echo "$0"'], engine))
    supervisor = subprocess.Popen(["sh", str(script)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    try:
        time.sleep(2.5)
        assert not checks.exists()
        engine.write_text("1")
        wait_for(1, checks)
        time.sleep(2.5)
        assert len(wait_for(1, checks)) == 1
        engine.unlink()
        engine.write_text("2")
        os.utime(engine, (1, 1))  # another second than the first, whatever the clock of the file system
        assert len(wait_for(2, checks)) == 2
    finally:
        supervisor.terminate()
        assert supervisor.communicate(timeout=20)[0] == b"--wait=60\n" * 2


def test_the_init_script_says_what_it_does_not_know(tmp_path: Path) -> None:
    script = tmp_path / "ledgerguard"
    script.write_text(rendered("init.j2"))
    done = subprocess.run(["sh", str(script), "reload"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.splitlines()[0]) == (64, "ledgerguard: 'reload': no such action")
    assert "HINT: service ledgerguard start|stop" in done.stderr


def test_without_systemd_a_guard_that_hangs_is_ended_with_its_supervisor(tmp_path: Path) -> None:
    script, starts = tmp_path / "supervise", tmp_path / "starts"
    script.write_text(supervise(["sh", "-c", f'echo $$ >> "{starts}"; exec sleep 100'], ["true"], tmp_path / "none"))
    supervisor = subprocess.Popen(["sh", str(script)], stderr=subprocess.DEVNULL)
    try:
        (hung,) = wait_for(1, starts)
        os.kill(hung, signal.SIGSTOP)
        supervisor.terminate()
        assert supervisor.wait(20) == 0
        with pytest.raises(ProcessLookupError):
            os.kill(hung, 0)
    finally:
        supervisor.kill()


def test_without_systemd_a_guard_that_says_nothing_twice_in_a_row_is_exchanged(tmp_path: Path) -> None:
    """`status` is the edge: 2 is its word for no answer, and 1 for a guard that answers and is not well."""
    script, starts, asked, hangs = (tmp_path / name for name in ("supervise", "starts", "asked", "hangs"))
    every_second = f'echo 1 >> "{asked}"; [ $(($(wc -l < "{asked}") % 2)) -eq 0 ] || exit 2'
    first = f'[ ! -e "{hangs}" ] || [ "$(wc -l < "{starts}")" -gt 1 ] || exit 2'
    status = ("sh", "-c", f"{every_second}; {first}; exit 1")
    script.write_text(supervise(["sh", "-c", f'echo $$ >> "{starts}"; exec sleep 100'], ["true"], tmp_path, status))
    supervisor = subprocess.Popen(["sh", str(script)], stderr=subprocess.DEVNULL)
    try:
        (hung,) = wait_for(1, starts)
        wait_for(7, asked)
        assert wait_for(1, starts) == [hung], "not twice in a row"
        os.kill(hung, signal.SIGSTOP)
        hangs.touch()
        assert len(wait_for(2, starts)) == 2
        with pytest.raises(ProcessLookupError):
            os.kill(hung, 0)
        wait_for(len(asked.read_text().split()) + 6, asked)
        assert len(wait_for(2, starts)) == 2, "the next one is left alone"
    finally:
        supervisor.terminate()
        assert supervisor.wait(20) == 0


def test_without_systemd_a_killed_guard_is_started_again_and_an_ended_supervisor_takes_it_along(tmp_path: Path) -> None:
    script, starts = tmp_path / "supervise", tmp_path / "starts"
    command = ["sh", "-c", f'echo $$ >> "{starts}"; exec sleep 100']
    script.write_text(supervise(command, ["true"], tmp_path / "engine.pid"))
    supervisor = subprocess.Popen(["sh", str(script)], stderr=subprocess.DEVNULL)
    try:
        (first,) = wait_for(1, starts)
        os.kill(first, signal.SIGKILL)
        second = wait_for(2, starts)[1]
        supervisor.terminate()
        assert supervisor.wait(20) == 0
        with pytest.raises(ProcessLookupError):
            os.kill(second, 0)
    finally:
        supervisor.kill()
