"""The guard that is not there yet never looks as if it were."""

from __future__ import annotations

import pytest

from ledgerguard import __version__, cli


def test_without_arguments_it_says_it_is_not_active_and_could_not_check(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert "NOT ACTIVE" in told.err
    assert "HINT: " in told.err


@pytest.mark.parametrize("command", ["status", "check", "serve", "--sokcet"])
def test_a_command_that_is_not_there_is_a_usage_error(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        cli.main([command])
    assert stop.value.code == 64
    assert "HINT: ledgerguard --help" in capsys.readouterr().err


@pytest.mark.parametrize(("option", "told"), [("--version", __version__), ("--help", "not part of this version")])
def test_version_and_help_are_answered(option: str, told: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        cli.main([option])
    assert stop.value.code == 0
    assert told in " ".join(capsys.readouterr().out.split())
