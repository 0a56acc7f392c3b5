"""The workflows' steps, run from the files, each job in a clean container. What stands in is named in runner.py."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.runbooks import Runbook
from tests.workflows.conftest import WORKFLOWS, NewJob
from tests.workflows.expressions import holds
from tests.workflows.runner import EDGE, GIVEN, STAND_INS, WORKSPACE, Done, Job

GITHUB = "http://127.0.0.1:8765"
# GitHub's issues, as far as tools/schedule_issue.py asks; on the job's machine, which has no network.
ISSUES = """
import json
from http.server import BaseHTTPRequestHandler, HTTPServer
issues = []
class Handler(BaseHTTPRequestHandler):
    def do_GET(self): self.answer(issues)
    def do_POST(self):
        assert self.headers["Authorization"] == "Bearer the-token"
        issues.append({"number": 8, **json.loads(self.rfile.read(int(self.headers["Content-Length"])))})
        self.answer(issues[-1])
    def answer(self, value):
        self.send_response(200); self.end_headers(); self.wfile.write(json.dumps(value).encode())
HTTPServer(("127.0.0.1", 8765), Handler).serve_forever()
"""
# One branch and the runs of ci, as far as tools/deploy_candidate.py asks. A second one ends, as the port is taken.
CANDIDATE = """
import json, pathlib
from http.server import BaseHTTPRequestHandler, HTTPServer
class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        assert self.headers["Authorization"] == "Bearer the-token"
        value = json.loads(pathlib.Path("/tmp/candidate.json").read_text())["/git/ref/" in self.path]
        self.send_response(200); self.end_headers(); self.wfile.write(json.dumps(value).encode())
HTTPServer(("127.0.0.1", 8765), Handler).serve_forever()
"""
SUMMARISED = {"restore-smoke"}
AFTER_CI = {
    "event_name": "workflow_run",
    "repository": "we/ledgerflow",
    "event": {
        "workflow_run": {
            "conclusion": "success",
            "event": "push",
            "head_branch": "main",
            "head_repository": {"full_name": "we/ledgerflow"},
        }
    },
}


def ended(job: Job) -> list[tuple[str, int | None]]:
    return [(done.name, done.code) for done in job.done]


def step(job: Job, name: str) -> Done:
    return next(done for done in job.done if done.name == name)


def assert_well(job: Job) -> None:
    """Every step ran and ended with 0; on failure what the first bad one said."""
    bad = [done for done in job.done if done.code]
    assert bad == [], f"{bad[0].name}: exit {bad[0].code}\n{bad[0].output[-4000:]}"
    assert job.status == "success"


def without_summary(job: Job) -> list[str]:
    """Steps that ended well and whose target writes a summary, and wrote none."""
    runs = {described["name"]: described["run"] for described in job.described["steps"] if "run" in described}
    wanted = [name for name, run in runs.items() if SUMMARISED & set(run.split())]
    return [done.name for done in job.done if done.name in wanted and done.code == 0 and not done.summary]


def after_ci(held: dict[str, str], **changed: Any) -> dict[str, Any]:
    run = {**AFTER_CI["event"]["workflow_run"], **changed}  # type: ignore[index]
    return {"github": {**AFTER_CI, "event": {"workflow_run": run}}, "secrets": held}


def with_github(job: Job, head: str = "", conclusion: str = "success") -> Job:
    """The job's machine, on which GitHub says that ci passed the commit and that it is main's head, or else."""
    job.given |= {"GITHUB_API_URL": GITHUB}
    run = {"head_sha": job.commit, "head_branch": "main", "event": "push", "conclusion": conclusion}
    answers = [{"workflow_runs": [run]}, {"object": {"sha": head or job.commit}}]
    job.inside("cat > /tmp/candidate.json", stdin=json.dumps(answers).encode())
    start = "cat > /tmp/candidate.py && (python3 /tmp/candidate.py > /tmp/candidate.log 2>&1 &)"
    job.inside(start, stdin=CANDIDATE.encode())
    return job


def by_hand(held: dict[str, str], env: str) -> dict[str, Any]:
    return {"github": {"event_name": "workflow_dispatch"}, "inputs": {"environment": env}, "secrets": held}


# --- ci and restore-smoke --------------------------------------------------------------------------------------------


def test_the_job_lint_lints_a_fresh_clone(new_job: NewJob) -> None:
    job = new_job("ci.yml", "lint")
    job.run()
    assert_well(job)
    assert re.search(r"^lint: \d+ clean, 0 not$", step(job, "Lint").output, re.MULTILINE)


def test_the_job_test_goes_through_the_door_of_make_test_and_keeps_what_it_left(new_job: NewJob) -> None:
    job = new_job("ci.yml", "test")
    job.run()
    assert_well(job)
    assert re.search(r"^[1-9]\d* passed, 0 failed$", step(job, "Test").output, re.MULTILINE)
    assert {"build/logs/test-workflows.log", "build/results/summary.txt"} <= set(job.artifacts["test-results"])


def test_the_job_deploy_deploys_shows_the_proof_table_and_keeps_its_figures(new_job: NewJob) -> None:
    job = new_job("ci.yml", "deploy")
    job.run()
    assert_well(job)
    assert job.called("ansible-playbook") == ["playbooks/deploy.yml", "playbooks/restore_smoke.yml"]
    given = job.calls()[-1]
    assert given["argv"][1:3] == ["--inventory", "inventory/ci"]
    assert given["environment"]["LEDGERFLOW_BECOME"] == "true"
    summary = step(job, "Statement to rows to proven backup and back").summary
    assert summary.startswith("## restore-smoke: proven")
    assert "| transactions | 1,666 | equal |" in summary
    assert without_summary(job) == []
    assert "build/results/restore-smoke.json" in job.artifacts["restore-smoke-results"]


def test_a_summary_that_is_not_written_is_seen(new_job: NewJob, used: str) -> None:
    hidden = ("run: make restore-smoke", "run: GITHUB_STEP_SUMMARY= make restore-smoke")
    job = new_job("ci.yml", "deploy", change=hidden, on=used)
    job.run()
    assert job.status == "success"
    assert without_summary(job) == ["Statement to rows to proven backup and back"]


@pytest.mark.parametrize(
    ("fails", "told"), [("", "well, and no issue is open"), ("playbooks/restore_smoke.yml", "failure, issue 8 opened")]
)
def test_a_schedule_tells_how_it_went(new_job: NewJob, fails: str, told: str) -> None:
    job = new_job("restore-smoke.yml", "restore-smoke", github={"event_name": "schedule"})
    job.given |= {"GITHUB_API_URL": GITHUB, "EDGE_FAILS": fails}
    job.inside("cat > /tmp/issues.py && (python3 /tmp/issues.py > /tmp/issues.log 2>&1 &)", stdin=ISSUES.encode())
    job.run()
    assert job.status == ("failure" if fails else "success")
    said = step(job, "Tell whether the schedule is well")
    assert (said.code, told in said.output) == (0, True), said.output
    assert job.calls()[-1]["environment"]["GITHUB_TOKEN"] == "the-token"


def test_who_starts_it_by_hand_opens_no_issue(new_job: NewJob) -> None:
    job = new_job("restore-smoke.yml", "restore-smoke", github={"event_name": "workflow_dispatch"})
    job.run()
    assert_well(job)
    assert step(job, "Tell whether the schedule is well").code is None


# --- deploy ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("env", ["staging", "prod"])
def test_a_deploy_is_given_what_its_environment_holds_and_leaves_none_of_it(
    new_job: NewJob, held: dict[str, dict[str, str]], env: str
) -> None:
    job = with_github(new_job("deploy.yml", env, **by_hand(held[env], env)))
    assert job.wanted()
    job.run()
    assert_well(job)
    assert job.called("ansible-playbook") == ["playbooks/deploy.yml", "playbooks/health_check.yml"]
    assert_given_privately(job, env)
    assert_nothing_left(job, held[env])
    assert f"build/logs/deploy-{env}.log" in job.artifacts[f"deploy-{env}-results"]


def assert_given_privately(job: Job, env: str, laptop: bool = False) -> None:
    """The playbook had key, known hosts and password as files of mode 0600, and none of them in its environment."""
    call = next(one for one in job.calls() if one["program"] == "ansible-playbook")
    place = f"{WORKSPACE}/build/inputs/{env}"
    assert call["argv"][1:3] == ["--inventory", f"inventory/{env}"]
    assert call["environment"]["ANSIBLE_PRIVATE_KEY_FILE"] == f"{place}/ssh_key"
    assert call["environment"]["ANSIBLE_VAULT_PASSWORD_FILE"] == f"{place}/vault_password"
    assert f'UserKnownHostsFile="{place}/known_hosts"' in call["environment"]["ANSIBLE_SSH_COMMON_ARGS"]
    assert "StrictHostKeyChecking=yes" in call["environment"]["ANSIBLE_SSH_COMMON_ARGS"]
    assert set(call["inputs"].values()) == {"0o600"}
    assert len(call["inputs"]) == 4
    named = {name for name in call["environment"] if name.startswith("DEPLOY_")}
    assert laptop or named == {"DEPLOY_TO"}  # a person's shell has exported them


def assert_nothing_left(job: Job, held: dict[str, str]) -> None:
    """No secret in any file or any output."""
    lines = {name: max(value.strip().split("\n"), key=len) for name, value in held.items()}
    for name, line in lines.items():
        assert job.files_with(line) == [], name
        assert [done.name for done in job.done if line in done.output] == [], name
    assert (
        job.inside(
            f"cd {WORKSPACE} && git status --porcelain --ignored -- inventory build/inputs .env.staging .env.prod"
        )
        == ""
    )


def test_the_search_for_secrets_finds_one(new_job: NewJob, held: dict[str, dict[str, str]]) -> None:
    job = new_job("deploy.yml", "staging", **by_hand(held["staging"], "staging"))
    planted, place = held["staging"]["DEPLOY_VAULT_PASSWORD"], f"{WORKSPACE}/build/logs"
    job.inside(f"mkdir -p {place} && cat > {place}/x", stdin=f"a {planted} b".encode())
    assert job.files_with(planted) == [f"{place}/x"]


def test_a_deploy_that_fails_leaves_no_secret_either(new_job: NewJob, held: dict[str, dict[str, str]]) -> None:
    job = with_github(new_job("deploy.yml", "staging", **after_ci(held["staging"])))
    job.given["EDGE_FAILS"] = "playbooks/deploy.yml"
    job.run()
    assert job.status == "failure"
    assert step(job, "Deploy over ssh").code != 0
    assert step(job, "Ask every service whether it is ready").code is None
    assert step(job, "Remove what the environment held").code == 0
    assert_nothing_left(job, held["staging"])


@pytest.mark.parametrize(
    ("github", "said"),
    [
        ({"head": "f" * 40}, "not the head of main, which is ffffffffffff"),
        ({"conclusion": "failure"}, "no push of it to main passed ci.yml"),
    ],
    ids=["main moved on", "ci failed"],
)
def test_another_commit_is_refused_before_anything_is_installed_or_given(
    new_job: NewJob, used: str, held: dict[str, dict[str, str]], github: dict[str, str], said: str
) -> None:
    job = with_github(new_job("deploy.yml", "prod", on=used, **by_hand(held["prod"], "prod")), **github)
    job.run()
    refusal = step(job, "Refuse a commit that ci did not pass or that is not main's head")
    assert refusal.code != 0
    assert said in refusal.output
    for name in ("Install the packages", "Write what the environment holds", "Deploy over ssh"):
        assert step(job, name).code is None
    assert_nothing_left(job, held["prod"])


def test_no_step_that_installs_packages_is_given_a_secret() -> None:
    for name, job in yaml.safe_load((WORKFLOWS / "deploy.yml").read_text())["jobs"].items():
        given = [each["name"] for each in job["steps"] if "secrets." in json.dumps(each.get("env", {}))]
        names = [each.get("name") for each in job["steps"]]
        assert given == ["Write what the environment holds"], name
        assert names.index("Install the packages") < names.index(given[0]), name


def test_each_missing_secret_is_refused_by_name(new_job: NewJob, used: str, held: dict[str, dict[str, str]]) -> None:
    for name in held["prod"]:
        less = {key: value for key, value in held["prod"].items() if key != name}
        job = with_github(new_job("deploy.yml", "prod", on=used, **by_hand(less, "prod")))
        job.run()
        said = step(job, "Write what the environment holds")
        assert said.code != 0
        assert f"deploy-inputs: prod: {name} not set\nHINT: " in said.output
        assert f"{name} --env prod" in said.output
        assert step(job, "Deploy over ssh").code is None
        assert_nothing_left(job, less)


def test_the_runbooks_commands_set_up_what_the_workflow_asks_for_and_deploy_from_a_laptop(new_job: NewJob) -> None:
    """As a person types them, up to Ansible's door; `tests/deploy/test_remote.py` goes through it."""
    job = new_job("deploy.yml", "staging")
    job.described["steps"] = [runbook_checkout(job), *runbook_steps()]
    password = "a password typed by a person"
    job.given |= {"GH_KEEPS": "/tmp/gh", "GH_TYPED": password, "ANSIBLE_VAULT_PASSWORD_FILE": "/tmp/typed"}
    host = "ledger-staging.example.org ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl"
    job.inside("cat > /tmp/typed", stdin=f"{password}\n".encode())
    job.inside("mkdir -p -m 0700 ~/.ssh && cat > ~/.ssh/known_hosts", stdin=f"{host}\n".encode())
    job.run()
    assert_well(job)
    steps = yaml.safe_load(job.text)["jobs"]["staging"]["steps"]
    asked = {name for each in steps for name in each.get("env", {}) if name.startswith("DEPLOY_")}
    assert job.inside("ls /tmp/gh/staging").split() == sorted(asked)
    assert job.called("ansible-playbook") == ["playbooks/deploy.yml", "playbooks/health_check.yml"]
    assert_given_privately(job, "staging", laptop=True)


def runbook_checkout(job: Job) -> dict[str, Any]:
    """The checkout of the workflow itself, without the commit that ci tested."""
    first = dict(job.described["steps"][0])
    return {**first, "with": {"persist-credentials": False}}


def runbook_steps() -> list[dict[str, Any]]:
    """Each block of the runbook as a step; ssh-copy-id and the person who fills in the secrets are left out."""
    found = Runbook("deploy-from-github.md").blocks()
    assert len(found) == 5
    blocks = [re.sub(r"(?m)^ssh-copy-id .*\n", "", block) for block in found]
    return [{"name": f"block {number}", "run": f"exec < /tmp/typed\n{block}"} for number, block in enumerate(blocks, 1)]


# --- what the harness has to catch ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("run: make deploy ENV=ci", "run: make deplyo ENV=ci"), "No rule to make target"),
        (("run: make deploy ENV=ci YES=1", 'run: "make deploy ENV=ci YES=1 && ("'), "syntax error"),
        (("run: make deploy ENV=ci YES=1", "run: deploy ENV=ci"), "command not found"),
        (("run: make deploy ENV=ci YES=1", "run: make deploy ENV=nowhere YES=1"), "unknown environment"),
        (("run: make deploy ENV=ci YES=1", 'run: make deploy ENV="$DEPLOY_TO" YES=1'), "unknown environment"),
    ],
    ids=["no such target", "shell error", "no such program", "no such environment", "variable not given"],
)
def test_a_step_that_cannot_work_fails(new_job: NewJob, used: str, change: tuple[str, str], said: str) -> None:
    job = new_job("restore-smoke.yml", "restore-smoke", change=change, on=used, github={"event_name": "push"})
    job.run()
    assert job.status == "failure"
    bad = step(job, "Deploy to this runner")
    assert bad.code != 0
    assert said in bad.output


def test_a_token_that_a_step_does_not_ask_for_is_missed(new_job: NewJob, used: str) -> None:
    change = ("          GITHUB_TOKEN: ${{ github.token }}\n", "")
    job = new_job("restore-smoke.yml", "restore-smoke", change=change, on=used, github={"event_name": "schedule"})
    job.run()
    said = step(job, "Tell whether the schedule is well")
    assert said.code != 0
    assert "GITHUB_TOKEN not set" in said.output


def test_an_artifact_whose_path_is_wrong_fails(new_job: NewJob, used: str) -> None:
    job = new_job("ci.yml", "deploy", change=("build/results/", "build/reslts/"), on=used)
    job.run()
    assert job.status == "failure"
    assert step(job, "Keep the logs and results").output == "build/reslts/: no files found"


@pytest.mark.parametrize("workflow", sorted(WORKFLOWS.glob("*.yml")), ids=lambda path: path.stem)
def test_every_variable_that_a_step_names_is_given_to_it(workflow: Path) -> None:
    for name, described in yaml.safe_load(workflow.read_text())["jobs"].items():
        for each in described["steps"]:
            given = {**GIVEN, **described.get("env", {}), **each.get("env", {})}
            assert set(re.findall(r"\$\{?([A-Z_]+)", each.get("run", ""))) <= set(given), (name, each["name"])


def test_both_jobs_of_a_deploy_have_the_same_steps_but_for_the_artifacts_name() -> None:
    jobs = yaml.safe_load((WORKFLOWS / "deploy.yml").read_text())["jobs"]
    staging, prod = (json.dumps(jobs[env]["steps"]).replace(f"deploy-{env}-", "deploy-") for env in ("staging", "prod"))
    assert staging == prod
    for env, job in jobs.items():
        assert (job["environment"], job["env"]) == (env, {"DEPLOY_TO": env})
        assert job["concurrency"] == {"group": f"deploy-{env}", "cancel-in-progress": False}


def test_a_deploy_follows_a_green_ci_of_main_alone_and_prod_follows_staging() -> None:
    jobs = yaml.safe_load((WORKFLOWS / "deploy.yml").read_text())["jobs"]

    def runs(env: str, contexts: dict[str, Any], **more: Any) -> bool:
        github = {"ref": "refs/heads/main", **contexts["github"]}
        known = {"vars": {}, "inputs": {}, "needs": {}, **contexts, "github": github, **more}
        return holds(jobs[env]["if"], known, "success")

    opted = {"vars": {"DEPLOY_AFTER_CI": "yes"}}
    assert runs("staging", after_ci({}), **opted)
    assert not runs("staging", after_ci({}))
    assert not runs("staging", after_ci({}), vars={"DEPLOY_AFTER_CI": "no"})
    others = ({"conclusion": "failure"}, {"event": "pull_request"}, {"head_branch": "other"})
    strangers = ({"head_repository": {"full_name": "they/ledgerflow"}},)
    for other in (*others, *strangers):
        assert not runs("staging", after_ci({}, **other), **opted)
    for result, wanted in (("success", True), ("failure", False), ("skipped", False), ("cancelled", False)):
        assert runs("prod", after_ci({}), needs={"staging": {"result": result}}) is wanted
    for env, other in (("staging", "prod"), ("prod", "staging")):
        assert runs(env, by_hand({}, env), needs={"staging": {"result": "skipped"}})
        assert not runs(env, by_hand({}, other), needs={"staging": {"result": "success"}})
        branch = by_hand({}, env)
        branch["github"]["ref"] = "refs/heads/other"
        assert not runs(env, branch)


def test_every_action_of_every_workflow_has_its_stand_in() -> None:
    assert EDGE.keys() == {"/edge/make", ".venv/bin/ansible-playbook"}
    texts = [path.read_text() for path in WORKFLOWS.glob("*.yml")]
    assert {name for text in texts for name in re.findall(r"uses: ([\w./-]+)@", text)} == set(STAND_INS)
    assert "GITHUB_TOKEN" not in GIVEN
