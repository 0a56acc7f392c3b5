"""Role `app` knows nothing of Django: a Flask app, its own database name and fewer services, by variables alone."""

from __future__ import annotations

import os
import subprocess
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest

from tools.kit.stacks import REPOSITORY, Stack

WEB = ["gunicorn", "--bind", "0.0.0.0:8000", "--worker-class", "gthread", "--threads", "4"]
WEB += ["--worker-tmp-dir", "/dev/shm", "--no-control-socket", "app:app"]
ASK = "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/readyz', timeout=4)"


@pytest.fixture
def image(another_stack: Stack) -> Iterator[str]:
    """The Flask app's image, built on the base the other images stand on."""
    base = another_stack.docker("image", "ls", "--format", "{{.Repository}}:{{.Tag}}", "ledgerflow/base").split()
    assert base, "no base image on this engine; run `make test ONLY=images` first"
    name = f"{another_stack.name}/flask:1"
    bundle = os.environ.get("PIP_CERT") or os.environ.get("SSL_CERT_FILE")
    secret = ["--secret", f"id=ca_bundle,src={bundle}"] if bundle else []
    arguments = ["build", "-q", "-t", name, "--build-arg", f"BASE_IMAGE={base[0]}", *secret, "tests/flask_app"]
    built = subprocess.run(["docker", *arguments], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr[-3000:]
    yield name
    another_stack.docker("image", "rm", "-f", name)


def described(image: str) -> dict[str, Any]:
    """What an inventory would say of this app."""
    url = "postgresql://shop_{role}@{{{{ stack_id }}}}-postgres:5432/shop"
    password = "/run/secrets/database_password"
    return {
        "stack_service_roles": ["postgres", "app", "caddy"],
        "adminer_enabled": False,
        "postgres_database": "shop",
        "caddy_sites": [
            {
                "name": "shop",
                "port": "{{ stack_settings.app_port }}",
                "upstreams": ["{{ stack_id }}-app-web-blue:8000", "{{ stack_id }}-app-web-green:8000"],
                "health_uri": "/edgez",
            }
        ],
        "app_image": image,
        "app_environment": {"DATABASE_URL": url.format(role="app"), "DATABASE_PASSWORD_FILE": password},
        "app_secrets": {"database_password": "{secret:postgres_app_password}"},
        "app_protected": {},
        "app_processes": [],
        "app_web": {
            "command": WEB,
            "networks": ["app", "data"],
            "memory_mb": 256,
            "environment": {"GATE_FILE": "/gates/app-web-{colour}"},
            "healthcheck": {"test": ["CMD", "python", "-c", ASK]},
        },
        "app_tasks": [
            {
                "name": "migrate",
                "command": ["flask", "--app", "app", "migrate"],
                "unchanged_when": "",
                "environment": {"DATABASE_URL": url.format(role="migrate") + "?options=-c%20role%3Dshop_admin"},
                "secrets": {"database_password": "{secret:postgres_migrate_password}"},
            }
        ],
    }


def page(stack: Stack) -> str:
    with urllib.request.urlopen(stack.url(), timeout=10) as answer:
        text = answer.read().decode()
    assert isinstance(text, str)
    return text


def test_a_flask_app_is_deployed_changed_and_keeps_its_rows(another_stack: Stack, image: str) -> None:
    stack, variables = another_stack, described(image)
    stack.deploy(**variables)
    assert sorted(stack.containers()) == ["app-web-blue", "caddy", "postgres"]
    assert page(stack) == "visit 1\n"
    assert stack.sql("SELECT tableowner FROM pg_tables WHERE tablename = 'visits'", "shop") == "shop_admin"

    before = stack.containers()
    assert stack.deploy(**variables).changed == 0
    assert stack.containers() == before

    variables["app_web"]["memory_mb"] = 320
    stack.deploy(**variables)
    assert sorted(stack.containers()) == ["app-web-green", "caddy", "postgres"]
    assert page(stack) == "visit 2\n"
