"""Logs of several containers read as one."""

from __future__ import annotations

import pytest

from ledgerflow.play.logs import check_request, entries, level_of, merge_entries
from ledgerflow.play.request import Refusal

CADDY = "2026-11-20T12:00:01.5Z asks\n2026-11-20T12:00:03.0Z ERROR gives up\n"
APP = "2026-11-20T12:00:02.0Z warning: slow\nnot a line of the engine\n"


def test_lines_come_in_the_order_of_their_times() -> None:
    told = [
        (name, text) for _when, name, text in merge_entries([entries("caddy", CADDY), entries("app", APP)], "debug")
    ]
    assert told == [("caddy", "asks"), ("app", "warning: slow"), ("caddy", "ERROR gives up")]


def test_only_the_wanted_level_and_graver_ones_are_shown() -> None:
    logs = [entries("caddy", CADDY), entries("app", APP)]
    assert [text for _when, _name, text in merge_entries(logs, "warning")] == ["warning: slow", "ERROR gives up"]
    assert [text for _when, _name, text in merge_entries(logs, "error")] == ["ERROR gives up"]


@pytest.mark.parametrize(("text", "level"), [
    ("2026-11-20 12:00:00 UTC [1] FATAL:  password authentication failed", "critical"),
    ('{"level":"error","msg":"x"}', "error"),
    ("LOG:  checkpoint complete", "info"),
    ("1:M 20 Nov # WARNING memory", "warning"),
    ('{"level":"info","msg":"HTTP request failed","error":"dial tcp: no such host"}', "info"),
    ('{"level":"warn","msg":"x"}', "warning"),
    ('{"level":"fatal","msg":"x"}', "critical"),
    ('{"msg":"an error without a level"}', "error"),
    ("2026-12-01 14:27:35,108 WARNING ledger.sign_ins: sign-in failed: user 'INFO' from 203.0.113.9", "warning"),
    ("2026-12-01 14:27:35,108 INFO celery.app.trace: no error", "info"),
    ("2026-11-20 12:00:00 UTC [1] app@ledger ERROR:  relation does not exist", "error"),
    ("2026-11-20 12:00:00 UTC [1] app@ledger STATEMENT:  SELECT error", "info"),
    ('172.22.0.3 "GET /errors/fatal" 200 12 3ms', "info"),
    ('172.22.0.3 "GET /ERROR/ " 404 12 3ms', "info"),
    ('172.22.0.3 "GET /" 502 12 3ms', "error"),
    ("    . logfile -> [stderr]@%INFO", "info"),
    ("[Tue Dec  1 14:25:11 2026] PHP Warning:  Undefined array key", "warning"),
    ("ValueError: value seen 3", "error"),
    ("[2026-12-01 14:23:34 +0000] [7] [CRITICAL] WORKER TIMEOUT (pid:9)", "critical"),
    ("8:C 01 Dec 2026 14:23:18.088 # WARNING Memory overcommit must be enabled! Without it, …", "notice"),
])  # fmt: skip
def test_levels_are_found_as_the_services_write_them(text: str, level: str) -> None:
    assert level_of(text) == level


@pytest.mark.parametrize("environ", [{"LEVEL": "loud"}, {"ENV": "prod"}])
def test_an_unknown_level_and_another_hosts_engine_are_refused(environ: dict[str, str]) -> None:
    with pytest.raises(Refusal):
        check_request(environ)


def test_another_hosts_engine_can_be_named() -> None:
    assert check_request({"ENV": "prod", "DOCKER_HOST": "ssh://a@b.example.org"}) == ("prod", "debug")
