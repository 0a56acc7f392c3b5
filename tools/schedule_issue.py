"""Keeps one open issue while a scheduled workflow fails: opens it, comments on it, closes it when all is well again.

A module of its own because silence is an alarm only where somebody looks: a red run of a schedule is seen by nobody.
It speaks the REST API of GitHub by the standard library alone, with what every workflow's environment holds.
`python -m tools.schedule_issue NAME OUTCOME` (success, or anything else): 0 told, 2 could not tell, 64 usage.
"""

from __future__ import annotations

import json
import os
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

LABEL = "schedule"
NEEDED = ("GITHUB_API_URL", "GITHUB_REPOSITORY", "GITHUB_RUN_ID", "GITHUB_SERVER_URL", "GITHUB_TOKEN")
COULD_NOT = 2
USAGE = 64


@dataclass(frozen=True)
class Repository:
    """Where the issues are, and the right to write them."""

    api: str
    name: str
    token: str

    def ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """The decoded answer; OSError (urllib's errors are) where there is none."""
        request = urllib.request.Request(  # noqa: S310 the address is the workflow's own
            f"{self.api}/repos/{self.name}/{path}",
            data=None if body is None else json.dumps(body).encode(),
            method=method,
            headers={"Authorization": f"Bearer {self.token}", "Accept": "application/vnd.github+json"},
        )
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 as above
            return json.load(answer)


def open_issue(repository: Repository, title: str) -> int | None:
    """The number of the open issue of this title; None where there is none."""
    issues = repository.ask("GET", f"issues?state=open&labels={LABEL}&per_page=100")
    return next((int(issue["number"]) for issue in issues if issue["title"] == title), None)


def update_issue(repository: Repository, name: str, outcome: str, run: str) -> str:
    """Brings the issue to what the outcome says; gives what was done."""
    title = f"Scheduled workflow fails: {name}"
    number = open_issue(repository, title)
    if outcome == "success":
        if number is None:
            return f"{name}: well, and no issue is open"
        repository.ask("POST", f"issues/{number}/comments", {"body": f"Well again: {run}"})
        repository.ask("PATCH", f"issues/{number}", {"state": "closed", "state_reason": "completed"})
        return f"{name}: well again, issue {number} closed"
    if number is not None:
        repository.ask("POST", f"issues/{number}/comments", {"body": f"Ended with *{outcome}* again: {run}"})
        return f"{name}: {outcome}, told on issue {number}"
    body = f"Ended with *{outcome}*: {run}\n\ndocs/troubleshooting.md says what to look at first."
    issue = repository.ask("POST", "issues", {"title": title, "body": body, "labels": [LABEL]})
    return f"{name}: {outcome}, issue {issue['number']} opened"


def main(argv: list[str], environ: Mapping[str, str]) -> int:
    """Returns the exit code."""
    missing = [name for name in NEEDED if not environ.get(name)]
    if len(argv) != 2 or not all(argv):
        print("usage: python -m tools.schedule_issue NAME OUTCOME", file=sys.stderr)
        return USAGE
    if missing:
        print(f"schedule_issue: {', '.join(missing)} not set\nHINT: run it in a workflow's step", file=sys.stderr)
        return USAGE
    name, outcome = argv
    repository = Repository(environ["GITHUB_API_URL"], environ["GITHUB_REPOSITORY"], environ["GITHUB_TOKEN"])
    run = f"{environ['GITHUB_SERVER_URL']}/{environ['GITHUB_REPOSITORY']}/actions/runs/{environ['GITHUB_RUN_ID']}"
    try:
        print(update_issue(repository, name, outcome, run))
    except (OSError, ValueError, KeyError) as error:
        print(f"schedule_issue: {name}: could not tell: {error}\nHINT: look at {run}", file=sys.stderr)
        return COULD_NOT
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
