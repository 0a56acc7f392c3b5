"""The arguments of the throw-away server."""

from __future__ import annotations

from pathlib import Path

from ledgervault.postgres import argv


def test_the_throw_away_server_listens_on_no_network() -> None:
    command = argv.throw_away_server(Path("/d"), Path("/s"), 1, 2)
    assert "listen_addresses=" in command
    assert "archive_mode=off" in command
