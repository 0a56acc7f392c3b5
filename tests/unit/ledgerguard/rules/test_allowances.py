"""`ledgerguard allow` and what `check` says of declarations and of containers that would be refused."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ledgerguard.declarations.merging import join_documents, merge_into, to_json
from ledgerguard.declarations.model import Allowance, Declarations
from ledgerguard.lookups.declarations_file import load_declarations
from ledgerguard.model import Container
from ledgerguard.refusal import Refusal, volume_refusal
from ledgerguard.rules.policy import Context, Policy
from ledgerguard.service import self_check
from tests.unit.ledgerguard.fakes import DECLARED, GRANT, IMAGE, OTHER_IMAGE, VOLUME, host
from tests.unit.ledgerguard.stub_engine import stub_engine
from tests.unit.ledgerguard.test_cli import place, run

__all__ = ["place"]  # a fixture of test_cli
THING = "network ledger-dev-edge"


def allow(place: Path, *arguments: str) -> int:
    known = {
        "/images/traefik/json": {"Id": IMAGE, "Config": {}},
        "/images/newer/json": {"Id": OTHER_IMAGE, "Config": {}},
    }
    (place / "engine.sock").unlink(missing_ok=True)  # of the call before
    with stub_engine(place, lambda _method, path: (200, known[path]) if path in known else (404, {})):
        return run(place, "allow", *arguments)


def exceptions(place: Path) -> tuple[Allowance, ...]:
    return load_declarations(place / "volumes.json").exceptions


def test_things_of_one_container_come_together_and_nothing_else_changes(place: Path) -> None:
    before = load_declarations(place / "volumes.json")
    assert allow(place, "traefik", "traefik", THING) == 0
    assert allow(place, "traefik", "traefik", "pid mode host") == 0
    assert allow(place, "traefik", "traefik", THING) == 0
    assert exceptions(place) == (Allowance("traefik", (IMAGE,), (THING, "pid mode host")),)
    assert replace(load_declarations(place / "volumes.json"), exceptions=()) == before


def test_another_image_is_another_exception_and_all_of_a_container_is_taken_back(place: Path) -> None:
    for container, image in (("traefik", "traefik"), ("traefik", "newer"), ("other", "newer")):
        assert allow(place, container, image, THING) == 0
    assert len(exceptions(place)) == 3
    assert allow(place, "traefik", "--remove") == 0
    assert exceptions(place) == (Allowance("other", (OTHER_IMAGE,), (THING,)),)


def test_what_was_allowed_is_a_line_of_the_audit(place: Path) -> None:
    allow(place, "traefik", "traefik", THING)
    (line,) = (place / "log/audit.jsonl").read_text().splitlines()
    assert (json.loads(line)["verdict"], json.loads(line)["reason"]) == ("allowed", f"traefik traefik {THING}")


@pytest.mark.parametrize(
    ("arguments", "code"),
    [(("traefik",), 64), (("traefik", "traefik"), 64), (("/x", "traefik", THING), 64), (("traefik", "gone", THING), 1)],
)
def test_what_cannot_be_allowed_changes_nothing(place: Path, arguments: tuple[str, ...], code: int) -> None:
    before = (place / "volumes.json").read_bytes()
    assert allow(place, *arguments) == code
    assert (place / "volumes.json").read_bytes() == before


def test_a_deploy_keeps_exceptions_and_so_does_one_that_declares_itself_only() -> None:
    exception = Allowance("traefik", (IMAGE,), (THING,))
    known = Declarations({VOLUME: DECLARED}, frozenset({"old"}), (replace(GRANT, target="", host={}),), (exception,))
    new = Declarations({"other": replace(DECLARED, name="other")}, frozenset({"new"}))
    both, only = merge_into(known, new), merge_into(known, new, only=True)
    assert both.exceptions == only.exceptions == (exception,)
    assert (set(both.volumes), both.networks, len(both.members)) == ({VOLUME, "other"}, {"old", "new"}, 1)
    assert (set(only.volumes), only.networks, only.members) == ({"other"}, {"new"}, ())


def test_what_is_written_is_read_again_with_members_networks_and_exceptions() -> None:
    described = replace(GRANT, host={"Memory": 1}, config={"Tty": True}, values={"A": "0" * 64}, networks={"n": ("a",)})
    known = Declarations(
        {VOLUME: replace(DECLARED, grants=(described, GRANT))},
        frozenset({"n"}),
        (replace(described, container="member", target=""),),
        (Allowance("traefik", (IMAGE,), (THING,)),),
    )
    from ledgerguard.declarations.reader import parse_declarations

    found = parse_declarations(to_json(known))
    assert found.volumes[VOLUME].grants[0] == described
    # Schema 1 said nothing of terminals: what it granted is granted with them until it is declared again.
    assert {one.tty for one in found.volumes[VOLUME].grants[1].exec} == {False}
    assert found == known
    assert join_documents([found]) == known


def test_what_schema_1_granted_has_terminals_until_it_is_declared_again() -> None:
    from ledgerguard.declarations.reader import parse_declarations

    grant = {"container": "c", "images": [IMAGE], "target": "/x", "exec": [{"argv": ["a"]}]}
    (old,) = (
        parse_declarations(json.dumps({"schema": 1, "volumes": {"v": {"environment": "dev", "grants": [grant]}}}))
        .volumes["v"]
        .grants
    )
    (new,) = (
        parse_declarations(json.dumps({"schema": 2, "volumes": {"v": {"environment": "dev", "grants": [grant]}}}))
        .volumes["v"]
        .grants
    )
    assert (old.host, old.exec[0].tty, old.exec[0].input) == (None, True, True)
    assert (new.host, new.exec[0].tty, new.exec[0].input) == ({}, False, False)


def test_check_names_what_is_declared_by_schema_1_and_it_is_no_fault() -> None:
    def told(declarations: Declarations) -> list[Any]:
        return list(self_check._check_schema(Context(Policy(declarations), host())))

    (finding,) = told(Declarations({VOLUME: DECLARED}))
    assert (finding.verdict, GRANT.container in finding.what) == ("ok", True)
    assert told(Declarations({VOLUME: replace(DECLARED, grants=(replace(GRANT, host={}),))})) == []


@pytest.mark.parametrize(
    "refusal", [volume_refusal(("v",), "mount", "x"), Refusal("x", "ledgerguard allow wordpress-db i 'y'")]
)
def test_check_never_suggests_to_stop_somebodys_database(refusal: Refusal) -> None:
    made = Container("wordpress-db", "i", (), (), "", (), "", (), (), {})
    hint = self_check._container_hint(made, refusal)
    assert "stop" not in hint
    assert "docker rm" not in hint
    assert ("ledgerguard grant wordpress-db" if refusal.verdict.volumes else "ledgerguard allow wordpress-db") in hint
