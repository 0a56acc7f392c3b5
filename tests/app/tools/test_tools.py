"""Tools: only listed functions run, every run is kept, a search engine that is away is a message and nothing more."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit

import pytest
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.test import Client
from pytest_django import Settings
from tools.models import Tool, ToolRun
from tools.search_tool import SearchFailed, search_web

from tools import calling, checks, search_tool

SEARCH = "tools.search_tool.search_web"


class SearXNG(BaseHTTPRequestHandler):
    """Speaks SearXNG's JSON on loopback; what it answers and what it was asked is the class's."""

    status = 200
    body: bytes = b""
    location = ""
    asked: ClassVar[list[dict[str, list[str]]]] = []
    cookies: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        type(self).asked.append({"path": [parts.path], **parse_qs(parts.query)})
        type(self).cookies.append(self.headers.get("Cookie", ""))
        self.send_response(self.status)
        if self.location:
            self.send_header("Location", self.location)
        self.send_header("Content-Length", str(len(self.body)))
        self.end_headers()
        self.wfile.write(self.body)

    def log_message(self, *_: object) -> None:
        pass


def results(count: int) -> bytes:
    found = [
        {
            "title": f"Title {n}",
            "url": f"http://t.example.org/{n}",
            "content": f"Text {n}",
            "engine": "ours",
            "score": 1.0,
        }
        for n in range(count)
    ]
    return json.dumps({"query": "q", "results": found, "answers": [], "suggestions": []}).encode()


@pytest.fixture
def searxng(settings: Settings) -> Iterator[type[SearXNG]]:
    class Answering(SearXNG):
        asked: ClassVar[list[dict[str, list[str]]]] = []
        cookies: ClassVar[list[str]] = []

    Answering.body = results(20)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Answering)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    settings.SEARXNG_URL = f"http://127.0.0.1:{server.server_port}"
    yield Answering
    server.shutdown()
    thread.join(5)
    server.server_close()


@pytest.fixture
def away(settings: Settings) -> None:
    settings.SEARXNG_URL = "http://127.0.0.1:9"  # discard: nobody listens


class TestSearch:
    def test_it_returns_title_url_and_content_of_the_best(self, searxng: type[SearXNG]) -> None:
        found = search_web("cats & dogs")
        assert len(found) == 10
        assert found[0] == {"title": "Title 0", "url": "http://t.example.org/0", "content": "Text 0"}
        assert searxng.asked == [{"path": ["/search"], "q": ["cats & dogs"], "format": ["json"], "pageno": ["1"]}]

    def test_it_brings_the_token_of_the_ledgers_engine(self, searxng: type[SearXNG], settings: Settings) -> None:
        for token, cookie in (("digest", "tokens=digest"), ("", "")):
            settings.SEARCH_ENGINE_TOKEN = token
            search_web("cats")
            assert searxng.cookies[-1] == cookie
        assert "digest" not in str(searxng.asked), "an address is written to logs"

    def test_it_passes_on_how_to_search(self, searxng: type[SearXNG]) -> None:
        assert len(search_web("cats", num_results=3, categories="news", language="de", page=2)) == 3
        asked = searxng.asked[0]
        assert (asked["categories"], asked["language"], asked["pageno"]) == (["news"], ["de"], ["2"])

    def test_nothing_found_is_an_empty_list_and_no_error(self, searxng: type[SearXNG]) -> None:
        searxng.body = results(0)
        assert search_web("cats") == []

    def test_a_result_without_text_is_still_one(self, searxng: type[SearXNG]) -> None:
        searxng.body = json.dumps({"results": [{"url": "http://t.example.org/", "content": None}, "odd"]}).encode()
        assert search_web("cats") == [{"title": "", "url": "http://t.example.org/", "content": ""}]

    @pytest.mark.parametrize(("query", "count"), [("", 10), ("  ", 10), ("x" * 501, 10), ("cats", 0), ("cats", 51)])
    def test_it_refuses_what_it_cannot_ask(self, searxng: type[SearXNG], query: str, count: int) -> None:
        with pytest.raises(ValueError, match="give 1 to"):
            search_web(query, count)
        assert searxng.asked == []

    @pytest.mark.parametrize(
        ("status", "body", "says"),
        [
            (403, b"", "SearXNG answered 403\nHINT: add json to search.formats"),
            (429, b"", "HINT: SearXNG limits requests"),
            (500, b"", "HINT: see its log"),
            (200, b"<html>", "did not answer in JSON, value seen b'<html>'"),
            (200, b"[]", "answered without results"),
            (200, b'{"results": 5}', "answered without results"),
        ],
    )
    def test_an_odd_answer_says_what_to_do(self, searxng: type[SearXNG], status: int, body: bytes, says: str) -> None:
        searxng.status, searxng.body = status, body
        with pytest.raises(SearchFailed) as caught:
            search_web("cats")
        assert says in str(caught.value)

    def test_an_answer_without_end_is_cut(self, searxng: type[SearXNG], monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(search_tool, "MOST_BYTES", 10)
        with pytest.raises(SearchFailed, match="more than 10 bytes"):
            search_web("cats")

    def test_it_follows_nobody_to_another_address(self, searxng: type[SearXNG]) -> None:
        searxng.status, searxng.location = 302, "http://outside.example.org/"
        with pytest.raises(SearchFailed, match="answered 302"):
            search_web("cats")

    def test_a_proxy_of_the_environment_is_not_asked(
        self, searxng: type[SearXNG], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
        assert search_web("cats")

    def test_searxng_away_is_a_clear_message(self, away: None) -> None:
        with pytest.raises(SearchFailed) as caught:
            search_web("cats")
        assert "SearXNG does not answer at http://127.0.0.1:9" in str(caught.value)
        assert "HINT: make status" in str(caught.value)

    def test_searxng_not_configured_is_a_clear_message(self, settings: Settings) -> None:
        settings.SEARXNG_URL = ""
        with pytest.raises(SearchFailed, match="HINT: set SEARXNG_URL"):
            search_web("cats")


def addition(first: int, second: float = 0.5, loud: bool = False, name: str = "sum") -> object:
    return {name: first + second, "loud": loud}


class TestCalling:
    @pytest.fixture(autouse=True)
    def _allowed(self, settings: Settings) -> None:
        settings.TOOL_FUNCTIONS = ("test_tools.addition", SEARCH)

    @pytest.mark.parametrize(
        ("given", "result"),
        [
            ({"first": "1"}, {"sum": 1.5, "loud": False}),
            ({"first": "1", "second": "2", "loud": "yes", "name": "n"}, {"n": 3.0, "loud": True}),
            ({"first": "1", "loud": "off", "second": ""}, {"sum": 1.5, "loud": False}),
        ],
    )
    def test_text_becomes_what_the_function_takes(self, given: dict[str, str], result: object) -> None:
        assert calling.call("test_tools.addition", given) == result

    @pytest.mark.parametrize(
        ("given", "says"),
        [
            ({}, "first: missing"),
            ({"first": "one"}, "first: not of type int, value seen 'one'"),
            ({"first": "1", "loud": "perhaps"}, "loud: not yes or no"),
            ({"first": "1", "third": "2"}, "third: no such argument"),
        ],
    )
    def test_a_wrong_argument_is_named(self, given: dict[str, str], says: str) -> None:
        with pytest.raises(calling.WrongArgument, match=says):
            calling.call("test_tools.addition", given)

    @pytest.mark.parametrize("path", ["os.system", "tools.search_tool.json.loads", "", "subprocess.run"])
    def test_a_function_that_is_not_listed_does_not_run(self, path: str) -> None:
        with pytest.raises(calling.NotAllowed, match="HINT: choose one of"):
            calling.call(path, {"command": "true"})

    def test_a_listed_function_that_is_not_there_is_found_at_the_start(self, settings: Settings) -> None:
        assert checks.functions_exist() == []
        settings.TOOL_FUNCTIONS = ("tools.nowhere.nothing",)
        (found,) = checks.functions_exist()
        assert found.id == "tools.E001"


@pytest.mark.django_db
class TestRegistry:
    @pytest.fixture
    def tool(self) -> Tool:
        found, _ = Tool.objects.get_or_create(name="search_web", defaults={"function": SEARCH})
        return found

    def run(self, client: Client, tool: Tool, **given: Any) -> str:
        return client.post(f"/admin/tools/tool/{tool.pk}/run/", given, follow=True).content.decode()

    def test_the_search_is_registered_from_the_start(self) -> None:
        assert Tool.objects.get(name="search_web").function == SEARCH

    def test_a_function_that_is_not_listed_cannot_be_registered(self) -> None:
        with pytest.raises(ValidationError, match="not on the list"):
            Tool(name="bad", function="os.system").full_clean()
        Tool(name="good", function=SEARCH).full_clean()

    def test_it_is_run_from_the_admin_and_the_run_is_kept(
        self, signed_in: Client, tool: Tool, searxng: type[SearXNG]
    ) -> None:
        page = signed_in.get(f"/admin/tools/tool/{tool.pk}/run/").content.decode()
        assert (
            'name="query"' in page and 'name="num_results"' in page and "<script" not in page.split("content-main")[1]
        )
        page = self.run(signed_in, tool, query="cats", num_results="2")
        assert "http://t.example.org/1" in page and "http://t.example.org/2" not in page
        done = ToolRun.objects.get()
        assert (done.arguments, done.error) == ({"query": "cats", "num_results": "2"}, "")
        assert str(done.run_by) == "keeper" and str(done).endswith(": done")

    def test_a_failure_is_shown_and_kept(self, signed_in: Client, tool: Tool, away: None) -> None:
        page = self.run(signed_in, tool, query="cats")
        assert "SearchFailed: SearXNG does not answer at http://127.0.0.1:9" in page
        assert "does not answer" in ToolRun.objects.get().error
        assert "SearchFailed" in signed_in.get("/admin/tools/toolrun/").content.decode()

    def test_nothing_else_notices_that_searxng_is_away(self, signed_in: Client, tool: Tool, away: None) -> None:
        self.run(signed_in, tool, query="cats")
        for path in ("/", "/statements/", "/readyz", "/admin/"):
            assert signed_in.get(path).status_code == 200, path

    def test_a_wrong_argument_is_shown_with_the_run(self, signed_in: Client, tool: Tool) -> None:
        assert "not of type int" in self.run(signed_in, tool, query="cats", num_results="many")

    def test_a_missing_argument_is_asked_for_and_nothing_runs(self, signed_in: Client, tool: Tool) -> None:
        assert "This field is required" in self.run(signed_in, tool)
        assert not ToolRun.objects.exists()

    def test_a_tool_whose_function_left_the_list_says_so(self, signed_in: Client, tool: Tool) -> None:
        Tool.objects.update(function="os.system")
        assert "not on the list of functions" in self.run(signed_in, tool, query="cats")
        assert "is not on the list" in Tool.objects.get().run({}).error

    def test_what_the_web_says_is_shown_as_text(self, signed_in: Client, tool: Tool, searxng: type[SearXNG]) -> None:
        searxng.body = json.dumps({"results": [{"title": "<script>x</script>", "url": "u", "content": ""}]}).encode()
        assert "<script>x" not in self.run(signed_in, tool, query="cats")

    def test_only_staff_may_run_it(self, client: Client, tool: Tool) -> None:
        assert client.get(f"/admin/tools/tool/{tool.pk}/run/").status_code == 302

    def test_staff_without_the_right_may_not(self, client: Client, tool: Tool) -> None:
        client.force_login(User.objects.create_user("helper", is_staff=True))
        assert client.post(f"/admin/tools/tool/{tool.pk}/run/", {"query": "cats"}).status_code == 403

    def test_runs_are_for_looking_only(self, signed_in: Client, tool: Tool, away: None) -> None:
        self.run(signed_in, tool, query="cats")
        pk = ToolRun.objects.get().pk
        for path in ("add/", f"{pk}/delete/"):
            assert signed_in.post(f"/admin/tools/toolrun/{path}", {"post": "yes"}).status_code == 403
        assert signed_in.get("/admin/tools/tool/").status_code == 200
