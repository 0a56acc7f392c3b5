"""Refuses to deploy a commit that `ci` has not passed, or that is no longer main's head.

A module of its own because a workflow that starts after `ci` checks out what was tested then, while main may have moved
on; and one that is started by hand waits for nobody. It asks GitHub itself, by the standard library alone, so it runs
before any package is installed. `python3 -m tools.deploy_candidate`: 0 may be deployed, 1 may not, 2 could not ask,
64 usage.
"""

from __future__ import annotations

import os
import subprocess
import sys
import urllib.parse
from collections.abc import Mapping
from typing import Any

from tools.schedule_issue import Repository

BRANCH, WORKFLOW = "main", "ci.yml"
NEEDED = ("GITHUB_API_URL", "GITHUB_REPOSITORY", "GITHUB_TOKEN")
MAY, MAY_NOT, COULD_NOT, USAGE = 0, 1, 2, 64


def is_passed(run: Mapping[str, Any], commit: str) -> bool:
    """Whether this run of a workflow is a good one of this commit, pushed to the branch."""
    expected = {"head_sha": commit, "head_branch": BRANCH, "event": "push", "conclusion": "success"}
    return all(run.get(name) == expectation for name, expectation in expected.items())


def faults(repository: Repository, commit: str) -> list[str]:
    """Why the commit may not be deployed; empty where it may."""
    head = str(repository.ask("GET", f"git/ref/heads/{BRANCH}")["object"]["sha"])
    query = urllib.parse.urlencode({"head_sha": commit, "branch": BRANCH, "event": "push", "per_page": 100})
    runs = repository.ask("GET", f"actions/workflows/{WORKFLOW}/runs?{query}")["workflow_runs"]
    reasons = []
    if head != commit:
        reasons.append(f"commit {commit[:12]}: not the head of {BRANCH}, which is {head[:12]}")
    if not any(is_passed(run, commit) for run in runs):
        reasons.append(f"commit {commit[:12]}: no push of it to {BRANCH} passed {WORKFLOW} ({len(runs)} runs seen)")
    return reasons


def checked_out() -> str:
    """The commit of this working tree."""
    process = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=True)
    return process.stdout.strip()


def main(environ: Mapping[str, str]) -> int:
    """Returns the exit code."""
    missing = [name for name in NEEDED if not environ.get(name)]
    if missing:
        print(f"deploy_candidate: {', '.join(missing)} not set\nHINT: run it in a workflow's step", file=sys.stderr)
        return USAGE
    repository = Repository(environ["GITHUB_API_URL"], environ["GITHUB_REPOSITORY"], environ["GITHUB_TOKEN"])
    try:
        commit = checked_out()
        reasons = faults(repository, commit)
    except (OSError, ValueError, KeyError, TypeError, subprocess.CalledProcessError) as error:
        print(f"deploy_candidate: could not ask GitHub: {error!r}\nHINT: run the job again", file=sys.stderr)
        return COULD_NOT
    if reasons:
        hint = f"HINT: wait for {WORKFLOW} on the head of {BRANCH}; its own deploy follows"
        print("\n".join([*reasons, hint]), file=sys.stderr)
        return MAY_NOT
    print(f"commit {commit[:12]}: the head of {BRANCH}, passed by {WORKFLOW}")
    return MAY


if __name__ == "__main__":
    sys.exit(main(os.environ))
