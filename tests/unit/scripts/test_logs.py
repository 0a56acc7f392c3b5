"""Logs of several containers read as one."""

from __future__ import annotations

import pytest

from scripts.logs import check, entries, level_of, merged
from scripts.request import Refusal

CADDY = "2026-11-20T12:00:01.5Z asks\n2026-11-20T12:00:03.0Z ERROR gives up\n"
APP = "2026-11-20T12:00:02.0Z warning: slow\nnot a line of the engine\n"


def test_lines_come_in_the_order_of_their_times() -> None:
    told = [(name, text) for _when, name, text in merged([entries("caddy", CADDY), entries("app", APP)], "debug")]
    assert told == [("caddy", "asks"), ("app", "warning: slow"), ("caddy", "ERROR gives up")]


def test_only_the_wanted_level_and_graver_ones_are_shown() -> None:
    logs = [entries("caddy", CADDY), entries("app", APP)]
    assert [text for _when, _name, text in merged(logs, "warning")] == ["warning: slow", "ERROR gives up"]
    assert [text for _when, _name, text in merged(logs, "error")] == ["ERROR gives up"]


@pytest.mark.parametrize(("text", "level"), [
    ("2026-11-20 12:00:00 UTC [1] FATAL:  password authentication failed", "critical"),
    ('{"level":"error","msg":"x"}', "error"),
    ("LOG:  checkpoint complete", "info"),
    ("1:M 20 Nov # WARNING memory", "warning"),
])  # fmt: skip
def test_levels_are_found_as_the_services_write_them(text: str, level: str) -> None:
    assert level_of(text) == level


@pytest.mark.parametrize("environ", [{"LEVEL": "loud"}, {"ENV": "prod"}])
def test_an_unknown_level_and_another_hosts_engine_are_refused(environ: dict[str, str]) -> None:
    with pytest.raises(Refusal):
        check(environ)


def test_another_hosts_engine_can_be_named() -> None:
    assert check({"ENV": "prod", "DOCKER_HOST": "ssh://a@b.example.org"}) == ("prod", "debug")
