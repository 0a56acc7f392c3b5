"""The doors as the templates make them, for every environment: names, sign-in, quiet logs, the engine's token."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import jinja2
import pytest
import yaml

from ledgerflow.repository import ROOT
from ledgerflow.stack.searxng import searxng_settings
from ledgerflow.stack.topology import read_variables, regex_replace

ENVIRONMENTS = {"dev": "dev", "ci": "ci", "staging": "staging.example", "prod": "prod.example"}
LOCAL = ("dev", "ci")


def values(environment: str) -> Any:
    return read_variables(ROOT / "inventory" / ENVIRONMENTS[environment], ROOT / "roles")


def caddyfile(environment: str, **more: Any) -> str:
    """The Caddyfile, rendered as Ansible's lookup renders it."""
    templates = jinja2.Environment(trim_blocks=True, undefined=jinja2.StrictUndefined, autoescape=False)  # noqa: S701  no HTML
    templates.filters["regex_replace"] = regex_replace
    template = templates.from_string((ROOT / "roles/caddy/templates/Caddyfile.j2").read_text())
    variables = values(environment)
    names = [name for name in variables if name.startswith("caddy_") and name != "caddy_image"]
    return template.render({**{name: variables[name] for name in names}, **more})


def sites(text: str) -> dict[str, str]:
    """Addresses of each block at the top level, and what stands in it."""
    blocks = re.findall(r"^([^\s#(][^\n]*?) \{\n(.*?)^\}", text, re.MULTILINE | re.DOTALL)
    return {name.strip(): body for name, body in blocks}


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_every_site_names_the_hosts_it_answers_to(environment: str) -> None:
    blocks = sites(caddyfile(environment))
    proxies = {name: body for name, body in blocks.items() if "reverse_proxy" in body}
    assert proxies
    for name in proxies:
        addresses = [address.strip() for address in name.split(",")]
        hosts = [re.sub(r"^http://|:\d+$", "", address) for address in addresses]
        assert all(hosts) and "*" not in name, name
    for name, body in blocks.items():
        if re.fullmatch(r"http://:\d+", name):
            assert " 421" in body and "reverse_proxy" not in body


@pytest.mark.parametrize("environment", LOCAL)
def test_a_port_without_tls_refuses_every_other_host(environment: str) -> None:
    blocks = sites(caddyfile(environment))
    ports = {re.sub(r".*:(\d+)$", r"\1", name) for name, body in blocks.items() if "reverse_proxy" in body}
    assert {f"http://:{port}" for port in ports} <= set(blocks)
    assert len(ports) == 3


@pytest.mark.parametrize("environment", LOCAL)
def test_only_the_apps_site_answers_to_caddys_own_name(environment: str) -> None:
    stack = values(environment)["stack_id"]
    named = [name for name in sites(caddyfile(environment)) if f"http://{stack}-caddy:" in name]
    assert len(named) == 1 and named[0].endswith(f":{values(environment)['stack_settings']['app_port']}")


@pytest.mark.parametrize("environment", LOCAL)
def test_the_search_site_asks_for_a_sign_in_before_it_passes_anything_on(environment: str) -> None:
    (search,) = [body for body in sites(caddyfile(environment)).values() if "-searxng:8080" in body]
    assert search.index("forward_auth http://127.0.0.1:") < search.index("reverse_proxy")
    assert "uri /api/signed-in" in search and "handle" not in search
    assert 'header_up Cookie "^" "tokens={http.request.header.X-Search-Token}; "' in search


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_with_tls_one_site_is_served_under_the_host_name(environment: str) -> None:
    blocks = sites(caddyfile(environment, caddy_tls_enabled=True, caddy_host_name="ledger.example.org"))
    assert [name for name, body in blocks.items() if "reverse_proxy" in body] == ["ledger.example.org"]


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_what_is_asked_each_second_is_not_written_down(environment: str) -> None:
    text = caddyfile(environment)
    assert "exclude http.handlers.reverse_proxy.health_checker.active\n" in text
    assert "auto_https off" not in text, "a warning for each site"


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_an_engine_that_asks_the_stack_itself_has_a_token(environment: str) -> None:
    variables = values(environment)
    engines = searxng_settings(variables["searxng_engines"])
    own = [engine for engine in engines if f"//{variables['stack_id']}-" in str(engine.get("search_url", ""))]
    assert bool(own) is (environment in LOCAL)
    assert [engine["tokens"] for engine in own] == [["{sha256:app_search_token}"] for _ in own]


def test_postgres_is_asked_as_the_app_and_not_as_someone_it_rejects() -> None:
    described = yaml.safe_load((ROOT / "roles/postgres/vars/main.yml").read_text())
    words = described["__postgres_ready"]
    assert words[words.index("--username") + 1] == "{{ postgres_database }}_app"
    assert words[words.index("--dbname") + 1] == "{{ postgres_database }}"
    assert words[words.index("--host") + 1] == "127.0.0.1", "not the temporary server of an init run"
    assert described["__postgres_description"]["healthcheck"]["test"] == "{{ __postgres_ready }}"


def test_adminers_server_is_quiet() -> None:
    described = yaml.safe_load(Path(ROOT / "roles/adminer/vars/main.yml").read_text())
    assert described["__adminer_description"]["command"][:3] == ["php", "-q", "-S"]
