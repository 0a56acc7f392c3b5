"""A failing schedule keeps one issue open until it is well again. GitHub is played by a server of the test's own."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from tools import schedule_issue


class GitHub(ThreadingHTTPServer):
    """Issues of one repository, as far as the script needs them."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.issues: list[dict[str, Any]] = [{"number": 7, "title": "Another", "state": "open", "comments": []}]
        self.status = 200

    @property
    def environment(self) -> dict[str, str]:
        return {
            "GITHUB_API_URL": f"http://127.0.0.1:{self.server_address[1]}",
            "GITHUB_REPOSITORY": "we/ledger",
            "GITHUB_RUN_ID": "12",
            "GITHUB_SERVER_URL": "https://github.example",
            "GITHUB_TOKEN": "the-token",
        }


class Handler(BaseHTTPRequestHandler):
    server: GitHub

    def answer(self) -> Any:
        assert self.headers["Authorization"] == "Bearer the-token"
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or "{}")
        path = self.path.removeprefix("/repos/we/ledger/issues")
        if self.command == "GET":
            assert path == "?state=open&labels=schedule&per_page=100"
            return [issue for issue in self.server.issues if issue["state"] == "open"]
        if not path:
            self.server.issues.append({"number": 8, "state": "open", "comments": [], **body})
            return self.server.issues[-1]
        issue = next(one for one in self.server.issues if one["number"] == int(path.split("/")[1]))
        if path.endswith("/comments"):
            issue["comments"].append(body["body"])
        else:
            issue |= body
        return issue

    def do_GET(self) -> None:
        answer = json.dumps(self.answer()).encode()
        self.send_response(self.server.status)
        self.end_headers()
        self.wfile.write(answer)

    do_POST = do_PATCH = do_GET

    def log_message(self, *_arguments: object) -> None:
        """Quiet."""


@pytest.fixture
def github() -> Iterator[GitHub]:
    with GitHub() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_one_issue_from_the_first_failure_until_all_is_well(github: GitHub, capsys: pytest.CaptureFixture[str]) -> None:
    for outcome, said in (
        ("success", "well, and no issue is open"),
        ("failure", "failure, issue 8 opened"),
        ("cancelled", "cancelled, told on issue 8"),
        ("success", "well again, issue 8 closed"),
        ("success", "well, and no issue is open"),
    ):
        assert schedule_issue.main(["restore-smoke", outcome], github.environment) == 0
        assert capsys.readouterr().out == f"restore-smoke: {said}\n"
    other, ours = github.issues
    assert other == {"number": 7, "title": "Another", "state": "open", "comments": []}
    assert (ours["title"], ours["state"]) == ("Scheduled workflow fails: restore-smoke", "closed")
    assert "https://github.example/we/ledger/actions/runs/12" in ours["body"]
    assert [comment.split(":")[0] for comment in ours["comments"]] == ["Ended with *cancelled* again", "Well again"]


def test_what_could_not_be_told_is_a_failure(github: GitHub, capsys: pytest.CaptureFixture[str]) -> None:
    github.status = 403
    assert schedule_issue.main(["restore-smoke", "failure"], github.environment) == 2
    told = capsys.readouterr().err
    assert "could not tell: HTTP Error 403" in told
    assert "HINT: look at https://github.example/we/ledger/actions/runs/12" in told
    assert "the-token" not in told


def test_outside_a_workflow_it_says_what_is_missing(capsys: pytest.CaptureFixture[str]) -> None:
    assert schedule_issue.main(["restore-smoke", "failure"], {"GITHUB_TOKEN": "x"}) == 64
    assert "GITHUB_API_URL, GITHUB_REPOSITORY" in capsys.readouterr().err
    assert schedule_issue.main(["restore-smoke"], {}) == 64
