"""What the look at a host's guard makes of files, units and containers."""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path

import pytest

from ledgerflow.host import guard
from roles.volume_guard.library import guard_state as state
from tests.unit.ledgerflow.host.test_guard import NEW, SETTINGS


def test_a_files_content_mode_and_owner_are_seen(tmp_path: Path) -> None:
    file = tmp_path / "program"
    file.write_text("x")
    file.chmod(0o755)
    assert state.file_facts(str(file)) == {
        "sha256": hashlib.sha256(b"x").hexdigest(), "mode": "0755", "uid": os.getuid(), "gid": file.stat().st_gid,
    }  # fmt: skip
    assert state.file_facts(str(tmp_path / "none")) == {}


def test_a_link_is_no_program_of_ours(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/bin/true")
    assert state.file_facts(str(tmp_path / "link")) == {}


def test_only_containers_of_others_that_hold_volumes_are_foreign() -> None:
    volume, bind = [{"Type": "volume", "Name": "v"}], [{"Type": "bind", "Source": "/srv"}]
    ours = {"com.ledgerflow.stack": "ledger"}
    containers = [
        {"Names": ["/shop"], "Mounts": volume, "Labels": {"other": "x"}},
        {"Names": ["/bare"], "Mounts": volume, "Labels": None},
        {"Names": ["/ours"], "Mounts": volume, "Labels": ours},
        {"Names": ["/bound"], "Mounts": bind},
        {"Names": ["/none"], "Mounts": None},
    ]
    assert state.foreign(containers) == ["bare", "shop"]


def test_a_unit_is_read_as_systemd_shows_it() -> None:
    shown = "ActiveState=active\nUnitFileState=enabled\nNeedDaemonReload=no\nLoadState=loaded\n"
    assert state.unit_facts(shown) == {"active": True, "enabled": True, "stale": False, "known": True}
    assert state.unit_facts("") == {"active": False, "enabled": False, "stale": False, "known": False}


def test_the_installed_options_are_read_from_a_unit_and_from_a_shell_script() -> None:
    words = guard.guard_command(NEW, {**SETTINGS, "mode": "observe", "state_files": ["/a b"], "hook": ["50 % of $x"]})
    unit = f"[Service]\nExecStart={guard.unit_command(words)}\nRestart=always\n"
    script = f"#!/bin/sh\nwhile true; do\n  {guard.shell_command(words)} &\ndone\n"
    assert state.installed_options(unit) == state.installed_options(script) == words[2:]
    assert state.installed_options("") == state.installed_options("ledgerguard serve 'x") == []


@pytest.mark.parametrize(("text", "options"), [("", {}), ("[]", {}), ("{", {}), ('{"a": 1}', {"a": 1})])
def test_a_daemon_json_that_is_none_is_left_to_role_docker_engine(text: str, options: dict[str, int]) -> None:
    assert state.daemon_options(text) == options


def test_a_host_without_guard_and_engine_is_looked_at_too(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(state, "ENGINE_PID", tmp_path / "none")
    monkeypatch.setattr(state, "ETC", tmp_path)
    for name in ("GUARD_SOCKET", "ENGINE_SOCKET", "DATA_ROOT", "DAEMON_JSON", "RELOAD_PENDING"):
        monkeypatch.setattr(state, name, str(tmp_path / "none"))
    monkeypatch.setattr(state, "STARTERS", ())
    monkeypatch.setattr(state, "SUPERVISOR_PID", tmp_path / "none")
    seen = state.observe([str(tmp_path / "program")])
    assert seen["files"] == {str(tmp_path / "program"): {}}
    assert (seen["status"], seen["plugins"], seen["supervisor"], seen["options"]) == ({}, [], 0, [])
    assert seen["engine"] == {"running": False, "version": "", "root_dir": "", "foreign": [], "unseen": 0}
    assert (seen["asked"], seen["flags"], seen["boot"]) == (None, [], shutil.which("update-rc.d") is None)
    assert seen["python"].startswith("3.")


def test_containers_of_an_engine_that_does_not_run_are_counted(tmp_path: Path) -> None:
    (tmp_path / "containers/abc").mkdir(parents=True)
    (tmp_path / "containers/lock").touch()
    assert state.kept_containers(str(tmp_path)) == 1


def test_the_engine_asks_where_the_guard_counted_its_calls() -> None:
    before = {"started": "t", "decisions": {"allowed": 5}}
    assert state.asked(before, {"started": "t", "decisions": {"allowed": 5, "refused": 1}}) is True
    assert state.asked(before, before) is False
    assert state.asked({"started": "t", "decisions": {}}, {"started": "t"}) is False
    assert state.asked(before, {"started": "later", "decisions": {}}) is None  # exchanged meanwhile
    assert state.asked({}, before) is state.asked(before, {}) is None


@pytest.mark.parametrize(
    ("command", "flags"),
    [
        ("/usr/sbin/dockerd\0-H\0fd://\0--authorization-plugin=ledgerguard\0", ["--authorization-plugin=ledgerguard"]),
        ("dockerd\0--authorization-plugin\0ledgerguard", ["--authorization-plugin"]),
        ("/usr/sbin/dockerd\0-H\0fd://", []),
        ("/bin/sleep\0--authorization-plugin=x", []),  # the number meanwhile belongs to another program
        ("", []),
    ],
)
def test_a_plugin_among_the_engines_arguments_is_seen(command: str, flags: list[str]) -> None:
    assert state.plugin_flags(command) == flags


def test_a_link_of_a_run_level_starts_it_at_boot(tmp_path: Path) -> None:
    (tmp_path / "rc2.d").mkdir()
    known = shutil.which("update-rc.d") is not None
    assert state.starts_at_boot(tmp_path) is not known
    (tmp_path / "rc2.d/S01ledgerguard").touch()
    assert state.starts_at_boot(tmp_path)
