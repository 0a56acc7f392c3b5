"""Runs the steps of a workflow file in a container that has nothing but a fresh clone: what GitHub would do with them.

A module of its own because nothing obtainable here runs workflows. What is replaced stands in two tables: STAND_INS for
actions, EDGE for programs that would need an engine or a host. All else, make, bash, our scripts, is the real one.
"""

from __future__ import annotations

import json
import secrets
import shlex
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tests.workflows.expressions import fill, holds

ROOT = Path(__file__).resolve().parents[2]
EDGE = {
    "/edge/make": "looks whether the target exists, notes what it was given, runs it; of `make test` one part",
    ".venv/bin/ansible-playbook": "notes what it was given and leaves what the playbook would leave",
}
MARK = "--- the summary of the step"
# One call for a step: its script in a file, its output, then what it wrote into the summary.
AROUND = f"""
mkdir -p /tmp/runner; : > /tmp/runner/summary; cat > /tmp/runner/step.sh; code=0
bash -e /tmp/runner/step.sh < /dev/null 2>&1 || code=$?
echo; echo '{MARK}'; cat /tmp/runner/summary; exit $code
"""
WORKSPACE = "/home/runner/work/ledgerflow/ledgerflow"
NOTES = "/home/runner/edge.jsonl"  # not in /tmp: there root may not write what another user made
# What the runner gives to every step, beside GITHUB_TOKEN, which a step has to ask for.
GIVEN = {
    "CI": "true",
    "GITHUB_ACTIONS": "true",
    "GITHUB_API_URL": "http://127.0.0.1:9",  # nobody listens: a test that wants an answer starts somebody
    "GITHUB_ENV": "/tmp/runner/env",
    "GITHUB_OUTPUT": "/tmp/runner/output",
    "GITHUB_PATH": "/tmp/runner/path",
    "GITHUB_REPOSITORY": "we/ledgerflow",
    "GITHUB_RUN_ID": "12",
    "GITHUB_SERVER_URL": "https://github.example",
    "GITHUB_STEP_SUMMARY": "/tmp/runner/summary",
    "GITHUB_WORKSPACE": WORKSPACE,
    "RUNNER_OS": "Linux",
    "RUNNER_TEMP": "/tmp/runner",
}


def docker(*arguments: str, stdin: bytes = b"", seconds: float = 300) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(["docker", *arguments], input=stdin, capture_output=True, timeout=seconds, check=False)


def well(*arguments: str, stdin: bytes = b"") -> str:
    done = docker(*arguments, stdin=stdin)
    assert done.returncode == 0, f"docker {arguments[:3]}: {done.stderr.decode(errors='replace')}"
    return done.stdout.decode().strip()


@dataclass
class Done:
    """How a step ended; code None: it was skipped."""

    name: str
    code: int | None
    output: str = ""
    summary: str = ""


@dataclass
class Job:
    """One job of a workflow file, on a machine of its own. Use `job_runs`."""

    text: str
    name: str
    contexts: dict[str, Any]
    container: str
    commit: str
    given: dict[str, str] = field(default_factory=lambda: dict(GIVEN))
    status: str = "success"
    done: list[Done] = field(default_factory=list)
    artifacts: dict[str, list[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        workflow = yaml.safe_load(self.text)
        self.described = workflow["jobs"][self.name]
        self.environment = {**workflow.get("env", {}), **self.described.get("env", {})}

    # --- the job ----------------------------------------------------------------------------------------------------

    def wanted(self) -> bool:
        """Whether the job's own `if` lets it run."""
        condition = str(self.described.get("if", "success()"))
        return holds(condition, {"needs": {}, "vars": {}, "inputs": {}, **self.contexts}, "success")

    def run(self) -> list[Done]:
        """Runs all steps in order, as far as their conditions let them; the last outcomes decide the job's status."""
        for number, step in enumerate(self.described["steps"], 1):
            name = step.get("name") or step.get("uses") or f"step {number}"
            if not holds(str(step.get("if", "success()")), self._known(), self.status):
                self.done.append(Done(name, None))
                continue
            done = self._step(name, step)
            self.done.append(done)
            if done.code != 0:
                self.status = "failure"
        return self.done

    def _known(self) -> dict[str, Any]:
        return {"vars": {}, "inputs": {}, "secrets": {}, **self.contexts, "job": {"status": self.status}}

    def _step(self, name: str, step: Mapping[str, Any]) -> Done:
        if "uses" in step:
            action = str(step["uses"]).split("@")[0]
            stand_in = STAND_INS[action]  # an action nobody described here cannot be run
            given = {key: fill(str(value), self._known(), self.status) for key, value in step.get("with", {}).items()}
            return Done(name, *stand_in(self, given))
        own = {key: fill(str(value), self._known(), self.status) for key, value in step.get("env", {}).items()}
        script = fill(str(step["run"]), self._known(), self.status)
        return self._script(name, script, {**self.environment, **own})

    def _script(self, name: str, script: str, environment: Mapping[str, str]) -> Done:
        """One `run`, by `bash -e FILE`, as GitHub runs it where no shell is named."""
        given = {"EDGE_NOTES": NOTES, "PATH": "/edge:/usr/local/bin:/usr/bin:/bin", "HOME": "/home/runner"}
        variables = {**self.given, **given, **environment}
        options = [word for key, value in variables.items() for word in ("--env", f"{key}={value}")]
        argv = ["exec", "-i", *options, "--workdir", WORKSPACE, self.container, "sh", "-c", AROUND]
        done = docker(*argv, stdin=script.encode(), seconds=600)
        output, _mark, summary = done.stdout.decode().partition(f"\n{MARK}\n")
        return Done(name, done.returncode, output + done.stderr.decode(), summary)

    # --- the machine ------------------------------------------------------------------------------------------------

    def inside(self, line: str, stdin: bytes = b"") -> str:
        """What a line of shell prints on the job's machine."""
        return well("exec", "-i", self.container, "sh", "-euc", line, stdin=stdin)

    def calls(self) -> list[dict[str, Any]]:
        """What the programs at the edge noted."""
        return [json.loads(line) for line in self.inside(f"cat {NOTES} 2>/dev/null || true").splitlines()]

    def called(self, program: str) -> list[str]:
        """Targets or playbooks in the order they were called."""
        return [call["argv"][0] for call in self.calls() if call["program"] == program]

    def files_with(self, text: str) -> list[str]:
        """Every file a user could read there that holds the text; the notes of the edge are the tests' own."""
        found = self.inside("grep -rlsF -f - /home/runner /tmp --exclude-dir=.venv || true", stdin=text.encode())
        return [name for name in found.splitlines() if name != NOTES]


# --- what stands in for actions --------------------------------------------------------------------------------------


def check_out(job: Job, given: Mapping[str, str]) -> tuple[int, str]:
    """Fetches one commit, as the action does, from the copy of this working tree."""
    assert given["persist-credentials"].lower() == "false"
    commit = given.get("ref") or job.commit
    fetch = f"git fetch -q --depth 1 /source {shlex.quote(commit)}"
    script = f"cd {WORKSPACE} && git init -q . && {fetch} && git checkout -q --force FETCH_HEAD"
    done = docker("exec", job.container, "sh", "-euc", script)
    return done.returncode, done.stderr.decode()


def set_up_python(job: Job, given: Mapping[str, str]) -> tuple[int, str]:
    """The machine has one Python; it must be the version that is asked for."""
    version = job.inside("python3 -c 'import sys; print(*sys.version_info[:2], sep=\".\")'")
    wanted = given["python-version"]
    return int(version != wanted), f"asked for {wanted}, the image has {version}"


def keep_files(job: Job, given: Mapping[str, str]) -> tuple[int, str]:
    """Looks that each path is there with something in it, and notes the files."""
    found: list[str] = []
    for place in given["path"].split():
        here = job.inside(f"cd {WORKSPACE} && find {shlex.quote(place)} -type f 2>/dev/null || true").splitlines()
        if not here and given.get("if-no-files-found") == "error":
            return 1, f"{place}: no files found"
        found += here
    job.artifacts[given["name"]] = sorted(found)
    return 0, ""


STAND_INS: dict[str, Callable[[Job, Mapping[str, str]], tuple[int, str]]] = {
    "actions/checkout": check_out,
    "actions/setup-python": set_up_python,
    "actions/upload-artifact": keep_files,
}


# --- machines ------------------------------------------------------------------------------------------------------


def working_tree(place: Path) -> str:
    """A repository with one commit: the working tree as it is now, what git ignores left out; gives the commit."""
    git = ["git", "-c", "safe.directory=*"]
    listed = [*git, "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listed, capture_output=True, check=True, text=True).stdout.split("\0")
    for name in filter(None, names):
        source, target = ROOT / name, place / name
        if source.is_file() or source.is_symlink():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target, follow_symlinks=False)
    who = ["-c", "user.name=test", "-c", "user.email=test@example.org", "-c", "commit.gpgsign=false"]
    for argv in (["init", "-q"], ["add", "--all"], ["commit", "-q", "--message", "The working tree"]):
        subprocess.run([*git, *who, "-C", str(place), *argv], check=True, capture_output=True)
    place.chmod(0o755)  # it is read by another user
    told = subprocess.run([*git, "-C", str(place), "rev-parse", "HEAD"], check=True, capture_output=True, text=True)
    return told.stdout.strip()


@contextmanager
def machine(image: str, source: Path) -> Iterator[str]:
    """A container without a network, with the programs of the edge; removed whatever happened."""
    name, edge = f"t{secrets.token_hex(3)}-runner", ROOT / "tests/workflows/edge"
    mounts = {source: "/source", edge: "/edge", edge / "ansible-playbook": f"{WORKSPACE}/.venv/bin/ansible-playbook"}
    mounted = [word for place, into in mounts.items() for word in ("--volume", f"{place}:{into}:ro")]
    # localhost: a name that sudo can look up.
    own = ["--name", name, "--network", "none", "--hostname", "localhost"]
    try:
        well("run", "--detach", "--init", *own, *mounted, image, "sleep", "infinity")
        yield name
    finally:
        docker("rm", "--force", "--volumes", name)
