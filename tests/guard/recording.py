"""`python -m tests.guard.recording FILE`: records what real clients ask of a guarded engine, with what was looked up.

A module of its own because it makes the data that decisions are tested with where no engine is: every attempt and twin
is run with this guard instead of the installed one, and each request is kept with the answers to its look-ups. Started
with `serve` as its first word it is that guard.
"""

from __future__ import annotations

import base64
import json
import re
import sys
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "src")]

from ledgerguard import cli  # noqa: E402 the guard's process is started without a path
from ledgerguard.api.request import SAFE_METHODS, Request  # noqa: E402
from ledgerguard.model import Lookups  # noqa: E402
from ledgerguard.refusal import Verdict  # noqa: E402
from ledgerguard.rules.decision import decide  # noqa: E402
from ledgerguard.rules.policy import Policy  # noqa: E402
from ledgerguard.service import daemon  # noqa: E402

ASKED = (
    "volumes",
    "containers",
    "image",
    "execution",
    "network",
    "runtimes",
    "real_path",
    "exists",
    "file_systems",
    "submounts",
    "locations",
    "is_empty",
    "recursive_read_only",
    "only_root_changes",
)


class Kept:
    """Look-ups that remember what they answered."""

    def __init__(self, inner: Lookups) -> None:
        self.inner = inner
        self.answers: list[list[Any]] = []

    def __getattr__(self, name: str) -> Any:
        if name not in ASKED:
            raise AttributeError(name)

        def ask(*arguments: Any) -> Any:
            answer = getattr(self.inner, name)(*arguments)
            if name in ("submounts", "file_systems"):  # what else is mounted where this is recorded is of that machine
                answer = self._of_the_engine(name, answer)
            self.answers.append([name, list(arguments), plain(answer)])
            return answer

        return ask

    def _of_the_engine(self, name: str, answer: Any) -> Any:
        own = str(self.inner.data_root.parent)  # type: ignore[attr-defined]  # always EngineFiles here
        if name == "submounts":
            return tuple(one for one in answer if one.startswith(own))
        return (answer[0], *(one for one in answer[1:] if one[0].startswith(own)))


def plain(answer: Any) -> Any:
    """What json can write of a look-up's answer."""
    if isinstance(answer, dict):
        return {name: asdict(one) for name, one in answer.items()}
    if isinstance(answer, tuple):
        return [list(one) if isinstance(one, tuple) else one if isinstance(one, str) else asdict(one) for one in answer]
    return answer if isinstance(answer, str | bool) or answer is None else asdict(answer)


def recorder(file: Path) -> Any:
    def decider(request: Request, policy: Policy, lookups: Lookups) -> Verdict:
        kept = Kept(lookups)
        verdict = decide(request, policy, kept)
        if request.method not in SAFE_METHODS and "/alive" not in request.uri and len(request.body) < 8192:
            line = {
                "method": request.method, "uri": request.uri, "headers": dict(request.headers),
                "body": base64.b64encode(request.body).decode(), "profile": policy.profile, "asked": kept.answers,
                "allow": verdict.allow, "reason": verdict.reason, "declared": repr(policy.declarations),
            }  # fmt: skip
            with file.open("a") as opened:
                opened.write(json.dumps(line) + "\n")
        return verdict

    return decider


def serve(argv: list[str]) -> int:
    given = cli._parser().parse_args(argv)
    settings = cli._settings(given)
    daemon.serve(settings, recorder(settings.state_dir / "requests.jsonl"))
    return 0


def kind_of(one: dict[str, Any]) -> tuple[str, ...]:
    """What a request is kept for: its route, what was decided and why, and how its body was sent."""
    path = re.sub(r"[0-9a-f]{12,}", "ID", one["uri"].partition("?")[0])
    reason = re.sub(r"[0-9a-f]{12,}|'[^']*'|/[^ ,:;]+", "...", one["reason"])
    return one["method"], path, str(one["allow"]), reason, one["headers"].get("content-type", "")


def collect(place: str, declaration: dict[str, Any], lines: list[str]) -> dict[str, Any]:
    """One document: requests once each, equal answers of look-ups stored once, this host's place taken out. Some of our
    own steps declare more for a while; what was decided by other declarations than most is left out."""
    tables: dict[str, int] = {}
    requests, seen = [], set()
    ((usual, _),) = Counter(json.loads(line)["declared"] for line in lines).most_common(1)
    for line in lines:
        one = json.loads(line.replace(place, "/srv/test"))
        if one.pop("declared") != usual.replace(place, "/srv/test"):
            continue
        body = base64.b64decode(one["body"]).replace(place.encode(), b"/srv/test")
        one["body"] = body.decode("latin-1")
        if body and "content-length" in one["headers"]:
            one["headers"]["content-length"] = str(len(body))
        key = kind_of(one)
        if key in seen:
            continue
        seen.add(key)
        one["asked"] = _numbered(one["asked"], tables)
        requests.append(one)
    declared = json.loads(json.dumps(declaration).replace(place, "/srv/test"))
    return {"declarations": declared, "answers": [json.loads(text) for text in tables], "requests": requests}


def _numbered(asked: list[list[Any]], tables: dict[str, int]) -> list[list[Any]]:
    """Each question once, its answer by its number."""
    once = {json.dumps(one[:2]): one for one in asked}
    return [
        [name, arguments, tables.setdefault(json.dumps(answer), len(tables))]
        for name, arguments, answer in once.values()
    ]


def written(found: dict[str, Any]) -> str:
    """A line for each request and each answer, so that a change is a line."""
    lists = {key: ",\n".join(json.dumps(one, sort_keys=True) for one in found[key]) for key in ("answers", "requests")}
    head = json.dumps(found["declarations"], sort_keys=True)
    return (
        f'{{"declarations":\n{head},\n"answers": [\n{lists["answers"]}\n],\n"requests": [\n{lists["requests"]}\n]}}\n'
    )


def main(argv: list[str]) -> int:
    if "serve" in argv[:2]:  # before it stands the installed guard's archive, which the other commands are run from
        return serve(argv[argv.index("serve") :])
    from tests.guard.attempts import ATTEMPTS, TWINS
    from tests.guard.outcomes import judge_attempt
    from tools.kit.guard_world import World
    from tools.kit.guarded_engine import guarded_engine, pack_guard

    archive = pack_guard()
    with guarded_engine("26.1", "standard", (sys.executable, str(Path(__file__)), str(archive))) as engine:
        world = World(engine)
        world.prepare()
        for one in (*ATTEMPTS, *TWINS):
            if one.only in ("", "26.1"):
                judge_attempt(one, world)
        lines = (engine.place / "state/requests.jsonl").read_text().splitlines()
        found = collect(str(engine.place), world.declaration({}), lines)
    Path(argv[0]).write_text(written(found))
    print(f"{argv[0]}: {len(found['requests'])} requests")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
