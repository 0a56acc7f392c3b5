"""The ledger leaves by its door only: no row without a sign-in, whatever is asked how; and a healthy stack is quiet."""

from __future__ import annotations

import http.cookiejar
import itertools
import json
import os
import re
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

import pytest

from tools.kit.stacks import REPOSITORY, Stack

ROW = "the row that must survive"
SEEN = "the row that must"  # a page marks the word that was searched for
IDLE_SECONDS = 30  # three health checks of each service, thirty of the idle colour
PUBLIC = [("APP", "/api/search"), ("SEARXNG", "/search")]
QUERIES = [
    {"q": "survive"}, {"q": "!ledger survive"}, {"q": "!lg survive"}, {"q": "!!lg survive"}, {"q": "!general survive"},
    {"q": "?lg survive"}, {"q": "survive", "engines": "ledger"}, {"q": "survive", "categories": "general"},
    {"q": "survive", "category_general": "on"}, {"q": "survive", "tokens": "x"}, {"q": "survive", "tokens": ""},
    {"q": "survive", "enabled_engines": "ledger__general"}, {"q": "survive", "token": ""},
]  # fmt: skip
COOKIES = ["", "tokens=x", "enabled_engines=ledger__general; categories=general", "tokens="]
HEADERS = [{}, {"X-Search-Token": "x"}, {"X-Forwarded-Method": "GET", "X-Forwarded-Uri": "/api/signed-in"}]


def ask(url: str, data: dict[str, str] | None = None, **headers: str) -> tuple[int, str]:
    """Status and text; a redirect is followed, as a browser would, with what the answers set as cookies."""
    body = urllib.parse.urlencode(data).encode() if data else None
    request = urllib.request.Request(url, data=body, headers=headers)
    try:
        with urllib.request.build_opener(urllib.request.HTTPCookieProcessor()).open(request, timeout=30) as answer:
            return answer.status, answer.read().decode(errors="replace")
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode(errors="replace")


def searxng_address(stack: Stack) -> str:
    """SearXNG itself: a program of this host reaches every container by its address."""
    networks = json.loads(stack.docker("inspect", f"{stack.id}-searxng"))[0]["NetworkSettings"]["Networks"]
    return f"http://{next(iter(networks.values()))['IPAddress']}:8080/search"


class Person:
    """Somebody who signed in, with their cookies."""

    def __init__(self, stack: Stack) -> None:
        self.stack, jar = stack, http.cookiejar.CookieJar()
        self.opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(jar))

    def sign_in(self, password: str, user: str = "admin") -> bool:
        page = self.opener.open(self.stack.url(path="/sign-in/"), timeout=30).read().decode()
        token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)
        assert token is not None
        values = {"csrfmiddlewaretoken": token[1], "username": user, "password": password}
        request = urllib.request.Request(
            self.stack.url(path="/sign-in/"), urllib.parse.urlencode(values).encode(), {"Referer": self.stack.url()}
        )
        with self.opener.open(request, timeout=30) as answer:
            return not answer.url.endswith("/sign-in/")

    def get(self, url: str) -> str:
        with self.opener.open(url, timeout=30) as answer:
            text: str = answer.read().decode(errors="replace")
            return text


@pytest.fixture(scope="module")
def idle(stack: Stack) -> float:
    """The time since which every service is healthy and nobody asked for anything."""
    stack.wait_until_healthy()
    since = time.time()
    time.sleep(IDLE_SECONDS)
    return since


def test_a_healthy_stack_writes_nothing_at_level_warning(stack: Stack, idle: float) -> None:
    environ = {**os.environ, "ENV": stack.environment, "STACK": stack.name, "SINCE": str(int(idle) + 1)}
    argv = [sys.executable, "-m", "ledgerflow.play.logs"]
    levels = {
        level: subprocess.run(argv, env={**environ, "LEVEL": level}, cwd=REPOSITORY, capture_output=True, text=True)
        for level in ("warning", "info")
    }
    assert (levels["warning"].returncode, levels["warning"].stdout) == (0, "")
    assert levels["info"].returncode == 0


def test_health_checks_write_nothing_at_all(stack: Stack, idle: float) -> None:
    said = {service: stack.said(service, idle) for service in ("adminer", "caddy", "searxng", "redis-cache")}
    assert said == dict.fromkeys(said, "")
    assert "FATAL" not in stack.said("postgres", idle)


def test_a_first_deploy_makes_no_false_alarm(stack: Stack) -> None:
    assert "password authentication failed" not in stack.said("postgres")
    assert "automatic HTTPS" not in stack.said("caddy")
    assert "health_checker" not in stack.said("caddy")


@pytest.mark.parametrize("form", ["html", "json", "csv", "rss"])
def test_without_a_sign_in_no_search_shows_a_row(stack: Stack, form: str) -> None:
    places = [stack.url(site, path) for site, path in PUBLIC] + [searxng_address(stack)]
    for place, query, (cookie, headers) in itertools.product(
        places, QUERIES, zip(COOKIES, [*HEADERS, {}], strict=True)
    ):
        address = f"{place}?{urllib.parse.urlencode({**query, 'format': form})}"
        _status, text = ask(address, Cookie=cookie, **headers)
        assert SEEN not in text, address
        assert "+12.34" not in text, address
    for place in places:
        _status, text = ask(place, {"q": "!ledger survive", "format": form, "categories": "general"})
        assert SEEN not in text, place


@pytest.mark.parametrize(
    "path", ["/", "/config", "/preferences", "/autocompleter?q=survive", "/stats/errors", "//search"]
)
def test_a_stranger_sees_no_page_of_the_search_but_the_way_to_sign_in(stack: Stack, path: str) -> None:
    status, text = ask(stack.url("SEARXNG", path))
    assert status == 200 and 'name="csrfmiddlewaretoken"' in text and "searx" not in text.lower()


@pytest.mark.parametrize("site", ["APP", "SEARXNG", "ADMINER"])
def test_only_its_own_names_are_answered(stack: Stack, site: str) -> None:
    port = stack.settings[f"{site}_PORT"]
    person = Person(stack)
    assert person.sign_in(stack.secret("app_admin_password"))
    strange = [
        "evil.example.org",
        f"evil.example.org:{port}",
        "127.0.0.1.evil.example.org",
        "x",
        "localhost.",
        "192.0.2.1",
        "",
    ]
    for host in [*strange, f"{stack.id}-searxng"]:
        status, text = ask(stack.url(site, "/search?q=survive&format=csv"), Host=host)
        assert status in {400, 421} and SEEN not in text, host
    for host in (f"127.0.0.1:{port}", f"localhost:{port}", "LOCALHOST"):
        assert ask(stack.url(site), Host=host)[0] == 200, host


def test_a_signed_in_person_finds_the_row_on_the_search_page_and_by_the_tool(stack: Stack) -> None:
    person = Person(stack)
    assert person.sign_in(stack.secret("app_admin_password"))
    found = json.loads(person.get(stack.url("SEARXNG", "/search?q=survive&format=json")))
    assert [row["title"] for row in found["results"]] == [ROW]
    assert SEEN in person.get(stack.url("SEARXNG", "/search?q=survive"))
    tool = "from tools.search_tool import search_web; print([row['title'] for row in search_web('survive')])"
    assert stack.manage("shell", "--no-imports", "-c", tool) == str([ROW])


def test_after_signing_out_the_search_page_is_closed_again(stack: Stack) -> None:
    person = Person(stack)
    assert person.sign_in(stack.secret("app_admin_password"))
    page = person.get(stack.url())
    token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)
    assert token is not None
    data = urllib.parse.urlencode({"csrfmiddlewaretoken": token[1]}).encode()
    person.opener.open(urllib.request.Request(stack.url(path="/sign-out/"), data, {"Referer": stack.url()}), timeout=30)
    assert SEEN not in person.get(stack.url("SEARXNG", "/search?q=survive&format=json"))


def test_a_failed_sign_in_is_logged_with_the_user_and_the_address_that_caddy_saw(stack: Stack) -> None:
    networks = json.loads(stack.docker("inspect", f"{stack.id}-caddy"))[0]["NetworkSettings"]["Networks"]
    caddys = {network["IPAddress"] for network in networks.values()}
    since = time.time()
    assert not Person(stack).sign_in("wrong", user="mallory")
    live = next(name for name in stack.containers() if name.startswith("app-web-"))
    told = re.search(r"WARNING ledger\.sign_ins: sign-in failed: user 'mallory' from (\S+)", stack.said(live, since))
    assert told is not None and told[1] not in caddys
