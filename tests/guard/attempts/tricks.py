"""Requests written so that the guard and the engine may read them differently."""

from __future__ import annotations

import json
from contextlib import closing
from typing import Any

from tests.guard.attempts.base import ATTEMPTS, Attempt, twin
from tools.kit.guard_world import VICTIM, World, pause, remove_sentinel


def _create_trick(name: str, host: str, **more: Any) -> None:
    """A create request of these very bytes, then a start: {body} is the host configuration as written."""
    command = json.dumps(remove_sentinel("/x"))
    body = f'{{"Image":"tiny","Cmd":{command},{host}}}'.encode("utf-8", "surrogateescape")

    def run(world: World) -> None:
        _sent_and_started(world, body)

    ATTEMPTS.append(Attempt("request tricks", name, run, **more))


def _sent_and_started(world: World, body: bytes, *headers: str, uri: str = "/containers/create?name=trick") -> None:
    world.post(uri, body, *headers)
    world.http("POST", "/containers/trick/start", b"")
    pause(0.8)


_BIND = f'["{VICTIM}:/x"]'
_create_trick("keys in another case", f'"hostconfig":{{"bINDS":{_BIND}}}')
_create_trick("keys in Unicode's other case", f'"Ho\u017ftConfig":{{"Bind\u017f":{_BIND}}}')
_create_trick("duplicate objects", f'"HostConfig":{{"Binds":{_BIND}}},"HostConfig":{{"Memory":0}}')
_create_trick("duplicate objects in two cases", f'"HostConfig":{{"Binds":{_BIND}}},"hostconfig":{{}}')
_create_trick("escaped keys", f'"\\u0048ostConfig":{{"\\u0042inds":{_BIND}}}')
_create_trick("host configuration at the top level", f'"Binds":{_BIND}', only="20.10")
_create_trick(
    "deep nesting", f'"HostConfig":{{"Binds":{_BIND}}},"Labels":{{"a":' + "[" * 3000 + "]" * 3000 + "}", loses=False
)
_create_trick("invalid UTF-8", f'"HostConfig":{{"Binds":{_BIND}}},"Labels":{{"a":"\udcff"}}')
_PLAIN = json.dumps({"Image": "tiny", "Cmd": remove_sentinel("/x"), "HostConfig": {"Binds": [f"{VICTIM}:/x"]}}).encode()
_JSON = "Content-Type: application/json"
for _name, _call in {
    "chunked": (b"%x\r\n%s\r\n0\r\n\r\n" % (len(_PLAIN), _PLAIN), _JSON, "Transfer-Encoding: chunked"),
    "body above 1 MiB": (_PLAIN[:-1] + b',"Labels":{"a":"' + b"x" * (1 << 20) + b'"}}', _JSON),
    "body above 4 MiB": (_PLAIN[:-1] + b',"Labels":{"a":"' + b"x" * (4 << 20) + b'"}}', _JSON),
    "length 0 given first": (_PLAIN, _JSON, "Content-Length: 0"),
    "content type with a parameter": (_PLAIN, _JSON + "; charset=utf-8"),
    "content type in capitals": (_PLAIN, "Content-Type: APPLICATION/JSON"),
    "two content types": (_PLAIN, "Content-Type: application/json", "Content-Type: text/plain"),
    "trailing junk": (_PLAIN + b"{}", _JSON),
}.items():
    ATTEMPTS.append(
        Attempt(
            "request tricks",
            _name,
            lambda w, c=_call: _sent_and_started(w, *c),
            loses="20.10" if _name == "trailing junk" else _name != "length 0 given first",
        )
    )
ATTEMPTS.append(
    Attempt(
        "request tricks",
        "a query that ends in /auth hides the body",
        lambda w: _sent_and_started(w, _PLAIN, _JSON, uri="/containers/create?name=trick&x=/auth"),
    )
)


@twin("request tricks", "a normal create")
def _normal(world: World) -> None:
    with closing(world.sdk()) as client:
        made = client.containers.run(
            "tiny", ["ls", "/"], remove=True, environment={"A": "1"}, labels={"a": "1", "A": "2"}
        )
    assert b"bin" in made


@twin("request tricks", "parameters that the engine reads as lists, several times")
def _repeated(world: World) -> None:
    archive = str(world.engine.place / "rootfs.tar")
    world.ok("import", "--change", "ENV A=1", "--change", "ENV B=2", archive, "tiny:two")
    world.ok("create", "--name", "committed", "tiny")
    world.ok("commit", "--change", "ENV A=1", "--change", "ENV B=2", "committed", "tiny:three")
    answer = world.http("POST", "/build?t=tiny:four&t=tiny:five&remote=", b"", "Content-Type: application/x-tar")
    assert " 403 " not in answer, answer
