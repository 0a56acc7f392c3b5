"""The settings, start script and health check of role searxng in the real image, hardened as a deploy hardens it."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from secrets import token_hex

import ansible_runner
import pytest

from tests.integration.registry import docker
from tools.kit.image_host import ENVIRONMENT, ROOT, Host

ENGINE = {
    "name": "ledger",
    "engine": "json_engine",
    "shortcut": "lg",
    "categories": ["general"],
    "search_url": "http://127.0.0.1:9099/api/search?q={query}&token=x",
    "url_query": "url",
    "title_query": "title",
    "content_query": "content",
}
PLAY = """
- hosts: localhost
  gather_facts: false
  tasks:
    - name: Run the role
      ansible.builtin.include_role:
        name: searxng
        tasks_from: "{{ entry }}"
      loop: [preflight, main]
      loop_control: {loop_var: entry}
"""
STUBS = {"ANSIBLE_ROLES_PATH": f"{ROOT}/tests/integration/stub_roles:{ROOT}/roles"}
# What the app answers, without the app: one row per search, on loopback inside the container.
LEDGER = """
import http.server, json, urllib.parse
class Ledger(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        query = urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query)
        rows = [{"title": "Rent & " + query["q"][0], "url": "http://localhost/t/1/", "content": "-5.00"}]
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps(rows).encode())
http.server.HTTPServer(("127.0.0.1", 9099), Ledger).serve_forever()
"""
ASK = "import sys, urllib.request; print(urllib.request.urlopen('http://127.0.0.1:8080' + sys.argv[1]).read().decode())"


def python(container: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    argv = ["docker", "exec", container, "/usr/local/searxng/.venv/bin/python3", *arguments]
    return subprocess.run(argv, capture_output=True, text=True, timeout=30, check=False)


def health(container: str, *engines: str) -> int:
    return python(container, "/config/health.py", *engines).returncode


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> str:
    result = Host(tmp_path_factory.mktemp("images")).run(["searxng"])
    assert result.status == 0, result.text[-3000:]
    return result.refs["searxng"]


def rendered(folder: Path, **more: object) -> Path:
    """The three folders as a service's: config, settings with the secret, and secrets."""
    (folder / "play.yml").write_text(PLAY)
    outcome = ansible_runner.run(
        private_data_dir=str(folder),
        project_dir=str(ROOT),
        playbook=str(folder / "play.yml"),
        inventory="localhost ansible_connection=local",
        extravars={
            "ansible_python_interpreter": sys.executable,
            "searxng_image": "x",
            "searxng_engines": [{**ENGINE, **more}],
            "searxng_instance_name": 'My "own" search',
            "rendered": str(folder),
            "service_stack": {"id": "t-ci", "environment": "ci", "config_root": "/nowhere"},
            "service_fingerprints_enabled": False,
        },
        envvars={**ENVIRONMENT, **STUBS},
        quiet=True,
    )
    assert outcome.rc == 0, "\n".join(str(event.get("stdout", "")) for event in outcome.events)[-3000:]
    return folder


def started(image: str, folder: Path) -> str:
    name = f"t{token_hex(3)}-searxng"
    hardened = ["--read-only", "--tmpfs", "/tmp", "--cap-drop", "ALL", "--security-opt", "no-new-privileges"]
    mounts = [f"{folder}/config:/config:ro", f"{folder}/secrets:/run/secrets:ro", f"{folder}/secrets:/etc/searxng:ro"]
    volumes = [part for mount in mounts for part in ("--volume", mount)]
    cache = ["--tmpfs", "/var/cache/searxng:mode=0700,uid=977,gid=977,size=64m"]
    run = ["run", "--detach", "--name", name, "--user", "977:977", "--network", "none", "--memory", "256m"]
    docker(*run, *hardened, *cache, *volumes, "--entrypoint", "/bin/sh", image, "/config/run")
    return name


@pytest.fixture
def container(image: str, tmp_path: Path) -> Iterator[str]:
    name = started(image, rendered(tmp_path))
    try:
        until = time.monotonic() + 60
        while health(name, "ledger") and time.monotonic() < until:
            time.sleep(0.3)
        yield name
    finally:
        print(docker("logs", name))
        docker("rm", "--force", "--volumes", name)


def test_it_searches_the_local_engine_and_answers_what_programs_rely_on(container: str) -> None:
    subprocess.run(["docker", "exec", "--detach", container, "python3", "-c", LEDGER], check=True)
    time.sleep(1)
    answer = json.loads(python(container, "-c", ASK, "/search?q=june&format=json").stdout)
    assert answer["query"] == "june"
    assert [(row["title"], row["content"], row["engine"]) for row in answer["results"]] == [
        ("Rent & june", "-5.00", "ledger")
    ]
    assert answer["unresponsive_engines"] == []
    assert "My &#34;own&#34; search" in python(container, "-c", ASK, "/").stdout


def test_it_is_healthy_with_the_engines_listed_and_not_without_one(container: str) -> None:
    assert health(container, "ledger") == 0
    assert health(container, "ledger", "another") == 1


def test_an_engine_that_is_down_is_named_and_the_rest_goes_on(container: str) -> None:
    answer = json.loads(python(container, "-c", ASK, "/search?q=june&format=json").stdout)
    assert [engine[0] for engine in answer["unresponsive_engines"]] == ["ledger"]
    assert health(container, "ledger") == 0


# Every way to name an engine that SearXNG knows: the default, by name, by category, by bang, by preference.
ASKED = [
    "q=june", "q=june&engines=ledger", "q=june&categories=general", "q=!ledger+june", "q=!lg+june", "q=!general+june",
    "q=june&category_general=on", "q=june&enabled_engines=ledger__general", "q=june&tokens=", "q=june&tokens=wrong",
]  # fmt: skip
WITH_COOKIE = """
import sys, urllib.request
request = urllib.request.Request('http://127.0.0.1:8080' + sys.argv[1], headers={'Cookie': sys.argv[2]})
print(urllib.request.urlopen(request).read().decode())
"""


def test_an_engine_with_a_token_answers_only_those_who_bring_it(image: str, tmp_path: Path) -> None:
    name = started(image, rendered(tmp_path, tokens=["right"]))
    try:
        until = time.monotonic() + 60
        while health(name, "ledger") and time.monotonic() < until:
            time.sleep(0.3)
        assert health(name, "ledger") == 0, "the health check brings the token itself"
        assert health(name, "ledger", "another") == 1
        subprocess.run(["docker", "exec", "--detach", name, "python3", "-c", LEDGER], check=True)
        time.sleep(1)
        for query in ASKED:
            for form, cookie in (("json", ""), ("html", "tokens=wrong"), ("json", "enabled_engines=ledger__general")):
                page = python(name, "-c", WITH_COOKIE, f"/search?{query}&format={form}", cookie).stdout
                assert page and "Rent" not in page, query
        assert "ledger" not in python(name, "-c", WITH_COOKIE, "/config", "").stdout
        found = python(name, "-c", WITH_COOKIE, "/search?q=june&format=json", "theme=simple; tokens=right; a=b").stdout
        assert [row["title"] for row in json.loads(found)["results"]] == ["Rent & june"]
    finally:
        print(docker("logs", name))
        docker("rm", "--force", "--volumes", name)


def test_it_refuses_to_start_with_an_empty_secret(image: str, tmp_path: Path) -> None:
    folder = rendered(tmp_path)
    (folder / "secrets/secret_key").write_text("")
    name = started(image, folder)
    try:
        assert docker("wait", name) == "78"
        logs = subprocess.run(["docker", "logs", name], capture_output=True, text=True, check=True)
        assert "/run/secrets/secret_key: 0 characters" in logs.stderr
    finally:
        docker("rm", "--force", "--volumes", name)
