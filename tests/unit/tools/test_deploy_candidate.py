"""Only a commit that ci passed and that is main's head is deployed. GitHub is played by a server of the test's own."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tools import deploy_candidate

COMMIT, OTHER = "a" * 40, "b" * 40
PASSED = {"head_sha": COMMIT, "head_branch": "main", "event": "push", "conclusion": "success"}


class GitHub(ThreadingHTTPServer):
    """One branch and the runs of one workflow."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.head, self.runs, self.status = COMMIT, [PASSED], 200

    @property
    def environment(self) -> dict[str, str]:
        address = f"http://127.0.0.1:{self.server_address[1]}"
        return {"GITHUB_API_URL": address, "GITHUB_REPOSITORY": "we/ledger", "GITHUB_TOKEN": "the-token"}


class Handler(BaseHTTPRequestHandler):
    server: GitHub

    def do_GET(self) -> None:
        assert self.headers["Authorization"] == "Bearer the-token"
        self.send_response(self.server.status)
        self.end_headers()
        self.wfile.write(json.dumps(self.answer()).encode())

    def answer(self) -> Any:
        parts = urlsplit(self.path)
        if parts.path == "/repos/we/ledger/git/ref/heads/main":
            return {"object": {"sha": self.server.head}}
        assert parts.path == "/repos/we/ledger/actions/workflows/ci.yml/runs"
        assert parse_qs(parts.query)["head_sha"] == [COMMIT]
        return {"workflow_runs": self.server.runs}

    def log_message(self, *_: Any) -> None:
        """Says nothing."""


@pytest.fixture
def github(monkeypatch: pytest.MonkeyPatch) -> Iterator[GitHub]:
    monkeypatch.setattr(deploy_candidate, "checked_out", lambda: COMMIT)
    with GitHub() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_the_head_of_main_that_ci_passed_may_be_deployed(github: GitHub) -> None:
    assert deploy_candidate.main(github.environment) == 0


def test_a_run_that_passed_after_one_that_failed_counts(github: GitHub) -> None:
    github.runs = [{**PASSED, "conclusion": "failure"}, PASSED]
    assert deploy_candidate.main(github.environment) == 0


def test_a_commit_that_main_has_left_behind_may_not(github: GitHub, capsys: pytest.CaptureFixture[str]) -> None:
    github.head = OTHER
    assert deploy_candidate.main(github.environment) == 1
    assert f"commit {COMMIT[:12]}: not the head of main, which is {OTHER[:12]}\nHINT: " in capsys.readouterr().err


@pytest.mark.parametrize("changes", [
    None,
    {"conclusion": "failure"}, {"conclusion": "cancelled"}, {"conclusion": None},
    {"event": "pull_request"}, {"head_branch": "other"}, {"head_sha": OTHER},
])  # fmt: skip
def test_a_commit_that_ci_did_not_pass_on_main_may_not(
    github: GitHub, capsys: pytest.CaptureFixture[str], changes: dict[str, Any] | None
) -> None:
    github.runs = [] if changes is None else [{**PASSED, **changes}]
    assert deploy_candidate.main(github.environment) == 1
    assert "no push of it to main passed ci.yml" in capsys.readouterr().err


@pytest.mark.parametrize("status", [403, 500])
def test_where_github_does_not_answer_nothing_is_known(github: GitHub, status: int) -> None:
    github.status = status
    assert deploy_candidate.main(github.environment) == 2


@pytest.mark.parametrize("name", deploy_candidate.NEEDED)
def test_what_is_not_given_is_named(github: GitHub, capsys: pytest.CaptureFixture[str], name: str) -> None:
    assert deploy_candidate.main({**github.environment, name: ""}) == 64
    assert f"{name} not set" in capsys.readouterr().err
