"""Whatever is sent, no exception escapes and no request is allowed that, as Go reads it, harms a protected volume.

`LEDGERGUARD_EXAMPLES` and `LEDGERGUARD_MUTATIONS` raise the numbers (make soak: 20,000 and a million);
`LEDGERFLOW_SEED` chooses others.
"""

from __future__ import annotations

import json
import os
import posixpath
import random
from typing import Any
from urllib.parse import parse_qs, unquote_to_bytes

import pytest
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from ledgerguard.api.request import Request
from ledgerguard.rules.decision import decide
from tests.unit.ledgerguard.fakes import DEVICE, HEALTH, LABELLED, VOLUME, host, policy
from tests.unit.ledgerguard.rules.test_decision import ALLOWED, REFUSED, STANDARD_ONLY

EXAMPLES = int(os.environ.get("LEDGERGUARD_EXAMPLES", "400"))
MUTATIONS = int(os.environ.get("LEDGERGUARD_MUTATIONS", "20000"))
SEED = int(os.environ.get("LEDGERFLOW_SEED", "20250422"))
PROTECTED = {VOLUME, LABELLED}
OWNERS = {"ledger-dev-postgres", *("1" * length for length in range(1, 65))}
HOLDERS = OWNERS | {"foreign", *("2" * length for length in range(1, 65))}
NAMELESS = {"nameless", *("9" * length for length in range(1, 65))}
GO_SPACE = "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2028\u2029\u202f\u205f\u3000"
KNOWN = host()


def as_go_reads(value: Any) -> Any:
    """The value by keys in lower case, objects of the same key merged, the last of others taken."""
    if isinstance(value, list) and value and all(isinstance(one, tuple) for one in value):
        merged: dict[str, Any] = {}
        for key, item in value:
            read, folded = as_go_reads(item), key.replace("\u017f", "s").replace("\u212a", "k").lower()
            before = merged.get(folded)
            merged[folded] = {**before, **read} if isinstance(before, dict) and isinstance(read, dict) else read
        return merged
    return [as_go_reads(one) for one in value] if isinstance(value, list) else value


def body_of(request: Request) -> dict[str, Any]:
    """The first JSON value of the body, read as leniently as the oldest engine does."""
    try:
        text = request.body.decode("utf-8", "replace")
        found, _end = json.JSONDecoder(object_pairs_hook=list).raw_decode(text.lstrip(" \t\r\n"))
    except (ValueError, RecursionError):
        return {}
    read = as_go_reads(found)
    return read if isinstance(read, dict) else {}


def writes_to(body: dict[str, Any]) -> list[str]:
    """Protected volumes and directories that a create request would mount writable."""
    host_config = body.get("hostconfig")
    parts = [host_config if isinstance(host_config, dict) else {}, body]
    found: list[str] = []
    for part in parts:
        for bind in part.get("binds") or []:
            source, _, rest = str(bind).partition(":")
            if rest and "ro" not in rest.split(":")[-1].split(",") and leads_to(source):
                found.append(source)
        for mount in part.get("mounts") or []:
            if isinstance(mount, dict) and leads_to(str(mount.get("source"))) and mount.get("readonly") is not True:
                found.append(str(mount.get("source")))
    return found


def leads_to(source: str) -> bool:
    if not source.startswith("/"):
        return source in PROTECTED
    path = posixpath.normpath("/" + source.lstrip("/"))
    return path == "/" or (path + "/").startswith(DEVICE + "/") or (DEVICE + "/").startswith(path + "/")


def harm(request: Request) -> str:
    """What this request would do to a protected volume, reckoned apart from the guard; "" for nothing."""
    path = request.uri.partition("?")[0]
    if not path.startswith("/"):
        path = "/" + path.split("://", 1)[-1].partition("/")[2]
    decoded = unquote_to_bytes(path).decode("utf-8", "replace")
    words = [word for word in decoded.split("/")[1:]]
    version = words[0][1:] if words else ""
    if words and words[0][:1] == "v" and words[0][1:] and set(words[0][1:]) <= set("0123456789."):
        words = words[1:]
    match request.method, words:
        case "DELETE", ["volumes", *rest] if "/".join(rest) in PROTECTED:
            return "removes it"
        case "POST", ["volumes", "prune"]:
            chosen = parse_qs(request.uri.partition("?")[2], keep_blank_values=True).get("filters", ["{}"])[0]
            return "" if spares(chosen) or takes_nameless_alone(version, chosen) else "prunes it"
        case "POST", ["containers", "create"]:
            body = body_of(request)
            if remounts(body):
                return "makes a read-only mount writable"
            return "mounts it" if writes_to(body) and not is_owner(body) else ""
        case "DELETE", ["containers", name] if name in NAMELESS and truth(request.uri, "v"):
            return "removes it with its container"
        case "POST", ["containers", name, "attach"] if name in HOLDERS and truth(request.uri, "stdin"):
            return "types into it"
        case "POST", ["containers", name, "exec"] if name in HOLDERS:
            body = body_of(request)
            command = body.get("cmd")
            harmless = command == ["pg_isready"] or (
                isinstance(command, list) and command[:1] in (["pg_dump"], ["psql"])
            )
            return "" if harmless and not body.get("env") and not body.get("privileged") else "runs in it"
        case "POST", ["containers", name, "start" | "restart"] if name in HOLDERS - OWNERS:
            return "starts a foreign holder"
        case "PUT", ["containers", name, "archive"] if name in HOLDERS:
            return "copies into it"
        case "POST", ["exec", "e2" | "e4", "start"]:
            return "runs in it"
    return ""


def truth(uri: str, name: str) -> bool:
    """A parameter as Go's form and the engine read it."""
    found = parse_qs(uri.partition("?")[2], keep_blank_values=True).get(name, [""])
    return found[0].strip(GO_SPACE).lower() not in {"", "0", "no", "false", "none"}


def remounts(body: dict[str, Any]) -> bool:
    """Whether a tmpfs of it would change what is mounted there."""
    tmpfs = (body.get("hostconfig") or {}).get("tmpfs") if isinstance(body.get("hostconfig"), dict) else None
    said = [str(one) for one in tmpfs.values()] if isinstance(tmpfs, dict) else []
    return any({"remount", "bind", "rbind", "move"} & set(words.split(",")) for words in said)


def spares(filters: str) -> bool:
    try:
        read = json.loads(filters)
    except ValueError:
        return True  # the engine refuses it
    if not isinstance(read, dict):
        return True
    excluded, wanted = list(read.get("label!") or []), list(read.get("label") or [])
    keeps = {"com.ledgerflow.protect", "com.ledgerflow.protect=true", "com.ledgerflow.environment"}
    keeps.add("com.ledgerflow.environment=dev")
    return (bool(excluded) and set(excluded) <= keeps) or bool(set(wanted) - keeps)


def takes_nameless_alone(version: str, filters: str) -> bool:
    """Since API 1.42 a prune that does not choose all takes only volumes that the engine named itself."""
    numbers = version.split(".")
    if len(numbers) != 2 or not all(number.isdecimal() for number in numbers):
        return False
    read = json.loads(filters)
    return [int(number) for number in numbers] >= [1, 42] and "all" not in read


def is_owner(body: dict[str, Any]) -> bool:
    program = (body.get("image"), body.get("entrypoint"), body.get("user"), body.get("cmd") or None)
    wanted = ("ledgerflow/postgres:1", ["/bin/sh", "/config/start", "postgres-entrypoint"], "5432:5432", None)
    health = (body.get("healthcheck") or {}).get("test") in (list(HEALTH), ["NONE"], [], None)
    return program == wanted and health


def check(request: Request) -> None:
    for profile in ("standard", "strict"):
        found = decide(request, policy(profile), KNOWN)
        assert found.allow or found.reason
        if found.allow:
            assert not harm(request), f"{profile} allows what {harm(request)}: {request}"


def test_the_reckoning_apart_knows_harm_when_it_sees_it() -> None:
    seen = [name for name, request in REFUSED.items() if harm(request)]
    assert len(seen) > 40, seen
    assert [name for name, request in ALLOWED.items() if harm(request)] == []


CORPUS = [*REFUSED.values(), *ALLOWED.values(), *STANDARD_ONLY.values()]
WORDS = [
    VOLUME,
    LABELLED,
    "plain",
    "volumes",
    "containers",
    "exec",
    "prune",
    "create",
    "start",
    "..",
    "%2e",
    "%2F",
    "v1.45",
]


def mutated(data: bytes, dice: random.Random) -> bytes:
    made = bytearray(data)
    for _ in range(dice.randint(1, 3)):
        at = dice.randrange(len(made) + 1)
        match dice.randrange(5):
            case 0 if made:
                made[at % len(made)] = dice.randrange(256)
            case 1:
                made[at:at] = bytes([dice.randrange(256)])
            case 2:
                del made[at : at + dice.randint(1, 4)]
            case 3:
                made[at:at] = dice.choice(WORDS).encode()
            case 4:
                end = dice.randrange(len(made) + 1)
                made[at:at] = made[min(at, end) : max(at, end)][:64]
    return bytes(made)


def test_no_mutation_of_a_request_escapes_or_does_harm() -> None:
    dice = random.Random(SEED)  # noqa: S311 nothing secret: a seed has to give the same again
    for _ in range(MUTATIONS):
        base = dice.choice(CORPUS)
        if dice.random() < 0.5 and base.body:
            body = mutated(base.body, dice)
            headers = {**base.headers, "content-length": str(len(body))}
            check(Request(base.method, base.uri, headers, body))
        else:
            uri = mutated(base.uri.encode(), dice).decode("latin-1")
            check(Request(base.method, uri, base.headers, base.body))


NAMES = (
    "HostConfig hostconfig Binds BINDS Mounts Source Target Type Name DriverOpts Image Labels Cmd Privileged "
    "VolumesFrom Healthcheck Env o device type Tmpfs PidMode"
)
KEYS = st.sampled_from(NAMES.split())
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=8)
    | st.sampled_from([VOLUME, f"{VOLUME}:/x", "/srv", "remount"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)
PATHS = st.lists(
    st.sampled_from([*WORDS, "ledger-dev-postgres", "foreign", "x", "archive", "", "attach", "ws", "e2", "nameless"]),
    max_size=5,
)


@seed(SEED)
@settings(max_examples=EXAMPLES, deadline=None, database=None, suppress_health_check=list(HealthCheck))
@given(
    method=st.sampled_from(["GET", "POST", "PUT", "DELETE", "HEAD", "PATCH"]),
    path=PATHS,
    query=st.text(alphabet='filterstdnv=&%{}"!:;1x', max_size=20),
    body=JSON,
    kind=st.sampled_from(["application/json", "text/plain", "", "application/x-www-form-urlencoded", None]),
)
def test_no_made_up_request_escapes_or_does_harm(
    method: str, path: list[str], query: str, body: Any, kind: str | None
) -> None:
    raw = json.dumps(body).encode() if body is not None else b""
    headers = {"content-length": str(len(raw))} | ({} if kind is None else {"content-type": kind})
    check(Request(method, "/" + "/".join(path) + (f"?{query}" if query else ""), headers, raw))


@pytest.mark.parametrize("text", ["\u212a", "\u017f", "ﬀ", "İ", "\udcff", "\0", "\x1b[31m", "\u202e"])
def test_odd_letters_in_names_are_refused_and_shown_escaped(text: str) -> None:
    body = json.dumps({"Name": text, "Driver": text}).encode()
    found = decide(Request("POST", "/volumes/create", {"content-type": "application/json"}, body), policy(), KNOWN)
    assert not found.allow
    assert found.line.isprintable()
